"""`aoeha check`."""
