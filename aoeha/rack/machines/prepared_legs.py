"""Legs as etc/make-storage.sh leaves them, made by the first of many drills and copied by the others.

What is copied is what an operator's script wrote through the driver and a shelf, byte for byte.
"""

import shutil
import tempfile
from pathlib import Path

__all__ = ["LEGS", "PreparedLegs"]

LEGS = ("leg1.img", "leg2.img")
PREFIX = "aoeha-legs-"


class PreparedLegs:
    """A folder that several racks share. It is whole or absent: two of them may make it at once, and one wins."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._legs = folder / "legs"

    def take(self, disks: Path) -> bool:
        """Copy both legs to `disks`; False when they were not made yet."""
        if not self._legs.is_dir():
            return False
        for leg in LEGS:
            shutil.copyfile(self._legs / leg, disks / leg)
        return True

    def keep(self, disks: Path) -> None:
        """Take a copy of both legs of `disks`, to which nothing may be writing."""
        making = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._folder))
        for leg in LEGS:
            shutil.copyfile(disks / leg, making / leg)
        try:
            making.rename(self._legs)
        except OSError:  # another process was first
            shutil.rmtree(making)
