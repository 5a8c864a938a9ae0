"""Power fencing: switching the peer off, proving that it is off, and restoring its power."""
