"""Decisions. Pure: no clock, no I/O, no randomness."""
