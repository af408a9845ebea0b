"""A run: its settings, its folder, and opening it again."""
