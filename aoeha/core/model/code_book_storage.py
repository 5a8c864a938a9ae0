"""The part of the code book about resources, legs and mirrors."""

from collections.abc import Mapping

from aoeha.core.model.code_entry import Entry, acknowledged, alarm, info, reboot, warning
from aoeha.core.model.conditions import Code

__all__ = ["STORAGE_BOOK"]

_LIFECYCLE = "core/resources/lifecycle.py"
_FAILURES = "core/resources/failures.py"
_CANNOT_TELL = "core/resources/cannot_tell.py"
_STORAGE_FENCE = "core/storage/storage_fence.py"
_RESERVATIONS = "core/storage/reservations.py"
_PATHS = "core/storage/path_alarms.py"
_SUSPECT = "core/storage/suspect_legs.py"
_LEGS = "core/mirror/leg_membership.py"
_RESTS = "core/mirror/leg_rest.py"
_LEDGER = "core/storage/leg_ledger.py"
_GENERATION = "core/storage/generation.py"
_MIRROR_START = "core/resources/mirror_start.py"
_FAILOVER = "core/mirror/path_failover.py"

_RESOURCES: Mapping[Code, Entry] = {
    Code.GROUP_UNSERVED: alarm(
        "core/unserved.py",
        "R18",
        "As far as this node can tell, nobody has served the group for `initdead` and 60 s.",
        "Do what the sentence says, or what the alarms beside it say; `aoeha status` on both nodes shows the reason.",
    ),
    Code.ADDRESS_CONFLICT: alarm(
        "core/resources/address_conflict.py",
        "R12",
        "Another machine answers for a service address that this node owns or is about to take. The sentence names its "
        "hardware address. It keeps the address from this node for twice the address's lifetime, if the peer was not "
        "lost in a pause.",
        "Find the machine by its hardware address, and cut its power or take the address from it. If it is the peer, "
        "its power-off ends the alarm.",
    ),
    Code.ADDRESS_NOT_PROBED: alarm(
        "core/resources/address_conflict.py",
        "R12 R18",
        "The network cannot be asked whether another machine answers for a service address that this node takes.",
        "See the reason in the sentence, and whether the interface is up. It is added after twice its lifetime.",
    ),
    Code.STORAGE_LOST: alarm(
        "core/resources/storage_loss.py",
        "R13",
        "This node owns the group and reaches none of its shelves; the peer could serve it.",
        "Check this node's storage network. The peer fences this node and takes over.",
    ),
    Code.RESOURCE_RUNNING: info(_LIFECYCLE, "R14", "A resource has been started."),
    Code.RESOURCE_STOPPED: info(_LIFECYCLE, "R14", "A resource has been stopped."),
    Code.RESOURCE_EXPIRED: warning(
        _LIFECYCLE, "R12", "The kernel removed a service address: neither a leg nor the peer confirmed ownership."
    ),
    Code.RESOURCE_RESTARTING: warning(_FAILURES, "R14", "A failed resource is restarted on this node."),
    Code.RESOURCE_FAILED: alarm(
        _FAILURES,
        "R14",
        "A resource failed to start, or its monitor found it stopped or failed.",
        "Read the reason in the sentence; `aoeha cleanup` clears the failures and tries again at once.",
    ),
    Code.RESOURCE_DEGRADED: alarm(
        _LIFECYCLE,
        "R14",
        "A resource works with less than it should have, for example a mirror without one of its legs.",
        "Repair what the sentence names.",
    ),
    Code.RESOURCE_STOP_FAILED: alarm(
        _LIFECYCLE,
        "R14",
        "A resource could not be stopped. The group cannot move until it is, or until this node is fenced.",
        "Find out what keeps the resource busy.",
    ),
    Code.RESOURCE_CANNOT_TELL: alarm(
        _CANNOT_TELL,
        "R14",
        "This node lacks descriptors, memory or processes to look at a resource, or to stop it. The resource is left"
        " as it is; after `failure_window` its group is handed over.",
        "Find what takes them: `systemctl status aoeha`, `cat /proc/sys/fs/file-nr`, `free`, `ps -e | wc -l`.",
    ),
    Code.RESOURCE_NOT_STARTABLE: alarm(
        _LIFECYCLE,
        "R7 R14",
        "This node could not start the resource if it had to take over.",
        "Repair what the sentence names. Until then this node does not take over.",
    ),
    Code.GROUP_RUNNING: info(_LIFECYCLE, "R14", "Every resource of the group runs here."),
    Code.GROUP_HANDING_OVER: warning(
        _FAILURES, "R14", "A resource failed too often here. This node hands the group over to the peer."
    ),
    Code.GROUP_FAILING: alarm(
        _FAILURES,
        "R14",
        "A resource failed too often, and no healthy peer could take the group. It is tried again slowly.",
        "Repair the resource, then run `aoeha cleanup`.",
    ),
    Code.GROUP_BLOCKED: reboot(
        _LIFECYCLE,
        "R14",
        "The group can neither be served nor stopped, and the peer did not fence this node. It reboots itself.",
        "Find out what kept the resource from stopping, and why the fence failed.",
    ),
}

