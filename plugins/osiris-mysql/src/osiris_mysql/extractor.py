"""``mysql.extractor``: the rows of a table or query, of one moment, as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from osiris_core.api import DriverError, OsirisError, Split
from osiris_mysql.bounds import window_conditions
from osiris_mysql.charsets import AS_THEY_ARE, checked, in_unicode
from osiris_mysql.mixing import refuse_mixed
from osiris_mysql.partition import part_conditions, plan_parts
from osiris_mysql.query import around, base_query, in_its_order
from osiris_mysql.reading import Policies, base_type, column_cast, plan_of, refused
from osiris_mysql.result import execute, prepare
from osiris_mysql.session import open_session
from osiris_sql.casting import Cast, Plan, cast_rows, cast_schema

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from arro3.core import RecordBatch

    from osiris_core.api import Dataset, DriverContext, Stream
    from osiris_core.api import Schema as AnySchema
    from osiris_mysql.query import Base
    from osiris_mysql.reader_config import MySQLExtractor
    from osiris_mysql.result import Field
    from osiris_mysql.session import Session


class ExtractorDriver:
    """Opens a session, looks at what the query will give, and reads when its rows are first asked for."""

    def run(
        self, *, step_id: str, config: MySQLExtractor, inputs: Mapping[str, Dataset], ctx: DriverContext
    ) -> Mapping[str, Stream]:
        """The rows of the table or query."""
        del inputs
        return {"df": _rows(config, step_id, ctx)}

    def bind(
        self, *, step_id: str, config: MySQLExtractor, inputs: Mapping[str, AnySchema], ctx: DriverContext
    ) -> Mapping[str, AnySchema]:
        """The columns of the table or query."""
        del inputs
        session = reading_session(config, ctx)
        try:
            return {"df": cast_schema(_read(session, config, step_id, ctx).plan, ctx)}
        finally:
            session.close()

    def splits(self, *, config: MySQLExtractor, count: int, ctx: DriverContext) -> Sequence[Split]:
        """Parts of the table by ``partition_on``."""
        if config.partition_on is None or ctx.window is not None:
            return ()
        session = reading_session(config, ctx)
        try:
            with ctx.on_cancel(session.interrupt):
                parts = plan_parts(session, config, count)
        except OsirisError:
            ctx.check()
            raise
        finally:
            session.close()
        return [Split(part=number, spec=spec) for number, spec in enumerate(parts)]

    def run_split(
        self, *, step_id: str, config: MySQLExtractor, split: Split, ctx: DriverContext
    ) -> Mapping[str, Stream]:
        """The rows of one part."""
        return {"df": _rows(config, step_id, ctx, split.spec)}


@attrs.frozen(kw_only=True)
class _Read:
    """A read that is ready: its SQL, its columns, and how their cells become values."""

    base: Base
    sql: str
    fields: tuple[Field, ...]
    policies: Policies
    plan: Plan


def reading_session(config: MySQLExtractor, ctx: DriverContext) -> Session:
    """A session that sees one moment and cannot write."""
    session = open_session(ctx.connection, settings=() if config.query is None else (AS_THEY_ARE,))
    try:
        with ctx.on_cancel(session.interrupt):
            if session.is_mariadb:
                session.run(f"SET SESSION max_statement_time = {max(config.timeout, 0.001):.3f}")
            else:
                session.run(f"SET SESSION max_execution_time = {max(1, round(config.timeout * 1000))}")
            # For the session as well: a statement that ends the transaction would leave its protection.
            session.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            session.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
    except BaseException as error:
        session.close()
        if isinstance(error, OsirisError):
            ctx.check()
        raise
    return session


def _rows(config: MySQLExtractor, step_id: str, ctx: DriverContext, part: Mapping[str, Any] | None = None) -> Stream:
    session = reading_session(config, ctx)
    try:
        with ctx.on_cancel(session.interrupt):
            read = _read(session, config, step_id, ctx, part)
        ctx.emit(
            "mysql.read_plan",
            server=session.version,
            tls=session.cipher,
            part=part and dict(part),
            columns=plan_of(read.plan.casts, read.fields),
        )
        return cast_rows(read.plan, _cells(read, session, config.limit, ctx), ctx)
    except BaseException as error:
        session.close()
        if isinstance(error, OsirisError):
            ctx.check()
        raise


def _read(
    session: Session,
    config: MySQLExtractor,
    step_id: str,
    ctx: DriverContext,
    part: Mapping[str, Any] | None = None,
) -> _Read:
    base = base_query(session, config, step_id, () if part is None else part_conditions(session, part))
    fields = prepare(session, base.sql, base.what)
    _check_names(fields, base.what)
    if base.query is not None:
        refuse_mixed(session, base.query, base.what)
        base = in_unicode(session, base, fields)
    policies = Policies(zero_dates=config.zero_dates, long_times=config.long_times, tinyint1=config.tinyint1)
    casts = _casts(fields, base, policies)
    sql = base.sql
    if config.incremental is not None:
        field = _cursor(fields, config.incremental.cursor, base)
        window = ctx.window
        conditions = window_conditions(session, field, window) if window is not None else []
        sql = around(base, conditions)
    elif base.listed != "*" or (config.limit is not None and base.limited):
        # The server's own limit holds where a query has none.
        sql = in_its_order(base)
    if sql != base.sql:
        # Also without bounds, as a type may change when a query becomes part of another.
        fields = prepare(session, sql, base.what)
        casts = _casts(fields, base, policies)
    plan = Plan(
        casts=casts,
        refused=lambda cast, cell: refused(fields, cast, cell),
        failed=lambda text: DriverError("OSR-MYSQL-023", f"{base.what}: {text}"),
    )
    return _Read(base=base, sql=sql, fields=fields, policies=policies, plan=plan)


def _casts(fields: tuple[Field, ...], base: Base, policies: Policies) -> tuple[Cast, ...]:
    return tuple(
        checked(column_cast(field, policies, was=base.widened.get(field.name)), base.charsets.get(field.name))
        for field in fields
    )


def _cursor(fields: tuple[Field, ...], cursor: str, base: Base) -> Field:
    field = next((one for one in fields if one.name.casefold() == cursor.casefold()), None)
    if field is None:
        listed = ", ".join(f"'{one.name}'" for one in fields)
        raise DriverError("OSR-MYSQL-027", f"{base.what} has no cursor column '{cursor}'; it has {listed}")
    if base.widened.get(field.name) == "FLOAT":
        raise DriverError("OSR-MYSQL-027", f"column '{field.name}' is a FLOAT, of which bounds cannot be told exactly")
    if base_type(field) == "DECIMAL" and column_cast(field, Policies()).type is None:
        raise DriverError(
            "OSR-MYSQL-027",
            f"column '{field.name}' has more digits than are read as a number; as a text it would have another order",
            hint=f"cast it in a query: CAST({field.name} AS DECIMAL(38,0))",
        )
    return field


def _check_names(fields: tuple[Field, ...], what: str) -> None:
    """Raise when two columns have one name, or one has none."""
    seen: set[str] = set()
    for field in fields:
        if not field.name:
            raise DriverError("OSR-MYSQL-022", f"{what} has a column without a name", hint="name it: … AS name")
        if field.name.casefold() in seen:
            raise DriverError("OSR-MYSQL-022", f"{what} has two columns '{field.name}'", hint="name them apart with AS")
        seen.add(field.name.casefold())


def _cells(read: _Read, session: Session, limit: int | None, ctx: DriverContext) -> Generator[RecordBatch, None, None]:
    """The cells of the rows; the session is closed in the end."""

    def accept(fields: tuple[Field, ...]) -> None:
        if _casts(fields, read.base, read.policies) != read.plan.casts:
            raise DriverError("OSR-MYSQL-029", f"{read.base.what}: its columns are not those that were announced")

    def warned(numbers: dict[str, int]) -> None:
        ctx.emit("mysql.warnings", numbers=numbers)

    left = limit
    try:
        with ctx.on_cancel(session.interrupt):
            if limit is not None:
                # Not before: the server keeps to it in SHOW COLUMNS, too.
                session.run(f"SET SESSION sql_select_limit = {limit}")
            for batch in execute(
                session,
                read.sql,
                read.plan.raw_schema(),
                accept=accept,
                warned=warned,
                what=read.base.what,
                charsets=read.base.charsets,
            ):
                if left is None or batch.num_rows <= left:
                    # To the end, which tells of what the server could not give as it is.
                    yield batch
                    left = None if left is None else left - batch.num_rows
                    continue
                yield batch.slice(0, left)  # the server does not keep to it
                return
    except OsirisError:
        ctx.check()
        raise
    finally:
        session.close()
