"""What a peer may name: places within the volumes. Frames are checked for form by the decoder, for meaning here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Ints
from drsim.blocks.bitmap import fits
from drsim.blocks.extents import Extents
from drsim.replication.frames import Data, Dirt, Frame, Hashes, Resync


def outside(frame: Frame, volumes: tuple[int, ...]) -> bool:
    """Say whether a frame names a place that no volume has, or granules that no bitmap has.

    Args:
        frame: any.
        volumes: bytes of each volume, by index.
    """
    match frame:
        case Data(_, batch) | Resync(_, _, batch):
            return _outside(batch.volume, batch.stop, volumes)
        case Hashes(_, _, extents):
            return bool(len(extents)) and _outside(extents.volume, extents.stop, volumes)
        case Dirt(_, extents, granule):  # In whole granules: the last of a volume may end after it.
            if not fits(granule):
                return True
            return bool(len(extents)) and _outside(extents.volume, extents.stop - granule + 1, volumes)
    return False


def clipped(extents: Extents, volumes: tuple[int, ...]) -> Extents:
    """Cut runs of whole granules at the ends of their volumes (bytes of each, by index)."""
    if not len(extents) or int(extents.stop.max()) <= min(volumes):
        return extents
    end = np.array(volumes, np.int64)[extents.volume]
    inside = extents.start < end
    return Extents(extents.volume[inside], extents.start[inside], np.minimum(extents.stop, end)[inside])


def _outside(volume: NDArray[np.uint16], stop: Ints, volumes: tuple[int, ...]) -> bool:
    if len(volume) == 1:
        index = int(volume[0])
        return index >= len(volumes) or int(stop[0]) > volumes[index]
    if np.maximum.reduce(volume) >= len(volumes):
        return True
    if np.maximum.reduce(stop) <= min(volumes):
        return False
    return bool((stop > np.array(volumes, np.int64)[volume]).any())
