"""Asking a driver something outside of a run: a context whose record keeps nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import attrs

from osiris_core.run.cancel import CancelToken
from osiris_core.run.context import Budget, StepContext
from osiris_core.run.failpoints import Failpoints

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from osiris_core.run.state import PreparedStep


class NoRecord:
    """Takes what a driver would record, and keeps nothing."""

    def __init__(self, folder: Path, name: str) -> None:
        self.id = name
        self._folder = folder

    def emit(self, event: Any) -> None:
        """Drop an event."""

    def emit_named(self, name: str, fields: Mapping[str, Any]) -> None:
        """Drop an event."""

    def metric(self, name: str, value: float, unit: str, *, step: str | None) -> None:
        """Drop a measurement."""

    def artifact(self, step: str, name: str) -> Path:
        """A path that is removed afterwards."""
        return self._folder / f"{step}-{name}"


@attrs.frozen(kw_only=True)
class Quiet:
    """Makes such contexts; each has a load id of its own."""

    manifest_hash: str
    record: NoRecord
    budget: Budget
    project_root: Path
    reserved: tuple[Path, ...] = ()

    def context(self, prepared: PreparedStep) -> StepContext:
        """The context of one step; resolves its connection."""
        return StepContext(
            step_id=prepared.id,
            component=prepared.step.component,
            load_id=uuid4().hex,
            manifest_hash=self.manifest_hash,
            connection=prepared.connect(),
            project_root=self.project_root,
            scratch=self.record.artifact(prepared.id, "scratch"),
            budget=self.budget,
            record=self.record,
            token=CancelToken(),
            failpoints=Failpoints(),
            reserved=self.reserved,
        )
