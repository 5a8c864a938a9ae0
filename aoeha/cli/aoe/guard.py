"""Whether an operator may change a target by hand: the daemon here says whether its group is in use."""

import argparse

from aoeha.cli.aoe.pair import Leg, Pair
from aoeha.cli.aoe.screen import VerbError
from aoeha.cli.control import ControlError, ask
from aoeha.core.model.exits import Exit

__all__ = ["NOBODY", "owner_or_refusal"]

NOBODY = "nobody"
ANSWER_SECONDS = 5.0


def owner_or_refusal(arguments: argparse.Namespace, pair: Pair, leg: Leg) -> str | None:
    """Return the owner of a leg's group: a gateway, "nobody", or None when it is unknown and no daemon runs here.

    Raises VerbError when the group is in use, or when the daemon runs and does not know, unless --force is given.
    """
    try:
        owner = _owner(arguments.socket, leg)
    except ControlError as error:
        if error.code is Exit.NOT_RUNNING or arguments.force:
            return None
        raise VerbError(error.code, f"cannot tell whether {leg.group} is in use: {error}") from error
    if owner == NOBODY or arguments.force:
        return owner
    if owner is None:
        raise VerbError(
            Exit.CANNOT_DETERMINE,
            f"cannot tell whether {leg.group} is in use: the daemon here does not know who owns it, and "
            f"{leg.target} is one of its legs; `aoeha status` says why; --force changes it all the same",
        )
    raise VerbError(
        Exit.UNSAFE,
        f"cannot change {leg.target}: it is a leg of {leg.group}, which {owner} owns, and the pair manages its "
        "reservation itself; stop the pair first (systemctl stop aoeha on both gateways); --force takes the leg away "
        f"from {'this' if owner == pair.node else 'the other'} gateway all the same",
    )


def _owner(path: str, leg: Leg) -> str | None:
    document = ask(path, "status", deadline_seconds=ANSWER_SECONDS).document or {}
    groups = {group.get("name"): group.get("owner") for group in document.get("groups", ())}
    owner = groups.get(leg.group)
    return owner if isinstance(owner, str) and owner != "unknown" else None
