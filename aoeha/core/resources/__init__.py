"""Starting, stopping and watching resources."""
