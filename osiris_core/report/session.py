"""A session's record as values: what reports, exports, comparisons and notebooks are made of.

Everything is read when it is asked for and kept. A record may be half-written, damaged or made up: what does not fit is
left out, what is missing is None or empty, and :attr:`Session.damage` says so in sentences.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.compile.build import MANIFEST, read_manifest
from osiris_core.display import counted, visible
from osiris_core.errors import InvalidInput, OsirisError
from osiris_core.report.reader import (
    find_session,
    number_of,
    read_lines,
    read_session,
    session_folders,
    steps_so_far,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from os import PathLike

    from osiris_core.compile.manifest import Manifest
    from osiris_core.report.lineage import Lineage
    from osiris_core.report.reader import Lines, SessionRecord

PENDING: Final = "pending"
"""The status of a step that the record says nothing about."""

_MAX_ARTIFACTS: Final = 10_000


@attrs.frozen(kw_only=True)
class Column:
    """A column as a step gave it; ``type`` is Arrow's name of its type."""

    name: str
    type: str
    nullable: bool


@attrs.frozen(kw_only=True)
class Step:
    """A step of a run: what it was to do, from the manifest, and what it did, from events and status.

    None, or empty, where the record does not say. Times are UTC as in records, durations milliseconds, sizes bytes of
    Arrow data. ``status``: ``succeeded failed cancelled skipped running pending``.
    """

    id: str
    status: str = PENDING
    component: str | None = None
    mode: str | None = None
    needs: tuple[str, ...] = ()
    connection: str | None = None
    config: Mapping[str, Any] = attrs.field(factory=dict)
    schema: tuple[Column, ...] | None = None
    """The columns it gave; None for a step that gives none, as a write."""
    rows_read: int | None = None
    rows_written: int | None = None
    bytes: int | None = None
    attempts: int | None = None
    duration_ms: int | None = None
    started: str | None = None
    offset_ms: int | None = None
    """When it started, counted from the session's start."""
    destination: str | None = None
    already: bool = False
    published: Mapping[str, Any] | None = None
    """The event ``write_published``: load id, checksum, rows inserted, updated, deleted."""
    error: Mapping[str, Any] | None = None
    """The event ``step_failed``."""

    @property
    def sql(self) -> str | None:
        """Its query, where it has one."""
        return text_of(self.config, "query")

    @property
    def rows(self) -> int | None:
        """The rows it gave, or, of a write, brought to its destination."""
        return self.rows_written

    @property
    def rows_per_second(self) -> float | None:
        """Rows it gave by the time it took; None where either is not known or no time passed."""
        return None if self.rows is None or not self.duration_ms else self.rows * 1000 / self.duration_ms


@attrs.frozen(kw_only=True)
class Artifact:
    """A file that a step left in the record; ``size`` in bytes."""

    step: str
    name: str
    path: Path
    size: int


