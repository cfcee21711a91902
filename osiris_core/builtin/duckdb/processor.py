"""``duckdb.processor``: one SELECT over the rows of the steps before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from arro3.core import Schema

from osiris_core.api import DriverError, OsirisError
from osiris_core.builtin.duckdb.carriers import Carriage, carriage
from osiris_core.builtin.duckdb.failures import interrupted, query_failure
from osiris_core.builtin.duckdb.inputs import Inputs
from osiris_core.builtin.duckdb.instances import lease
from osiris_core.builtin.duckdb.interrupting import interruptible
from osiris_core.builtin.duckdb.statement import Query, Select, parse_select
from osiris_core.builtin.duckdb.stream import RelationStream, schema_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.api import Dataset, DriverContext, Stream
    from osiris_core.api import Schema as AnySchema
    from osiris_core.builtin.duckdb.config import Processor


@attrs.frozen(kw_only=True)
class Bound:
    """A query that fits: what DuckDB is to run, its parameters, and the columns it gives."""

    sql: str
    params: Mapping[str, Any]
    schema: Schema

    def relation(self, connection: Any) -> Any:
        """The query as a relation that streams (``execute`` would materialise the result outside the memory limit)."""
        return connection.sql(self.sql, params=dict(self.params) or None)


class ProcessorDriver:
    """Runs the query when its result is first read."""

    def run(
        self, *, step_id: str, config: Processor, inputs: Mapping[str, Dataset], ctx: DriverContext
    ) -> Mapping[str, Stream]:
        """The result of the query as a stream that runs it."""
        what = f"the query of step '{step_id}'"
        leased = lease(ctx, memory_limit=config.memory_limit, threads=config.threads)
        connection = leased.connection
        try:
            tables = Inputs(inputs)
            bound, select = bind(connection, config.query, config.query_params, tables, names=inputs, what=what)
            hold = tables.read_more_than_once(connection, bound.sql, bound.params)
        except BaseException as error:
            leased.close()
            if isinstance(error, OsirisError) or not isinstance(error, Exception):
                raise
            raise query_failure(error, what=what) from error
        if hold:
            ctx.emit("duckdb.inputs_held", inputs=sorted(tables.name_of(number) for number in hold))
        if select.volatile:
            ctx.emit("duckdb.result_varies", because=list(select.volatile))

        def start() -> Any:
            tables.connect(connection, hold)
            return bound.relation(connection)

        stream = RelationStream(
            schema=bound.schema,
            start=start,
            connection=connection,
            close=lambda ended: leased.close(sound=ended),
            ctx=ctx,
            what=what,
            failures=tables.failure,
        )
        return {"df": stream}

    def bind(
        self, *, step_id: str, config: Processor, inputs: Mapping[str, AnySchema], ctx: DriverContext
    ) -> Mapping[str, AnySchema]:
        """The columns the query gives for inputs of these schemas."""
        what = f"the query of step '{step_id}'"
        leased = lease(ctx, memory_limit=config.memory_limit, threads=config.threads)
        connection, sound = leased.connection, False
        try:
            with interruptible(ctx, connection.interrupt):
                bound, _ = bind(connection, config.query, config.query_params, Inputs(inputs), names=inputs, what=what)
            sound = True
        except Exception as error:
            if interrupted(error):
                ctx.check()
            raise query_failure(error, what=what) from error
        finally:
            leased.close(sound=sound)
        return {"df": bound.schema}


def bind(
    connection: Any, query: str, params: Mapping[str, Any], tables: Inputs, *, names: Mapping[str, Any], what: str
) -> tuple[Bound, Select]:
    """``query`` checked and bound against stand-ins of ``tables``."""
    select = parse_select(connection, Query(text=query, params=params, inputs=names, what=what))
    tables.stand_in(connection)
    return bind_select(connection, select, params, what=what), select


def bind_select(connection: Any, select: Select, params: Mapping[str, Any], *, what: str) -> Bound:
    """``select`` bound to the tables of ``connection``, with its result in types that can be passed on."""
    values = dict(params) or None
    relation = connection.sql(select.sql, params=values)
    refuse_duplicates(relation.columns, what=what)
    travel: Carriage = carriage(relation.columns, relation.types, what=what)
    sql = select.sql if travel.select is None else f"SELECT {travel.select} FROM (\n{select.sql}\n)"
    empty = connection.sql(f"SELECT * FROM (\n{sql}\n) LIMIT 0", params=values)
    return Bound(sql=sql, params=params, schema=travel.annotated(schema_of(empty)))


def refuse_duplicates(names: list[str], *, what: str) -> None:
    """Refuse two columns of one name: whoever reads them by name would get one of them by chance."""
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise DriverError("OSR-DUCKDB-007", f"{what} gives two columns named '{name}'")
        seen.add(name.casefold())
