"""What happens to a world: incidents, seeds, faults."""
