"""Events and actions as records."""
