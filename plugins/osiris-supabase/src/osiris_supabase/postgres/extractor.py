"""``supabase.extractor`` over a database connection."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from osiris_supabase.postgres.begin import begin
from osiris_supabase.postgres.endpoint import endpoint_of
from osiris_supabase.postgres.failures import ServerFailure
from osiris_supabase.postgres.partition import given_up, holder_of, part_condition, plan_parts, snapshot_of, taken
from osiris_supabase.postgres.query import REFUSED, Select, make_select
from osiris_supabase.postgres.reading import read_rows, schema_of
from osiris_supabase.postgres.session import Session, open_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from osiris_core.api import Dataset, DriverContext, Split, Stream
    from osiris_core.api import Schema as AnySchema
    from osiris_supabase.config import Extractor


class PostgresReader:
    """Reads one state of the database in one transaction, as rows are asked for."""

    def run(
        self, *, step_id: str, config: Extractor, inputs: Mapping[str, Dataset], ctx: DriverContext
    ) -> Mapping[str, Stream]:
        """The rows of the table or query."""
        del inputs
        what = _what(step_id, config)
        session = reading_session(ctx)
        try:
            with as_errors(what):
                begin(session, ctx.connection, read_only=True)
                select = _select(session, config, ctx, what)
                _tell(ctx, select)
                return {"df": read_rows(session, select, config, ctx, what)}
        except BaseException:
            session.close()
            raise

    def bind(
        self, *, step_id: str, config: Extractor, inputs: Mapping[str, AnySchema], ctx: DriverContext
    ) -> Mapping[str, AnySchema]:
        """The columns of the table or query."""
        del inputs
        what = _what(step_id, config)
        session = reading_session(ctx)
        try:
            with as_errors(what):
                begin(session, ctx.connection, read_only=True)
                return {"df": schema_of(_select(session, config, ctx, what), ctx, what)}
        finally:
            session.close()

    def splits(self, *, config: Extractor, count: int, ctx: DriverContext) -> Sequence[Split]:
        """Ranges of the table's pages, to be read from one snapshot; empty for "as one"."""
        session = reading_session(ctx)
        found: tuple[Split, ...] = ()
        try:
            with as_errors(_what("", config)):
                begin(session, ctx.connection, read_only=True)
                found = plan_parts(session, config, _schema(config, ctx), count, ctx)
        finally:
            if not found:
                session.close()
        return found

    def run_split(self, *, step_id: str, config: Extractor, split: Split, ctx: DriverContext) -> Mapping[str, Stream]:
        """The rows of one range."""
        what = _what(step_id, config)
        snapshot, holder = snapshot_of(split.spec), holder_of(split.spec)
        session: Session | None = None
        try:
            session = reading_session(ctx)
            with as_errors(what):
                begin(session, ctx.connection, read_only=True, snapshot=snapshot)
                taken(holder)
                part = part_condition(split.spec)
                select = _select(session, config, ctx, what, part=part)
                if split.part == 0:
                    _tell(ctx, select)
                broken_off = partial(given_up, holder)
                return {"df": read_rows(session, select, config, ctx, what, broken_off=broken_off)}
        except BaseException:
            given_up(holder)
            if session is not None:
                session.close()
            raise


def reading_session(ctx: DriverContext) -> Session:
    """A session of its own for one extract."""
    return open_session(endpoint_of(ctx.connection, ctx.project_root), ctx.connection, check=ctx.check)


@contextmanager
def as_errors(what: str) -> Iterator[None]:
    """What the server refuses as an error that names ``what``."""
    try:
        yield
    except ServerFailure as failure:
        raise failure.error(what, codes=REFUSED) from None


def _select(session: Session, config: Extractor, ctx: DriverContext, what: str, *, part: str | None = None) -> Select:
    allowed = ctx.connection.allow_functions
    return make_select(session, config, _schema(config, ctx), ctx.window, what=what, allowed=allowed, part=part)


def _schema(config: Extractor, ctx: DriverContext) -> str:
    return config.schema if config.schema is not None else str(ctx.connection.schema)


def _tell(ctx: DriverContext, select: Select) -> None:
    columns = [{"name": plan.cast.name, "type": plan.type, "read_as": plan.shown} for plan in select.columns]
    ctx.emit("supabase.read_plan", way="postgres", columns=columns, row_level_security=select.guarded)


def _what(step_id: str, config: Any) -> str:
    return f"the query of step '{step_id}'" if config.query is not None else f"reading table '{config.table}'"
