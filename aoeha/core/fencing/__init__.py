"""Power: taking it, proving that it is gone, giving it back."""
