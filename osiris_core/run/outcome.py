"""How a run ended, as a value and as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from osiris_core.errors import ExitCode, OsirisError
from osiris_core.run.state import Status, StepState

if TYPE_CHECKING:
    from pathlib import Path


@attrs.frozen(kw_only=True)
class RunOutcome:
    """How a run ended. ``stuck`` names steps whose drivers still run: the caller should end the process."""

    session_id: str
    record: Path
    status: Status
    rows: int
    duration_ms: int
    steps: tuple[StepState, ...]
    error: OsirisError | None
    step: str | None = None
    stuck: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """What the process ends with."""
        return ExitCode.OK if self.error is None else self.error.exit_code


def step_data(step: StepState) -> dict[str, Any]:
    """A step's outcome as plain data, every key present."""
    return {
        "id": step.id,
        "component": step.component,
        "mode": step.mode,
        "status": step.status.value,
        "rows_read": step.rows_read,
        "rows_written": step.rows_written,
        "bytes": step.bytes,
        "attempts": step.attempts,
        "duration_ms": step.duration_ms,
        "destination": step.destination,
        "already": step.already,
    }


def error_data(error: OsirisError | None) -> dict[str, Any] | None:
    """An error as plain data, every key present."""
    if error is None:
        return None
    return {
        "code": error.code,
        "message": error.message,
        "where": error.where,
        "hint": error.hint,
        "exit_code": int(error.exit_code),
        "diagnostics": [finding.to_json() for finding in error.diagnostics],
    }
