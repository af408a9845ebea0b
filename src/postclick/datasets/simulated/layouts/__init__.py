"""The columns of worlds, and how users and items with such columns are drawn."""
