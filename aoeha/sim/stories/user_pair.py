"""A pair that a user configured, in place of one that a seed has chosen."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random

from aoeha.core.model.config import LegConfig, PairConfig
from aoeha.sim.stories.judged import JudgedWorld
from aoeha.sim.stories.plan import plan
from aoeha.sim.stories.settings import Settings
from aoeha.sim.stories.swarm import Story
from aoeha.sim.world.storage import SHELVES
from aoeha.sim.world.world import Hardware

__all__ = ["GivenPair", "given_story"]

BOOT_MS = 30_000


@dataclass(frozen=True, slots=True)
class GivenPair(Settings):
    """Settings that are derived from a pair's configurations; what these leave open has its default."""

    given: Mapping[str, PairConfig] = field(default_factory=dict)
    serial_links: tuple[str, ...] = ()

    def configs(self) -> dict[str, PairConfig]:
        """Return the pair as each gateway sees it."""
        return dict(self.given)

    def nodes(self) -> tuple[str, ...]:
        """Return the gateways' names."""
        return tuple(self.given)

    def link_names(self) -> tuple[str, ...]:
        """Return the links' names."""
        return self._any().links

    def group_names(self) -> tuple[str, ...]:
        """Return the groups' names."""
        return tuple(group.name for group in self._any().groups)

    def resource_names(self, group: str) -> tuple[str, ...]:
        """Return the names of a group's resources."""
        return next(tuple(r.name for r in known.resources) for known in self._any().groups if known.name == group)

    def device_names(self) -> tuple[str, ...]:
        """Return the fence devices' names."""
        return tuple(fence.name for fence in self._any().fences)

    def world(self, *, traced: bool = False) -> JudgedWorld:
        """Make this pair, with no power yet."""
        return JudgedWorld(self.given, Hardware(self.serial_links, self.boot_ms), seed=self.seed, traced=traced)

    def _any(self) -> PairConfig:
        return next(iter(self.given.values()))


def given_story(configs: Mapping[str, PairConfig], serial_links: tuple[str, ...], seed: int) -> Story:
    """What this seed does to this pair."""
    config = next(iter(configs.values()))
    resources = [resource for group in config.groups for resource in group.resources]
    settings = GivenPair(
        resources=len(resources),
        deadtime_ms=config.deadtime_ms,
        initdead_ms=config.initdead_ms,
        boot_ms=BOOT_MS,
        window_ms=max(
            config.reboot_window_ms, config.boot_patience_ms, *(group.failure_window_ms for group in config.groups)
        ),
        deadline_ms=max(resource.start_ms + resource.stop_ms for resource in resources),
        seed=seed,
        given={node: _on_our_shelves(known) for node, known in configs.items()},
        serial_links=serial_links,
    )
    return Story(settings, plan(Random(seed), settings))


def _on_our_shelves(config: PairConfig) -> PairConfig:
    """Put every group's legs, if it names any, on the world's two shelves."""
    legs = tuple(LegConfig(shelf, (f"{shelf}/1",)) for shelf in SHELVES)
    return replace(config, groups=tuple(replace(group, legs=legs if group.legs else ()) for group in config.groups))