_STORAGE: Mapping[Code, Entry] = {
    Code.STORAGE_FENCE_DONE: warning(
        _STORAGE_FENCE, "R2", "The peer cannot write to the group: every writable leg is reserved for this node."
    ),
    Code.STORAGE_FENCE_PEER_REBOOTED: info(_STORAGE_FENCE, "R7", "A storage fence ended: the peer has rebooted."),
    Code.STORAGE_FENCE_STOOD_DOWN: info(_STORAGE_FENCE, "R7", "A storage fence ended: its reason is gone."),
    Code.STORAGE_FENCE_YIELDED: info(
        _STORAGE_FENCE, "R7", "A storage fence ended: the peer reserved a leg again, so it is alive."
    ),
    Code.OWNERSHIP_FENCED: reboot(
        _RESERVATIONS,
        "R3",
        "A leg that this node had reserved is reserved for the peer. This node was fenced and reboots itself.",
        "Find out why the peer fenced this node: `aoeha fence history` there.",
    ),
    Code.LEG_FOREIGN_RESERVATION: alarm(
        _RESERVATIONS,
        "R3",
        "A leg is reserved for a machine that is neither gateway. Neither gateway can write to it.",
        "Find that machine. `aoeha aoe release` removes the reservation.",
    ),
    Code.LEG_RESERVATION_LOST: warning(
        _RESERVATIONS, "R3", "A leg's target has restarted and lost this node's reservation. It is reserved again."
    ),
    Code.PATH_SILENT: alarm(
        _PATHS,
        "R2 R6",
        "A leg answers at one of its addresses and not at this one.",
        "Check that port of the shelf, its cable and its switch.",
    ),
    Code.PATH_INTERFACE_SILENT: alarm(
        _PATHS,
        "R6",
        "A leg answers on one storage interface of this node and not on this one.",
        "Check the interface, its cable and its switch.",
    ),
    Code.PATH_UNLISTED: alarm(
        _PATHS,
        "R2",
        "The AoE driver reaches a leg at an address that aoeha.toml does not name. Nobody reserves it there.",
        "Add the address to the leg in aoeha.toml on both gateways.",
    ),
    Code.LEG_READ_WHILE_SUSPECT: alarm(
        _SUSPECT,
        "R5",
        "The mirror still reads a leg that may hold outdated data.",
        "Look at `dmesg` and /proc/mdstat.",
    ),
    Code.LEG_EXCHANGED: warning(
        _GENERATION, "R22", "Behind a leg of the running mirror lies another disk, or an older copy of it."
    ),
    Code.LEG_UNMARKED: alarm(
        _GENERATION,
        "R22",
        "A leg has no place for its generation, so an older copy of it would not be noticed.",
        "Look at what lies in the first 4 KiB of the disk (`mdadm --examine`); zero them if nobody needs that.",
    ),
    Code.LEG_MARKED_SUSPECT: warning(
        _SUSPECT, "R5", "The leg's superblock says that an earlier owner found it suspect. It is copied as a whole."
    ),
}

