"""The rows of a statement as typed Arrow batches, from the bytes that the server copies out."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from osiris_core.api import DriverError
from osiris_sql.casting import Cast, Plan, cast_rows, cast_schema
from osiris_sql.views import Cells as ColumnCells
from osiris_sql.views import view_batch
from osiris_supabase.postgres.ahead import ReadAhead
from osiris_supabase.postgres.copytext import BrokenRowsError, Cells, take_apart
from osiris_supabase.postgres.failures import ServerFailure
from osiris_supabase.postgres.query import REFUSED
from osiris_supabase.postgres.types_in import moved, noted

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from osiris_core.api import DriverContext, Stream
    from osiris_supabase.config import Extractor
    from osiris_supabase.postgres.query import Select
    from osiris_supabase.postgres.session import Session
    from osiris_supabase.postgres.types_in import ColumnPlan


def schema_of(select: Select, ctx: DriverContext, what: str) -> Any:
    """The Arrow schema of the rows."""
    return noted(cast_schema(_plan(select, what), ctx), select.columns)


def read_rows(
    session: Session,
    select: Select,
    config: Extractor,
    ctx: DriverContext,
    what: str,
    *,
    broken_off: Callable[[], None] = lambda: None,
) -> Stream:
    """The rows of ``select``; the session is closed after the last one; ``broken_off`` is called if they end before."""
    plan = _plan(select, what)
    typed = cast_rows(plan, _cells(session, select, config, plan.raw_schema(), what, broken_off), ctx)
    return _Noted(typed, select.columns)


class _Noted:
    """A stream whose columns say what their text is."""

    def __init__(self, rows: Any, columns: tuple[ColumnPlan, ...]) -> None:
        self._rows = rows
        self.schema = noted(rows.schema, columns)

    def batches(self) -> Generator[Any, None, None]:
        """The rows."""
        with closing(self._rows.batches()) as batches:
            for batch in batches:
                yield batch.with_schema(self.schema)

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        from osiris_core.api import rows

        return rows(self.schema, self.batches()).__arrow_c_stream__(requested_schema)


def _plan(select: Select, what: str) -> Plan:
    def refused(cast: Cast, cell: str) -> DriverError:
        kinds = {column.cast.name: column.shown for column in select.columns}
        return DriverError("OSR-PG-022", f"{what}: column '{cast.name}' holds '{cell}', which is no {kinds[cast.name]}")

    return Plan(
        casts=tuple(column.cast for column in select.columns),
        refused=refused,
        failed=lambda said: DriverError("OSR-PG-028", f"{what}: {said}"),
    )


def _cells(
    session: Session, select: Select, config: Extractor, schema: Any, what: str, broken_off: Callable[[], None]
) -> Generator[Any, None, None]:
    count, seen, whole = len(select.columns), 0, False
    copying = ReadAhead(session.copy_out(select.copy()), session.give_up)
    try:
        for buffer in copying:
            cells = take_apart(buffer, count)
            seen += cells.starts.shape[1]
            yield _batch(cells, select, config, schema, what)
        session.run("COMMIT")
        whole = True
    except ServerFailure as failure:
        raise failure.error(what, codes=REFUSED) from None
    except BrokenRowsError:
        raise DriverError("OSR-PG-028", f"{what}: the rows do not have {count} cells each") from None
    finally:
        copying.close()
        session.close()
        if not whole:
            broken_off()
    if copying.result != seen:
        raise DriverError("OSR-PG-028", f"{what}: the server sent {copying.result} rows, {seen} arrived")


def _batch(cells: Cells, select: Select, config: Extractor, schema: Any, what: str) -> Any:
    columns = []
    for at, plan in enumerate(select.columns):
        starts, lengths, valid = cells.starts[at], cells.lengths[at], cells.valid[at]
        if plan.special is not None:
            special = _special(cells, at, plan.special)
            if special.any():
                if config.special_values == "error":
                    first = int(np.flatnonzero(special)[0])
                    begin = starts[first]
                    value = bytes(cells.data[begin : begin + lengths[first]]).decode("ascii", "replace")
                    raise DriverError(
                        "OSR-PG-022",
                        f"{what}: column '{plan.cast.name}' holds '{value}', which {plan.shown} does not have",
                        hint="set special_values: null, or special_values: text",
                    )
                valid = valid & ~special
        skip = moved(plan)
        columns.append(
            ColumnCells(
                starts=starts + skip if skip else starts, lengths=lengths - skip if skip else lengths, valid=valid
            )
        )
    return view_batch(schema, cells.data, columns, rows=cells.starts.shape[1])


def _special(cells: Cells, at: int, kind: str) -> Any:
    """Which cells are infinite moments, or numbers that are none: told by their first letters."""
    starts, valid = cells.starts[at], cells.valid[at]
    first, second = cells.data[starts], cells.data[starts + 1]
    if kind == "moment":
        found = (first == ord("i")) | (first == ord("-"))
    elif kind == "midnight":
        found = (first == ord("2")) & (second == ord("4"))
    else:
        found = (first == ord("N")) | (first == ord("I")) | ((first == ord("-")) & (second == ord("I")))
    return found & valid
