"""How long a test waits for what must come. Only a failure takes so long, however slow the machine is."""

__all__ = ["PATIENCE_S"]

PATIENCE_S = 60.0
