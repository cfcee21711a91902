"""What is known about an installed plugin: where it comes from, and whether it may be used."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import attrs

from osiris_core.plugins.index import CORE_DISTRIBUTION


class Status(StrEnum):
    """Whether a plugin takes part. Only ``ok`` plugins contribute anything."""

    OK = "ok"
    BLOCKED = "blocked"
    """Kept out by ``plugins.allow`` or ``plugins.block``; it was not imported."""
    INCOMPATIBLE = "incompatible"
    """Written for another version of the plugin API."""
    FAILED = "failed"
    """Its import or one of its hooks failed, or what a hook returned cannot be used."""
    CONFLICT = "conflict"
    """It claims a name that another plugin claims too."""


@attrs.frozen(kw_only=True)
class PluginInfo:
    """An installed plugin with its provenance and status.

    ``api`` is the plugin's own ``OSIRIS_API``, None when it was not read. ``import_ms`` is how long the entry module
    took to import, None when it was not imported. ``code``, ``message`` and ``hint`` say why the status is not ``ok``;
    ``detail`` is a traceback for the plugin's author. ``warnings`` are oddities of a plugin that works.
    """

    id: str
    module: str
    distribution: str
    version: str
    record_hash: str | None = None
    api: str | None = None
    status: Status = Status.OK
    code: str | None = None
    message: str | None = None
    hint: str | None = None
    detail: str | None = None
    import_ms: float | None = None
    warnings: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether the plugin contributes."""
        return self.status is Status.OK

    @property
    def unsound(self) -> bool:
        """Whether something is wrong with it; a blocked plugin is out, but nothing is wrong."""
        return self.status not in (Status.OK, Status.BLOCKED)

    @property
    def is_core(self) -> bool:
        """Whether the plugin belongs to the core itself."""
        return self.distribution == CORE_DISTRIBUTION

    @property
    def source(self) -> str:
        """The distribution with its version, as messages name it."""
        return f"{self.distribution} {self.version}"

    def to_json(self) -> dict[str, Any]:
        """The plugin as plain data, every key present."""
        return {
            "id": self.id,
            "distribution": self.distribution,
            "version": self.version,
            "module": self.module,
            "record_hash": self.record_hash,
            "api": self.api,
            "status": self.status.value,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "import_ms": None if self.import_ms is None else round(self.import_ms, 1),
            "warnings": list(self.warnings),
        }
