"""aoeha: a failover pair for AoE storage."""
