"""What a drill's evidence says."""
