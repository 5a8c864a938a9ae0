"""aoeha.toml: schema, loading, lint."""
