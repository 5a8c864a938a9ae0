"""What the programs of our fence agents are called."""

__all__ = ["beside", "program_name"]

_TAKEN = ("fence_wti",)
"""Names of programs of ClusterLabs' fence-agents that ours would have too, whether they are installed here or not."""


def program_name(type_name: str) -> str:
    """Return what the program of one of our types is called, and calls itself in its metadata."""
    name = f"fence_{type_name}"
    return beside(type_name) if name in _TAKEN else name


def beside(type_name: str) -> str:
    """Return what it is called where somebody else's program has the usual name."""
    return f"fence_aoeha_{type_name}"
