"""What each code means, its severity, what to do about it, which rule decides it, and where.

docs/alarms.md is printed from this table. Each code has one home: the file that reports it and, where it is an alarm,
ends it. A test compares the table with the files.
"""

from collections.abc import Mapping

from aoeha.core.model.code_book_refusals import REFUSALS_BOOK
from aoeha.core.model.code_book_storage import STORAGE_BOOK
from aoeha.core.model.code_entry import Entry, acknowledged, alarm, answer, info, loud, reboot, state, warning
from aoeha.core.model.conditions import Code

__all__ = ["BOOK"]

_MEMBERSHIP = "core/peer/membership.py"
_UNREAD = "core/peer/unread.py"
_STALL = "core/ownership/own_stall.py"
_CLAIMS = "core/ownership/claims.py"
_CLIENTS = "core/ownership/client_reach.py"
_LEAVE = "core/ownership/leave.py"
_COMMANDS = "core/operator/commands.py"
_POWER_COMMANDS = "core/operator/power_commands.py"
_ANSWERS_HOME = "core/operator/answers.py"
_SOCKET = "io/control_socket.py"
_DEVICES = "core/fencing/devices.py"
_FENCE = "core/fencing/power_fence.py"
_ORDERS = "core/fencing/power_orders.py"
_STATUS = "core/status.py"
_SERVICE = "daemon/service.py"

_PEER: Mapping[Code, Entry] = {
    Code.LINK_DOWN: alarm(
        _MEMBERSHIP,
        "R1",
        "No beat of the peer has arrived on this link for deadtime.",
        "Check the cable, the port and the switch of this link on both gateways. Other links still carry beats.",
    ),
    Code.LINK_LATE: warning(_MEMBERSHIP, "R1", "No beat of the peer has arrived on this link for warntime."),
    Code.LINK_HEARD: info(_MEMBERSHIP, "R1", "The peer is heard on this link for the first time."),
    Code.LINK_UNREADABLE: alarm(
        _UNREAD,
        "R17",
        "Something arrives as a beat, and this node cannot read it. The sentence names the cause.",
        "Do what the sentence says. The alarm ends when nothing of the kind has arrived for deadtime.",
    ),
    Code.LINK_FAULT: warning(
        _MEMBERSHIP, "R1", "The link's own device reports a fault.", "Check the device that the sentence names."
    ),
    Code.LINK_FAULT_OVER: info(_MEMBERSHIP, "R1", "The link's device reports no fault any more."),
    Code.PEER_SILENT: alarm(
        _MEMBERSHIP,
        "R1",
        "The peer was heard before, and every link has been silent for deadtime.",
        "Find out whether the peer is off, hangs or has lost its cables. `aoeha why` tells what this node does.",
    ),
    Code.PEER_NEVER_SEEN: alarm(
        _MEMBERSHIP,
        "R1 R11",
        "The peer has not been heard on any link since this daemon started.",
        "Start the peer, or check links, keys and the cluster name on both gateways.",
    ),
    Code.PEER_UNREADABLE: alarm(
        _MEMBERSHIP,
        "R17",
        "The peer runs, and this node cannot read its beats. Nothing is fenced, and nothing is taken over.",
        "Upgrade this node. If nobody serves: `aoeha fence NODE --off`.",
    ),
    Code.PEER_STORAGE_ONLY: alarm(
        _MEMBERSHIP,
        "R6",
        "Every link is down, and the peer's disk heartbeat shows that it runs. Nothing is fenced.",
        "Repair the links. The next fault can stop the service.",
    ),
    Code.PEER_DUPLICATE_NAME: alarm(
        _MEMBERSHIP,
        "R1",
        "Two machines send authentic beats under the peer's name. Neither is believed, so there is no failover.",
        "Find the second machine (a cloned disk image?) and switch it off. The alarm ends when one is heard alone.",
    ),
    Code.PEER_CONFIGURATION: alarm(
        "core/peer/unread.py",
        "R17",
        "The daemons of the pair were started with configurations that differ.",
        "Compare aoeha.toml on both gateways, and `aoeha restart` the daemon that has not read the right one.",
    ),
    Code.PEER_ONLINE: info(_MEMBERSHIP, "R1", "The peer is heard."),
    Code.PEER_LATE: warning(_MEMBERSHIP, "R1", "No link has carried a beat of the peer for warntime."),
    Code.PEER_RESTARTING: info(
        _MEMBERSHIP, "R1 R15", "The peer's daemon restarts and has announced it. Its resources keep running."
    ),
    Code.PEER_LEFT: info(_MEMBERSHIP, "R1", "The peer has left the pair cleanly and owns nothing."),
    Code.PEER_CHECKING_STORAGE: warning(
        _MEMBERSHIP, "R6", "No link to the peer is left. This node reads the peer's disk heartbeat before it judges."
    ),
    Code.PEER_REBOOTED: warning(_MEMBERSHIP, "R1", "The peer is heard with a new kernel boot."),
    Code.RUN_WRITE_FAILED: alarm(
        "core/memory.py",
        "R16",
        "The daemon's state could not be saved to /run. The pair continues. If the daemon dies now, the next one knows "
        "only what the disk, the shelves and the peer tell it.",
        "Free space on the file system of /run/aoeha, and find out what fills it. The alarm ends by itself.",
    ),
    Code.DISK_WRITE_FAILED: alarm(
        "core/memory.py",
        "R16",
        "The daemon's state could not be saved to disk. The pair continues; a restart would know less.",
        "Check the file system of /var/lib/aoeha: free space, errors in `dmesg`.",
    ),
}

