"""Which legs a running mirror goes with."""
