"""What is done to a rack."""
