"""Which arguments each request may have. An unknown one is refused, like an unknown key of aoeha.toml.

A mistyped argument that was ignored would make a request mean something else: `standby` without its node is about the
node that was asked. Which verbs there are, the core knows: one that is not named here goes there with all it has.
"""

from aoeha.io.control_socket import Request

__all__ = ["ARGUMENTS", "WAIT", "number", "shown", "why_unclear"]

WAIT = "wait_ms"
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "status": (),
    "why": (),
    "events": ("number", "follow"),
    "fence-history": ("number",),
    "restart": (),
    "pause": (WAIT,),
    "resume": (WAIT,),
    "standby": ("node", WAIT),
    "unstandby": ("node", WAIT),
    "switchover": ("group", WAIT),
    "confirm": ("node", WAIT),
    "cleanup": (WAIT,),
    "fence": ("node", "act", "anyway", WAIT),
    "fence-verify": ("node", "level", WAIT),
    "fence-test": ("device", WAIT),
}
DIGITS_MAX = 9
SHOWN_MAX = 40


def why_unclear(request: Request) -> str:
    """Return why a request cannot mean what it says, or an empty string."""
    known = ARGUMENTS.get(request.verb)
    if known is None:
        return ""
    unknown = [name for name in request.arguments if name not in known]
    if not unknown:
        return ""
    takes = f"it takes {', '.join(known)}" if known else "it takes none"
    return f"cannot {request.verb}: there is no argument {shown(unknown[0])}; {takes}"


def number(text: str) -> int | None:
    """Return a number that an argument tells, or None for what is none, or is beyond all use."""
    return int(text) if len(text) <= DIGITS_MAX and text.isascii() and text.isdigit() else None


def shown(text: str) -> str:
    """Quote what a client sent, as much of it as a sentence bears."""
    return repr(text) if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]!r}..."
