"""Logs: read, checked, encoded, written as a prepared log, and read from there in batches."""
