"""One session on a PostgreSQL server, driven through libpq without blocking.

Every wait has a deadline and listens to cancellation, which psycopg's own cursors do not offer for COPY. Statements go
by the extended protocol, one at a time: a second statement hidden in a text is a syntax error. Nothing outlives a
transaction (settings are ``SET LOCAL``, no statement has a name), so that a pooler which hands out another server with
each transaction serves as well.
"""

from __future__ import annotations

import select
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import generators, pq, waiting
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus

from osiris_core.api import DriverError
from osiris_supabase.postgres.connecting import connect
from osiris_supabase.postgres.failures import ServerFailure, lost

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from osiris_supabase.connection import SupabaseConnection
    from osiris_supabase.postgres.endpoint import Endpoint

_TICK: Final = 0.2
"""Seconds between two looks at the cancel token while waiting."""
_CANCEL_SECONDS: Final = 2.0
_OUT_BYTES: Final = 2 << 20
_IN_BYTES: Final = 1 << 20
_DONE: Final = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK, ExecStatus.EMPTY_QUERY})

Row = tuple[str | None, ...]


class Session:
    """A connection with a deadline for silence; made by :func:`open_session`, to be closed."""

    def __init__(self, pgconn: Any, *, endpoint: Endpoint, stall: float, check: Callable[[], None]) -> None:
        self._pgconn = pgconn
        self._stall = stall
        self._check = check
        self._given_up = False
        self.endpoint = endpoint
        pgconn.nonblocking = 1

    @property
    def version(self) -> int:
        """The server's version, such as 150004."""
        return int(self._pgconn.server_version)

    @property
    def encrypted(self) -> bool:
        """Whether the connection is encrypted."""
        return bool(self._pgconn.ssl_in_use)

    @property
    def process(self) -> int:
        """The number of the server's process, as the greeting gave it: a pooler's greeting gives another."""
        return int(self._pgconn.backend_pid)

    def rows(self, sql: str, *params: str | int | None) -> list[Row]:
        """The rows of one statement, every value as text. ServerFailure is what the server answers instead."""
        result = self._result(sql, params)
        return [
            tuple(
                None if (value := result.get_value(row, column)) is None else value.decode()
                for column in range(result.nfields)
            )
            for row in range(result.ntuples)
        ]

    def run(self, sql: str, *params: str | int | None) -> int:
        """Run one statement; the number of rows it touched."""
        return int(self._result(sql, params).command_tuples or 0)

    def commit(self) -> None:
        """End the transaction, deaf to cancellation: who is asked now cannot say any more what has become of it."""
        check, self._check = self._check, lambda: None
        try:
            # A transaction that has failed ends so, and without an error.
            if self._result("COMMIT", ()).command_status == b"ROLLBACK":
                raise DriverError("OSR-PG-012", "the server has undone the transaction instead of ending it")
        finally:
            self._check = check

    def _result(self, sql: str, params: Sequence[str | int | None]) -> Any:
        self._send(sql, params)
        (result,) = self._results()
        return result

    def describe(self, sql: str) -> Any:
        """What the server says of one statement without running it: a result with ``nparams`` and columns."""
        self._guarded(lambda: self._pgconn.send_prepare(b"", _encoded(sql)))
        self._results()
        self._guarded(lambda: self._pgconn.send_describe_prepared(b""))
        (result,) = self._results()
        return result

    def literal(self, text: str) -> str:
        """``text`` as a quoted literal."""
        return bytes(pq.Escaping(self._pgconn).escape_literal(_encoded(text))).decode()

    def copy_out(self, sql: str) -> Generator[bytearray, None, int]:
        """The bytes of ``COPY … TO STDOUT`` in whole rows, some megabytes at a time; returns how many rows it were."""
        self._send(sql, ())
        self._expect(ExecStatus.COPY_OUT)
        get, buffer = self._pgconn.get_copy_data, bytearray()
        while True:
            try:
                count, row = get(1)
            except psycopg.Error as error:
                raise lost("receiving rows", _first_line(error)) from None
            if count > 0:
                buffer += row
                if len(buffer) >= _OUT_BYTES:
                    self._check()
                    yield buffer
                    buffer = bytearray()
            elif count == 0:
                self._wait()
                self._guarded(self._pgconn.consume_input)
            else:
                break
        (result,) = self._results()
        if buffer:
            yield buffer
        return int(result.command_tuples or 0)

    def copy_in(self, sql: str, chunks: Iterable[Any]) -> int:
        """Send ``chunks`` of bytes to ``COPY … FROM STDIN``; the number of rows the server took."""
        self._send(sql, ())
        self._expect(ExecStatus.COPY_IN)
        for chunk in chunks:
            view = memoryview(chunk)
            for at in range(0, len(view), _IN_BYTES):
                self._put(view[at : at + _IN_BYTES])
        while not self._guarded(self._pgconn.put_copy_end):
            self._wait(write=True)
        (result,) = self._results()
        return int(result.command_tuples or 0)

    def _put(self, piece: memoryview) -> None:
        # A server that has refused a row says so at once, and would read the rest for nothing.
        poll = select.poll()
        poll.register(self._pgconn.socket, select.POLLIN)
        if poll.poll(0):
            self._guarded(self._pgconn.consume_input)
        if not self._try_put(piece):
            self._flush()
            while not self._try_put(piece):
                self._wait(write=True)
        self._flush()

    def _try_put(self, piece: memoryview) -> bool:
        try:
            return bool(self._pgconn.put_copy_data(bytes(piece)))
        except psycopg.OperationalError:
            # The server has ended the COPY already, and says why; or it is gone.
            self._results()
            raise lost("sending rows") from None

    def _flush(self) -> None:
        """Until the bytes are on their way; a server that complains meanwhile is listened to."""
        while self._guarded(self._pgconn.flush):
            if self._wait(write=True):
                self._guarded(self._pgconn.consume_input)

    def _send(self, sql: str, params: Sequence[str | int | None]) -> None:
        values = [None if value is None else _encoded(str(value)) for value in params]
        self._guarded(lambda: self._pgconn.send_query_params(_encoded(sql), values))
        self._flush()

    def _results(self) -> list[Any]:
        """Everything the server answers to what was sent last, to its end."""
        self._flush()
        found, failure = [], None
        while (result := self._next()) is not None:
            if result.status in _DONE:
                found.append(result)
            elif result.status in (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH):
                raise lost("a statement", "the server wants to copy rows")
            else:
                failure = failure or ServerFailure.of(result)
        if failure is not None:
            if not failure.state or self._pgconn.status != ConnStatus.OK:
                raise lost("waiting for the server", failure.said)
            raise failure
        return found

    def _expect(self, status: ExecStatus) -> None:
        result = self._next()
        if result is None or result.status == status:
            return
        failure = ServerFailure.of(result)
        self._results()
        raise failure

    def _next(self) -> Any:
        while self._pgconn.is_busy():
            self._wait()
            self._guarded(self._pgconn.consume_input)
        return self._guarded(self._pgconn.get_result)

    def _wait(self, *, write: bool = False) -> bool:
        """Until the socket can be read (True), or written when asked for; raises when the server stays silent."""
        poll = select.poll()
        poll.register(self._pgconn.socket, select.POLLIN | (select.POLLOUT if write else 0))
        deadline = time.monotonic() + self._stall
        while True:
            self._check()
            if self._given_up:
                raise lost("waiting for the server", "the answer is not wanted any more")
            ready = poll.poll(_TICK * 1000)
            if ready:
                return bool(ready[0][1] & ~select.POLLOUT)
            if time.monotonic() >= deadline:
                silent = f"the server has been silent for {self._stall:g} seconds, see stall_timeout"
                raise lost("waiting for the server", silent)

    def _guarded(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except psycopg.Error as error:
            raise lost("talking to the server", _first_line(error)) from None

    def give_up(self) -> None:
        """Let a wait of another thread end soon, as nobody wants its answer."""
        self._given_up = True

    def close(self) -> None:
        """End the session, and what the server is doing for it; safe to call more than once."""
        pgconn = self._pgconn
        if pgconn.status == ConnStatus.OK and pgconn.transaction_status == TransactionStatus.ACTIVE:
            with suppress(psycopg.Error, OSError):
                cancelling = pgconn.cancel_conn()
                cancelling.start()
                waiting.wait_conn(generators.cancel(cancelling), interval=_TICK, timeout=_CANCEL_SECONDS)
        pgconn.finish()


def open_session(
    endpoint: Endpoint,
    connection: SupabaseConnection,
    *,
    check: Callable[[], None],
    connect_timeout: float | None = None,
    stall_timeout: float | None = None,
) -> Session:
    """A session on ``endpoint``; ConnectionUnusable says why there is none."""
    pgconn = connect(endpoint, connect_timeout or connection.connect_timeout, check)
    return Session(pgconn, endpoint=endpoint, stall=stall_timeout or connection.stall_timeout, check=check)


def _encoded(text: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = b"\0"
    if b"\0" in data:
        raise DriverError("OSR-PG-012", "a text for the server holds a character that it cannot take")
    return data


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:300]
