"""The world: virtual time and fake hardware around the real core."""
