"""Whose the legs are, what they hold, and how they are taken."""
