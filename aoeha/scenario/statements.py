"""Every statement of the language: how it is written, which worlds know it, and what it means.

Usage is written as manual pages write it: `[...]` may be left out, `a|b` is one of both, `...` repeats the word before
it. A word in capitals stands for something, under the name before its colon: NAME, NAMES (one or more), NUMBER, TIME
(200ms, 1.5s, 10m), QUOTED ("a text") and TEXT (the rest of the line).
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

__all__ = ["STATEMENTS", "Form", "World"]


class World(StrEnum):
    """What a story is played in."""

    SIMULATOR = "simulator"
    RACK = "rack"


@dataclass(frozen=True, slots=True)
class Form:
    """One statement. `kind` is the name by which interpreters know it, `is_head`: it belongs above the play."""

    kind: str
    usage: str
    worlds: frozenset[World]
    meaning: str
    is_head: bool = False

    def pattern(self) -> re.Pattern[str]:
        """Return what a line of this kind must match whole; the names are its groups."""
        signs = {"[": "(?:", "]": ")?"}
        tokens = re.findall(r"\[|\]|[^\s\[\]]+", self.usage)
        parts = [signs.get(token) or f" {_part(token)}" for token in tokens]
        return re.compile("".join(parts).removeprefix(" "))


PLACES = {
    "NAME": r"[\w./-]+",
    "NAMES": r"[\w./-]+(?: [\w./-]+)*",
    "NUMBER": r"[0-9]{1,6}",
    "TIME": r"[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|s|m)",
    "QUOTED": r'"[^"]+"',
    "TEXT": r".+",
}


def _part(word: str) -> str:
    name, _, place = word.rstrip(":").partition(":")
    colon = ":" if word.endswith(":") else ""
    if place:
        return f"(?P<{name}>{PLACES.get(place, place)}){colon}"
    return PLACES.get(word) or (f"(?:{word})" if "|" in word else re.escape(word))


SIM, RACK = frozenset({World.SIMULATOR}), frozenset({World.RACK})
BOTH = SIM | RACK

HEAD = (
    Form("about", "about text:TEXT", BOTH, "what the story shows"),
    Form("pair", "pair [text:TEXT]", BOTH, "what the pair is made of (aoeha.sim.stories.settings); the rack takes"
         " keepalive, warntime, deadtime, initdead, reserve, suffices, durable and paths"),
    Form("timing", "timing node:NAME text:NAME", RACK, "overrides [timing] of aoeha.toml, e.g. `timing deadtime 2s`"),
    Form("deadsecs", "deadsecs text:NUMBER", RACK, "overrides deadsecs of the aoe resource"),
    Form("dual-homed", "dual-homed", RACK, "each shelf exports its disk on a second switch too, san2; gateways have a"
         " card there"),
    Form("foreign", "foreign node:shelf1|shelf2 for time:TIME", RACK, "a fenced gateway's writes may land there after"
         " its target announced itself, until it is reserved for the new owner again, so long at most; elsewhere and"
         " later none may land"),
    Form("reference-host", "reference-host", RACK, "aoeha.toml names the switch of the clients' network as a reference"
         " host"),
    Form("durable", "durable", RACK, "the targets are declared to keep what they acknowledged (they do: vblade -s)"),
    Form("policy", "policy text:storage|power", RACK, "overrides fence_policy of aoeha.toml"),
    Form("watchdog", "watchdog text:TIME", RACK, "each gateway needs its softdog, with this time-out; without this"
         " line none is used"),
    Form("owners", "owners text:TEXT", RACK, "`NODE, NODE by PROOF, ...`: who must have owned the group, in order, and"
         " why each took over; of several lines, one"),
    Form("untouched", "untouched", RACK, "after the first mark no resource may be started or stopped, nor power"
         " switched off unless `power-offs` says how often"),
    Form("alarms", "alarms text:TEXT", RACK, "codes of alarms that the story calls for, besides those that only say"
         " which part is broken; any other alarm is false"),
    Form("power-offs", "power-offs text:NUMBER", RACK, "how often the gateways' power switch must have switched"
         " something off"),
    Form("outage after", "outage at most time:TIME after text:NAMES", RACK, "the longest pause that the client may see"
         " after these marks, up to the next one"),
    Form("outage", "outage at most time:TIME", RACK, "the longest pause that the client may see after any mark"),
    Form("alone", "alone", RACK, "wants the machine for itself: its verdict is about milliseconds"),
)  # fmt: skip

PLAY = (
    Form("boot", "boot guests:NAMES", BOTH, "switch machines on and wait for them; in the simulator gateways are up at"
         " once, and the others always. A story for the rack that makes no storage itself gets it, with everything"
         " else that the simulator takes for granted, at its first boot"),
    Form("storage", "storage", RACK, "make the storage, once, as an operator would"),
    Form("daemon", "daemon guests:NAMES", RACK, "start aoeha there; it also starts after each later boot"),
    Form("client", "client", RACK, "mount the service, write records, ping the address"),
    Form("mark", "mark text:NAME", BOTH, "what is counted from now on is counted from here; outages up to the next"),
    Form("wait", "wait time:TIME", BOTH, "let time pass"),
    Form("repeat", "repeat text:NUMBER", BOTH, "play the lines up to `end` so often"),
    Form("end", "end", BOTH, "ends `repeat`"),
    # Power, kernels and daemons.
    Form("power", "power text:off|on guests:NAMES", BOTH, "the plugs themselves, not the gateways' power switch"),
    Form("return", "return guests:NAMES within time:TIME", RACK, "each is switched on at a moment of its own, by dice"),
    Form("reset", "reset node:NAME", SIM, "its kernel begins anew"),
    Form("freeze", "freeze node:NAME [[for] time:TIME]", BOTH, "its whole machine stands still, as a paused virtual"
         " machine"),
    Form("halt-clock", "halt-clock node:NAME [[for] time:TIME]", SIM, "it stands still, and its clock with it"),
    Form("pause", "pause node:NAME [[for] time:TIME]", BOTH, "its daemon gets no processor; its kernel and its"
         " resources go on. The rack knows it without a time only"),
    Form("resume", "resume node:NAME", SIM, "ends a pause or a freeze"),
    Form("jump", "jump node:NAME time:TIME", SIM, "its clock leaps ahead"),
    Form("kill", "kill node:NAME", BOTH, "kill -9 the daemon; it is started again 100 ms later"),
    Form("crash", "crash node:NAME", BOTH, "kill -9 the daemon; it is not started again before the next boot"),
    Form("speaks", "speaks node:NAME text:same|old-and-new-key|new-and-old-key|other-key|other-secret|other-cluster|"
         "earlier-version|oldest-version|next-version|later-version", SIM, "its daemon is started anew, and speaks so;"
         " one of the next version speaks ours until both have said that they know more, and one of a later version"
         " never does"),
    Form("start", "start node:NAME", SIM, "start its daemon"),
    Form("starts", "starts node:NAME take time:TIME", SIM, "each start of its daemon takes so long behind its first"
         " beat"),
    Form("clock", "clock node:NAME NUMBER percent", SIM, "its clock runs at this rate"),
    Form("runs", "runs node:NAME group:NAME", SIM, "the whole group runs there and no daemon started it: now, or as"
         " soon as its kernel is up"),
    Form("run", "run node:NAME text:ok|full", SIM, "its /run takes what is written, or takes nothing more"),
    Form("memory", "memory node:NAME text:run|disk sentence:lost|old", SIM, "what its daemon keeps there for the next"
         " one is lost, or cannot be read, which is the same; or somebody puts a copy there that is a minute old"),
    Form("clone", "clone node:NAME", SIM, "a machine with its name and keys boots on the network; it owns nothing"),
    Form("unclone", "unclone node:NAME", SIM, "that machine is switched off"),
    Form("disk", "disk node:NAME text:ok|full|hangs", SIM, "what its own disk does"),
    Form("break", "break node:NAME text:NAME sentence:NAME fail|hang|late|unable", SIM, "tasks of this kind upon"
         " this resource go wrong, or `ask_hosts` of the `hosts`; unable: the gateway lacks descriptors for them"),
    Form("mend", "mend [node:NAME]", SIM, "ends `break` and `wear`"),
    Form("drop", "drop node:NAME text:NAME", SIM, "a resource dies"),
    Form("wear", "wear node:NAME text:NAME", SIM, "a resource is degraded"),
    # Links.
    Form("cut", "cut text:NAME [from node:NAME]", BOTH, "nothing comes through a link; in the rack serial1 or ether1,"
         " and never one way"),
    Form("unplug", "unplug text:NAME", SIM, "the same, and its carrier is seen to be gone"),
    Form("heal", "heal [text:NAME]", BOTH, "a link works again, or every one"),
    Form("lose", "lose text:NAME NUMBER [from node:NAME]", SIM, "so many percent of its messages are lost"),
    Form("delay", "delay text:NAME time:TIME [from node:NAME]", SIM, "its messages take so long"),
    Form("repeat-beats", "repeat text:NAME sentence:NUMBER", SIM, "so many percent of its messages come twice"),
    Form("shuffle", "shuffle text:NAME time:TIME", SIM, "its messages overtake one another"),
    Form("garble-serial", "garble text:serial1 for time:TIME", RACK, "random bytes into both ends of the cable"),
    Form("garble", "garble text:NAME NUMBER", SIM, "so many percent of its messages are damaged"),
    Form("bandwidth", "bandwidth text:NAME NUMBER", SIM, "it carries so many bits a second, and loses what does not fit"
         " into the buffer before it"),
    Form("noise", "noise text:NAME NUMBER", SIM, "bytes that nobody sent"),
    Form("replay", "replay text:NAME NUMBER", SIM, "messages that were heard before are heard again"),
    Form("player", "player text:NAME NUMBER every time:TIME", SIM, "somebody plays so many of the messages that were"
         " ever sent there, again and again, until the link is healed"),
    Form("flap", "flap text:NAME time:TIME NUMBER", SIM, "it is cut and healed so often"),
    # Power devices.
    Form("device", "device text:NAME sentence:ok|dead|slow|late|vague|refuses|lies|hasty|stuck|wordy", BOTH, "what a"
         " fence device does; the rack knows `device switch dead`"),
    Form("slow", "slow power-switch by time:TIME", RACK, "everything it does takes so long"),
    Form("plug", "plug node:alpha|beta feeds text:alpha|beta|bystander|nothing", RACK, "the power switch's plug of that"
         " name feeds the node itself, another machine (bystander is one that has no part in anything), or nothing"),
    Form("miswire", "miswire text:NAME node:NAME", SIM, "a device's plug of that node feeds something else"),
    Form("replug", "replug text:NAME node:NAME", SIM, "its plug is corrected in aoeha.toml, and the daemon there is"
         " started anew"),
    Form("feeds", "feeds text:NAME guests:NAME with node:NAME", SIM, "that gateway's outlet of a device feeds a shelf"
         " too"),
    Form("unpower", "unpower text:NAME with node:NAME", SIM, "a device has the power of that gateway"),
    # Shelves.
    Form("shelf", "shelf guests:NAME text:silent|ok|restarts|fails", BOTH, "what a shelf does; the rack knows"
         " `restarts`: kill -9 what exports its disk, which is back 100 ms later without its reservation"),
    Form("shelf disk", "shelf guests:NAME restarts [holding] [loses time:TIME]", SIM, "it restarts; `holding`: with its"
         " reservations and its records; `loses`: without what it acknowledged in that time, of data and of md's"
         " superblock"),
    Form("shelf other disk", "shelf guests:NAME restarts [holding] old|empty|another", SIM, "it restarts with other"
         " disks: as they were at its last `snapshot`, with nothing on them, or with another array's legs"),
    Form("snapshot", "snapshot guests:NAME", BOTH, "somebody takes copies of a shelf's disks"),
    Form("restore disk", "restore guests:NAME", RACK, "a shelf that has no power gets its disk as it was at its last"
         " `snapshot`"),
    Form("copies", "copies take time:TIME", SIM, "from here on a whole copy onto a leg takes so long, and what a bitmap"
         " names less; without this line a copy takes no time"),
    Form("agents", "agents wait for disks", SIM, "from here on a look at a mirror or a volume, and its stop, ends only"
         " when what the kernel writes there does"),
    Form("slow shelf", "slow text:NAME time:TIME [to TIME]", SIM, "a shelf, or one address of it as shelf1/2, takes so"
         " long over each answer, or anything between two times; `shelf NAME ok` ends it"),
    Form("reserve", "reserve guests:NAME group:NAME text:NAME", SIM, "somebody forces a reservation, as anybody on the"
         " storage network can"),
    Form("recover", "recover [guests:NAME]", SIM, "an operator takes the leg in again where its mirror runs"),
    Form("assemble", "assemble node:NAME group:NAME guests:NAME", SIM, "an operator starts a mirror from the leg of one"
         " shelf alone, and stops it again: from then on that leg calls the other one missing"),
    Form("cut-san", "cut-san node:NAME", BOTH, "the cable of a gateway or of a shelf to the storage network"),
    Form("cut-lan", "cut-lan node:NAME", RACK, "the cable of a gateway to the clients' network, which ether1 uses too"),
    Form("heal-lan", "heal-lan node:NAME", RACK, "ends that"),
    Form("cut-san places", "cut-san node:NAME text:NAMES", SIM, "between a gateway and these shelves or addresses;"
         " shelf1/2 is the second address of shelf1"),
    Form("lose-san", "lose-san node:NAME text:NAME NUMBER [requests|answers]", SIM, "so many percent of the frames are"
         " lost between a gateway and a shelf, or one address of it; or of one way only: what is asked, or what is"
         " answered. heal-san ends it"),
    Form("repeat-changes", "repeat-changes node:NAME time:TIME", SIM, "what a gateway has a shelf change of its"
         " reservation or its record, that shelf is asked for again so much later, whatever became of the gateway"),
    Form("heal-san", "heal-san node:NAME", BOTH, "ends that"),
    Form("heal-san all", "heal-san", SIM, "ends that for every gateway"),
    Form("cut-san2", "cut-san2 node:NAME", RACK, "the cable to the second switch"),
    Form("heal-san2", "heal-san2 node:NAME", RACK, "ends that"),
    Form("split", "split san", BOTH, "the storage network falls apart: alpha with shelf1, beta with shelf2"),
    Form("join", "join san", BOTH, "ends that"),
    Form("cut-interface", "cut-interface node:NAME text:NAME [guests:NAMES]", SIM, "one of a gateway's ways to the"
         " shelves; heal-san mends it too"),
    Form("queue", "queue node:NAME time:TIME", SIM, "a switch keeps for so long what a gateway writes, whatever becomes"
         " of its sender"),
    # Clients and people.
    Form("cut-clients", "cut-clients node:NAME", SIM, "between a gateway and its clients with their reference hosts"),
    Form("lose-hosts", "lose-hosts node:NAME text:NUMBER", SIM, "so many reference hosts do not answer a gateway"),
    Form("heal-clients", "heal-clients [node:NAME]", SIM, "ends that"),
    Form("third-machine", "third-machine answers|quiet", SIM, "a machine that is no part of the pair answers for the"
         " service address"),
    Form("ask", "ask node:NAME: text:TEXT", BOTH, "`VERB [KEY=VALUE...]` of the control socket; the rack knows verbs"
         " without arguments"),
    Form("move", "move group:NAME", SIM, "ask the gateway that serves a group to switch it over"),
    Form("vouch", "vouch node:NAME", SIM, "an operator looks; if the node is off, they confirm it on the other one"),
    Form("vouch unseen", "vouch node:NAME unseen", SIM, "an operator who has not looked confirms it on the other one"),
    Form("edit", "edit node:NAME another|back", SIM, "its aoeha.toml differs from the other gateway's, or is as it was;"
         " its next daemon reads that"),
    Form("edit legs", "edit node:NAME without text:NAME", SIM, "its aoeha.toml does not name this leg, or this"
         " address of one"),
    Form("restore", "restore", SIM, "everything works again, and everything has power"),
    Form("command", "command node:NAME: text:TEXT", RACK, "aoeha WORDS on that gateway; must end with exit code 0"),
    Form("refused", "refused node:NAME code:NAME: text:TEXT", RACK, "aoeha WORDS there; must end with another exit"
         " code, and be answered with this code (docs/alarms.md)"),
    Form("fatal", "fatal node:NAME: text:TEXT", RACK, "aoeha WORDS there; that gateway must lose its power before they"
         " end"),
    Form("operator", "operator node:NAME: text:TEXT", RACK, "a program that somebody runs there; must end with exit"
         " code 0"),
)  # fmt: skip

PROMISES = (
    Form("expect served", "expect served group:NAME by node:NAME [within time:TIME]", BOTH, "the whole group runs"
         " there; by `somebody`: on one of the gateways, by `nobody`: on none"),
    Form("expect on", "expect node:NAME on [within time:TIME]", SIM, "it has power"),
    Form("expect off", "expect node:NAME off [within time:TIME]", SIM, "it has none"),
    Form("expect boots", "expect node:NAME boots [within time:TIME]", BOTH, "a kernel of it has come up since the last"
         " mark; in the rack also `bystander`"),
    Form("expect lives", "expect node:NAME lives on [within time:TIME]", BOTH, "its kernel of the last mark runs"),
    Form("expect holds", "expect node:NAME holds [within time:TIME]", BOTH, "every shelf says that its leg is reserved"
         " for this gateway alone"),
    Form("expect writes", "expect writes within time:TIME", BOTH, "a record begun from now on is acknowledged"),
    Form("expect mirror", "expect mirror text:whole|degraded [within time:TIME]", BOTH, "both legs are in sync, or one"
         " has left"),
    Form("expect quiet", "expect quiet for time:TIME", BOTH, "nothing is started or stopped on either gateway"),
    Form("expect ready", "expect node:NAME ready within time:TIME", RACK, "it says: all links are up, and the other"
         " could take over"),
    Form("expect says", "expect node:NAME says text:QUOTED within time:TIME", RACK, "somewhere in its status"),
    Form("expect logs", "expect node:NAME logs text:QUOTED within time:TIME", RACK, "in a line of its daemon's since"
         " the last mark"),
    Form("expect reboots", "expect node:NAME reboots within time:TIME", RACK, "its kernel has begun anew by itself"
         " since the last mark"),
    Form("expect alarm", "expect alarm text:NAME [on node:NAME] [within time:TIME]", BOTH, "an alarm of this"
         " code stands"),
    Form("never both", "never both serve group:NAME", BOTH, "from here on the two gateways never run a group at once"),
    Form("never served", "never served group:NAME by node:NAME", BOTH, "from here on it never runs there; by `nobody`:"
         " its service never stops; in the rack, a client has a record acknowledged every three seconds"),
    Form("never off", "never node:NAME off", BOTH, "from here on it never loses its power"),
    Form("never lost", "never writes lost", BOTH, "no record that a client was told is safe is gone in the end, nor"
         " ever on a leg that is served from"),
    Form("never alarm", "never alarm text:NAME [on node:NAME]", SIM, "from here on no alarm of this code"
         " stands"),
)  # fmt: skip
"""`expect` is checked where it stands, and waits for as long as `within` allows; `never` from where it stands on."""

STATEMENTS = (*(replace(form, is_head=True) for form in HEAD), *PLAY, *PROMISES)
