"""What many seeds added up to, and whether anything that should occur never did."""

from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from aoeha.core.model.code_book import BOOK
from aoeha.core.model.conditions import TAKEOVERS, Code
from aoeha.sim.stories.ledgers import CURRENT, NOT_CURRENT
from aoeha.sim.stories.swarm import Outcome

__all__ = ["EXPECTED_FAULTS", "Tally"]

EXPECTED_FAULTS = (
    *("ask", "boot", "crash", "cut", "delay", "drop", "flap", "freeze", "garble", "halt-clock", "heal", "jump", "kill"),
    *(
        "lose",
        "mend",
        "miswire",
        "move",
        "noise",
        "pause",
        "power",
        "repeat",
        "replay",
        "reset",
        "shuffle",
        "start",
        "unplug",
    ),
    *("unpower", "vouch", "wear", "break fail", "break hang", "break late", "disk full", "disk hangs", "device dead"),
    *("device late", "device slow", "device vague", "shelf silent", "shelf restarts", "recover"),
    *("cut-san", "cut-interface", "heal-san", "clone", "speaks"),
)
"""Every kind of fault of aoeha.sim.stories.faults, as it is counted."""

EXPECTED_MIRROR = (
    "leg kicked by the kernel",
    "leg recovered",
    "started with a leg missing",
    "start refused",
    "paths left",
)
EXPECTED_CONDITIONS = (
    Code.TAKEOVER_REFUSED_NO_PROOF,
    Code.TAKEOVER_REFUSED_UNCLEAN_BOOT,
    Code.TAKEOVER_REFUSED_NO_SHELF,
    Code.TAKEOVER_REFUSED_PAUSED,
    Code.START_REFUSED_UNRESERVED,
    Code.GROUP_FAILING,
    Code.RESOURCE_STOP_FAILED,
    Code.DEVICE_WRONG_PLUG,
    Code.FENCE_CANCELLED,
    Code.FENCE_STOOD_DOWN,
    Code.NODE_STALLED,
    Code.OWNERSHIP_CONFIRMED_BY_PEER,
    Code.PEER_CONFIRMATION_EXPIRED,
)
KINDS = (
    *("fault", "takeover", "refusal", "alarm", "reboot", "decision", "answer"),
    *("fence", "late", "panic", "rejected", "mirror", "client", "ledger", "survivor", "excused"),
)
"""What is counted, in the order in which it is shown."""
EXPECTED_CLIENT = ("no answer", "session reset")
EXPECTED_SURVIVOR = ("served by itself", "served after a human did as told")
JUDGED, SUSPENDED = "judged", "suspended"
"""How many seconds of each kind of judgement were judged, and how many were not for a reason."""


@dataclass(slots=True)
class Tally:
    """Statistics of runs. `failures` are the seeds that broke something, with the sentence."""

    runs: int = 0
    failures: list[tuple[int, Outcome]] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    events: list[int] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)
    takeovers: list[int] = field(default_factory=list)
    simulated_ms: list[int] = field(default_factory=list)
    worst_outage_ms: int = 0
    with_current_ledger: int = 0
    survivors: int = 0

    def add(self, seed: int, outcome: Outcome) -> None:
        """Add one run."""
        self.runs += 1
        if outcome.broken:
            self.failures.append((seed, outcome))
        self.counts.update(outcome.counts)
        self.with_current_ledger += CURRENT in outcome.counts
        self.survivors += bool(outcome.survivor)
        self.events.append(outcome.events)
        self.faults.append(outcome.total("fault"))
        self.takeovers.append(outcome.total("takeover"))
        self.simulated_ms.append(outcome.simulated_ms)
        self.worst_outage_ms = max(self.worst_outage_ms, outcome.worst_outage_ms)

    def missing(self) -> list[str]:
        """Return what should occur in a long run and did not."""
        expected = [("fault", name) for name in EXPECTED_FAULTS]
        expected += [("takeover", code.value) for code in TAKEOVERS]
        expected += [(BOOK[code].kind.value, code.value) for code in EXPECTED_CONDITIONS]
        expected += [("mirror", name) for name in EXPECTED_MIRROR]
        expected += [("client", name) for name in EXPECTED_CLIENT]
        expected += [("survivor", name) for name in EXPECTED_SURVIVOR]
        expected += [CURRENT, NOT_CURRENT]
        return [f"{kind} {name}" for kind, name in expected if not self.counts[kind, name]]

    def judged_percent(self) -> dict[str, float]:
        """Return in how much of the time each kind of judgement was made, and not suspended for a reason."""
        seconds: Counter[str] = Counter()
        for (kind, name), count in self.counts.items():
            if kind in (JUDGED, SUSPENDED):
                seconds[name.partition(": ")[0]] += count
        return {name: 100 * self.counts[JUDGED, name] / whole for name, whole in seconds.items()}

    def lines(self) -> list[str]:
        """Return the figures, one line each."""
        if not self.runs:
            return ["no runs"]
        simulated_s = [ms / 1_000 for ms in self.simulated_ms]
        said = [
            f"runs {self.runs}, violations {len(self.failures)}, simulated {sum(simulated_s) / 3_600:.1f} h",
            f"median a run: events {median(self.events):.0f}, faults {median(self.faults):.0f}",
            f"median a run: takeovers {median(self.takeovers):.0f}, simulated seconds {median(simulated_s):.0f}",
            f"worst outage {self.worst_outage_ms / 1_000:.1f} s",
        ]
        said.append(
            f"seeds with a current ledger at a takeover {self.with_current_ledger}, survivors alone {self.survivors}"
        )
        said += [f"judged {share:.1f} % of the time: {kind}" for kind, share in sorted(self.judged_percent().items())]
        for kind in KINDS:
            found = sorted((name, count) for (known, name), count in self.counts.items() if known == kind)
            said.append(f"{kind}: " + ", ".join(f"{name} {count}" for name, count in found))
        return said
