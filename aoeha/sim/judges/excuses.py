"""What no rule could know: beliefs that the world made false, and what is not judged because of them.

- A plug that is not the victim's reports off while the victim keeps running.
- A second machine with an owner's name that is first heard as the owner falls silent cannot be told from its reboot.
  Where both are heard it is not.

What is excused is counted as `excused`.
"""

from aoeha.sim.judges.judge import Judge

__all__ = ["Excuses"]


class Excuses(Judge):
    """Knows who was deceived."""

    _fooled = False

    def fooled_by_a_clone(self) -> None:
        """A node takes a clone for the reboot of its peer."""
        self._fooled = True

    @property
    def deceived(self) -> bool:
        """Whether a plug was ever wired wrongly, or a clone was taken for the reboot of an owner that was away."""
        return self.world.power.was_miswired or self._fooled

    def count(self) -> None:
        """Note that something was excused."""
        self.world.count("excused", "clone" if self._fooled else "miswired plug")
