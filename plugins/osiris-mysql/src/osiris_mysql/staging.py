"""Where the rows of a load wait, and how they get there: LOAD DATA LOCAL, or long INSERTs where that is not allowed."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import attrs
import pymysql

from osiris_core.api import DriverError
from osiris_mysql.cells import (
    INSERT_FORM,
    LOAD_DIALECT,
    LOAD_FORM,
    Pair,
    insert_cells,
    load_cells,
    load_columns,
)
from osiris_mysql.infile import load_local
from osiris_mysql.statements import ident, listed, load_failure, refuse_warnings
from osiris_sql.rowtext import RowText

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from arro3.core import Schema

    from osiris_core.api import Dataset, DriverContext
    from osiris_mysql.session import Session

PART: Final = "_osiris_part"
ROW: Final = "_osiris_row"
"""The columns of a stage beside those of the load: together they give the rows their order."""

LOAD_BYTES: Final = 64 << 20
"""How much one LOAD DATA takes. Each is a transaction: longer ones would be as long in being undone."""

_INSERT_BYTES: Final = 1 << 20
_INSERT_HEAD: Final = 1 << 18
"""Room in a packet for the words before the rows: 4096 columns of the longest names."""

_NOT_ALLOWED: Final = frozenset({1148, 1235, 1290, 3948, 4166})
"""What servers answer where LOAD DATA LOCAL is switched off."""


@attrs.frozen(kw_only=True)
class Sent:
    """What was staged: rows, bytes of text, and the sum of the rows' hashes."""

    rows: int
    bytes: int
    hash: int


