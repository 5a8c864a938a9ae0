"""What a drill leaves behind, and how it is read."""