_MIRROR: Mapping[Code, Entry] = {
    Code.MIRROR_LEG_OUT: alarm(
        _LEGS,
        "R5",
        "A leg was taken out of the mirror, which continues without it.",
        "Repair the shelf. The leg returns by itself when its shelf answers.",
    ),
    Code.MIRROR_LEG_KICKED: alarm(
        _RESTS,
        "R5",
        "The kernel removed a leg from the mirror by itself, and its shelf does not answer.",
        "Look at `dmesg` and at the shelf's disks.",
    ),
    Code.MIRROR_LEG_FAILING: alarm(
        _RESTS,
        "R5",
        "A leg has errors while its shelf answers: a disk is failing. It is tried again with growing pauses.",
        "Replace the disk, then run `aoeha cleanup`.",
    ),
    Code.MIRROR_LEG_STUCK: alarm(
        _LEGS,
        "R5",
        "A leg could not be taken out of the mirror, or could not be added again. It is tried again.",
        "Look at `dmesg` and at /proc/mdstat.",
    ),
    Code.MIRROR_LEG_WAITING: alarm(
        _LEGS,
        "R5",
        "A leg waits to leave or to return until the peer knows of it. Writes may hang that long.",
        "Repair the links between the gateways. The wait ends by itself.",
    ),
    Code.MIRROR_WRITES_WAIT: alarm(
        _LEGS,
        "R5",
        "Writes hang: a leg is lost, and the mirror may not continue without it for the reason that is given.",
        "Repair the shelf of the leg that the sentence names. If the pair is paused, run `aoeha resume`. If only a "
        "leg is left that may lack writes, and the other one is lost for good, run `aoeha cleanup`.",
    ),
    Code.MIRROR_DATA_DOUBTFUL: acknowledged(
        _LEGS,
        "R5",
        "Every target that the group is read from has restarted. Each may have lost writes that it had acknowledged.",
        "Check what was written last, compare the legs, then run `aoeha cleanup`.",
    ),
    Code.MIRROR_LEG_LEAVING: warning(_LEGS, "R5", "A leg is taken out of the mirror."),
    Code.MIRROR_LEG_RETURNING_FULL: info(_LEGS, "R5", "A leg is added to the mirror again by a full resync."),
    Code.MIRROR_LEG_RETURNING_PARTIAL: info(
        _LEGS, "R5", "A leg is added to the mirror again; what changed meanwhile is copied."
    ),
    Code.MIRROR_LEG_INTERRUPTED: info(
        _LEGS, "R5", "A leg fell silent while it was added to the mirror. It is tried again once it answers steadily."
    ),
    Code.MIRROR_LEG_COPYING: info(_LEDGER, "R5", "A leg is being resynchronised."),
    Code.MIRROR_LEG_AVOIDED: warning(
        _LEGS, "R5", "The mirror does not read a suspect leg any more, and copies nothing from it."
    ),
    Code.MIRROR_DATA_OLD: acknowledged(
        _MIRROR_START,
        "R22",
        "Every leg that can be read is older than what both gateways remember: acknowledged writes are missing there.",
        "Bring back the shelf that has newer data, or, knowing that newer writes are lost, run `aoeha cleanup`.",
    ),
    Code.MIRROR_LEG_SET_ASIDE: warning(
        _MIRROR_START, "R5", "The mirror starts without a leg that may hold old data. All of it is copied afterwards."
    ),
    Code.PATH_FAILOVER: info(_FAILOVER, "R5", "The AoE driver is told to leave a path that has fallen silent."),
    Code.PATH_FAILOVER_FAILED: warning(
        _FAILOVER, "R5", "The AoE driver could not be told to leave a silent path. Writes wait for its own time-out."
    ),
}

STORAGE_BOOK: Mapping[Code, Entry] = {**_RESOURCES, **_STORAGE, **_MIRROR}
"""Codes of resources, of the storage below them, and of mirrors."""