class Sender:
    """Puts rows into ``table``, whose columns are ``pairs``; with ``part``, into the column of that name, too."""

    def __init__(
        self, session: Session, engine: Any, table: str, pairs: Sequence[Pair], *, ctx: DriverContext, what: str
    ) -> None:
        self._session = session
        self._engine = engine
        self._table = table
        self._pairs = tuple(pairs)
        self._ctx = ctx
        self._what = what
        self._sent = 0

    def way(self) -> str:
        """How rows will be sent: ``load_data``, or ``insert`` where the server does not take the former."""
        ((allowed,),) = self._session.run("SELECT @@local_infile", "asking whether LOAD DATA LOCAL is allowed")
        return "load_data" if allowed and self._probe() else "insert"

    def _probe(self) -> bool:
        """Load no rows: where something between here and the server forbids it, this says so."""
        try:
            load_local(self._session.raw, self._load_statement(None), self._table, ())
        except (pymysql.err.Error, OSError) as error:
            if error.args and error.args[0] in _NOT_ALLOWED:
                return False
            raise load_failure(error, self._what) from error
        return True

    def send(self, schema: Schema, rows: Dataset, *, way: str, part: int | None) -> Sent:
        """Send all rows; DriverError names a value that the table would not keep as it is."""
        loads = way == "load_data"
        cells = load_cells(self._pairs) if loads else insert_cells(self._pairs)
        form = LOAD_FORM if loads else INSERT_FORM
        text = RowText(self._engine, schema, cells, form, code="OSR-MYSQL-054")
        most = LOAD_BYTES if loads else self._insert_limit()
        self._sent = 0
        with closing(self._pieces(text, rows, LOAD_BYTES if loads else min(_INSERT_BYTES, most))) as pieces:
            total = self._load(pieces, part) if loads else self._insert(pieces, part, most)
        if self._sent != text.rows:
            raise DriverError("OSR-MYSQL-059", f"{self._what}: {text.rows} rows came, {self._sent} were sent")
        return Sent(rows=text.rows, bytes=total, hash=text.hash)

    def _pieces(self, text: RowText, rows: Dataset, size: int) -> Generator[tuple[memoryview, int], None, None]:
        first = True
        with closing(text.chunks(rows.batches())) as chunks:
            for chunk in chunks:
                for piece in chunk.pieces(size):
                    self._ctx.check()
                    yield piece
                    if first:
                        self._ctx.failpoint("mysql.sending")
                        first = False

    def _insert_limit(self) -> int:
        ((most,),) = self._session.run("SELECT @@max_allowed_packet", self._what)
        return int(most) - _INSERT_HEAD

    def _load(self, pieces: Iterator[tuple[memoryview, int]], part: int | None) -> int:
        """As many LOAD DATA as it takes; the bytes sent."""
        statement = self._load_statement(part)
        flow = _Flow(pieces)
        while flow.more():
            before, flow.rows = self._sent, 0
            try:
                done = load_local(self._session.raw, statement, self._table, flow.up_to(LOAD_BYTES))
            except (pymysql.err.Error, OSError) as error:
                if error is flow.failure:
                    raise
                raise load_failure(error, self._what, before=before) from error
            if done.warnings or done.rows != flow.rows:
                refuse_warnings(self._session, self._what, before=before)
                raise DriverError("OSR-MYSQL-059", f"{self._what}: {flow.rows} rows were sent, {done.rows} arrived")
            self._sent += flow.rows
        return flow.bytes

    def _load_statement(self, part: int | None) -> str:
        columns = load_columns(self._pairs)
        if part is not None:
            columns += f"{', ' if ' SET ' in columns else ' SET '}{ident(PART)} = {part}"
        name = ident(self._table)
        return f"LOAD DATA LOCAL INFILE '{self._table}' INTO TABLE {name} {LOAD_DIALECT} {columns}"

    def _insert(self, pieces: Iterator[tuple[memoryview, int]], part: int | None, most: int) -> int:
        """As many INSERTs as it takes, some of them to a transaction; the bytes sent."""
        names = listed(pair.target for pair in self._pairs)
        head = f"INSERT INTO {ident(self._table)} ({names}) VALUES ".encode()
        total = since = 0
        raw = self._session.raw
        flow = _Flow(pieces)
        try:
            if part is not None:  # no literal of a row has room for it
                raw.query(f"ALTER TABLE {ident(self._table)} ALTER COLUMN {ident(PART)} SET DEFAULT {part}")
            raw.query("START TRANSACTION")
            for data, count in flow:
                if len(data) > most:
                    raise DriverError(
                        "OSR-MYSQL-054",
                        f"{self._what}: row {self._sent + 1} is of {len(data):,} bytes, more than the server's "
                        "max_allowed_packet takes",
                    )
                done = raw.query(b"".join((head, data[:-1])))
                self._check_insert(done, count, raw)
                self._sent += count
                total += len(data)
                since += len(data)
                if since > 16 * _INSERT_BYTES:
                    raw.query("COMMIT")
                    raw.query("START TRANSACTION")
                    since = 0
            raw.query("COMMIT")
        except (pymysql.err.Error, OSError) as error:
            if error is flow.failure:
                raise
            raise load_failure(error, self._what, before=self._sent) from error
        return total

    def _check_insert(self, done: int, count: int, raw: Any) -> None:
        if raw._result.warning_count or done != count:  # noqa: SLF001
            refuse_warnings(self._session, self._what, before=self._sent)
            raise DriverError("OSR-MYSQL-059", f"{self._what}: {count} rows were sent, {done} arrived")


class _Flow:
    """Pieces on their way into statements: it looks one piece ahead, so that no statement is begun for none. What
    making them raises is kept in ``failure``: it is none of the server's, whatever its type.
    """

    def __init__(self, pieces: Iterator[tuple[memoryview, int]]) -> None:
        self._pieces = pieces
        self._next: tuple[memoryview, int] | None = None
        self.failure: BaseException | None = None
        self.rows = 0
        self.bytes = 0

    def more(self) -> bool:
        """Whether there are pieces left; waits for them."""
        if self._next is None:
            try:
                self._next = next(self._pieces, None)
            except BaseException as error:
                self.failure = error
                raise
        return self._next is not None

    def __iter__(self) -> Iterator[tuple[memoryview, int]]:
        while self.more():
            assert self._next is not None
            piece, self._next = self._next, None
            yield piece

    def up_to(self, size: int) -> Iterator[memoryview]:
        """Pieces until they are of ``size`` bytes or more."""
        taken = 0
        for data, count in self:
            taken += len(data)
            self.rows += count
            self.bytes += len(data)
            yield data
            if taken >= size:
                return
