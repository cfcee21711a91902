"""Stable ids: what a package calls things, the same each time the record is packed.

Pipelines, runs and components have ids of their own (``osiris://…``). What belongs to a run is named relative to it:
``event/17`` of ``osiris://run/<id>`` is ``osiris://run/<id>/event/17``, as ``@base`` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from osiris_core.canonical import digest_bytes
from osiris_core.ids import is_name

if TYPE_CHECKING:
    from osiris_core.report.session import Session

_LONGEST: Final = 96
_HASH: Final = 64


def run_id(session_id: str) -> str:
    """The id of a run."""
    return f"osiris://run/{session_id}"


def pipeline_id(session: Session) -> str | None:
    """The id of what was run: its name and the hash of its manifest; None when the record does not say both."""
    name, manifest_hash = session.pipeline, session.record.manifest_hash
    if name is None or manifest_hash is None or not is_name(name) or not _is_hash(manifest_hash):
        return None
    return f"osiris://pipeline/{name}@{manifest_hash}"


def component_id(name: str, version: str | None) -> str:
    """The id of a component, or of a connection's family, as it was pinned."""
    return f"osiris://component/{_safe(name)}" + (f"@{_safe(version)}" if version else "")


def local_id(kind: str, *parts: str | int) -> str:
    """The id of something of the run: ``event/17``, ``step/load``."""
    return "/".join((kind, *(_safe(str(part)) for part in parts)))


def _safe(text: str) -> str:
    """A name as a part of an id: escaped as in addresses; a digest where that would be long."""
    quoted = quote(text, safe="", errors="backslashreplace") if len(text) <= _LONGEST else ""
    if 0 < len(quoted) <= _LONGEST:
        return quoted
    return "~" + digest_bytes(text.encode("utf-8", "surrogatepass"))[:16]


def _is_hash(text: str) -> bool:
    return len(text) == _HASH and all(digit in "0123456789abcdef" for digit in text)
