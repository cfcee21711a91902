"""What the process's environment switches on. Nothing here imports an SDK, and no value is looked at but for being set.

The variables are those of OpenTelemetry and OpenLineage themselves, so that what serves other programs serves this one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT: Final = "OSIRIS_OBSERVABILITY_TIMEOUT"
DEFAULT_TIMEOUT: Final = 5.0
MAX_TIMEOUT: Final = 3600.0

SIGNALS: Final = ("traces", "metrics")
_CONFIG: Final = "openlineage.yml"


@attrs.frozen(kw_only=True)
class Receiver:
    """A kind of receiver: how people call it, the extra that brings its SDK, and what opens the way to it."""

    name: str
    extra: str
    module: str
    ref: str
    """``module:function``; the function returns a :class:`~osiris_observability.relay.Sink`."""
    addresses: tuple[str, ...]
    """The variables that hold its addresses; any of them may be missing."""

    def places(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """Where it is: scheme, host and port, and nothing else of an address, which may hold a password."""
        found = (_place(environ.get(name, "")) for name in self.addresses)
        return tuple(dict.fromkeys(place for place in found if place))


def _place(address: str) -> str | None:
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    # An `@` further on: what was taken for the host may be a piece of a password.
    if (
        not parts.hostname
        or parts.scheme not in ("http", "https")
        or "@" in f"{parts.path}{parts.query}{parts.fragment}"
    ):
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}"


OTEL: Final = Receiver(
    name="OpenTelemetry",
    extra="otel",
    module="opentelemetry.sdk",
    ref="osiris_observability.otel:OtelSink",
    addresses=tuple(f"OTEL_EXPORTER_OTLP_{kind}ENDPOINT" for kind in ("TRACES_", "METRICS_", "")),
)
OPENLINEAGE: Final = Receiver(
    name="OpenLineage",
    extra="openlineage",
    module="openlineage.client",
    ref="osiris_observability.openlineage:OpenLineageSink",
    addresses=("OPENLINEAGE_URL",),
)


def receivers(environ: Mapping[str, str]) -> tuple[Receiver, ...]:
    """The receivers that are switched on."""
    found = []
    if signals(environ):
        found.append(OTEL)
    if _openlineage(environ):
        found.append(OPENLINEAGE)
    return tuple(found)


def signals(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Which of ``traces`` and ``metrics`` go somewhere: an exporter is named for them, or an OTLP endpoint is set."""
    if _true(environ, "OTEL_SDK_DISABLED"):
        return ()
    general = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    found = []
    for signal in SIGNALS:
        exporter = environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip().lower()
        endpoint = environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT") or general
        if exporter != "none" and (exporter or endpoint):
            found.append(signal)
    return tuple(found)


def _openlineage(environ: Mapping[str, str]) -> bool:
    if _true(environ, "OPENLINEAGE_DISABLED"):
        return False
    named = environ.get("OPENLINEAGE_URL") or environ.get("OPENLINEAGE_CONFIG")
    # Where the client looks for its configuration.
    files = (Path(_CONFIG), Path(environ.get("HOME", "")) / ".openlineage" / _CONFIG)
    return bool(
        named
        or any(name.startswith("OPENLINEAGE__TRANSPORT__") for name in environ)
        or any(file.is_file() for file in files)
    )


def _true(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() == "true"