_OPERATOR: Mapping[Code, Entry] = {
    Code.PAIR_PAUSED: alarm(
        "core/operator/pause.py",
        "R15",
        "An operator has paused the pair: no resource is started or stopped, and no node is fenced.",
        "Run `aoeha resume` when the maintenance is over.",
    ),
    Code.STANDBY_BEGUN: info(_COMMANDS, "R9", "An operator put this node in standby."),
    Code.STANDBY_ENDED: info(_COMMANDS, "R9", "An operator ended this node's standby."),
    Code.SWITCHOVER_BEGUN: info(_COMMANDS, "R9", "An operator asked for a group to move to the peer."),
    Code.CLEANUP_DONE: info(_COMMANDS, "R14", "An operator cleared this node's failures and acknowledged its alarms."),
    Code.LEAVE_BEGUN: info(_COMMANDS, "R1", "This node leaves the pair: it stops what it serves and hands it over."),
    Code.LEAVE_DURING_PAUSE: warning(
        _COMMANDS, "R15", "The daemon ends during a pause. What runs here keeps running without it."
    ),
    Code.LEAVE_BLOCKED: loud(
        _LEAVE,
        "R1 R14",
        "This node ends without leaving, because a resource could not be stopped. The peer has to fence it.",
        "Stop the resource by hand, or let the peer fence this node.",
    ),
    Code.LEAVE_DONE: info(_LEAVE, "R1", "This node has left the pair."),
}

