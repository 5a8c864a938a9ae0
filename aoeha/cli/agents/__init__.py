"""`aoeha agents`."""
