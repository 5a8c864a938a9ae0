"""Beats as bytes: codec, authentication, replay guard, serial framing. Pure: no clock, no I/O, no randomness."""
