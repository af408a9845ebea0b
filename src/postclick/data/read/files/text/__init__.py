"""Text files: how they are laid out and encoded, and reading them."""
