"""How many clients of each user may be connected to the control socket at once.

Root has seats that nobody else can take, so no crowd of lookers keeps root out. Each other user has a few, and all of
them together no more than so many: connections are descriptors, and those are the daemon's before they are anybody's.
"""

from collections import Counter

__all__ = ["EACH_USER_MAX", "LOOKERS_MAX", "ROOT", "ROOT_MAX", "Seats"]

ROOT = "root"
ROOT_MAX = 32
LOOKERS_MAX = 24
EACH_USER_MAX = 8


class Seats:
    """Counts the connected clients of each user."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    def take(self, user: str) -> str:
        """Take a seat and return an empty string, or return why there is none for this user."""
        if user == ROOT:
            if self._taken[ROOT] >= ROOT_MAX:
                return f"{ROOT_MAX} clients of root are connected; end one of them and try again"
        elif self._taken[user] >= EACH_USER_MAX:
            return f"{EACH_USER_MAX} clients of {user} are connected; end one of them and try again"
        elif self._taken.total() - self._taken[ROOT] >= LOOKERS_MAX:
            return f"{LOOKERS_MAX} clients are connected that are not root's; try again"
        self._taken[user] += 1
        return ""

    def leave(self, user: str) -> None:
        """Give a seat back."""
        self._taken[user] -= 1
        if not self._taken[user]:
            del self._taken[user]
