"""Numbers into tables, pictures and pages."""
