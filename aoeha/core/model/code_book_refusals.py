"""The part of the code book about refusals: why a group is not taken over, and why a resource is not started."""

from collections.abc import Mapping

from aoeha.core.model.code_entry import Entry, refusal
from aoeha.core.model.conditions import Code

__all__ = ["REFUSALS_BOOK"]

_BLOCKERS = "core/ownership/blockers.py"
_FENCE = "core/fencing/power_fence.py"
_STORAGE_FENCE = "core/storage/storage_fence.py"
_LIFECYCLE = "core/resources/lifecycle.py"

_TAKEOVERS: Mapping[Code, Entry] = {
    Code.TAKEOVER_REFUSED_STANDBY: refusal(
        _BLOCKERS,
        "R7 R9",
        "The peer is silent, and this node is in standby.",
        "Find out why the peer is silent. Then, to let this node serve: `aoeha unstandby NODE`.",
    ),
    Code.TAKEOVER_REFUSED_PANICKING: refusal(
        _BLOCKERS, "R10 R14", "This node is about to reboot itself.", "Wait for the reboot. Its alarm says why."
    ),
    Code.TAKEOVER_REFUSED_LEAVING: refusal(
        _BLOCKERS, "R1", "This node is leaving the pair.", "To let it serve, start its daemon again."
    ),
    Code.TAKEOVER_REFUSED_LEFT: refusal(
        _BLOCKERS, "R1", "This node has left the pair.", "To let it serve, start its daemon again."
    ),
    Code.TAKEOVER_REFUSED_PAUSED: refusal(
        _BLOCKERS, "R15", "The peer is silent, and the pair is paused.", "Run `aoeha resume`."
    ),
    Code.TAKEOVER_REFUSED_REVALIDATING: refusal(
        _BLOCKERS,
        "R10",
        "This node was stalled, and does not know yet whether the peer took over.",
        "Wait. It ends by the peer's answer, by the legs, or by a reboot of this node.",
    ),
    Code.TAKEOVER_REFUSED_DUPLICATE_NAME: refusal(
        _BLOCKERS, "R1", "Two machines use the peer's name, so nothing proves the peer off.", "See peer.duplicate-name."
    ),
    Code.TAKEOVER_REFUSED_GIVEN_UP: refusal(
        _BLOCKERS,
        "R14",
        "The group failed on this node too often, and was given up here.",
        "Repair the resource, then run `aoeha cleanup`.",
    ),
    Code.TAKEOVER_REFUSED_NO_SHELF: refusal(
        _BLOCKERS,
        "R3 R5",
        "This node could not start the group from the legs that answer it, or a leg is reserved for a stranger.",
        "Check the shelves, and this node's storage network.",
    ),
    Code.TAKEOVER_REFUSED_NOT_PROBED: refusal(
        _BLOCKERS, "R14", "This node does not know yet what runs on it.", "Wait. If it stays, look at the agent's log."
    ),
    Code.TAKEOVER_REFUSED_STOP_FAILED: refusal(
        _BLOCKERS, "R14", "A resource of the group could not be stopped on this node.", "See resource.stop-failed."
    ),
    Code.TAKEOVER_REFUSED_INVALID: refusal(
        _BLOCKERS, "R7 R14", "This node could not start a resource of the group.", "See resource.not-startable."
    ),
    Code.TAKEOVER_REFUSED_UNCLEAN_BOOT: refusal(
        _FENCE,
        "R7",
        "This node's last boot ended uncleanly, so the peer may have fenced it and may be serving.",
        "If the peer has no power: `aoeha confirm NODE`.",
    ),
    Code.TAKEOVER_REFUSED_UNSEEN_OWNER: refusal(
        _FENCE,
        "R7",
        "This node cannot see enough legs to start the group, or to know that the peer does not serve it.",
        "Check the storage network. If the peer has no power: `aoeha confirm NODE`.",
    ),
    Code.TAKEOVER_REFUSED_NO_PROOF: refusal(
        _FENCE,
        "R2 R7",
        "The peer may still be writing, and no fence device could prove that it is off.",
        "Check that the peer has no power, then run `aoeha confirm NODE`.",
    ),
    Code.TAKEOVER_REFUSED_LEG_NOT_RESERVED: refusal(
        _STORAGE_FENCE,
        "R2 R7",
        "The storage fence is incomplete: the peer may still write to a leg that this node could not reserve.",
        "Check the path to that leg. The peer's power-off proves the same.",
    ),
}

_STARTS: Mapping[Code, Entry] = {
    Code.START_REFUSED_PANICKING: refusal(
        _BLOCKERS, "R10 R14", "This node is about to reboot itself.", "Wait for the reboot. Its alarm says why."
    ),
    Code.START_REFUSED_LEFT: refusal(
        _BLOCKERS, "R1", "This node has left the pair.", "To let it serve, start its daemon again."
    ),
    Code.START_REFUSED_PAUSED: refusal(_BLOCKERS, "R15", "The pair is paused.", "Run `aoeha resume`."),
    Code.START_REFUSED_REVALIDATING: refusal(
        _BLOCKERS,
        "R10",
        "This node was stalled, and does not know yet whether the peer took over.",
        "Wait. It ends by the peer's answer, by the legs, or by a reboot of this node.",
    ),
    Code.START_REFUSED_UNVERIFIED: refusal(
        _BLOCKERS,
        "R10",
        "This node owns the group and was stalled. It does not know yet whose the legs are.",
        "Wait. It ends when the legs are read, or by the peer's answer.",
    ),
    Code.START_REFUSED_NO_RIGHT: refusal(
        _BLOCKERS,
        "R2",
        "This node has no proof that it alone may write to the group.",
        "Wait for the proof. `aoeha why` tells what it waits for.",
    ),
    Code.START_REFUSED_UNRESERVED: refusal(
        _BLOCKERS,
        "R2 R3",
        "A leg that answers is not reserved for this node yet.",
        "Check the path to that leg.",
    ),
    Code.START_REFUSED_ADDRESS_IN_USE: refusal(
        _LIFECYCLE,
        "R12",
        "The service address is not added yet: another machine answers for it.",
        "See address.conflict.",
    ),
    Code.START_REFUSED_ADDRESS_UNCONFIRMED: refusal(
        _LIFECYCLE,
        "R12",
        "The service address is not added again: neither a leg nor the peer confirms this node's ownership.",
        "Check the storage network and the links.",
    ),
}

REFUSALS_BOOK: Mapping[Code, Entry] = {**_TAKEOVERS, **_STARTS}
"""Every refusal with its entry."""
