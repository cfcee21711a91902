"""A receiver of OTLP over HTTP and of OpenLineage events, with answers as a test scripts them.

    with Collector() as collector:
        collector.answer(Answer(429, {"Retry-After": "0"}))   # the next answers, in turn; 200 afterwards
        collector.url                                         # for OTEL_EXPORTER_OTLP_ENDPOINT and OPENLINEAGE_URL

Requests are parsed with OpenTelemetry's own protobuf messages; one that cannot be parsed is answered by 400 and kept in
``refused``. An answer with ``hangs`` comes when the collector is closed.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
import zlib
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

import attrs
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@attrs.frozen
class Answer:
    """What the receiver says to a request."""

    status: int = 200
    headers: dict[str, str] = attrs.field(factory=dict)
    hangs: bool = attrs.field(default=False, kw_only=True)


class Call(NamedTuple):
    """A request that came: its path, its headers with lower-case names, and how it was answered."""

    path: str
    headers: dict[str, str]
    status: int


@attrs.frozen
class Span:
    """A span as it came over the wire; ids in hexadecimal, times in nanoseconds."""

    name: str
    trace: str
    id: str
    parent: str
    kind: int
    start: int
    end: int
    status: int
    message: str
    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    resource: dict[str, Any]


@attrs.frozen
class Point:
    """One measurement as it came; ``value`` is a sum, or of a histogram its sum and count."""

    metric: str
    unit: str
    kind: str
    value: Any
    attributes: dict[str, Any]
    resource: dict[str, Any]


class Collector:
    """A server on the loopback; used as a context manager."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.refused: list[str] = []
        self.lineage: list[dict[str, Any]] = []
        self._traces: list[ExportTraceServiceRequest] = []
        self._metrics: list[ExportMetricsServiceRequest] = []
        self._answers: deque[Answer] = deque()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, *answers: Answer) -> None:
        """What to say to the next requests."""
        self._answers.extend(answers)

    def always(self, answer: Answer) -> None:
        """What to say to every request from now on."""
        self._answers = _Endless(answer)

    @property
    def spans(self) -> list[Span]:
        """The spans of every request that was accepted, by start."""
        found = [
            _span(one, _plain(of_resource.resource.attributes))
            for request in self._traces
            for of_resource in request.resource_spans
            for of_scope in of_resource.scope_spans
            for one in of_scope.spans
        ]
        return sorted(found, key=lambda span: (span.start, -span.end))

    @property
    def points(self) -> list[Point]:
        """The measurements of every request that was accepted."""
        return [
            point
            for request in self._metrics
            for of_resource in request.resource_metrics
            for of_scope in of_resource.scope_metrics
            for metric in of_scope.metrics
            for point in _points(metric, _plain(of_resource.resource.attributes))
        ]

    def take(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """One request."""
        answer = self._take(path, headers, body)
        if answer.hangs:
            self._closing.wait()
        return answer

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        with self._lock:
            answer = self._answers.popleft() if self._answers else Answer()
            try:
                self._keep(path, headers, body, accepted=answer.status == 200 and not answer.hangs)
            except (KeyError, ValueError, OSError, zlib.error) as error:
                self.refused.append(f"{path}: {type(error).__name__}: {error}")
                answer = Answer(400)
            self.calls.append(Call(path, headers, answer.status))
            return answer

    def _keep(self, path: str, headers: dict[str, str], body: bytes, *, accepted: bool) -> None:
        plain = {"": bytes, "gzip": gzip.decompress, "deflate": zlib.decompress}[headers.get("content-encoding", "")](
            body
        )
        if path == "/api/v1/lineage":
            event = json.loads(plain)
            if accepted:
                self.lineage.append(event)
            return
        made, kept = {
            "/v1/traces": (ExportTraceServiceRequest, self._traces),
            "/v1/metrics": (ExportMetricsServiceRequest, self._metrics),
        }[path.partition("?")[0]]
        if headers["content-type"] != "application/x-protobuf":
            raise ValueError(headers["content-type"])
        request = made.FromString(plain)
        if accepted:
            kept.append(request)


class _Endless:
    """A queue of one answer that never ends."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def popleft(self) -> Answer:
        return self._answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Nothing on the terminal: a client that has gone is what some tests are about."""


def _handler(collector: Collector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            answer = collector.take(self.path, headers, body)
            with contextlib.suppress(OSError):  # whoever asked has gone
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    return Handler


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None


def _plain(attributes: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in attributes}


def _span(span: Any, resource: dict[str, Any]) -> Span:
    return Span(
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        kind=span.kind,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        status=span.status.code,
        message=span.status.message,
        attributes=_plain(span.attributes),
        events=[(event.name, _plain(event.attributes)) for event in span.events],
        resource=resource,
    )


def _points(metric: Any, resource: dict[str, Any]) -> list[Point]:
    kind = metric.WhichOneof("data")
    found = []
    for point in getattr(metric, kind).data_points:
        value = (round(point.sum, 6), point.count) if kind == "histogram" else getattr(point, point.WhichOneof("value"))
        found.append(Point(metric.name, metric.unit, kind, value, _plain(point.attributes), resource))
    return found
