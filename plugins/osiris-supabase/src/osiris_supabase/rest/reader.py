"""``supabase.extractor`` over the Data API: a table as typed rows, page by page."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, cast

from arro3.core import Array, DataType, RecordBatch

from osiris_core.api import BatchSource, DriverError, rows
from osiris_sql.casting import Plan, cast_rows, cast_schema
from osiris_supabase.postgres.types_in import noted
from osiris_supabase.rest.catalog import read_tables_with
from osiris_supabase.rest.client import Halting, RestClient
from osiris_supabase.rest.failures import Refused, raise_refusal
from osiris_supabase.rest.keys import role_of
from osiris_supabase.rest.limits import refuse_sql
from osiris_supabase.rest.reading import Read, Reading
from osiris_supabase.rest.types import plan_of

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from osiris_core.api import Dataset, DriverContext, Stream
    from osiris_core.api import Schema as AnySchema
    from osiris_supabase.config import Extractor
    from osiris_supabase.postgres.types_in import ColumnPlan

_SPECIAL: Final = {"moment": frozenset({"infinity", "-infinity"}), "midnight": frozenset({"24:00:00"})}
"""Texts of dates and times that Arrow has no value for, by the kind of column."""


class RestReader:
    """A table as rows, page by page; each page is asked for when it is needed."""

    def run(
        self, *, step_id: str, config: Extractor, inputs: Mapping[str, Dataset], ctx: DriverContext
    ) -> Mapping[str, Stream]:
        """The rows of the table."""
        refuse_sql(config)
        schema = config.schema or str(ctx.connection.schema)
        with closing(_connect(ctx, schema)) as client:
            read = _plan(client, config, schema, ctx)
        plan = _casts(read)
        ctx.emit(
            "supabase.read_plan",
            way="data api",
            role=role_of(ctx.connection.key),
            key=list(read.table.key),
            columns=[{"name": one.cast.name, "type": one.type, "read_as": one.shown} for one in read.plans],
        )
        typed = cast_rows(plan, _cells(read, plan, ctx), ctx)
        assert isinstance(typed, BatchSource)
        schema = noted(typed.schema, read.plans)
        return {"df": rows(schema, _with_schema(typed, schema))}

    def bind(
        self, *, step_id: str, config: Extractor, inputs: Mapping[str, AnySchema], ctx: DriverContext
    ) -> Mapping[str, AnySchema]:
        """The columns of the table."""
        refuse_sql(config)
        schema = config.schema or str(ctx.connection.schema)
        with closing(_connect(ctx, schema)) as client:
            read = _plan(client, config, schema, ctx)
        return {"df": noted(cast_schema(_casts(read), ctx), read.plans)}


def _connect(ctx: DriverContext, schema: str) -> RestClient:
    halting = Halting(check=ctx.check, on_cancel=ctx.on_cancel)
    return RestClient(ctx.connection, schema=schema, halting=halting, largest=max(ctx.memory_limit // 8, 1 << 20))


def _plan(client: RestClient, config: Extractor, schema: str, ctx: DriverContext) -> Read:
    assert config.table is not None
    table = read_tables_with(client, config.table).get(config.table)
    if table is None:
        raise DriverError(
            "OSR-SUPA-110",
            f"the Data API knows no table '{config.table}' in schema '{schema}'",
            hint="check the name; if the table is new, run NOTIFY pgrst, 'reload schema' in the SQL editor",
        )
    if not table.key:
        raise DriverError(
            "OSR-SUPA-113",
            f"'{config.table}' has no primary key (or is a view), so its pages would have no order",
        )
    names = config.columns if config.columns is not None else tuple(found.name for found in table.columns)
    wanted = tuple(table.column(name) for name in names)
    as_text = config.special_values == "text"
    return Read(
        table=table,
        wanted=wanted,
        plans=tuple(plan_of(found, specials_as_text=as_text) for found in wanted),
        schema=schema,
        limit=config.limit,
        special_as_null=config.special_values == "null",
        cursor=None if ctx.window is None else ctx.window.cursor,
    )


def _casts(read: Read) -> Plan:
    return Plan(
        casts=tuple(plan.cast for plan in read.plans),
        refused=lambda cast, cell: DriverError(
            "OSR-SUPA-117",
            f"{read.what}: {cell!r} in column '{cast.name}' is no {cast.type or 'value'} that can be kept",
        ),
        failed=lambda said: DriverError("OSR-SUPA-117", f"{read.what}: {said}"),
    )


def _cells(read: Read, plan: Plan, ctx: DriverContext) -> Generator[RecordBatch, None, None]:
    """The pages as text columns, and the comparison of counts at their end."""
    schema = plan.raw_schema()
    # A client of its own: rows that nobody ever asks for must leave none open.
    with closing(_connect(ctx, read.schema)) as client:
        try:
            reading = Reading(client, read, ctx)
            for page in reading.pages():
                arrays = [Array(_values(page, plan, read), DataType.string_view()) for plan in read.plans]
                yield RecordBatch.from_arrays(arrays, schema=schema)
            reading.compare()
        except Refused as refused:
            raise_refusal(refused, what=read.what)


def _with_schema(typed: BatchSource, schema: Any) -> Generator[RecordBatch, None, None]:
    """The batches with the notes on their columns; who gives them up ends the requests at once."""
    with closing(cast("Generator[RecordBatch, None, None]", typed.batches())) as batches:
        for batch in batches:
            yield batch.with_schema(schema)


def _values(page: list[dict[str, Any]], plan: ColumnPlan, read: Read) -> list[str | None]:
    """The cells of a column."""
    alias = read.aliases[plan.cast.name]
    cells: list[str | None] = [row[alias] for row in page]
    special = _SPECIAL.get(plan.special or "", frozenset())
    if special.isdisjoint(cells):
        return cells
    if read.special_as_null:
        return [None if cell in special else cell for cell in cells]
    found = next(cell for cell in cells if cell in special)
    raise DriverError(
        "OSR-SUPA-117",
        f"{read.what}: '{found}' in column '{plan.cast.name}' is no {plan.cast.type} that Arrow has",
        hint="set special_values: 'null' or 'text'",
    )
