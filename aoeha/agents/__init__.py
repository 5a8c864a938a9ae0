"""Resource and fence agents: interface, finding, running."""
