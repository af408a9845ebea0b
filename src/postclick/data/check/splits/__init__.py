"""Findings on the splits beside each other."""
