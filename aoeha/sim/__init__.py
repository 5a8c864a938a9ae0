"""The world in which the core is tortured: virtual time, faults, an oracle of its own; and journals repeated."""
