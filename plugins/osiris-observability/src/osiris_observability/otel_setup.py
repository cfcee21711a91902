"""Providers of OpenTelemetry for one run, set up as OpenTelemetry's own variables say.

They are the run's own, never the process's global ones: whoever embeds Osiris keeps theirs. The SDK reads most
variables itself (sampler, limits, batches, headers, compression, certificates); what it reads only when a program is
started by ``opentelemetry-instrument`` (which exporters, which protocol, the parent in TRACEPARENT) is read here.
"""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from osiris_observability.switch import signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context

_Way = TypeVar("_Way")

_PROTOCOLS: Final = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc", "http/json": "otlp_json_http"}
_DEFAULT_PROTOCOL: Final = "http/protobuf"
_UNNAMED: Final = "unknown_service"


def tracer_provider(resource: Resource, complain: Callable[[str], None]) -> TracerProvider:
    """Where spans are made and go; nowhere when traces are not switched on."""
    # Whether the SDK would wait for its receiver when the process ends is not left to it: see Relay.finish.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    for processor in _ways("traces", BatchSpanProcessor, complain):
        provider.add_span_processor(processor)
    return provider


def meter_provider(resource: Resource, complain: Callable[[str], None]) -> MeterProvider:
    """Where measurements are made and go; nowhere when metrics are not switched on."""
    readers = _ways("metrics", PeriodicExportingMetricReader, complain)
    return MeterProvider(readers, resource=resource, shutdown_on_exit=False)


def resource_of(version: str) -> Resource:
    """What the telemetry is about: Osiris of that version, unless the environment calls it otherwise."""
    found = dict(Resource.create().attributes)
    if str(found.get("service.name", "")).startswith(_UNNAMED):
        found["service.name"] = "osiris"
    return Resource({"service.version": version, **found})


def parent_context() -> Context:
    """The span that TRACEPARENT and TRACESTATE name, in whose trace the run is; an empty context without."""
    names = ("TRACEPARENT", "TRACESTATE")
    carrier = {name.lower(): os.environ[name] for name in names if name in os.environ}
    return TraceContextTextMapPropagator().extract(carrier)


def _ways(signal: str, way: Callable[[Any], _Way], complain: Callable[[str], None]) -> list[_Way]:
    """The ways to the exporters of ``signal`` that can be set up; of the others, it is said why not."""
    if signal not in signals(os.environ):
        return []
    found = []
    names = os.environ.get(f"OTEL_{signal.upper()}_EXPORTER") or "otlp"
    for name in names.split(","):
        try:
            found.append(way(_exporter(signal, name.strip())))
        except Exception as error:  # noqa: BLE001 - said; what is set wrong for one must not silence the others
            complain(f"{signal} to '{name.strip()}': {type(error).__name__}: {error}")
    return found


def _exporter(signal: str, name: str) -> Any:
    wanted = _protocol(signal) if name == "otlp" else name
    group = f"opentelemetry_{signal}_exporter"
    for point in entry_points(group=group, name=wanted):
        return point.load()()
    raise LookupError(f"no installed package has the exporter '{wanted}' for {signal} (entry points '{group}')")


def _protocol(signal: str) -> str:
    own = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL")
    name = (own or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or _DEFAULT_PROTOCOL).strip()
    if name not in _PROTOCOLS:
        raise LookupError(f"OTEL_EXPORTER_OTLP_PROTOCOL is none of {', '.join(_PROTOCOLS)}")
    return _PROTOCOLS[name]
