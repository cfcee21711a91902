"""A port for a server of a test."""

from __future__ import annotations

import random
import socket

# Below the ports that systems give to outgoing connections (from 32768 on Linux): while a server is down between two
# starts, no client of another test can be given its port.
_FIRST, _LAST = 20_000, 32_000


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, and that no outgoing connection is given."""
    for port in random.sample(range(_FIRST, _LAST), 100):
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("a hundred ports are taken")
