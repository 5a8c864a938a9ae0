"""What must never happen, and what must come true."""
