"""The simulator and the daemon are two interpreters of one core: given the same, they do the same."""

from pathlib import Path

import pytest
from recorded_host import UNKNOWN, Played, play
from recording import Recording, recordings

from aoeha.core.model.actions import Action, Answer, Panic, Say
from aoeha.core.model.events import Event, Tick
from aoeha.journal.codec import to_record
from aoeha.sim.stories.scenario import perform, read

SCENARIOS = Path(__file__).parents[1] / "scenarios"
INCIDENTS = (
    "daemon-killed",
    "device-dead",
    "disk-full",
    "fence-duel",
    "late-fence-success",
    "leave-and-return",
    "lossy-links",
    "owner-loses-power",
    "replayed-beats",
    "resource-dies",
    "slow-serial-line",
    "two-supplies-one-outlet-off",
)
"""Without pauses: there the simulator hands a daemon that wakes its tick first, and the kernel its sockets."""

INFORMING = (Say, Answer)


def timeline(done: list[tuple[int, Action]], *, informing: bool) -> list[tuple[int, dict[str, object]]]:
    """What was done and when; a panic's sentence is said, not done."""
    chosen = [(at_ms, action) for at_ms, action in done if isinstance(action, INFORMING) is informing]
    return [(at_ms, to_record(Panic(UNKNOWN) if isinstance(action, Panic) else action)) for at_ms, action in chosen]


def recorded(incident: str) -> list[Recording]:
    with recordings() as found:
        perform(read(SCENARIOS / f"{incident}.txt"))
    return found


def assert_same(recording: Recording, played: Played) -> None:
    assert timeline(played.done, informing=False) == timeline(recording.done, informing=False)
    assert timeline(played.done, informing=True) == timeline(recording.done, informing=True)
    assert played.sent == recording.sent
    assert [event.now_ms for event, _ in played.journal if isinstance(event, Tick)] == [
        given.now_ms for given in recording.given if isinstance(given, Tick)
    ]
    assert played.state == recording.state


@pytest.mark.parametrize("incident", INCIDENTS)
def test_the_daemon_does_what_the_simulator_does(incident: str) -> None:
    found = recorded(incident)
    assert {recording.config.node for recording in found} == {"alpha", "beta"}
    for recording in found:
        assert_same(recording, play(recording))


def test_a_recording_is_not_empty() -> None:
    found = recorded("owner-loses-power")
    assert len(found) == 2
    assert all(recording.sent and len(recording.given) > 100 for recording in found)


def test_one_lost_event_shows() -> None:
    recording = recorded("owner-loses-power")[0]
    lost = next(n for n, given in enumerate(recording.given) if isinstance(given, Event) and hasattr(given, "task_id"))
    del recording.given[lost]
    with pytest.raises(AssertionError):
        assert_same(recording, play(recording))
