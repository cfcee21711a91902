"""LOAD DATA LOCAL, the client's side: rows are sent as they are made, and no file is ever opened.

PyMySQL answers a server's request for a file by opening whatever name the server sends. Here its own answer is switched
off (``session.open_raw``), and a request is met only while a load is under way and only by the name that was asked for.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import attrs
import pymysql
from pymysql.constants import COMMAND
from pymysql.protocol import LoadLocalPacketWrapper, OKPacketWrapper

from osiris_core.api import DriverError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PIECE: Final = 1 << 20


@attrs.frozen(kw_only=True)
class Loaded:
    """What the server said at the end of a load."""

    rows: int
    warnings: int


def load_local(raw: Any, sql: str, name: str, chunks: Iterable[memoryview]) -> Loaded:
    """Run the LOAD DATA LOCAL statement ``sql``, whose file is ``name``, with ``chunks`` for the file's content.

    What ``chunks`` raises passes through; the server has then taken the rows before it. Errors of PyMySQL's pass too.
    """
    raw._execute_command(COMMAND.COM_QUERY, sql)  # noqa: SLF001
    packet = raw._read_packet()  # noqa: SLF001
    if not packet.is_load_local_packet():
        raise DriverError("OSR-MYSQL-059", "the server did not ask for the rows of LOAD DATA LOCAL")
    asked = LoadLocalPacketWrapper(packet).filename
    if asked != name.encode():
        raw._force_close()  # noqa: SLF001
        raise DriverError(
            "OSR-MYSQL-059",
            "the server asked for a file of this machine; nothing was sent",
            hint="do not use this server: it does not behave as one",
        )
    for chunk in _ended_when_broken(raw, chunks):
        for start in range(0, len(chunk), _PIECE):
            _send(raw, chunk[start : start + _PIECE])
    return _end(raw)


def _ended_when_broken(raw: Any, chunks: Iterable[memoryview]) -> Iterator[memoryview]:
    """The chunks; when making them fails, the server is told that there are no more."""
    try:
        yield from chunks
    except GeneratorExit:
        raise
    except BaseException:
        with suppress(pymysql.err.Error, OSError):
            _end(raw)
        raise


def _send(raw: Any, data: memoryview) -> None:
    """One packet, its content not copied."""
    raw._write_bytes(len(data).to_bytes(3, "little") + bytes((raw._next_seq_id,)))  # noqa: SLF001
    raw._write_bytes(data)  # noqa: SLF001
    raw._next_seq_id = (raw._next_seq_id + 1) % 256  # noqa: SLF001


def _end(raw: Any) -> Loaded:
    raw.write_packet(b"")
    packet = raw._read_packet()  # noqa: SLF001
    if not packet.is_ok_packet():
        raise pymysql.err.OperationalError(2014, "the server's answer to LOAD DATA LOCAL made no sense")
    done = OKPacketWrapper(packet)
    raw.server_status = done.server_status
    return Loaded(rows=done.affected_rows, warnings=done.warning_count)
