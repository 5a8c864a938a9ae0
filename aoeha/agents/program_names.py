"""What the programs of our fence agents are called. Imports nothing: each such program starts with it."""

__all__ = ["prefixed_name", "program_name"]

_TAKEN = ("fence_wti",)
"""Names of programs of ClusterLabs' fence-agents that ours would have too, whether they are installed here or not."""


def program_name(type_name: str) -> str:
    """Return what the program of a fence agent is called, and calls itself in its metadata."""
    name = f"fence_{type_name}"
    return prefixed_name(type_name) if name in _TAKEN else name


def prefixed_name(type_name: str) -> str:
    """Return the name that no other project's program has."""
    return f"fence_aoeha_{type_name}"
