"""What discovery has found before, in files of the project's ``.osiris`` folder.

An entry's name is the SHA-256 of everything that its content depends on besides the system itself: the discoverer and
its version, the connection's public fields, what was asked, and the connection's spec. The entry holds the fingerprint
of the schema it was made from and when; whoever reads it compares both. Nothing in it is secret, and rows are never
kept. An entry that cannot be read is none.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.canonical import digest
from osiris_core.model.fields import is_config
from osiris_core.model.schema import schema_hash
from osiris_core.secrets import SecretRef, SecretStr

if TYPE_CHECKING:
    from osiris_core.plugins.registry import Registry
    from osiris_core.project.connection_entry import ConnectionEntry
    from osiris_core.project.paths import Project
    from osiris_core.redaction import Redactor

FORMAT: Final = 1
_KEPT: Final = 500
"""Entries that stay; the oldest go first."""


@attrs.frozen(kw_only=True)
class Entry:
    """Something found, with the schema's fingerprint, the time (seconds since 1970), and the time it was given."""

    fingerprint: str
    made: float
    timeout: float
    value: Any

    def is_fresh(self, fingerprint: str, max_age: float) -> bool:
        """Whether it was made of the schema with ``fingerprint`` and in the last ``max_age`` seconds."""
        return self.fingerprint == fingerprint and 0 <= time.time() - self.made < max_age


@attrs.frozen
class Cache:
    """The entries below a folder. ``redactor`` masks what is written."""

    folder: Path
    redactor: Redactor

    @classmethod
    def of(cls, project: Project, redactor: Redactor) -> Cache:
        """The cache of a project."""
        return cls(project.root / ".osiris" / "discovery", redactor)

    def read(self, key: str) -> Entry | None:
        """The entry of ``key``; None when there is none that can be used."""
        try:
            data = json.loads((self.folder / f"{key}.json").read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(data, dict) or data.get("format") != FORMAT or data.get("key") != key:
            return None
        fingerprint, made, timeout = data.get("fingerprint"), data.get("made"), data.get("timeout")
        if isinstance(fingerprint, str) and isinstance(made, int | float) and isinstance(timeout, int | float):
            return Entry(fingerprint=fingerprint, made=made, timeout=timeout, value=data.get("value"))
        return None

    def write(self, key: str, entry: Entry) -> str | None:
        """Keep ``entry``, complete or not at all; why it could not be kept, which is no failure of the discovery."""
        document = self.redactor.data({"format": FORMAT, "key": key, **attrs.asdict(entry)}, by_name=False)
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            ignored = self.folder / ".gitignore"
            if not ignored.exists():
                ignored.write_text("*\n")
            descriptor, name = tempfile.mkstemp(dir=self.folder, prefix=".new-")
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    # ensure_ascii: a name from a server may hold a lone surrogate
                    json.dump(document, file)
                Path(name).replace(self.folder / f"{key}.json")
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(name).unlink()
                raise
            self._prune()
        except OSError as error:
            return error.strerror or str(error)
        return None

    def _prune(self) -> None:
        entries = sorted(self.folder.glob("*.json"), key=_changed)
        for old in entries[: max(0, len(entries) - _KEPT)]:
            old.unlink(missing_ok=True)


def key_of(
    what: str,
    options: Mapping[str, Any],
    *,
    entry: ConnectionEntry,
    config: Any,
    registry: Registry,
    redactor: Redactor,
) -> str:
    """The name of the entry for ``what`` asked with ``options`` of the connection ``entry`` as resolved in ``config``.

    Secret fields take no part, not even as hashes: who reads the cache could try passwords on them.
    """
    provider = registry.provider("discoverer", entry.family)
    facts = {
        "format": FORMAT,
        "what": what,
        "component": registry.discoverer(entry.family).ref,
        "version": [provider.distribution, provider.version, provider.record_hash],
        "connection": [entry.family, entry.alias, redactor.data(_public(config))],
        "options": dict(options),
        "spec": schema_hash(entry.spec.config),
    }
    return digest(facts)


def _public(value: Any) -> Any:
    """``value`` of a config as plain data without its secrets."""
    if is_config(type(value)):
        return {one.name: _public(getattr(value, one.name)) for one in attrs.fields(type(value))}
    if isinstance(value, list | tuple):
        return [_public(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _public(item) for key, item in value.items()}
    if isinstance(value, SecretRef | SecretStr):
        return None
    return str(value) if isinstance(value, Decimal) else value


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