_OWNERSHIP: Mapping[Code, Entry] = {
    Code.NODE_STALLED: warning(
        _STALL,
        "R10",
        "This node did not run for longer than the peer waits. What it owned must be confirmed first.",
        "Look for a suspended machine, a stopped hypervisor or a kernel that hung.",
    ),
    Code.OWNERSHIP_CONFIRMED_BY_PEER: info(
        _STALL, "R10", "After a stall the peer answered and owns nothing of this node's. This node serves on."
    ),
    Code.OWNERSHIP_CONFIRMED_BY_LEGS: info(
        _STALL, "R10", "After a stall the legs are still reserved for this node. It serves on."
    ),
    Code.OWNERSHIP_UNCONFIRMED: acknowledged(
        _STALL,
        "R10",
        "After a stall nobody answered. The node has rebooted itself lately, so it serves on unconfirmed.",
        "Make sure that the peer does not serve the group as well, then run `aoeha cleanup`.",
    ),
    Code.OWNERSHIP_WAITING_FOR_PEER: warning(
        _STALL, "R10", "After a stall no leg names this node. It waits for the peer's answer before it continues."
    ),
    Code.OWNERSHIP_STALLED_UNANSWERED: reboot(
        _STALL,
        "R10",
        "After a stall nobody answered, so the peer may have taken over. This node reboots itself.",
        "Find out what stalled the node.",
    ),
    Code.OWNERSHIP_FENCED_WHILE_STALLED: reboot(
        _STALL,
        "R10",
        "The peer reserved the legs while this node was stalled. This node reboots itself.",
        "Find out what stalled the node.",
    ),
    Code.OWNERSHIP_TAKEN_HANDED_OVER: info(_CLAIMS, "R2 R9", "This node owns the group: the peer handed it over."),
    Code.OWNERSHIP_TAKEN_REBOOTED: info(
        _CLAIMS, "R2", "This node owns the group: the peer rebooted, so its earlier boot cannot write."
    ),
    Code.OWNERSHIP_TAKEN_POWERED_OFF: info(_CLAIMS, "R2", "This node owns the group: the peer is powered off."),
    Code.OWNERSHIP_TAKEN_CONFIRMED: info(
        _CLAIMS, "R2", "This node owns the group: an operator confirmed that the peer is off."
    ),
    Code.OWNERSHIP_TAKEN_RECORDED: info(
        _CLAIMS,
        "R16",
        "This node owns the group, as the reservations and records on its legs say: /run has lost what was owned.",
    ),
    Code.OWNERSHIP_TAKEN_STORAGE_FENCED: info(
        _CLAIMS, "R2", "This node owns the group: every writable leg is reserved for it."
    ),
    Code.OWNERSHIP_GRANTED: info(_CLAIMS, "R9", "This node granted the group to the peer."),
    Code.OWNERSHIP_RELEASED: info(_CLAIMS, "R9", "The group is stopped here, and this node does not own it any more."),
    Code.OWNERSHIP_KEPT_RESERVED: warning(
        _CLAIMS, "R3", "The released legs stay reserved for this node: a fenced peer may still write to them."
    ),
    Code.OWNERSHIP_GIVEN_UP: info(
        _CLAIMS,
        "R10",
        "This node owned the group and runs nothing of it. Its legs are reserved for the peer, so it is taken anew.",
    ),
    Code.OWNERSHIP_LOST: alarm(
        _CLAIMS,
        "R2 R10",
        "This node gave the group up without a clean release: it was fenced, or its proof was wrong.",
        "The alarm ends when the group has an owner. Read the sentence for the cause.",
    ),
    Code.OWNERSHIP_SUPERSEDED: reboot(
        _CLAIMS,
        "R10",
        "The peer owns the group at a higher epoch. This node reboots itself, because it must not write any more.",
        "Find out why this node did not hear that it was fenced.",
    ),
    Code.CLIENTS_UNREACHABLE: alarm(
        _CLIENTS,
        "R25",
        "No reference host answers this node. What it serves moves to the peer, if a host answers the peer.",
        "Check this node's client network.",
    ),
    Code.CLIENTS_HANDING_OVER: warning(
        _CLIENTS, "R25", "More reference hosts answer the peer. This node hands the group over to it."
    ),
    Code.HOSTS_NOT_ASKED: alarm(
        _CLIENTS,
        "R25",
        "The reference hosts could not be asked.",
        "Check the client interface and the permissions of the daemon.",
    ),
    Code.HOSTS_ANSWER: info(_CLIENTS, "R25", "Reference hosts answer this node: their number has changed."),
    Code.HOSTS_SILENT: warning(_CLIENTS, "R25", "No reference host answers this node."),
}

