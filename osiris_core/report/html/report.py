"""What the page of one session shows: every fact that its record gives, chosen and cut here, set by the templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from osiris_core.display import counted
from osiris_core.report.html import graph
from osiris_core.report.html.events import (
    MAX_EVENTS,
    embedded_events,
    fields_of,
    static_events,
    tally,
    text_of_any,
)
from osiris_core.report.html.findings import failure, findings, standing
from osiris_core.report.html.steps import MAX_STEPS, step_views
from osiris_core.report.html.text import pairs, text_of_value
from osiris_core.report.html.timeline import timeline
from osiris_core.report.reader import number_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from osiris_core.report.html.steps import StepView
    from osiris_core.report.session import Session, Step

_MAX_ROWS: Final = 1_000
_TARGETS: Final = {"local": "Local", "e2b": "E2B"}
_USUAL: Final = frozenset({"rows_read", "rows_written", "bytes", "duration"})


def context(session: Session, *, beside: bool) -> dict[str, Any]:
    """The variables of the template ``report.html``; ``beside``: the page stands within the session's folder."""
    steps = step_views(session)
    found, more_findings = findings(session)
    events, cut = embedded_events(session)
    artifacts = session.artifacts[:_MAX_ROWS]
    when = timeline(session)
    started = _first(session, "run_started")
    isolation = fields_of(_first(session, "isolation_applied"))
    return {
        "session": session,
        "title": session.pipeline or session.id,
        "badges": _badges(session, session.environment),
        "missing": [*session.damage, *_cuts(session, cut)],
        "standing": standing(session),
        "failure": failure(session),
        "steps": steps,
        "index": {one.id: one.index for one in steps},
        "timeline": when,
        "starting_ms": _bootstrap(session) or (when.starting_ms if when is not None else None),
        "drawing": _drawing(session, steps),
        "findings": found,
        "more_findings": more_findings,
        "events": events,
        "event_count": len(session.events),
        "event_names": tally(session, "event"),
        "event_steps": tally(session, "step"),
        "static_events": static_events(session),
        "metrics": _metrics(session),
        "bars": _bars(session.steps),
        "artifacts": [(one, _link(one.step, one.name) if beside else None) for one in artifacts],
        "more_artifacts": len(session.artifacts) - len(artifacts),
        "environment": tuple(pairs(session.environment)),
        "isolation": tuple(pairs(isolation)) if isolation else (),
        "manifest": session.manifest,
        "params": tuple(pairs(dict(session.manifest.params))) if session.manifest and session.manifest.params else (),
        "identity": _identity(session, started),
        "read": sum(step.bytes or 0 for step in session.steps if step.mode == "extract"),
        "done": sum(step.status == "succeeded" for step in session.steps),
    }


def _badges(session: Session, environment: Mapping[str, Any]) -> list[str]:
    found = []
    if session.record.target is not None:
        found.append(_TARGETS.get(session.record.target, session.record.target))
    engine = text_of(environment, "duckdb")
    if engine is not None:
        found.append(f"DuckDB {engine}")
    if _first(session, "isolation_applied"):
        found.append("isolated")
    if session.manifest is not None and session.manifest.profile is not None:
        found.append(f"profile {session.manifest.profile}")
    return found


def _bootstrap(session: Session) -> int | None:
    """The time from the command's beginning until the first step was about to start, where it was measured."""
    measured = (line for line in session.metrics if line.get("metric") == "bootstrap")
    return number_of(next(measured, {}), "value")


def _cuts(session: Session, cut: int) -> Iterator[str]:
    """What the page leaves out because a record is too large for it."""
    events = len(session.events)
    if events > MAX_EVENTS:
        yield f"of {events:,} events, the first and the last {MAX_EVENTS // 2:,} are shown"
    if cut:
        yield f"the fields of {counted(cut, 'event')} are left out, the page would be too large with them"
    if len(session.steps) > MAX_STEPS:
        yield f"of {len(session.steps):,} steps, the first {MAX_STEPS:,} are shown"


def _first(session: Session, name: str) -> Mapping[str, Any]:
    return next((event for event in session.events if event.get("event") == name), {})


def _drawing(session: Session, steps: Sequence[StepView]) -> dict[str, Any] | None:
    if not any(one.step.needs for one in steps):
        return None
    drawing = graph.draw({step.id: step.needs for step in session.steps})
    if drawing is None:
        return None
    views = {one.id: one for one in steps}
    return {
        "width": drawing.width,
        "height": drawing.height,
        "nodes": [(node, views[node.id]) for node in drawing.nodes],
        "edges": [(edge, views[edge.source].step) for edge in drawing.edges],
        "node_width": graph.WIDTH,
        "node_height": graph.HEIGHT,
    }


def _metrics(session: Session) -> dict[str, Any]:
    """What was measured beside rows, bytes and duration, which have a chart."""
    others = [line for line in session.metrics if text_of(line, "metric") not in _USUAL]
    rows = [
        (
            text_of_any(line.get("metric")),
            text_of_any(line.get("step")),
            text_of_value(line.get("value")),
            text_of_any(line.get("unit")),
            session.offset_ms(line.get("ts")),
        )
        for line in others[:_MAX_ROWS]
    ]
    return {"rows": rows, "more": len(others) - len(rows)}


def _bars(steps: Iterable[Step]) -> dict[str, float]:
    """The largest figure of each chart, which fills its column."""
    found = {"rows": 0.0, "bytes": 0.0, "duration": 0.0, "rate": 0.0}
    for step in steps:
        for name, value in (
            ("rows", step.rows),
            ("bytes", step.bytes),
            ("duration", step.duration_ms),
            ("rate", step.rows_per_second),
        ):
            found[name] = max(found[name], value or 0)
    return found


def _link(step: str, name: str) -> str:
    return (
        f"artifacts/{quote(step, safe='', errors='surrogateescape')}/{quote(name, safe='', errors='surrogateescape')}"
    )


def _identity(session: Session, started: Mapping[str, Any]) -> list[tuple[str, str]]:
    manifest = session.manifest
    facts: list[tuple[str, object]] = [
        ("session", session.id),
        ("started", session.started),
        ("finished", session.record.finished),
        ("target", session.record.target),
        ("manifest", session.record.manifest_hash),
        ("chain", session.record.token or text_of(started, "token")),
        ("compiler", manifest.compiler if manifest else None),
        ("oml version", manifest.oml_version if manifest else None),
        ("profile", manifest.profile if manifest else None),
    ]
    facts += [(f"fingerprint of {name}", value) for name, value in (manifest.fingerprints if manifest else {}).items()]
    return [(name, str(value)) for name, value in facts if value is not None]
