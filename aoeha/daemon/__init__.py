"""The daemon: one inbox, one state, one loop."""
