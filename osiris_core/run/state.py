"""A run while it is under way: what its parts share, and what is known about each step."""

from __future__ import annotations

import threading
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import attrs

from osiris_core.canonical import digest
from osiris_core.run.context import Budget, StepContext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from osiris_core.compile.manifest import Manifest, ManifestStep
    from osiris_core.errors import OsirisError
    from osiris_core.run.cancel import CancelToken
    from osiris_core.run.failpoints import Failpoints
    from osiris_core.run.incremental import IncrementalExtract
    from osiris_core.run.session import Session
    from osiris_core.run.spool import SpooledRows


class Status(StrEnum):
    """How a step or a run stands."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"


@attrs.frozen(kw_only=True)
class PreparedStep:
    """A step whose component is known, whose driver is imported and whose config is structured.

    ``connect`` gives the connection with its secrets resolved, when the step is about to start. ``remedy`` knows
    what to do about a code, for an error or a finding that brings no hint.
    """

    step: ManifestStep
    driver: Callable[[], Any]
    config: Any
    connect: Callable[[], Any]
    staged: bool
    partitioned: bool
    consumers: tuple[str, ...]
    sql_dialect: str | None
    remedy: Callable[[str], str | None]

    @property
    def id(self) -> str:
        """The step's id."""
        return self.step.id

    def advise(self, error: OsirisError) -> None:
        """Give ``error`` and its findings the remedies of their codes where they bring none."""
        error.hint = error.hint or self.remedy(error.code)
        error.diagnostics = tuple(
            attrs.evolve(each, hint=each.hint or self.remedy(each.code)) for each in error.diagnostics
        )


@attrs.define(kw_only=True)
class StepState:
    """What is known about a step; changed by the thread of its unit only."""

    id: str
    component: str
    mode: str
    status: Status = Status.PENDING
    rows_read: int = 0
    rows_written: int = 0
    bytes: int = 0
    attempts: int = 0
    started: float | None = None
    duration_ms: int = 0
    schema_said: bool = False
    columns: tuple[str, ...] = ()
    nulls: tuple[int, ...] = ()
    """NULLs among the rows it gave, by column."""
    already: bool = False
    destination: str | None = None
    error: OsirisError | None = None

    def elapsed(self) -> int:
        """Milliseconds since the step first started."""
        return 0 if self.started is None else round((time.monotonic() - self.started) * 1000)


@attrs.frozen(kw_only=True)
class Limits:
    """What a run may use. ``memory`` in bytes for the run; ``partitions``: parts that an extract is read in."""

    jobs: int
    attempts: int
    memory: int
    threads: int
    partitions: int = 1
    timeout: float | None = None


@attrs.frozen(kw_only=True)
class RunState:
    """What the parts of a run share."""

    manifest: Manifest
    prepared: Mapping[str, PreparedStep]
    session: Session
    token: CancelToken
    chain: str
    scratch: Path
    project_root: Path
    failpoints: Failpoints
    limits: Limits
    steps: Mapping[str, StepState]
    began: float
    """When the command began, by the monotonic clock."""
    data_values: bool = False
    """Whether the record may hold values of the data."""
    reserved: tuple[Path, ...] = ()
    """What of the project is Osiris's own."""
    incrementals: Mapping[str, IncrementalExtract] = attrs.field(factory=dict)
    spools: dict[str, SpooledRows] = attrs.field(factory=dict)
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    def incremental_into(self, step_id: str) -> IncrementalExtract | None:
        """The incremental extract whose state the write step ``step_id`` keeps."""
        return next((one for one in self.incrementals.values() if one.writer.id == step_id), None)

    def load_id(self, step_id: str) -> str:
        """What identifies the change of ``step_id`` to its destination, equal in every retry and re-run of it."""
        return load_id(self.manifest.hash, self.chain, step_id)

    def context(self, prepared: PreparedStep, token: CancelToken, budget: Budget) -> StepContext:
        """The context of one attempt at a step; resolves its connection."""
        return StepContext(
            step_id=prepared.id,
            component=prepared.step.component,
            load_id=self.load_id(prepared.id),
            manifest_hash=self.manifest.hash,
            connection=prepared.connect(),
            project_root=self.project_root,
            scratch=self.scratch / prepared.id,
            budget=budget,
            record=self.session,
            token=token,
            failpoints=self.failpoints,
            data_values=self.data_values,
            reserved=self.reserved,
        )


def load_id(manifest_hash: str, chain: str, step_id: str) -> str:
    """The load id of a step: 32 hex digits, from the manifest, the chain of runs and the step."""
    return digest([manifest_hash, chain, step_id])[:32]
