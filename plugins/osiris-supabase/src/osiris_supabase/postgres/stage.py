"""What a writer holds while a load is under way: a session, an engine that writes rows as text, the rows' columns."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, Final

import attrs
import duckdb
from arro3.core import Schema

from osiris_core.api import Column, DriverError, Receipt
from osiris_sql.engine import engine_types, open_engine
from osiris_supabase.postgres.endpoint import endpoint_of
from osiris_supabase.postgres.load import Load
from osiris_supabase.postgres.session import Session, open_session
from osiris_supabase.postgres.target import Place, place_of
from osiris_supabase.postgres.types_out import Source, source_of

if TYPE_CHECKING:
    from osiris_core.api import DriverContext
    from osiris_core.api import Schema as AnySchema
    from osiris_supabase.config import Writer

_ENGINE_MEMORY: Final = 256 << 20


@attrs.define(kw_only=True)
class WriteState:
    """What a stage holds: a session, and from the first row on a transaction."""

    step_id: str
    config: Writer
    ctx: DriverContext
    session: Session
    engine: Any
    schema: Schema
    sources: tuple[Source, ...]
    place: Place
    load: Load | None = None
    parts: dict[int, Receipt] = attrs.field(factory=dict)
    lock: threading.Lock = attrs.field(factory=threading.Lock)
    closed: bool = False


class Counted:
    """The bytes of chunks on their way."""

    def __init__(self, chunks: Iterator[Any]) -> None:
        self._chunks = chunks
        self.bytes = 0

    def __iter__(self) -> Iterator[memoryview]:
        for chunk in self._chunks:
            self.bytes += len(chunk.data)
            yield chunk.data

    def close(self) -> None:
        """End the chunks while what makes them is still there."""
        if isinstance(self._chunks, Generator):
            self._chunks.close()


def writing_session(ctx: DriverContext) -> Session:
    """A session for one load."""
    return open_session(endpoint_of(ctx.connection, ctx.project_root), ctx.connection, check=ctx.check)


def open_state(step_id: str, config: Writer, schema: AnySchema, ctx: DriverContext) -> WriteState:
    """A session and an engine for rows of ``schema``; DriverError names what PostgreSQL cannot hold."""
    place = place_of(config, ctx.connection.schema)
    arrow = Schema.from_arrow(schema)
    memory = min(ctx.memory_limit, _ENGINE_MEMORY)
    engine = open_engine(threads=ctx.threads, memory_limit=memory, scratch=ctx.scratch)
    try:
        sources = _sources(engine, arrow, place)
        session = writing_session(ctx)
    except BaseException:
        engine.close()
        raise
    return WriteState(
        step_id=step_id,
        config=config,
        ctx=ctx,
        session=session,
        engine=engine,
        schema=arrow,
        sources=sources,
        place=place,
    )


def _sources(engine: Any, schema: Schema, place: Place) -> tuple[Source, ...]:
    names = list(schema.names)
    if not names:
        raise DriverError("OSR-PG-031", f"the rows for '{place.shown}' have no columns")
    folded = [name.casefold() for name in names]
    for at, name in enumerate(names):
        if not name or "\0" in name:
            raise DriverError("OSR-PG-031", f"the rows for '{place.shown}' have a column without a usable name")
        if folded.index(name.casefold()) != at:
            raise DriverError("OSR-PG-031", f"the rows for '{place.shown}' have two columns '{name}'")
    try:
        kinds = engine_types(engine, schema)
    except duckdb.Error as error:
        said = str(error).split("\n")[0]
        raise DriverError("OSR-PG-036", f"the rows for '{place.shown}' cannot be written: {said}") from error
    notes = [(schema.field(at).metadata or {}).get(b"osiris:duckdb_type", b"").decode() for at in range(len(names))]
    return tuple(source_of(name, kind, note) for (name, kind), note in zip(kinds, notes, strict=True))


def columns_of(state: WriteState) -> tuple[Column, ...]:
    """The columns of the rows, each of the type that a table made for it would have."""
    return tuple(Column(source.name, source.type) for source in state.sources)


def close_state(state: WriteState) -> None:
    """Let go of session and engine, and so of an open transaction; safe to call more than once."""
    if not state.closed:
        state.closed = True
        state.session.close()
        state.engine.close()
