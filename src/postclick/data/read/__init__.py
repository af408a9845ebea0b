"""Raw logs as frames of one kind, whatever they were written in."""
