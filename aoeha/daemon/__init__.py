"""One inbox, one state, one loop."""
