"""Beats that arrive and cannot be read: heard but not understood is not silence (home of R17).

Rules. What arrives as a beat and cannot be read is an alarm that names the cause. It is not silence either. A beat that
authenticates, answers what this node sent, and is of another version, shows that the peer runs: it is neither alive nor
silent then, nothing is fenced on its account, and nothing is taken over. An operator may power it off; that is a proof
as ever. What does not authenticate may come from anybody: it holds a cold start off until an operator confirms that the
peer is off, and for a peer that this daemon has heard it holds a takeover off by one deadtime, once for each silence.
A link that leads back to this node itself tells nothing of the peer.

A beat that says that its sender was started with another configuration is understood, but the pair may agree on less
than it should, or never. That is an alarm as well, for nothing else would name the cause.

What this file does not know: how a beat is read, and why it cannot be.
"""

from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.events import UnreadHeard
from aoeha.core.model.state import LinkCondition, LinkState, NodeState, UnreadBeat
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.unread import Unread

SENTENCES = {
    Unread.VERSION: "beats of {peer} arrive on link {link} in version {number} of the format, which {node} cannot read:"
    " {peer} runs, and is not fenced. Upgrade aoeha on {node}",
    Unread.KEY: "beats arrive on link {link} that carry key {number}, which {node} does not have: compare the key"
    " files of {node} and {peer}",
    Unread.SECRET: "beats arrive on link {link} that carry key {number} and do not authenticate: their secret is"
    " another one, or they were damaged. Compare the key files of {node} and {peer}",
    Unread.CLUSTER: "beats of another cluster arrive on link {link}: compare `cluster` in aoeha.toml on {node} and"
    " {peer}",
    Unread.OWN_NAME: "another machine calls itself {node} on link {link}: its daemon must be started with the name"
    " {peer}",
    Unread.OTHER_NAME: "a node that aoeha.toml does not name beats on link {link}: compare the names of the nodes on"
    " {node} and {peer}",
    Unread.LOOP: "link {link} leads back to {node} itself: look at its cable",
}


UNPROVEN = (Unread.KEY, Unread.SECRET, Unread.CLUSTER)
"""What does not authenticate is no alarm on a link that carries the peer's beats: a damaged message looks like that."""


def hear(step: StepContext, event: UnreadHeard) -> None:
    """Process what arrived as a beat and cannot be read."""
    kind = Unread.LOOP if event.boot_id == step.state.identity.boot_id else event.kind
    step.change_link(event.link, unread=UnreadBeat(kind, step.now_ms))
    if kind is not Unread.LOOP:
        step.change_peer(unread_ms=step.now_ms)
    if event.runs:
        step.change_peer(runs_ms=step.now_ms)
    if kind in UNPROVEN and step.state.link(event.link).condition is LinkCondition.UP:
        return
    config = step.state.config
    sentence = SENTENCES[kind].format(link=event.link, number=event.number, node=config.node, peer=config.peer)
    step.alarm(Code.LINK_UNREADABLE, Subject.link(event.link), sentence)


def judge(step: StepContext) -> None:
    """End the alarms of links on which nothing unreadable has arrived for deadtime; compare the configurations."""
    _compare_configurations(step)
    for link in step.state.links:
        if link.unread is not None and step.now_ms >= _ends_ms(step.state, link):
            step.change_link(link.name, unread=None)
            sentence = f"nothing arrives on link {link.name} any more that {step.state.config.node} cannot read"
            step.clear_alarm(Code.LINK_UNREADABLE, Subject.link(link.name), sentence)


def _compare_configurations(step: StepContext) -> None:
    beat, config = step.state.peer.beat, step.state.config
    if beat is None:
        return
    subject, both = Subject.node(config.peer), f"the configurations of {config.node} and {config.peer}"
    if beat.config_tag != config.config_tag:
        step.alarm(Code.PEER_CONFIGURATION, subject, f"{both} differ: compare aoeha.toml, on both gateways")
    else:
        step.clear_alarm(Code.PEER_CONFIGURATION, subject, f"{both} are the same again")


def postponed_ms(state: NodeState, due_ms: int) -> int:
    """When the peer counts as silent, by when it would if nothing unreadable had arrived.

    A peer that is known to run is not silent in any case.
    """
    unread_ms, deadtime_ms = state.peer.unread_ms, state.config.deadtime_ms
    if unread_ms is None or runs(state):
        return due_ms
    if state.heard_ms is None:
        return max(due_ms, unread_ms + deadtime_ms)
    return min(max(due_ms, unread_ms + deadtime_ms), due_ms + deadtime_ms) if unread_ms > state.heard_ms else due_ms


def runs(state: NodeState) -> bool:
    """Whether an authentic beat that cannot be read has answered this node lately: the peer runs."""
    runs_ms = state.peer.runs_ms
    return runs_ms is not None and state.now_ms - max(runs_ms, state.listening_since_ms) < state.config.deadtime_ms


def holds_a_start(state: NodeState) -> bool:
    """Whether nothing but what cannot be read keeps a peer that was never heard from counting as silent."""
    return state.heard_ms is None and state.peer.unread_ms is not None and not runs(state)


def next_wakes_ms(state: NodeState) -> tuple[int, ...]:
    """When an alarm ends, and when the peer is no longer known to run."""
    ends = tuple(_ends_ms(state, link) for link in state.links if link.unread is not None)
    runs_ms = state.peer.runs_ms
    return ends if runs_ms is None else (*ends, runs_ms + state.config.deadtime_ms)


def _ends_ms(state: NodeState, link: LinkState) -> int:
    at_ms = link.unread.at_ms if link.unread is not None else 0
    return max(at_ms, state.listening_since_ms) + state.config.deadtime_ms
