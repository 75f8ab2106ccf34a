"""Numpy values about blocks: write batches, extents, the dirty bitmap, folding. No time passes here."""

from drsim.blocks.batch import NO_PAYLOAD, Kind, Payload, WriteBatch

__all__ = ["NO_PAYLOAD", "Kind", "Payload", "WriteBatch"]
