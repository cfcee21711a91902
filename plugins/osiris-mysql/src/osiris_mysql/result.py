"""Statements as the server sees them: what columns one has, told without running it, and its rows as they come."""

from __future__ import annotations

import re
import struct
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import attrs
import pymysql
from pymysql.connections import MySQLResult
from pymysql.constants import COMMAND
from pymysql.protocol import FieldDescriptorPacket

from osiris_core.api import ConnectionUnusable, DriverError
from osiris_mysql.errors import failure
from osiris_mysql.session import NONSENSE
from osiris_mysql.wire import Broken, NotUTF8, read_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from arro3.core import RecordBatch, Schema

    from osiris_mysql.session import Session

_UNSIGNED: Final = 32
_MORE_RESULTS: Final = 8
_CUT: Final = {1260, 1301}
"""Warnings that say a value was cut off, or dropped for being too long: by GROUP_CONCAT, and by a packet's limit."""
_SHOWN: Final = 80
"""Bytes of a cell that a message shows, the printable ones as they are: those from the first to the last here."""
_FIRST_SHOWN, _LAST_SHOWN = 0x20, 0x7E
READ_BYTES: Final = "correct the text, or read its bytes by a query: CAST(… AS BINARY) AS name"
"""What to do about text that has no Unicode."""
_NO_UNICODE: Final = re.compile(
    r"Invalid '?(\w+)'? character|Cannot convert .*?'?(\w+)'? (?:character .*)?to '?utf8mb4\b"
)
"""How the server says (1300, 1977, 3854) that it put '?' for text without Unicode; a group is its character set."""


@attrs.frozen(kw_only=True)
class Field:
    """A column of a result as the server describes it; see :mod:`osiris_mysql.reading` for what that means."""

    name: str
    type: int
    charset: int
    length: int
    scale: int
    unsigned: bool


def prepare(session: Session, sql: str, what: str) -> tuple[Field, ...]:
    """The columns of ``sql``, which is not run. The server takes one statement here and no more."""
    raw = session.raw
    try:
        raw._execute_command(COMMAND.COM_STMT_PREPARE, sql)  # noqa: SLF001
        answer = raw._read_packet().get_all_data()  # noqa: SLF001
        _, statement, columns, parameters = struct.unpack_from("<BIHH", answer)
        _described(raw, parameters)
        fields = _described(raw, columns)
        raw._execute_command(COMMAND.COM_STMT_CLOSE, struct.pack("<I", statement))  # noqa: SLF001
    except (pymysql.err.Error, OSError) as error:
        raise failure(error, what) from error
    except NONSENSE as error:
        raise DriverError("OSR-MYSQL-029", f"{what}: the server's answer cannot be understood") from error
    if parameters:
        raise DriverError("OSR-MYSQL-026", f"{what} has {parameters} placeholders '?'", hint="write :name instead")
    if not columns:
        raise DriverError("OSR-MYSQL-021", f"{what} is no query: it has no rows")
    return fields


def _described(raw: Any, count: int) -> tuple[Field, ...]:
    if not count:
        return ()
    packets = [raw._read_packet(FieldDescriptorPacket) for _ in range(count)]  # noqa: SLF001
    raw._read_packet()  # noqa: SLF001 - the end of the descriptions
    return _fields(packets)


def _fields(packets: Sequence[Any]) -> tuple[Field, ...]:
    return tuple(
        Field(
            name=packet.name,
            type=packet.type_code,
            charset=packet.charsetnr,
            length=packet.length,
            scale=packet.scale,
            unsigned=bool(packet.flags & _UNSIGNED),
        )
        for packet in packets
    )


def execute(
    session: Session,
    sql: str,
    schema: Schema,
    *,
    accept: Callable[[tuple[Field, ...]], None],
    warned: Callable[[dict[str, int]], None],
    what: str,
    charsets: Mapping[str, str],
) -> Generator[RecordBatch, None, None]:
    """The rows of ``sql`` as batches of cells of ``schema``, as they come.

    ``accept`` is shown the columns before the first row, and raises when they are not those expected; ``warned`` is
    told after the last one how often the server warned, by the number of the warning. ``charsets`` are the character
    sets of columns that the query makes Unicode.
    """
    raw = session.raw
    warnings = 0

    def ended(packet: bytes) -> None:
        nonlocal warnings
        if packet[0] == 0xFF:
            pymysql.err.raise_mysql_exception(packet)
        warnings, status = struct.unpack_from("<HH", packet, 1)
        if status & _MORE_RESULTS:
            raise Broken("a second result")

    try:
        raw._execute_command(COMMAND.COM_QUERY, sql)  # noqa: SLF001
        result = MySQLResult(raw)
        result.init_unbuffered_query()
        streams = result.unbuffered_active
        # Its destructor would read all rows that are left, into nothing.
        result.unbuffered_active = False
        if not streams:
            raise Broken("rows were announced, and none came")
        fields = _fields(result.fields)
        accept(fields)
        yield from read_rows(_reader(raw._rfile), schema, ended)  # noqa: SLF001
    except (pymysql.err.Error, OSError) as error:
        raise failure(error, what) from error
    except Broken as error:
        if "closed" in str(error):
            raise ConnectionUnusable("OSR-MYSQL-006", f"{what}: {error}", retriable=True) from error
        raise DriverError("OSR-MYSQL-029", f"{what}: {error}") from error
    except NotUTF8 as error:
        raise _not_utf8(fields[error.column].name, error.cell, what) from error
    if warnings:
        warned(_warnings(session, what, charsets))


def _not_utf8(column: str, cell: bytes, what: str) -> DriverError:
    # Without the type's name: a result may be announced as one type of text and come as another.
    shown = "".join(chr(byte) if _FIRST_SHOWN <= byte <= _LAST_SHOWN else f"\\x{byte:02X}" for byte in cell[:_SHOWN])
    more = "…" if len(cell) > _SHOWN else ""
    return DriverError("OSR-MYSQL-023", f"{what}: column '{column}' holds '{shown}{more}', which is no UTF-8")


def _warnings(session: Session, what: str, charsets: Mapping[str, str]) -> dict[str, int]:
    """How often the server warned; raises when it says that a value of the result is not whole."""
    counts: Counter[str] = Counter()
    for _, number, message in session.run("SHOW WARNINGS", what):
        if number in _CUT:
            raise DriverError("OSR-MYSQL-030", f"{what}: {message}")
        if (found := _NO_UNICODE.match(message)) is not None:
            raise _without_unicode(found[1] or found[2], message, what, charsets)
        counts[str(number)] += 1
    return dict(counts)


def _without_unicode(charset: str, message: str, what: str, charsets: Mapping[str, str]) -> DriverError:
    named = " or ".join(f"'{column}'" for column, one in charsets.items() if one == charset)
    place = f"column {named} of {charset}: " if named else ""
    return DriverError(
        "OSR-MYSQL-023",
        f"{what}: {place}{message}",
        hint=READ_BYTES,
    )


def _reader(file: Any) -> Callable[[memoryview], int]:
    """Reads from a socket past its buffer, once what is in the buffer has been taken: the buffer's own ``readinto``
    waits for more than it holds.
    """
    drained = False

    def readinto(view: memoryview) -> int:
        nonlocal drained
        if drained:
            return int(file.raw.readinto(view) or 0)
        drained = True
        first = file.read1(min(len(view), 1 << 20))
        view[: len(first)] = first
        return len(first)

    return readinto
