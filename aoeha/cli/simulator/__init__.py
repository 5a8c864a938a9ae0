"""`aoeha simulate` and `aoeha replay`."""
