"""Which legs a running mirror uses."""