class Session:
    """One session, read from its record's folder.

    ``Session("logs/run_…")`` reads that folder (within it, ``Session(".")``), :meth:`find` one by the beginning or end
    of its id, :meth:`last` the newest run. Raises InvalidInput when there is no such session; never for
    what is in the record.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.path = Path(folder).absolute()
        self.record: SessionRecord = read_session(self.path)
        if not self.path.is_dir():
            raise InvalidInput("OSR-LOG-001", f"there is no session '{self.id}' in {self.path.parent}")

    @classmethod
    def find(cls, wanted: str, *, logs: str | PathLike[str] = "logs") -> Session:
        """The session whose id is, begins or ends with ``wanted``."""
        return cls(find_session(Path(logs), wanted))

    @classmethod
    def last(
        cls, *, pipeline: str | None = None, kind: str | None = "run", logs: str | PathLike[str] = "logs"
    ) -> Session | None:
        """The run that started last, of ``pipeline`` when one is named; None when there is none.

        ``kind`` names another kind of session (``chat``), or with None any.
        """
        fitting = (one for one in cls.all(logs=logs) if kind in (None, one.kind) and pipeline in (None, one.pipeline))
        return next(fitting, None)

    @classmethod
    def all(cls, *, logs: str | PathLike[str] = "logs") -> Iterator[Session]:
        """Every session, newest first, read when asked for; without those that have been removed by then."""
        return (cls(folder) for folder in session_folders(Path(logs)) if folder.is_dir())

    @property
    def id(self) -> str:
        """Its id: kind, time, random part."""
        return self.record.id

    @property
    def kind(self) -> str:
        """``run`` or ``chat``."""
        return self.record.kind

    @property
    def status(self) -> str:
        """``succeeded failed interrupted running crashed damaged``."""
        return self.record.status

    @property
    def pipeline(self) -> str | None:
        """The pipeline's name."""
        return self.record.pipeline

    @property
    def started(self) -> str:
        """When it started, UTC."""
        return self.record.started

    @property
    def duration_ms(self) -> int | None:
        """How long it took; None while it runs, and when it could not say."""
        return self.record.duration_ms

    @property
    def rows(self) -> int | None:
        """Rows published by writers; without writers, rows extracted."""
        return self.record.rows

    @property
    def error(self) -> Mapping[str, Any] | None:
        """Why it failed: code, message, where, hint."""
        return self.record.error

    @property
    def events(self) -> tuple[Mapping[str, Any], ...]:
        """What happened, in order, as in ``events.jsonl``."""
        return self._events.lines

    @property
    def metrics(self) -> tuple[Mapping[str, Any], ...]:
        """What was measured, as in ``metrics.jsonl``."""
        return self._metrics.lines

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions, limits and the like that the run was made with, as ``run_started`` has them."""
        started = next((event for event in self.events if event.get("event") == "run_started"), {})
        found = started.get("environment")
        return found if isinstance(found, dict) else {}

    @cached_property
    def manifest(self) -> Manifest | None:
        """What was run; None when the record has no copy that can be read."""
        return self._manifest[0]

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The steps, in the order in which they run."""
        told: dict[str, Mapping[str, Any]] = {}
        for source in (steps_so_far(self._events), self.record.steps):
            told |= {step["id"]: {**told.get(step["id"], {}), **step} for step in source if text_of(step, "id")}
        return tuple(_steps(self.manifest, told, self.events, self.started))

    @cached_property
    def artifacts(self) -> tuple[Artifact, ...]:
        """The files that steps left, by step and name."""
        return tuple(sorted(_artifacts(self.path / "artifacts"), key=lambda one: (one.step, one.name)))

    @cached_property
    def damage(self) -> tuple[str, ...]:
        """What of the record is missing or cannot be read, each in a sentence; empty for a sound one."""
        found = [self.record.damage] if self.record.damage is not None else []
        for name, lines in (("events.jsonl", self._events), ("metrics.jsonl", self._metrics)):
            if lines.missing:
                found.append(f"{name} is missing")
            elif lines.damaged:
                found.append(f"{counted(lines.damaged, 'line')} of {name} cannot be read")
        if self.kind == "run" and self._manifest[1] is not None:
            found.append(self._manifest[1])
        return tuple(found)

    @cached_property
    def lineage(self) -> Lineage | None:
        """Which source columns can change each column that a step gave or wrote; None without a manifest."""
        if self.manifest is None:
            return None
        from osiris_core.report.lineage import lineage_of

        schemas = {step.id: [column.name for column in step.schema] for step in self.steps if step.schema is not None}
        dialects = {
            step: dialect
            for event in self.events
            if (step := text_of(event, "step")) is not None and (dialect := text_of(event, "sql_dialect")) is not None
        }
        return lineage_of(self.manifest, schemas, dialects)

    def step(self, step_id: str) -> Step:
        """The step of that id; KeyError when there is none."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)

    def offset_ms(self, ts: object) -> int | None:
        """When ``ts``, a time as in events, was: milliseconds from the session's start; None where one is unknown."""
        return _between(self._began, _time(ts if isinstance(ts, str) else None))

    @cached_property
    def _began(self) -> datetime | None:
        return _time(self.started)

    @cached_property
    def _events(self) -> Lines:
        return read_lines(self.path / "events.jsonl")

    @cached_property
    def _metrics(self) -> Lines:
        return read_lines(self.path / "metrics.jsonl")

    @cached_property
    def _manifest(self) -> tuple[Manifest | None, str | None]:
        path = self.path / "manifest" / MANIFEST
        if not path.is_file():
            return None, "the copy of the manifest is missing"
        try:
            return read_manifest(path, shown=f"manifest/{MANIFEST}"), None
        except (OsirisError, OSError, UnicodeError) as error:
            return None, f"the copy of the manifest cannot be read: {error}"

    def __repr__(self) -> str:
        return f"<Session {self.id}: {self.status}>"

    def _repr_html_(self) -> str:
        """For notebooks: the outcome and a table of the steps."""
        title = f"{self.pipeline or self.id}: {self.status}"
        if self.rows is not None:
            title += f", {counted(self.rows, 'row')}"
        lines = [f"<p><strong>{_html(title)}</strong><br><code>{_html(self.id)}</code></p>"]
        if self.error is not None:
            lines.append(f"<p>{_html(self.error.get('code'))}: {_html(self.error.get('message'))}</p>")
        lines.append("<table><thead><tr>")
        lines += [f"<th>{name}</th>" for name in ("step", "component", "status", "rows in", "rows out", "ms")]
        lines.append("</tr></thead><tbody>")
        for step in self.steps:
            cells = (step.id, step.component, step.status, step.rows_read, step.rows_written, step.duration_ms)
            lines.append("<tr>" + "".join(f"<td>{_html(cell)}</td>" for cell in cells) + "</tr>")
        lines.append("</tbody></table>")
        lines += [f"<p>{_html(sentence)}</p>" for sentence in self.damage]
        return "".join(lines)


