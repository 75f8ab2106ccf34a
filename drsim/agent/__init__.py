"""The asyncio world around the engine: TCP, NBD, files."""
