"""Which node owns a group, and by what proof."""
