"""One seed: a pair, five minutes in which anything may break, an end to all faults, and a bound until it is well."""

from dataclasses import dataclass, field, replace
from random import Random

from aoeha.core.model.config import PairConfig
from aoeha.sim.stories.commands import do
from aoeha.sim.stories.ending import Ending
from aoeha.sim.stories.ledgers import LedgerCounter
from aoeha.sim.stories.plan import Planned, plan
from aoeha.sim.stories.settings import Settings
from aoeha.sim.stories.timers import timers_of
from aoeha.sim.world.violation import Violation

__all__ = ["UNHEALED_MS", "Outcome", "Story", "play", "settings_of", "story_of"]

UNHEALED_MS = 20_000
"""So much longer a story is played whose faults do not end."""
HOSTS_SHARE = 0.25
"""Of all seeds have reference hosts; by dice of their own, like the faults of these seeds, so that others stay as
they are."""


GENERATION_HOLDS = PairConfig.generation_every_ms // PairConfig.hold_every_ms
"""A generation is renewed each so many periods of the hold check."""


@dataclass(frozen=True, slots=True)
class Story:
    """A pair and what happens to it. `heals` tells whether all faults end after it."""

    settings: Settings
    plan: tuple[Planned, ...]
    heals: bool = True


@dataclass(slots=True)
class Outcome:
    """The result of a story. `broken` is the invariant's name, empty for none."""

    broken: str = ""
    sentence: str = ""
    at_ms: int = 0
    simulated_ms: int = 0
    events: int = 0
    steps: int = 0
    worst_outage_ms: int = 0
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    ending: tuple[Planned, ...] = ()
    survivor: str = ""

    def total(self, kind: str) -> int:
        """Return how often anything of this kind occurred."""
        return sum(count for (known, _), count in self.counts.items() if known == kind)


def settings_of(random: Random, seed: int) -> Settings:
    """Choose a topology and timers."""
    links = random.choices((1, 2, 3, 4, 8), (40, 50, 6, 3, 1))[0]
    groups = random.choices((1, 2, 3), (84, 14, 2))[0]
    names = ("storage", "archive", "backup")[:groups]
    timeout_ms, settle_ms = random.choice((2_000, 5_000, 10_000)), random.choice((0, 0, 1_000))
    settings = Settings(
        links=links,
        serial=random.randint(0, min(links, 2)),
        groups=",".join(f"{name}:{random.choice(('alpha', 'beta'))}" for name in names),
        resources=random.choices((1, 2, 3), (40, 48, 12))[0],
        devices=random.choice(("switch:1", "switch:1", "left:1,right:1", "switch:1,bmc:2", "bmc:1")),
        boot_ms=random.randint(8_000, 30_000),
        window_ms=random.choice((60_000, 120_000)),
        confirm_ms=random.choice((30_000, 600_000)),
        timeout_ms=timeout_ms,
        settle_ms=settle_ms,
        revive=random.choices((0, 1), (15, 85))[0],
        reserve=random.choices((0, 1), (50, 50))[0],
        suffices=random.choices((0, 1), (20, 80))[0],
        durable=random.choice((0, 1)),
        paths=random.choices((1, 2), (75, 25))[0],
        interfaces=random.choices((1, 2), (80, 20))[0],
        hosts=int(Random(f"hosts of {seed}").random() < HOSTS_SHARE),
        seed=seed,
        **timers_of(random, 2 * timeout_ms + settle_ms, slow=links > 3 or groups > 2),
    )
    return replace(settings, generation_ms=GENERATION_HOLDS * settings.hold_ms)


def story_of(seed: int) -> Story:
    """What this seed stands for."""
    random = Random(seed)
    settings = settings_of(random, seed)
    return Story(settings, plan(random, settings))


def play(story: Story) -> Outcome:
    """Let a story happen; never raises Violation."""
    world = story.settings.world()
    world.observe(LedgerCounter(world))
    outcome, ending = Outcome(), Ending(world, story.settings)
    try:
        for planned in story.plan:
            world.run(planned.at_ms - world.timeline.now_ms)
            do(world, planned.line)
        if story.heals:
            ending.play()
        else:
            world.run(UNHEALED_MS)
    except Violation as violation:
        outcome.broken, outcome.sentence, outcome.at_ms = violation.invariant, str(violation), violation.at_ms
    except AssertionError as error:
        name = str(error).partition(":")[0]
        outcome.broken = name if name.startswith("I") else "core"
        outcome.sentence = f"the core's own assertion failed at {world.timeline.now_ms / 1_000:.3f} s: {error}"
        outcome.at_ms = world.timeline.now_ms
    outcome.ending, outcome.survivor = tuple(ending.done), ending.survivor
    outcome.simulated_ms = world.timeline.now_ms
    outcome.events, outcome.steps = world.timeline.events, world.steps
    outcome.worst_outage_ms = world.storage.worst_outage_ms
    outcome.counts = dict(world.counts)
    return outcome
