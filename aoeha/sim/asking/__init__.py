"""Asks the rules of a core only where they could do something: the simulator saves most of its time by that."""
