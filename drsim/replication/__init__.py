"""The real replication engine: events in, actions out. No clock, no chance, no input or output."""
