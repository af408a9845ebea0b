"""Logs in files, format by format."""
