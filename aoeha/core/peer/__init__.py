"""Whether the peer is alive: beats, links, and the disk heartbeat."""
