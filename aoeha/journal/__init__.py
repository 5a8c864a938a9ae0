"""The journal: events and actions as records."""
