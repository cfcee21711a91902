"""The evidence layer: what the record says happened, each fact under an id that sentences can cite."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.report.aiop.cleaning import Raw
from osiris_core.report.aiop.fitting import Section
from osiris_core.report.aiop.names import local_id, pipeline_id, run_id
from osiris_core.report.reader import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from osiris_core.report.session import Session, Step

MILESTONES: Final = frozenset(
    {
        "cancel_requested",
        "observer_failed",
        "pin_differs",
        "run_finished",
        "run_started",
        "schema_changed",
        "step_cancelled",
        "step_failed",
        "step_retried",
        "step_skipped",
        "type_lost",
        "write_aborted",
        "write_published",
    }
)
"""Events that tell how a run went; the last event of a record is one, too, whatever it is."""

_LEAST: Final = "step_progress"
_FRAME: Final = frozenset({"ts", "session", "seq", "event", "step", "environment"})
_ENVIRONMENT: Final = ("osiris", "python", "duckdb")
_SMALLEST_ITEM: Final = 40


def run_of(session: Session) -> dict[str, Any]:
    """The run itself."""
    record = session.record
    return {
        "@id": run_id(session.id),
        "@type": "Run",
        "kind": session.kind,
        "status": session.status,
        "pipeline": pipeline_id(session),
        "name": session.pipeline,
        "target": record.target,
        "started": session.started,
        "finished": record.finished,
        "duration_ms": session.duration_ms,
        "rows": session.rows,
    }


def environment_of(session: Session) -> dict[str, Any]:
    """The versions that the run was made with, as its first event has them."""
    return {name: text_of(session.environment, name) for name in _ENVIRONMENT}


def sections_of(session: Session, cap: int) -> dict[str, Section]:
    """The sections of the layer; of those that grow with the rows only as much as ``cap`` bytes could hold."""
    most = cap // _SMALLEST_ITEM
    first, later = _events(session)
    metrics = session.metrics
    return {
        "evidence.errors": whole([*_errors(session)]),
        "evidence.damage": whole(
            [
                {"@id": local_id("damage", n), "@type": "Damage", "text": text}
                for n, text in enumerate(session.damage, 1)
            ]
        ),
        "evidence.steps": whole([_step(step) for step in session.steps]),
        "evidence.milestones": Section(items=[event_item(n, event) for n, event in islice(first, most)], of=len(first)),
        "evidence.timeline": Section(items=[event_item(n, event) for n, event in islice(later, most)], of=len(later)),
        "evidence.schemas": whole([_schema(step) for step in session.steps if step.schema is not None]),
        "evidence.metrics": Section(
            items=[metric(n, line) for n, line in enumerate(islice(metrics, most), 1)], of=len(metrics)
        ),
        "evidence.artifacts": whole(
            [
                {
                    "@id": local_id("artifact", one.step, one.name),
                    "@type": "Artifact",
                    "step": local_id("step", one.step),
                    "path": f"artifacts/{one.step}/{one.name}",
                    "bytes": one.size,
                }
                for one in session.artifacts
            ]
        ),
    }


def whole(items: Sequence[Any]) -> Section:
    """A section with all its items."""
    return Section(items=items, of=len(items))


_Numbered = list[tuple[int, "Mapping[str, Any]"]]


def _events(session: Session) -> tuple[_Numbered, _Numbered]:
    """The events by their place in the record: milestones, and the others with the least telling ones last."""
    first: _Numbered = []
    later: _Numbered = []
    least: _Numbered = []
    for n, event in enumerate(session.events, 1):
        name = text_of(event, "event")
        if name in MILESTONES or n == len(session.events):
            first.append((n, event))
        else:
            (least if name == _LEAST else later).append((n, event))
    return first, later + least


def event_item(n: int, event: Mapping[str, Any]) -> dict[str, Any]:
    """An event as the timeline has it; ``n`` is its place in the record."""
    step = text_of(event, "step")
    return {
        "@id": local_id("event", n),
        "@type": "Event",
        "n": n,
        "at": text_of(event, "ts"),
        "name": text_of(event, "event"),
        "step": None if step is None else local_id("step", step),
        "data": Raw({key: value for key, value in event.items() if key not in _FRAME}),
    }


def metric(n: int, line: Mapping[str, Any]) -> dict[str, Any]:
    """A measurement; ``n`` is its place in the record."""
    step, value = text_of(line, "step"), line.get("value")
    return {
        "@id": local_id("metric", n),
        "@type": "Metric",
        "name": text_of(line, "metric"),
        "step": None if step is None else local_id("step", step),
        "value": Raw(value) if isinstance(value, int | float) and not isinstance(value, bool) else None,
        "unit": text_of(line, "unit"),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "@id": local_id("step", step.id),
        "@type": "StepRun",
        "name": step.id,
        "status": step.status,
        "rows_read": step.rows_read,
        "rows_written": step.rows_written,
        "bytes": step.bytes,
        "attempts": step.attempts,
        "duration_ms": step.duration_ms,
        "offset_ms": step.offset_ms,
        "destination": step.destination,
        "published_before": step.already,
    }


def _schema(step: Step) -> dict[str, Any]:
    return {
        "@id": local_id("schema", step.id),
        "@type": "Schema",
        "step": local_id("step", step.id),
        "columns": [attrs.asdict(column) for column in step.schema or ()],
    }


def _errors(session: Session) -> Iterator[dict[str, Any]]:
    """The run's own error, then those of steps that are not the same; each code and message once for a step."""
    failed = session.record.step
    n = 0
    seen: set[tuple[Any, ...]] = set()
    told = [(session.error, failed)] if session.error is not None else []
    told += [(event, text_of(event, "step")) for event in session.events if event.get("event") == "step_failed"]
    for error, step in told:
        key = (text_of(error, "code"), text_of(error, "message"), step)
        if key in seen:
            continue
        seen.add(key)
        n += 1
        diagnostics = error.get("diagnostics")
        yield {
            "@id": local_id("error", n),
            "@type": "Error",
            "step": None if step is None else local_id("step", step),
            "code": text_of(error, "code"),
            "message": text_of(error, "message"),
            "where": text_of(error, "where"),
            "hint": text_of(error, "hint"),
            "diagnostics": Raw(diagnostics) if isinstance(diagnostics, list) else [],
        }
