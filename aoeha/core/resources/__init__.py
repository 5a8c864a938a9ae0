"""Starting, stopping and monitoring resources."""
