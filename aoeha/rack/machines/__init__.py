"""Guests, switches, cables and power of the rack."""
