"""The application: its paths, its limits, what it answers."""
