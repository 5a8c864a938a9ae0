"""Who owns a group, and by what proof."""
