"""What ends a run: something that must never happen has happened."""

__all__ = ["Violation"]


class Violation(Exception):  # noqa: N818  a fact about the run, not a failure of the simulator
    """An invariant was broken, or a rule by an act: `invariant` is the name of either in docs/rules.md."""

    def __init__(self, invariant: str, at_ms: int, sentence: str) -> None:
        super().__init__(f"{invariant} broken at {at_ms / 1_000:.3f} s: {sentence}")
        self.invariant = invariant
        self.at_ms = at_ms
