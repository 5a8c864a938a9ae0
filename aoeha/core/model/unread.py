"""Why what arrived as a beat could not be read."""

from enum import Enum


class Unread(Enum):
    """The causes that people can do something about. The value is the word that journals keep."""

    VERSION = "version"
    KEY = "key"
    SECRET = "another secret"  # noqa: S105 (a cause, no password)
    CLUSTER = "cluster"
    OWN_NAME = "own name"
    OTHER_NAME = "other name"
    LOOP = "loop"
