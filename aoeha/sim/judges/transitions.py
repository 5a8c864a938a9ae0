"""The machines of the core and every transition that they may take, in the core's own words (see coverage.py)."""

from dataclasses import dataclass

__all__ = ["BEGIN", "MACHINES", "Machine"]

BEGIN = "(a daemon starts)"


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine: for each state those that may follow it."""

    title: str
    text: str
    moves: dict[str, tuple[str, ...]]


MACHINES: dict[str, Machine] = {
    "peer": Machine(
        "The peer, as its beats show it",
        "Membership (R1, R10, R15). Only silent and unheard ever lead to a fence, and neither is a proof.",
        {
            BEGIN: ("booting",),
            "booting": (
                "heard by the shelves only",
                "left",
                "online",
                "restarting",
                "unheard",
            ),
            "heard by the shelves only": (
                "not heard; the shelves are asked",
                "online",
                "restarting",
                "silent",
                "unheard",
            ),
            "late": (
                "heard by the shelves only",
                "left",
                "not heard; the shelves are asked",
                "online",
                "restarting",
                "silent",
            ),
            "left": (
                "not heard; the shelves are asked",
                "online",
                "restarting",
            ),
            "not heard; the shelves are asked": (
                "heard by the shelves only",
                "online",
                "restarting",
                "silent",
            ),
            "online": (
                "late",
                "left",
                "restarting",
            ),
            "restarting": (
                "online",
                "silent",
            ),
            "silent": (
                "heard by the shelves only",
                "not heard; the shelves are asked",
                "online",
                "restarting",
            ),
            "unheard": (
                "booting",
                "heard by the shelves only",
                "online",
            ),
        },
    ),
    "link": Machine(
        "A link",
        "Membership (R1): the age of the newest beat on it.",
        {
            BEGIN: ("unheard",),
            "down": (
                "unheard",
                "up",
            ),
            "late": (
                "down",
                "up",
            ),
            "unheard": (
                "down",
                "up",
            ),
            "up": ("late",),
        },
    ),
    "ownership": Machine(
        "Ownership of a group on one node",
        "Ownership (R2, R9): the proof by which it is owned, or what binds the node instead.",
        {
            BEGIN: (
                "free",
                "granted to the peer",
                "owns (handed over)",
                "owns (powered off)",
                "owns (storage-fenced)",
            ),
            "claims": (
                "free",
                "owns (handed over)",
                "owns (powered off)",
            ),
            "free": (
                "claims",
                "granted to the peer",
                "owns (handed over)",
                "owns (operator's word)",
                "owns (powered off)",
                "owns (rebooted)",
                "owns (storage-fenced)",
            ),
            "granted to the peer": (
                "free",
                "owns (operator's word)",
                "owns (storage-fenced)",
            ),
            "owns (handed over)": ("yields (handed over)",),
            "owns (operator's word)": ("yields (operator's word)",),
            "owns (powered off)": (
                "free",
                "yields (powered off)",
            ),
            "owns (rebooted)": ("yields (rebooted)",),
            "owns (storage-fenced)": ("free", "yields (storage-fenced)"),
            "yields (handed over)": (
                "claims",
                "free",
                "granted to the peer",
            ),
            "yields (operator's word)": ("granted to the peer",),
            "yields (powered off)": (
                "free",
                "granted to the peer",
            ),
            "yields (rebooted)": ("granted to the peer",),
            "yields (storage-fenced)": (
                "free",
                "granted to the peer",
            ),
        },
    ),
    "group": Machine(
        "A group on one node",
        "Recovery (R14): what its resources add up to.",
        {
            BEGIN: ("unknown",),
            "blocked": ("stopping",),
            "running": (
                "blocked",
                "starting",
                "stopping",
            ),
            "starting": (
                "blocked",
                "running",
                "stopped",
                "stopping",
            ),
            "stopped": ("starting",),
            "stopping": (
                "blocked",
                "stopped",
            ),
            "unknown": (
                "running",
                "starting",
                "stopped",
                "stopping",
            ),
        },
    ),
    "resource": Machine(
        "A resource on one node",
        "Recovery (R14).",
        {
            BEGIN: ("unknown",),
            "degraded": (
                "failed",
                "running",
                "stopping",
            ),
            "failed": ("stopping",),
            "running": (
                "degraded",
                "failed",
                "starting",
                "stopped",
                "stopping",
            ),
            "starting": (
                "running",
                "stopping",
            ),
            "stop failed": ("stopping",),
            "stopped": ("starting",),
            "stopping": (
                "starting",
                "stop failed",
                "stopped",
            ),
            "unknown": (
                "degraded",
                "failed",
                "running",
                "stopped",
                "stopping",
            ),
        },
    ),
    "fence": Machine(
        "A power fence",
        "Fencing (R2, R7, R8). Idle again means: proven, called off, or given up.",
        {
            BEGIN: (
                "idle",
                "waiting",
            ),
            "backing off": (
                "idle",
                "switching off",
            ),
            "cancelling": ("idle",),
            "idle": (
                "backing off",
                "switching off",
                "waiting",
            ),
            "reading back": (
                "backing off",
                "cancelling",
                "idle",
                "settling",
            ),
            "settling": (
                "backing off",
                "idle",
                "switching off",
            ),
            "switching off": (
                "backing off",
                "cancelling",
                "idle",
                "reading back",
            ),
            "waiting": (
                "idle",
                "switching off",
            ),
        },
    ),
}
