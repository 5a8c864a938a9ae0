"""What shelves can do, one folder a protocol."""
