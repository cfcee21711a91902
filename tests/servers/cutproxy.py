"""A TCP proxy that does to a connection what a network may: cut it, swallow what comes back, fall silent.

    with CutProxy(server.host, server.port) as proxy:
        bench.use(host="127.0.0.1", port=proxy.port)
        proxy.cut(up=1000)              # a reset, once so many bytes have gone to the server
        proxy.swallow(b"COMMIT")        # the statement arrives; its answer does not, and the connection ends
        proxy.black_hole(up=1000)       # from then on nothing passes, and nobody is told
        proxy.rewrite(b"old", b"new")   # what the server says is changed on its way

Each fault happens once, to the connection that meets it first; ``sent`` counts the bytes that went to the server since
:meth:`reset`, over all connections.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import Any, Self

_SIZE = 65536
_TAIL = 64


class CutProxy:
    """Listens on ``port`` of 127.0.0.1 and passes everything on to ``host:port``, as far as it is let."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._links: list[_Link] = []
        self._threads: list[threading.Thread] = []
        self._open = True
        self.reset()

    def reset(self) -> None:
        """Forget faults and counts."""
        with self._lock:
            self.sent = 0
            self.seen = b""
            self._cut: int | None = None
            self._hole: int | None = None
            self._swallow: bytes | None = None
            self._rewrite: tuple[bytes, bytes] | None = None
            self.happened = threading.Event()

    def cut(self, *, up: int) -> None:
        """Reset the connection once ``up`` bytes have gone to the server."""
        self._cut = up

    def black_hole(self, *, up: int) -> None:
        """Let nothing pass any more, once ``up`` bytes have gone to the server."""
        self._hole = up

    def swallow(self, statement: bytes) -> None:
        """Pass on what holds ``statement``, keep the answer back, and end the connection."""
        self._swallow = statement

    def rewrite(self, old: bytes, new: bytes) -> None:
        """Say ``new`` (of the same length) for the server's first ``old``."""
        assert len(old) == len(new)
        self._rewrite = (old, new)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for link in self._links:
            link.end(reset=False)
        for thread in self._threads:
            thread.join(10)
        for link in self._links:
            link.close()

    def _start(self, what: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=what, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while self._open:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target, timeout=10)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            link = _Link(client, server)
            self._links.append(link)
            self._start(self._up, link)
            self._start(self._down, link)

    def _up(self, link: _Link) -> None:
        before = b""
        while data := link.receive(link.client):
            held = link.silent
            with self._lock:
                start, self.sent = self.sent, self.sent + len(data)
                self.seen += data
                if self._cut is not None and self.sent >= self._cut:
                    data, self._cut = data[: max(0, self._cut - start)], None
                    link.doomed = True
                if self._hole is not None and self.sent >= self._hole:
                    data, self._hole = data[: max(0, self._hole - start)], None
                    link.silent = True
                    self.happened.set()
                if self._swallow is not None and self._swallow in before + data:
                    self._swallow = None
                    link.mute = True
            before = data[-_TAIL:]
            if not held and not link.send(link.server, data):
                break
            if link.doomed:
                self.happened.set()
                link.end(reset=True)
        link.end(reset=link.doomed)

    def _down(self, link: _Link) -> None:
        while data := link.receive(link.server):
            if link.mute:
                self.happened.set()
                link.end(reset=True)
                return
            with self._lock:
                if self._rewrite is not None and self._rewrite[0] in data:
                    data = data.replace(*self._rewrite, 1)
                    self._rewrite = None
                    self.happened.set()
            if not link.silent and not link.send(link.client, data):
                break
        link.end(reset=False)


class _Link:
    """The two sockets of a connection."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.doomed = False
        self.silent = False
        self.mute = False

    @staticmethod
    def receive(one: socket.socket) -> bytes:
        try:
            return one.recv(_SIZE)
        except OSError:
            return b""

    @staticmethod
    def send(one: socket.socket, data: bytes) -> bool:
        try:
            one.sendall(data)
        except OSError:
            return False
        return True

    def end(self, *, reset: bool) -> None:
        """Wake both threads; with ``reset`` the peers are told rudely."""
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                if reset:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RDWR)
        if reset:
            self.close()

    def close(self) -> None:
        self.client.close()
        self.server.close()
