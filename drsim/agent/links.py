"""The two ends of a group's link: a source's leg that dials, a target that is dialled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import numpy as np

from drsim.agent.logs import log
from drsim.agent.peer import PeerConnection
from drsim.blocks.batch import Floats, repeated
from drsim.replication.driver import Clock
from drsim.replication.events import Event, LinkDown, LinkUp, Received
from drsim.replication.frames import Frame, Hello, Refuse
from drsim.replication.trains import members

_HELLO_S = 10.0  # a connection that has not said for which group it comes by then is cut
_STRANGERS = 16  # connections that have not said so yet, at once


def received(frame: Frame, now: float) -> Received:
    """Make the event of a frame, or a train, that has just arrived."""
    at: Floats = repeated(np.float64(now), members(frame))
    return Received(frame, at)


class Attached(Protocol):
    """Whoever is at the engine's end of a link."""

    def deliver(self, event: Event) -> None:
        """Let the engine know."""


class LinkEnd:
    """One engine's end: at most one connection at a time, told apart from those before it.

    Args:
        name: for logs, as ``group/site``.
        partners: the sites whose certificates are accepted, None where there are no certificates.
        lost: is called when the connection is gone.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        partners: set[str] | None = None,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.peer: PeerConnection | None = None
        self.refusal = ""  # what the other side said when it refused the last session
        self.sent_bytes = self.received_bytes = 0  # on connections that are over
        self.ups = 0
        self._attached: Attached | None = None
        self._clock = clock
        self._partners = partners
        self._lost = lost

    def attach(self, attached: Attached | None) -> None:
        """Say whose end this is from now on; with None connections are refused, no one is told."""
        if attached is None:
            self.drop("the group is closed")
        self._attached = attached

    # For the engine.

    def send(self, frame: Frame) -> None:
        """Send a frame if there is a connection; otherwise it is lost, as on any wire."""
        if self.peer is not None:
            self.peer.send(frame)

    def drop(self, cause: str) -> None:
        """Cut the connection; the engine hears `LinkDown` when it is gone."""
        if self.peer is not None:
            self.peer.close(cause)

    def throttle(self, full: bool) -> None:
        """Read no more from the connection while ``full``: TCP makes the peer wait."""
        if self.peer is not None:
            self.peer.pause() if full else self.peer.resume()

    # For the connection.

    def connected(self, peer: PeerConnection) -> None:
        """Take a connection in place of any other."""
        if self._partners is not None and peer.name not in self._partners:
            log.warning("peer refused", extra={"link": self.name, "certificate": peer.name})
            peer.close(f"the certificate is {peer.name}'s, who has no part in this group")
            return
        if self._attached is None:
            peer.close("the group is closed")
            return
        if self.peer is not None:
            self._forget("replaced by a new connection")
        self.peer = peer
        self.ups += 1
        log.info("link up", extra={"link": self.name})
        self._tell(LinkUp())

    def received(self, peer: PeerConnection, frame: Frame) -> None:
        """Hand a frame to the engine."""
        if peer is self.peer:
            if isinstance(frame, Refuse):
                self.refusal = frame.reason
                log.error("refused by the peer", extra={"link": self.name, "reason": frame.reason})
            self._tell(received(frame, self._clock.now()))

    def _tell(self, event: Event) -> None:
        if self._attached is not None:
            self._attached.deliver(event)

    def lost(self, peer: PeerConnection, cause: str) -> None:
        """The connection is gone."""
        if peer is self.peer:
            self._forget(cause)
        self._lost()

    def _forget(self, cause: str) -> None:
        peer, self.peer = self.peer, None
        assert peer is not None
        self.sent_bytes += peer.sent_bytes
        self.received_bytes += peer.received_bytes
        log.info("link down", extra={"link": self.name, "cause": cause})
        peer.close(cause)
        self._tell(LinkDown())

    @property
    def sent(self) -> int:
        """Bytes sent on all connections."""
        return self.sent_bytes + (self.peer.sent_bytes if self.peer else 0)


class FrontDoor:
    """Owns incoming connections until their `Hello` says for which group they come.

    Args:
        find: gives the end for a group's name, None if the group is not awaited here.
    """

    def __init__(self, find: Callable[[str], LinkEnd | None]) -> None:
        self._find = find
        self._strangers: dict[PeerConnection, asyncio.TimerHandle] = {}

    def connected(self, peer: PeerConnection) -> None:
        """Give a stranger its time, unless there are too many."""
        if len(self._strangers) >= _STRANGERS:
            peer.close("too many connections at once")
            return
        loop = asyncio.get_running_loop()
        self._strangers[peer] = loop.call_later(_HELLO_S, peer.close, "no Hello in time")

    def received(self, peer: PeerConnection, frame: Frame) -> None:
        """The first frame must be a `Hello` for a group that is awaited here."""
        timer = self._strangers.pop(peer, None)
        if timer is None:
            return
        timer.cancel()
        end = self._find(frame.group) if isinstance(frame, Hello) else None
        if end is None:
            named = frame.group if isinstance(frame, Hello) else type(frame).__name__
            log.warning("stranger refused", extra={"group": named, "certificate": peer.name})
            peer.close("no such group here")
            return
        peer.owner = end
        end.connected(peer)
        end.received(peer, frame)

    def lost(self, peer: PeerConnection, cause: str) -> None:  # noqa: ARG002
        """A stranger went away."""
        timer = self._strangers.pop(peer, None)
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """Send every stranger away."""
        for peer in list(self._strangers):
            peer.close("the agent stops")
