"""What a node knows and what it can be told: data, no decision."""