_FENCING: Mapping[Code, Entry] = {
    Code.DEVICE_UNREACHABLE: alarm(
        _DEVICES,
        "R8",
        "A fence device does not answer, or does not tell whether the plug is on or off.",
        "Check the device's network, address and password, then run `aoeha fence test DEVICE`.",
    ),
    Code.DEVICE_WRONG_PLUG: alarm(
        _DEVICES,
        "R8",
        "The device reported the peer's plug as off while the peer ran on. Its reports are no proof any more.",
        "Check which plug feeds which gateway, then run `aoeha fence verify NODE`.",
    ),
    Code.DEVICE_CONTRADICTED: alarm(
        _DEVICES,
        "R8",
        "The device reports the peer's plug as off, and the peer is heard.",
        "Check which plug feeds which gateway. A report of on, or `aoeha fence verify NODE`, ends the alarm.",
    ),
    Code.DEVICE_DISOBEYS: alarm(
        _DEVICES,
        "R8",
        "The device accepted an order to switch off and still reports the plug as on.",
        "Repair the device, then run `aoeha fence verify NODE`.",
    ),
    Code.DEVICE_POWER_NOT_RESTORED: alarm(
        _DEVICES,
        "R8",
        "The device could not switch the peer on again after a fence. The peer may lack that power supply.",
        "Switch the plug on by hand, or run `aoeha fence NODE --on`.",
    ),
    Code.PEER_KEPT_OFF: alarm(
        "core/fencing/power_on.py",
        "R7",
        "The peer was switched on after a fence and was not heard. It has been switched off again and is kept off.",
        "Repair the links, then run `aoeha fence NODE --on`.",
    ),
    Code.PEER_POWER_ON: info("core/fencing/power_on.py", "R7", "The fenced peer is switched on again."),
    Code.PEER_SWITCHED_OFF: alarm(
        _ORDERS, "R8", "An operator switched the peer off. It stays off.", "Run `aoeha fence NODE --on`."
    ),
    Code.ORDER_TESTING: info(_ORDERS, "R8", "An operator tests a fence device."),
    Code.ORDER_BEGUN: warning(_ORDERS, "R8", "An operator's order to a fence device has begun."),
    Code.ORDER_DONE: info(_ORDERS, "R8", "An operator's order to a fence device was carried out."),
    Code.ORDER_FAILED: warning(_ORDERS, "R8", "An operator's order to a fence device failed."),
    Code.PEER_POWER_RESTORED: info(
        "core/fencing/power_restore.py", "R8", "What a fence had switched off has power again."
    ),
    Code.NOT_PROTECTED: alarm(
        "core/fencing/readiness.py",
        "R2 R8",
        "If the peer died now, this node could not prove it, and could not take over.",
        "Repair the device or path that the sentence names.",
    ),
    Code.PEER_CONFIRMED_OFF: warning(_FENCE, "R2", "An operator confirmed that the peer is off."),
    Code.PEER_CONFIRMATION_EXPIRED: warning(
        _FENCE, "R2", "The operator's word that the peer is off expired, or was wrong."
    ),
    Code.FENCE_BEGUN: warning(_FENCE, "R7", "This node begins to fence the peer."),
    Code.FENCE_STOOD_DOWN: info(_FENCE, "R7", "The reason for a fence is gone, and the fence ended."),
    Code.FENCE_SUCCEEDED: warning(_FENCE, "R2 R7", "The peer is powered off: every device of a level reports it off."),
    Code.FENCE_LEVEL_FAILED: warning(_FENCE, "R8", "The devices of one level could not prove the peer off."),
    Code.FENCE_CANCELLED: info(_FENCE, "R8", "Its victim is heard with a new boot, or this node was stalled in it."),
    Code.FENCE_FAILED: alarm(
        _FENCE,
        "R8",
        "No level of fence devices could prove the peer off. The fence is tried again with growing pauses.",
        "Check that the peer has no power, then run `aoeha confirm NODE`.",
    ),
    Code.FENCE_LATE_BEAT: acknowledged(
        _FENCE,
        "R8",
        "A beat of the peer arrived after its power-off was confirmed: a slow link, or a wrong plug.",
        "Check which plug feeds the peer. `aoeha cleanup` acknowledges the alarm.",
    ),
    Code.PROOF_WRONG: acknowledged(
        "core/fencing/false_proof.py",
        "R2 R8",
        "This node serves a group by the proof that the peer is off, and the peer is heard on the same boot.",
        "Check the plugs with `aoeha fence verify NODE`. `aoeha cleanup` acknowledges the alarm.",
    ),
}

