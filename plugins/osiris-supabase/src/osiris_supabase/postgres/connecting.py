"""A connection to a server: its addresses tried one after the other, each with a deadline; what goes wrong, by name."""

from __future__ import annotations

import select
import socket
import time
from typing import TYPE_CHECKING, Any, Final

from psycopg import pq
from psycopg.conninfo import make_conninfo
from psycopg.pq import ConnStatus, PollingStatus

from osiris_core.api import ConnectionUnusable

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris_supabase.postgres.endpoint import Endpoint

OLDEST: Final = 140000
"""The oldest server version that is used (``server_version_num``)."""

_TICK: Final = 0.2


def connect(endpoint: Endpoint, seconds: float, check: Callable[[], None]) -> Any:
    """A libpq connection to ``endpoint``; ConnectionUnusable says why there is none within ``seconds``."""
    addresses = _addresses(endpoint)
    failure: ConnectionUnusable | None = None
    for address in addresses:
        keywords = endpoint.keywords()
        if address is not None:
            keywords["hostaddr"] = address
        try:
            found = _connect(make_conninfo(**keywords), endpoint, max(1.0, seconds / len(addresses)), check)
        except ConnectionUnusable as error:
            if error.code != "OSR-PG-001":
                raise
            failure = error
        else:
            return _new_enough(found, endpoint)
    assert failure is not None
    if all(address is not None and ":" in address for address in addresses):
        failure.hint = (
            "the host has an IPv6 address only; from a network without IPv6 use the session pooler's host "
            "(aws-…pooler.supabase.com:5432, user postgres.<project>)"
        )
    raise failure


def _new_enough(pgconn: Any, endpoint: Endpoint) -> Any:
    version = int(pgconn.server_version)
    if version < OLDEST:
        pgconn.finish()
        raise ConnectionUnusable("OSR-PG-007", f"'{endpoint.shown}' is PostgreSQL {version // 10000}")
    return pgconn


def _addresses(endpoint: Endpoint) -> list[str | None]:
    if endpoint.host.startswith("/"):
        return [None]
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise ConnectionUnusable("OSR-PG-005", f"'{endpoint.host}' is no name of a host") from None
    except OSError as error:
        raise ConnectionUnusable(
            "OSR-PG-001", f"'{endpoint.host}' is no known host ({error.strerror})", retriable=True
        ) from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _connect(conninfo: str, endpoint: Endpoint, seconds: float, check: Callable[[], None]) -> Any:
    deadline = time.monotonic() + seconds
    pgconn = pq.PGconn.connect_start(conninfo.encode())
    try:
        status: int = PollingStatus.WRITING
        while pgconn.status != ConnStatus.BAD:
            poll = select.poll()
            poll.register(pgconn.socket, select.POLLOUT if status == PollingStatus.WRITING else select.POLLIN)
            while not poll.poll(_TICK * 1000):
                check()
                if time.monotonic() >= deadline:
                    raise _refusal(endpoint, f"no answer within {seconds:g} seconds")
            status = pgconn.connect_poll()
            if status == PollingStatus.OK:
                return pgconn
            if status == PollingStatus.FAILED:
                break
        raise _refusal(endpoint, pgconn.get_error_message())
    except BaseException:
        pgconn.finish()
        raise


_REFUSALS: Final = (
    ("OSR-PG-002", ("password authentication failed", "no password supplied", "Tenant or user not found", 'role "',
                    "SASL", "pg_hba.conf")),
    ("OSR-PG-004", ("SSL", "certificate", "TLS")),
    ("OSR-PG-006", ('database "', "too many", "remaining connection slots", "not currently accepting")),
)  # fmt: skip
"""What libpq's words mean: a session that does not come about has no SQLSTATE that could be asked for."""


def _refusal(endpoint: Endpoint, said: str) -> ConnectionUnusable:
    words = " ".join(said.replace("FATAL:", "").split())
    if endpoint.password:
        words = words.replace(endpoint.password, "***")
    words = words.rpartition(" failed: ")[2]
    code = next((code for code, marks in _REFUSALS if any(mark in words for mark in marks)), "OSR-PG-001")
    passing = code == "OSR-PG-001" or "connection slots" in words or "too many" in words or "starting up" in words
    return ConnectionUnusable(code, f"'{endpoint.shown}' as '{endpoint.user}': {words[:300]}", retriable=passing)
