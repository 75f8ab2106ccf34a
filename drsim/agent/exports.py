"""What hosts see: the volumes of a source, and snapshots at a target, read-only."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from drsim.agent.nbd.exports import Asked, Writes, reading_verbs, serve
from drsim.agent.nbd.protocol import Command
from drsim.agent.source import SourceGroup

_READS = (Command.READ, Command.BLOCK_STATUS)


class VolumeExport:
    """A volume of a source: reads come from the volume, everything else goes the way of the group's order.

    While the group is closed (its disk failed and it is being opened again) every request is refused.
    """

    minimum_block = 1  # unaligned writes are widened; 4 KiB is preferred and said so

    def __init__(self, name: str, size: int, volume: int, description: str = "") -> None:
        self.name = name
        self.size = size
        self.description = description
        self.read_only = False
        self._volume = volume
        self._group: SourceGroup | None = None

    def attach(self, group: SourceGroup | None) -> None:
        """Say which group serves from now on, None for none."""
        self._group = group
        if group is not None:
            self._verbs = reading_verbs(group.volumes.images[self._volume]) | {
                Command.READ: lambda r: group.read(self._volume, r.offset, r.length),
                Command.BLOCK_STATUS: lambda r: group.runs(self._volume, r),
            }

    def write(self, writes: Writes) -> bool:
        """Take writes that are answered as soon as the group's cache has them."""
        group = self._group
        return group is not None and not group.closed and group.keep(self._volume, writes)

    def write_one(self, offset: int, content: memoryview) -> bool:
        """Do as `write` does for one write."""
        group = self._group
        return group is not None and not group.closed and group.keep_one(self._volume, offset, content)

    def alone(self, writes: Writes) -> None:
        """Hand a write over, and be done with it on return if the group can."""
        group = self._group
        if group is None or group.closed:
            writes.reply(writes, errno.ESHUTDOWN)
        else:
            group.take_alone(self._volume, writes)

    def handle(self, requests: Sequence[Asked]) -> None:
        """Serve reads at once; hand the others over in order."""
        group = self._group
        if group is None or group.closed:
            for request in requests:
                request.reply(request, errno.ESHUTDOWN)
            return
        changes = [r for r in requests if r.command not in _READS]
        if changes:
            group.take(self._volume, changes)
        if len(changes) < len(requests):
            for request in requests:
                if not isinstance(request, Writes) and request.command in _READS:
                    serve(self._verbs, request)