def _html(value: object) -> str:
    if value is None:
        return ""
    return escape(visible(f"{value:,}" if isinstance(value, int) else str(value)))


def _steps(
    manifest: Manifest | None,
    told: Mapping[str, Mapping[str, Any]],
    events: Iterable[Mapping[str, Any]],
    start: str,
) -> Iterator[Step]:
    """The manifest's steps, then such as only the record knows, with what status and events have ``told`` of them."""
    happened = _by_step(events)
    planned = {step.id: step for step in manifest.steps} if manifest is not None else {}
    began = _time(start)
    for step_id in [*planned, *(step_id for step_id in told if step_id not in planned)]:
        said, seen = told.get(step_id, {}), happened.get(step_id, {})
        plan = planned.get(step_id)
        started = text_of(seen.get("step_started", {}), "ts")
        yield Step(
            id=step_id,
            status=text_of(said, "status") or ("skipped" if "step_skipped" in seen else PENDING),
            component=plan.component if plan else text_of(said, "component"),
            mode=plan.mode if plan else text_of(said, "mode"),
            needs=plan.needs if plan else (),
            connection=plan.connection.ref if plan and plan.connection else None,
            config=plan.config if plan else {},
            schema=_columns(seen.get("step_schema")),
            rows_read=number_of(said, "rows_read"),
            rows_written=number_of(said, "rows_written"),
            bytes=number_of(said, "bytes"),
            attempts=number_of(said, "attempts"),
            duration_ms=number_of(said, "duration_ms"),
            started=started,
            offset_ms=_between(began, _time(started)),
            destination=text_of(said, "destination"),
            already=said.get("already") is True,
            published=seen.get("write_published"),
            error=seen.get("step_failed"),
        )


def _by_step(events: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """For each step its last event of each name; of starts the first."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for event in events:
        step, name = event.get("step"), event.get("event")
        if isinstance(step, str) and isinstance(name, str):
            of_step = found.setdefault(step, {})
            if name != "step_started" or name not in of_step:
                of_step[name] = event
    return found


def _columns(event: Mapping[str, Any] | None) -> tuple[Column, ...] | None:
    listed = (event or {}).get("columns")
    if not isinstance(listed, list):
        return None
    return tuple(
        Column(name=name, type=text_of(column, "type") or "", nullable=column.get("nullable") is not False)
        for column in listed
        if isinstance(column, dict) and (name := text_of(column, "name")) is not None
    )


def _artifacts(folder: Path) -> Iterator[Artifact]:
    try:
        for step in sorted(folder.iterdir()):
            if step.is_symlink() or not step.is_dir():
                continue
            for path in sorted(step.iterdir())[:_MAX_ARTIFACTS]:
                if path.is_file() and not path.is_symlink():
                    yield Artifact(step=step.name, name=path.name, path=path, size=path.stat().st_size)
    except OSError:
        return


def _time(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _between(start: datetime | None, end: datetime | None) -> int | None:
    """Milliseconds; a clock that was set back meanwhile counts as none."""
    return None if start is None or end is None else max(0, round((end - start).total_seconds() * 1000))
