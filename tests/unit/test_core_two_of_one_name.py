"""Two machines with one name, as a cloned image or a spare gateway makes them: neither boot proves the other's end."""

from dataclasses import replace

from pair import Pair

from aoeha.core.model.events import BeatHeard


def test_two_boots_that_alternate_prove_nothing_and_nobody_is_fenced_or_taken_over() -> None:
    pair = Pair()
    pair.boot()
    pair.run(15_000)
    beta = pair["beta"]
    assert pair.serves("alpha")
    for number in range(6):
        assert beta.state is not None
        known = beta.state.peer.beat
        assert known is not None
        clone = replace(known, boot_id="c10e".ljust(32, "0"), sequence=known.sequence + number + 1)
        pair._feed(beta, BeatHeard(pair.now_ms, "link0", clone))
        pair.run(700)
    assert any("two machines use the name alpha" in sentence for sentence in beta.said)
    pair.cut_link("link0")
    pair.cut_link("link1")
    pair.run(60_000)
    assert beta.started == []
    assert pair.fences == 0
    assert pair.serves("alpha")
