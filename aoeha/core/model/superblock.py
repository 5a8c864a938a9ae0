"""What a mirror's leg records about itself and about the other legs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Superblock:
    """One leg's own view of its array, as its md superblock tells (metadata 1.2).

    `role` is its place in the mirror, None for a spare. `states` has one character per place: "A" active, "." missing,
    "R" being replaced. `recovering`: its contents were not yet complete when it was last written.
    """

    leg: str
    array_uuid: str
    events: int
    role: int | None
    states: str
    recovering: bool

    def calls_missing(self, role: int) -> bool:
        """Tell whether this leg recorded the one in that place as gone."""
        return role < len(self.states) and self.states[role] == "."
