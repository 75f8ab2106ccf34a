"""Exact streaming meters: event-time columns in, numbers out, in memory that does not grow with the run."""
