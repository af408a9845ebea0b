"""The bundle that serves, its threads, and putting another in its place."""