_STATES: Mapping[Code, Entry] = {
    Code.STATE_PAUSED: state(_STATUS, "R15", "The pair is paused."),
    Code.STATE_REVALIDATING: state(_STATUS, "R10", "This node was stalled and waits until its ownership is confirmed."),
    Code.STATE_BLOCKED: state(_STATUS, "R13 R14", "A group can neither be served nor stopped here."),
    Code.STATE_OFFERED: state(_STATUS, "R13", "This node serves, does not reach clients, and offers the group."),
    Code.STATE_CLAIMING: state(_STATUS, "R13", "This node claims the group that the peer offers."),
    Code.STATE_OWNING: state(_STATUS, "R14", "This node owns the group, and not every resource of it runs."),
    Code.STATE_SERVING: state(_STATUS, "R2", "This node owns and serves the group."),
    Code.STATE_PEER_SERVES: state(_STATUS, "R1", "The peer owns the group and may be alive."),
    Code.STATE_FENCING: state(_STATUS, "R7", "This node is fencing the peer to take the group over."),
    Code.STATE_LISTENING: state(_STATUS, "R1 R11", "This node has booted and listens for the peer before it judges."),
    Code.STATE_NOBODY_OWNS: state(_STATUS, "R9", "Nobody owns the group."),
}

_ANSWERS: Mapping[Code, Entry] = {
    Code.COMMAND_DONE: answer(_ANSWERS_HOME, "", "What was asked for is done, or was so before."),
    Code.COMMAND_BEGUN: answer(_COMMANDS, "", "What was asked for has begun, and goes on by itself."),
    Code.COMMAND_TIMED_OUT: answer(
        _COMMANDS,
        "",
        "What was asked for is not done within the time that the client waits. It goes on.",
        "Look with `aoeha status`.",
    ),
    Code.COMMAND_USAGE: answer(
        _ANSWERS_HOME,
        "",
        "The command or one of its words is not understood, or it is for the other node.",
        "Correct the command as the sentence says.",
    ),
    Code.COMMAND_FAILED: answer(
        _SOCKET, "", "The daemon has a defect and could not answer.", "Report it with the log of the daemon."
    ),
    Code.COMMAND_REFUSED_NO_PRIVILEGE: answer(
        _SOCKET, "", "The user may not give this command.", "Use root, or for a look a member of the group aoeha."
    ),
    Code.COMMAND_REFUSED_BUSY: answer(
        _POWER_COMMANDS,
        "R8",
        "Something else is under way: an order, a fence, or too many clients or events.",
        "Try again when it is over.",
    ),
    Code.COMMAND_REFUSED_PAUSED: answer(
        _ANSWERS_HOME, "R15", "The pair is paused, and the command would move something.", "Run `aoeha resume` first."
    ),
    Code.COMMAND_REFUSED_LEAVING: answer(
        _ANSWERS_HOME, "R1", "This node leaves the pair, has left it, or is about to reboot.", "Wait for its return."
    ),
    Code.COMMAND_REFUSED_NOT_OWNER: answer(
        _COMMANDS, "R9", "This node does not own the group.", "Give the command on the other node."
    ),
    Code.COMMAND_REFUSED_SERVICE_LOST: answer(
        _POWER_COMMANDS,
        "R8",
        "The peer serves a group that this node could not serve: its power-off would end the service.",
        "Remove what the sentence names, or add `--anyway`.",
    ),
    Code.COMMAND_REFUSED_NO_DEVICE: answer(
        _POWER_COMMANDS, "R8", "No fence device is configured.", "Add [[fence]] to aoeha.toml."
    ),
    Code.COMMAND_REFUSED_DUPLICATE_NAME: answer(
        _ANSWERS_HOME, "R1", "Two machines use the peer's name.", "See peer.duplicate-name."
    ),
    Code.COMMAND_REFUSED_PEER_NOT_HEARD: answer(
        _COMMANDS, "R8 R9", "The command needs a peer that is heard.", "Start the peer, or repair the links."
    ),
    Code.COMMAND_REFUSED_PEER_NOT_SILENT: answer(
        _COMMANDS,
        "R2",
        "Only a peer that has been silent can be confirmed to be off.",
        "Wait until it is silent. A peer that is heard is not off.",
    ),
    Code.COMMAND_REFUSED_PEER_NOT_READY: answer(
        _COMMANDS, "R9", "The peer is heard and says that it could not serve the group.", "See `aoeha status` there."
    ),
    Code.COMMAND_REFUSED_PEER_NOT_IN_STANDBY: answer(
        _POWER_COMMANDS,
        "R8",
        "The test of a plug needs a peer in standby that owns nothing.",
        "Run `aoeha standby NODE --wait` on the peer.",
    ),
}

