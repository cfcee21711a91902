"""What is remembered of an incremental extract, and the text in which a writer keeps it.

The text is canonical JSON: ``{"version": 1, "cursor", "type", "value", "since", "keys", "gone", "by", "forms",
"source"}``. ``value`` is the largest cursor that was loaded, as :mod:`osiris_core.run.cursors` writes it; null after a
reset. ``keys`` are digests of the rows at that value (with ``lag``, from that far before), by which rows that are read
again are told from new ones; ``gone`` are those of rows that were not there when that was last read, by the largest
cursor that they may have. ``by`` names the columns that digests are made of, ``forms`` the types of cursor and columns
whose texts they are. Nothing before ``since`` is read again: rows before it are not among the digests (a lag has become
longer), or somebody has said so (``osiris state set``). ``source`` is what was read (component, connection, table, and
digests of the texts that choose rows): a cursor of something else means something else.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.canonical import canonical_json, digest
from osiris_core.errors import DriverError
from osiris_core.run.cursors import Kind, canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.compile.manifest import ManifestStep

VERSION: Final = 1
MAX_KEYS: Final = 100_000
"""Digests that a state may hold; 2 MB of text."""

DAMAGED: Final = "OSR-RUN-081"
_SOURCE: Final = ("table", "schema", "database", "query_params")
"""Fields of an extractor that say what its cursor is a cursor of."""

TEXTS: Final = ("query", "where", "query_params")
"""Fields that choose rows of one source: after they change, what was loaded may still count (``osiris state set``)."""

_WRITTEN: Final = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\s+")
_DELICATE: Final = re.compile(r"--|#|/\*|\\|\$\w*\$")
"""What makes white space, or the end of a quoted text, a matter of dialect."""


@attrs.frozen(kw_only=True)
class CursorState:
    """Where an incremental extract stands. ``value`` is None after a reset; then ``kind`` is, too."""

    cursor: str
    kind: Kind | None = None
    value: str | None = None
    since: str | None = None
    keys: tuple[str, ...] = ()
    gone: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    by: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()
    source: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def known(self) -> Mapping[str, str]:
        """Every digest with the largest cursor that its row may have."""
        found = {key: last for last, keys in self.gone.items() for key in keys}
        return found if self.value is None else found | dict.fromkeys(self.keys, self.value)

    def text(self) -> str:
        """The text that a writer keeps; the same for the same state."""
        return canonical_json(
            {
                "version": VERSION,
                "cursor": self.cursor,
                "type": None if self.kind is None else self.kind.value,
                "value": self.value,
                "since": self.since,
                "keys": sorted(self.keys),
                "gone": {last: sorted(keys) for last, keys in self.gone.items()},
                "by": list(self.by),
                "forms": list(self.forms),
                "source": dict(self.source),
            }
        )


def read_text(text: str, *, key: str) -> CursorState:
    """The state in ``text``; DriverError when it is none, or one of a later Osiris."""
    try:
        data = json.loads(text)
        if data["version"] != VERSION:
            raise DriverError(
                DAMAGED,
                f"the state '{key}' has the version {data['version']!r:.20}, which this Osiris does not know",
                hint="use the Osiris that wrote it, or a later one",
            )
        kind = Kind(data["type"]) if data["type"] is not None else None
        since, gone = None, {}
        if kind is not None:
            canonical(kind, data["value"])
            since = data["since"] and canonical(kind, data["since"])
            gone = {canonical(kind, last): tuple(map(str, keys)) for last, keys in data["gone"].items()}
        return CursorState(
            cursor=str(data["cursor"]),
            kind=kind,
            value=data["value"] if kind is not None else None,
            since=since,
            keys=tuple(map(str, data["keys"])),
            gone=gone,
            by=tuple(map(str, data["by"])),
            forms=tuple(map(str, data["forms"])),
            source=dict(data["source"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DriverError(DAMAGED, f"the state '{key}' cannot be read: {error}") from error


def source_of(step: ManifestStep) -> dict[str, Any]:
    """What ``step`` reads, as far as a changed answer makes another cursor of the same name."""
    config = step.config
    wanted = _SOURCE if config.get("table") is not None else ("query_params",)
    found = {name: config[name] for name in wanted if config.get(name) not in (None, {})}
    texts = {name: config[name] for name in ("query", "where") if isinstance(config.get(name), str)}
    found |= {name: digest([_in_one_form(text)])[:16] for name, text in texts.items()}
    found["component"] = step.component
    if step.connection is not None:
        use = step.connection
        changed = {name: value for name, value in use.overrides.items() if name in use.identity}
        found["connection"] = [use.ref, changed] if changed else use.ref
    return found


def _in_one_form(text: str) -> str:
    """SQL ``text`` with one space for any white space between its words, where that is sure to change nothing."""
    if _DELICATE.search(text):
        return text.strip()
    return _WRITTEN.sub(lambda found: " " if found.group().isspace() else found.group(), text).strip()


def state_key(pipeline: str, step_id: str, destination: str) -> str:
    """The name of a state, at most 144 characters: of the pipeline, the extract, and the destination it feeds.

    Rows that go into another table are loaded there from the beginning.
    """
    return f"{pipeline}/{step_id}:{digest([destination])[:16]}"
