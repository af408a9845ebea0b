"""What is learned of a numeric column: its moments, a sample, and which values are extreme."""
