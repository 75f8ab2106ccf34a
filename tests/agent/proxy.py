"""A loopback relay between two agents that cuts at a byte, flips a bit, or refuses, as told."""

import contextlib
import selectors
import socket
import threading


class Proxy:
    """Relays to ``port``; every mischief is set from outside and takes effect at the next bytes.

    Attributes:
        cut_after: bytes (both directions together) until every connection is cut; None for never.
        flip_after: bytes until one bit is flipped; None for never.
        refuse: cut new connections at once.
    """

    def __init__(self, port: int) -> None:
        self.to = port
        self.cut_after: int | None = None
        self.flip_after: int | None = None
        self.flips = self.cuts = 0
        self.refuse = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._ends: dict[socket.socket, socket.socket] = {}
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over:
            for key, _ in self._selector.select(0.05):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj in self._ends:
                    self._relay(key.fileobj)

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        if self.refuse:
            near.close()
            return
        try:
            far = socket.create_connection(("127.0.0.1", self.to), 2)
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            one.settimeout(5)
            self._ends[one] = other
            self._selector.register(one, selectors.EVENT_READ, None)

    def _relay(self, end: socket.socket) -> None:
        try:
            data = bytearray(end.recv(65536))
        except OSError:
            data = bytearray()
        other = self._ends[end]
        if data and self.flip_after is not None:
            if self.flip_after < len(data):
                data[self.flip_after] ^= 1 << self.flip_after % 8
                self.flip_after = None
                self.flips += 1
            else:
                self.flip_after -= len(data)
        cut = not data
        if data and self.cut_after is not None:
            if self.cut_after <= len(data):
                data, cut = data[: self.cut_after], True
                self.cut_after = None
                self.cuts += 1
            else:
                self.cut_after -= len(data)
        with contextlib.suppress(OSError):
            other.sendall(data)
        if cut:
            self._drop(end)

    def _drop(self, end: socket.socket) -> None:
        for one in (end, self._ends[end]):
            self._ends.pop(one, None)
            self._selector.unregister(one)
            one.close()

    def close(self) -> None:
        self._over = True
        self._thread.join(5)
        for end in list(self._ends):
            if end in self._ends:
                self._drop(end)
        self._listener.close()
