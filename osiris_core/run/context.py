"""What the runtime gives a driver for one step (implements :class:`osiris_core.spec.behave.DriverContext`)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from osiris_core.errors import DriverError
from osiris_core.run.events import BY_NAME, OPEN_TO_DRIVERS, ColumnsObserved
from osiris_core.secret_shapes import is_sensitive_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from osiris_core.run.cancel import CancelToken, Registration
    from osiris_core.run.failpoints import Failpoints
    from osiris_core.spec.tables import LoadState, Window


class Record(Protocol):
    """Where a driver's events and measurements go: a :class:`~osiris_core.run.session.Session`."""

    id: str

    def emit(self, event: Any) -> None:
        """Record an event of the vocabulary."""
        ...

    def emit_named(self, name: str, fields: Mapping[str, Any]) -> None:
        """Record an event of a plugin's own."""
        ...

    def metric(self, name: str, value: float, unit: str, *, step: str | None) -> None:
        """Record a measurement."""
        ...

    def artifact(self, step: str, name: str) -> Path:
        """The path of a file to leave."""
        ...


@attrs.frozen(kw_only=True)
class Budget:
    """What one step may use: bytes of memory it may plan with, threads it may start."""

    memory: int
    threads: int


class StepContext:
    """One step's view of the run. ``token`` is that of the current attempt."""

    def __init__(
        self,
        *,
        step_id: str,
        component: str,
        load_id: str,
        manifest_hash: str,
        connection: Any,
        project_root: Path,
        scratch: Path,
        budget: Budget,
        record: Record,
        token: CancelToken,
        failpoints: Failpoints,
        data_values: bool = False,
        reserved: tuple[Path, ...] = (),
    ) -> None:
        self.step_id = step_id
        self.run_id = record.id
        self.load_id = load_id
        self.manifest_hash = manifest_hash
        self.connection = connection
        self.project_root = project_root
        self.reserved = reserved
        self.memory_limit = budget.memory
        self.threads = budget.threads
        self.data_values = data_values
        self._plugin = component.partition(".")[0]
        self._scratch = scratch
        self._record = record
        self._token = token
        self._failpoints = failpoints
        self.window: Window | None = None
        self.state_source: Callable[[], LoadState | None] = lambda: None

    def load_state(self) -> LoadState | None:
        """What to note beside this load for an incremental extract."""
        return self.state_source()

    @property
    def scratch(self) -> Path:
        """A folder for temporary files, private to the step, removed after the run."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        return self._scratch

    def log_metric(self, name: str, value: float, unit: str) -> None:
        """Record a measurement of this step, named ``<plugin>.<name>``."""
        if type(value) not in (int, float) or not math.isfinite(value):
            raise DriverError("OSR-RUN-021", f"metric '{name}' has a value that is no number: {value!r:.50}")
        if not name.startswith(f"{self._plugin}."):
            raise DriverError(
                "OSR-RUN-021",
                f"a driver cannot record the metric '{name}'",
                hint=f"name it '{self._plugin}.{name}': the names without a plugin are the runtime's",
            )
        self._record.metric(name, value, unit, step=self.step_id)

    def emit(self, event: str, **fields: Any) -> None:
        """Record an event: one open to drivers, or one of the plugin's own (``<plugin>.<name>``)."""
        if event.startswith(f"{self._plugin}."):
            self._record.emit_named(event, {"step": self.step_id, **fields})
            return
        kind = BY_NAME.get(event)
        if kind not in OPEN_TO_DRIVERS:
            known = ", ".join(sorted(name for name, one in BY_NAME.items() if one in OPEN_TO_DRIVERS))
            raise DriverError(
                "OSR-RUN-020",
                f"a driver cannot emit the event '{event}'",
                hint=f"emit {known}, or an event of your own named '{self._plugin}.<name>'",
            )
        try:
            made = kind(step=self.step_id, **fields)
        except TypeError as error:
            raise DriverError("OSR-RUN-020", f"the event '{event}' has other fields: {error}") from error
        self._record.emit(self._without_values(made) if isinstance(made, ColumnsObserved) else made)

    def _without_values(self, event: ColumnsObserved) -> ColumnsObserved:
        """``event`` without values that the record must not hold: whatever a driver says, this is the one gate."""
        columns = [column.copy() for column in event.columns]
        for column in columns:
            if not self.data_values or is_sensitive_key(str(column.get("name"))):
                column.pop("min", None)
                column.pop("max", None)
        return attrs.evolve(event, columns=columns)

    def artifact(self, name: str) -> Path:
        """The path of a file to leave in the run's record."""
        return self._record.artifact(self.step_id, name)

    def check(self) -> None:
        """Raise ``Cancelled`` when the run has been stopped."""
        self._token.check()

    def on_cancel(self, action: Callable[[], object]) -> Registration:
        """A context manager: while it is open, ``action()`` is called on cancellation."""
        return self._token.on_cancel(action)

    def failpoint(self, name: str) -> None:
        """A named point at which a fault test may stop the process."""
        self._failpoints.reach(name, self.step_id, token=self._token)