_DAEMON: Mapping[Code, Entry] = {
    Code.DAEMON_STARTED: info(_SERVICE, "", "The daemon has started."),
    Code.DAEMON_NOTICE: warning(_SERVICE, "", "The daemon noticed something that needs no action by the pair."),
    Code.DAEMON_LEAVE_OVERDUE: loud(
        _SERVICE,
        "R1",
        "The daemon could not leave in time and ends. What still runs here keeps running; the peer fences this node.",
        "Stop what still runs here.",
    ),
    Code.DAEMON_JOURNAL: loud(
        _SERVICE, "R16", "The journal could not be written.", "Check the file system of /var/lib/aoeha."
    ),
    Code.DAEMON_JOURNAL_LOST: alarm(
        _SERVICE, "R16", "Records are missing in the journal.", "Check the file system of /var/lib/aoeha."
    ),
    Code.DAEMON_BEATS: alarm(_SERVICE, "R1", "A beat does not fit on a link.", "Use fewer groups or a faster link."),
    Code.DAEMON_FIRST_BEAT: alarm(
        _SERVICE, "R15", "What a restarted daemon needs for its first beat could not be saved.", "Check /run/aoeha."
    ),
    Code.DAEMON_KEYS: alarm(
        _SERVICE,
        "R17",
        "The key file has no key that the peer has: the peer could not read a new daemon of this node.",
        "Put a key of the peer's back, or give the peer the new key first.",
    ),
    Code.DAEMON_WATCHDOG: alarm(
        _SERVICE, "R10", "The watchdog cannot be used.", "Check the watchdog device that the sentence names."
    ),
    Code.DAEMON_STORAGE_NETWORK: alarm(
        _SERVICE,
        "R3",
        "The storage network cannot be listened to, is full of announcements of starts, or knows this gateway by "
        "another hardware address than aoeha.toml says.",
        "Check the storage interfaces; look for a loop; compare `ip link` with aoeha.toml.",
    ),
    Code.DAEMON_FENCE_HISTORY: alarm(
        _SERVICE, "R8", "The history of fences could not be saved.", "Check the file system of /var/lib/aoeha."
    ),
    Code.DAEMON_STATE_DAMAGED: loud(
        _SERVICE,
        "R24",
        "A state file was damaged and is not believed. The other copy is used if it is whole.",
        "Keep the file that the sentence names for a report, and check the memory and the disk of this machine.",
    ),
}

BOOK: Mapping[Code, Entry] = {
    **_PEER,
    **_OPERATOR,
    **_OWNERSHIP,
    **_FENCING,
    **REFUSALS_BOOK,
    **STORAGE_BOOK,
    **_STATES,
    **_ANSWERS,
    **_DAEMON,
}
"""Every code with its entry."""
