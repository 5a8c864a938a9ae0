"""The ordering clause: what was promised is remembered before anybody can act on it."""

from aoeha.core.action_queue import ActionQueue
from aoeha.core.model.actions import Leave, Panic, Persist, Say
from aoeha.core.model.conditions import Code, Condition, Level, Subject
from aoeha.core.model.memory import Memory

MEMORY = Memory("a" * 32, 1, "", peer_was_alive=False, standby=False, panicked=False, groups=())
SAY = Say(Level.INFO, Condition(Code.PEER_ONLINE, Subject.node("alpha"), "hello"))
PANIC = Panic(Condition(Code.OWNERSHIP_SUPERSEDED, Subject.group("storage"), "superseded"))


def test_nothing_behind_a_persist_happens_before_it_is_done() -> None:
    performer = ActionQueue()
    performer.offer((Persist(MEMORY), Leave(), SAY))
    assert performer.take() == (Persist(MEMORY), SAY)
    performer.offer((Leave(),))
    assert performer.take() == ()
    performer.persist_done()
    assert performer.take() == (Leave(), Leave())


def test_a_reboot_of_our_own_is_remembered_before_it_happens() -> None:
    performer = ActionQueue()
    performer.offer((Persist(MEMORY), PANIC))
    assert performer.take() == (Persist(MEMORY),)
    performer.persist_done()
    assert performer.take() == (PANIC,)


def test_a_second_persist_closes_the_gate_again() -> None:
    performer = ActionQueue()
    performer.offer((Persist(MEMORY), Leave(), Persist(MEMORY), Leave()))
    assert performer.take() == (Persist(MEMORY),)
    performer.persist_done()
    assert performer.take() == (Leave(), Persist(MEMORY))
    performer.persist_done()
    assert performer.take() == (Leave(),)
