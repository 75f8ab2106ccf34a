"""Requests that are wrong in themselves, whatever the export would say."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from drsim.agent.nbd.protocol import MAX_PAYLOAD, Command, CommandFlag

if TYPE_CHECKING:
    from drsim.agent.nbd.exports import Export, Request

_FLAGS = 0x1F & ~int(CommandFlag.FAST_ZERO)


def refusal(request: Request, export: Export, *, allocation: bool) -> int:
    """Give the errno of a request that is wrong in itself, or 0.

    Args:
        allocation: the peer negotiated block status.
    """
    command = request.command
    if command == Command.FLUSH:
        return 0
    if command in (Command.WRITE, Command.TRIM, Command.WRITE_ZEROES):
        if export.read_only:
            return errno.EPERM
    elif command == Command.BLOCK_STATUS:
        if not allocation or not request.length:
            return errno.EINVAL
    elif command != Command.READ or request.length > MAX_PAYLOAD:
        return errno.EINVAL
    if request.flags & ~_FLAGS:
        return errno.EINVAL
    if (request.offset | request.length) & (export.minimum_block - 1):
        return errno.EINVAL
    if request.offset + request.length > export.size:
        return errno.ENOSPC if command == Command.WRITE else errno.EINVAL
    return 0
