"""Raw rows to a model's arrays, by tables that are built once."""
