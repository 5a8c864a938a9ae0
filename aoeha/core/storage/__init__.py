"""Which node holds the legs, what they contain, and how they are preempted."""
