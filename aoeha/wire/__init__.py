"""Beats as bytes. Pure."""
