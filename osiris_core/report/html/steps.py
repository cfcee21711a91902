"""The steps of a session as the page shows them: what each was to do, what it gave, and what is known of its data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.report.html import sql
from osiris_core.report.html.events import fields_of
from osiris_core.report.html.origins import origins
from osiris_core.report.html.text import pairs
from osiris_core.report.reader import CRASHED, DAMAGED, RUNNING, number_of, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osiris_core.report.html.origins import Origin, Origins
    from osiris_core.report.session import Column, Session, Step

MAX_STEPS: Final = 1_000
_MAX_COLUMNS: Final = 1_000
_MAX_LINES: Final = 1_000
_UNFINISHED: Final = "unfinished"


@attrs.frozen(kw_only=True)
class ColumnView:
    """A column that a step gives; ``change`` says what became of it: ``new``, ``was Utf8`` or nothing."""

    name: str
    type: str
    nulls: str
    least: str | None
    greatest: str | None
    change: str
    origin: Origin | None
    """None where the lineage says nothing of it."""


@attrs.frozen(kw_only=True)
class StepView:
    """A step as the page shows it: the record's facts, its place in the page, its text cut into pieces."""

    index: int
    step: Step
    status: str
    config: tuple[tuple[str, str], ...]
    query: tuple[sql.Piece, ...]
    columns: tuple[ColumnView, ...]
    extremes: bool
    """Whether the least and the greatest value of any column are known."""
    rows: Origin | None
    """What decides which rows there are."""
    more_columns: int
    gone: tuple[str, ...]
    needs: tuple[tuple[str, int | None], ...]
    published: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]

    @property
    def id(self) -> str:
        """The step's id."""
        return self.step.id


def step_views(session: Session) -> list[StepView]:
    """The steps of a session, at most a thousand."""
    steps = session.steps[:MAX_STEPS]
    index = {step.id: place for place, step in enumerate(steps)}
    columns = {step.id: step.schema for step in steps if step.schema is not None}
    notes, observed, known = _notes(session), _observed(session), origins(session)
    ended = session.status in (CRASHED, DAMAGED)
    return [
        _step(
            place,
            step,
            columns,
            index,
            notes.get(step.id, []),
            observed.get(step.id, {}),
            known.get(step.id),
            ended=ended,
        )
        for place, step in enumerate(steps)
    ]


def _step(
    place: int,
    step: Step,
    columns: Mapping[str, Sequence[Column]],
    index: Mapping[str, int],
    notes: Sequence[Mapping[str, Any]],
    observed: Mapping[str, Mapping[str, Any]],
    known: Origins | None,
    *,
    ended: bool,
) -> StepView:
    came = {column.name: column for need in step.needs for column in columns.get(need, ())}
    schema = step.schema or ()
    given = {column.name for column in schema}
    config = {key: value for key, value in step.config.items() if key != "query" or step.sql is None}
    made = known.columns if known is not None else {}
    shown_columns = tuple(
        _column(column, came, observed.get(column.name, {}), made.get(column.name)) for column in schema[:_MAX_COLUMNS]
    )
    published = {key: value for key, value in fields_of(step.published or {}).items() if value not in (None, {}, [])}
    return StepView(
        index=place,
        step=step,
        status=_UNFINISHED if ended and step.status == RUNNING else step.status,
        config=tuple((path, value) for path, value in pairs(config) if path)[:_MAX_LINES],
        query=tuple(sql.pieces(step.sql)) if step.sql is not None else (),
        columns=shown_columns,
        rows=known.rows if known is not None else None,
        extremes=any(column.least is not None or column.greatest is not None for column in shown_columns),
        more_columns=max(0, len(schema) - _MAX_COLUMNS),
        gone=tuple(name for name in came if name not in given)[:_MAX_COLUMNS] if schema else (),
        needs=tuple((need, index.get(need)) for need in step.needs),
        published=tuple(pairs(published)) if published else (),
        notes=tuple((str(note.get("event")), tuple(pairs(fields_of(note)))[:_MAX_LINES]) for note in notes),
    )


def _column(
    column: Column, came: Mapping[str, Column], observed: Mapping[str, Any], origin: Origin | None
) -> ColumnView:
    before = came.get(column.name)
    change = ""
    if came and before is None:
        change = "new"
    elif before is not None and before.type != column.type:
        change = f"was {before.type}"
    return ColumnView(
        name=column.name,
        type=column.type,
        nulls=_nulls(column, observed),
        least=text_of(observed, "min"),
        greatest=text_of(observed, "max"),
        change=change,
        origin=origin,
    )


def _nulls(column: Column, observed: Mapping[str, Any]) -> str:
    """How many there are, or else whether there may be any."""
    nulls, rows = number_of(observed, "nulls"), number_of(observed, "rows")
    if nulls is None:
        return "allowed" if column.nullable else "not allowed"
    return f"{nulls:,} ({nulls / rows:.1%})" if nulls and rows else f"{nulls:,}"


def _observed(session: Session) -> dict[str, dict[str, dict[str, Any]]]:
    """What is known of the values, by step and column; what was counted as rows passed goes before statistics."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    events = [event for event in session.events if event.get("event") == "columns_observed"]
    for event in sorted(events, key=lambda event: event.get("basis") == "rows"):
        step, columns = event.get("step"), event.get("columns")
        for column in columns if isinstance(step, str) and isinstance(columns, list) else ():
            name = text_of(column, "name") if isinstance(column, dict) else None
            if name is not None:
                known = found.setdefault(str(step), {}).setdefault(name, {})
                known |= column
                if "nulls" in column:
                    known["rows"] = event.get("rows")
    return found


def _notes(session: Session) -> dict[str, list[Mapping[str, Any]]]:
    """What drivers have said about the data of each step."""
    kinds = ("files_read", "schema_inferred", "schema_changed", "type_lost", "incremental_started", "incremental_read")
    found: dict[str, list[Mapping[str, Any]]] = {}
    for event in session.events:
        step = event.get("step")
        if event.get("event") in kinds and isinstance(step, str) and len(found.get(step, ())) < 50:
            found.setdefault(step, []).append(event)
    return found
