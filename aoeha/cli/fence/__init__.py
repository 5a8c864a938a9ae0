"""`aoeha fence`."""
