"""Findings on columns, kind by kind."""
