"""What to run, as plain data: models, loading with positions, overrides, schema."""
