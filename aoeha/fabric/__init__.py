"""Storage protocols and their shelves' capabilities, one folder for each protocol."""
