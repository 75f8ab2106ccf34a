"""Trains of frames: how many members, a part of one, two that continue each other."""

from __future__ import annotations

from drsim.blocks.batch import concat
from drsim.replication.frames import Ack, Data, Frame, Resync


def members(frame: Frame) -> int:
    """How many frames the value stands for."""
    match frame:
        case Data(batch=batch) | Resync(batch=batch):
            return len(batch)
        case Ack(seq=seq):
            return len(seq)
        case _:
            return 1


def part(frame: Frame, first: int, last: int) -> Frame:
    """Members ``first..last`` of a train."""
    match frame:
        case Data(session=session, batch=batch, previous=previous, folded=folded):
            if last - first == len(batch):
                return frame
            if first:
                previous = int(batch.seq[first - 1])
            return Data(session, batch.slice(first, last), previous, folded)
        case Resync(session=session, ticket=ticket, batch=batch):
            return frame if last - first == len(batch) else Resync(session, ticket, batch.slice(first, last))
        case Ack(session=session, seq=seq):
            return frame if last - first == len(seq) else Ack(session, seq[first:last])
        case _:
            return frame


def continues(a: Frame, b: Frame) -> bool:
    """Whether two trains of writes are one: ``b`` goes on where ``a`` ends, in the same session."""
    match a, b:
        case Data(session, batch, _, folded), Data(follower, _, previous, too):
            return session == follower and folded == too and previous == batch.last
    return False


def joined(trains: list[Frame]) -> Frame:
    """Give as one train what are trains of writes of which each `continues` the one before."""
    head = trains[0]
    if len(trains) == 1 or not isinstance(head, Data):
        return head
    batches = [train.batch for train in trains if isinstance(train, Data)]
    return Data(head.session, concat(batches), head.previous, head.folded)
