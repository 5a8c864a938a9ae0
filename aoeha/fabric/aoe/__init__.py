"""The ATA over Ethernet protocol."""
