"""A run as a trace with a span a step, and as metrics.

Times are those of the events, durations the monotonic ones that Osiris measured. Names under ``osiris.`` are Osiris's
own; the rest are of OpenTelemetry's semantic conventions (``error.type``, ``exception.*``, ``db.*``, ``server.*``).
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import attrs
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

from osiris_observability.complaints import Complaints, without_credentials
from osiris_observability.otel_setup import meter_provider, parent_context, resource_of, tracer_provider
from osiris_observability.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context
    from opentelemetry.metrics import Counter, Histogram, Meter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

SCOPE: Final = "osiris_observability"
_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200)
_FLUSH_MILLIS: Final = 30_000

_NOTED: Final = frozenset(
    {
        "cancel_requested",
        "pin_differs",
        "rows_spooled",
        "schema_changed",
        "step_retried",
        "step_skipped",
        "type_lost",
        "write_aborted",
        "write_published",
        "write_staged",
    }
)
"""Events that become events of their step's span, or of the run's; none of their fields holds a value of the data."""

_ENDS: Final = {"step_finished": "succeeded", "step_failed": "failed", "step_cancelled": "cancelled"}


@attrs.frozen(kw_only=True)
class Instruments:
    """The metrics there are; ``step_*`` carry the step, all the pipeline and how it ended."""

    run_duration: Histogram
    run_rows: Counter
    step_duration: Histogram
    step_read: Counter
    step_written: Counter
    step_size: Counter
    step_retries: Counter

    @classmethod
    def of(cls, meter: Meter) -> Instruments:
        """The instruments of ``meter``; units by UCUM."""

        def duration(name: str, what: str) -> Histogram:
            return meter.create_histogram(name, "s", what, explicit_bucket_boundaries_advisory=_SECONDS)

        return cls(
            run_duration=duration("osiris.run.duration", "How long runs take."),
            run_rows=meter.create_counter(
                "osiris.run.rows", "{row}", "Rows that runs publish; else that they extract."
            ),
            step_duration=duration("osiris.step.duration", "How long steps take."),
            step_read=meter.create_counter("osiris.step.rows.read", "{row}", "Rows that steps take."),
            step_written=meter.create_counter("osiris.step.rows.written", "{row}", "Rows that steps give."),
            step_size=meter.create_counter("osiris.step.size", "By", "Arrow bytes of the rows that steps give."),
            step_retries=meter.create_counter(
                "osiris.step.retries", "{retry}", "Attempts that failed and were repeated."
            ),
        )


@attrs.define(kw_only=True)
class _Open:
    """A span that has begun, and what its measurements are labelled with."""

    span: Span
    started: int
    labels: dict[str, str]

    @property
    def context(self) -> Context:
        return set_span_in_context(self.span)


class OtelSink:
    """Makes spans and measurements of one run's events."""

    def __init__(self) -> None:
        self._complaints = Complaints("opentelemetry")
        self._not_set_up: list[str] = []
        self._tracers: TracerProvider | None = None
        self._meters: MeterProvider | None = None
        self._instruments: Instruments | None = None
        self._plan: Plan | None = None
        self._run: _Open | None = None
        self._steps: dict[str, _Open] = {}
        self._last = 0

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in one event."""
        name, at = event["event"], nanoseconds(event["ts"])
        if name == "run_started":
            self._start(event, at)
        elif self._run is None:
            return
        elif name == "step_started":
            self._start_step(event, at)
        elif name in _ENDS:
            self._end_step(event, at, _ENDS[name])
        elif name == "run_finished":
            self._end(event, at)
        elif name in _NOTED:
            self._note(event, at)

    def close(self) -> str | None:
        """Send what is left; what could not be sent, or None."""
        # Spans and metrics go to one place mostly; each flush is bounded by the exporter's own timeout.
        try:
            if self._tracers is not None:
                self._tracers.force_flush(_FLUSH_MILLIS)
                self._tracers.shutdown()
        finally:
            try:
                if self._meters is not None:
                    self._meters.shutdown(_FLUSH_MILLIS)
            finally:
                complaint = self._complaints.end()
        said = [*self._not_set_up, complaint]
        return without_credentials("; ".join(filter(None, said))) or None

    def _start(self, event: Mapping[str, Any], at: int) -> None:
        resource = resource_of(str(event["environment"].get("osiris", "")))
        self._tracers = tracer_provider(resource, self._not_set_up.append)
        self._meters = meter_provider(resource, self._not_set_up.append)
        self._instruments = Instruments.of(self._meters.get_meter(SCOPE, version("osiris-observability")))
        self._plan = Plan.of(event)
        labels = {"osiris.pipeline.name": event["pipeline"], "osiris.target.name": event["target"]}
        attributes = {
            **labels,
            "osiris.session.id": event["session"],
            "osiris.manifest.hash": event["manifest_hash"],
            "osiris.run.steps": event["steps"],
        }
        self._run = self._open(f"run {event['pipeline']}", attributes, at, parent_context(), labels)

    def _start_step(self, event: Mapping[str, Any], at: int) -> None:
        assert self._run is not None
        if event["step"] in self._steps:
            return
        labels = {
            **self._run.labels,
            "osiris.step.id": event["step"],
            "osiris.step.mode": event["mode"],
            "osiris.component.name": event["component"],
        }
        assert self._plan is not None
        attributes = {**labels, "osiris.session.id": event["session"], **self._plan.attributes(event["step"])}
        name = f"{event['mode']} {event['step']}"
        self._steps[event["step"]] = self._open(name, attributes, at, self._run.context, labels)

    def _open(
        self, name: str, attributes: Mapping[str, Any], at: int, parent: Context, labels: dict[str, str]
    ) -> _Open:
        assert self._tracers is not None
        tracer = self._tracers.get_tracer(SCOPE, version("osiris-observability"))
        span = tracer.start_span(name, parent, SpanKind.INTERNAL, attributes, start_time=at)
        return _Open(span=span, started=at, labels=labels)

    def _end_step(self, event: Mapping[str, Any], at: int, status: str) -> None:
        step = self._steps.pop(event["step"], None)
        if step is None:
            return
        assert self._instruments is not None
        duration = event.get("duration_ms")
        end = at if duration is None else step.started + duration * 1_000_000
        self._last = max(self._last, end)
        step.span.set_attribute("osiris.step.status", status)
        for field, attribute, counter in (
            ("attempts", "osiris.step.attempts", None),
            ("rows_read", "osiris.step.rows.read", self._instruments.step_read),
            ("rows_written", "osiris.step.rows.written", self._instruments.step_written),
            ("bytes", "osiris.step.size", self._instruments.step_size),
        ):
            if field in event:
                step.span.set_attribute(attribute, event[field])
                if counter is not None:
                    counter.add(event[field], step.labels, step.context)
        ended = {**step.labels, "osiris.step.status": status}
        if status == "failed":
            ended["error.type"] = event["code"]
            _fail(step.span, event["code"], event["message"], end)
        if duration is not None:
            self._instruments.step_duration.record(duration / 1000, ended, step.context)
        step.span.end(end)

    def _note(self, event: Mapping[str, Any], at: int) -> None:
        assert self._run is not None
        assert self._instruments is not None
        step = self._steps.get(event.get("step", ""))
        fields = {
            f"osiris.{name}": value
            for name, value in event.items()
            if name not in {"event", "ts", "session", "seq"} and isinstance(value, str | int | float)
        }
        (step or self._run).span.add_event(f"osiris.{event['event']}", fields, at)
        if event["event"] == "step_retried" and step is not None:
            retried = {**step.labels, "error.type": event["code"]}
            self._instruments.step_retries.add(1, retried, step.context)

    def _end(self, event: Mapping[str, Any], at: int) -> None:
        assert self._run is not None
        assert self._instruments is not None
        end = max(at, self._last)
        for step in self._steps.values():  # never left open by a run that says how it ended, but a trace must be whole
            step.span.end(end)
        run = self._run
        run.span.set_attributes({"osiris.run.status": event["status"], "osiris.run.rows": event["rows"]})
        ended = {**run.labels, "osiris.run.status": event["status"]}
        if event["status"] != "succeeded":
            ended["error.type"] = event["code"] or event["status"]
            _fail(run.span, ended["error.type"], event["message"] or event["status"], end)
        self._instruments.run_rows.add(event["rows"], run.labels, run.context)
        self._instruments.run_duration.record(event["duration_ms"] / 1000, ended, run.context)
        run.span.end(end)


def _fail(span: Span, code: str, message: str, at: int) -> None:
    """Say of a span that it failed, by the conventions for errors and exceptions."""
    span.set_attribute("error.type", code)
    span.add_event("exception", {"exception.type": code, "exception.message": message}, at)
    span.set_status(Status(StatusCode.ERROR, message))


def nanoseconds(text: str) -> int:
    """A record's time (UTC, to the millisecond) as nanoseconds since 1970."""
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return round(moment.timestamp() * 1000) * 1_000_000
