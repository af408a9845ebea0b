"""Logs that are tables: frames and Arrow streams in memory, DuckDB, Delta, Iceberg."""
