"""Exact streaming meters: event-time columns in, numbers out. Independent of who produced the columns."""
