"""Whether the peer lives: beats, links, and the shelves as a link."""
