"""What plugin code does: the Protocols behind the ``ref`` of a description.

Rows travel as Arrow C streams: any object with ``__arrow_c_stream__`` (Arrow PyCapsule interface). A stream is
single-pass. Dictionary-encoded columns are decoded by the runtime, so a consumer never meets one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from osiris_core.spec.catalog import Basis, Deadline, Overlap, Sample, Table, TableProfile
    from osiris_core.spec.tables import LoadState, Window


@runtime_checkable
class Stream(Protocol):
    """Rows on their way: an object that exports an Arrow C stream once."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The stream, as an ``arrow_array_stream`` capsule."""
        ...


@runtime_checkable
class BatchSource(Stream, Protocol):
    """A stream that can also be read in Python, which keeps its exceptions: an error that crosses an Arrow C stream
    is a text on the other side. The runtime prefers ``batches`` where a driver's stream has it.
    """

    @property
    def schema(self) -> Any:
        """The ``arro3.core.Schema`` of the batches."""
        ...

    def batches(self) -> Iterator[Any]:
        """The rows as ``arro3.core.RecordBatch`` values of that schema; called once."""
        ...


@runtime_checkable
class Schema(Protocol):
    """Column names and Arrow types, without rows."""

    def __arrow_c_schema__(self) -> object:
        """The schema, as an ``arrow_schema`` capsule (a struct)."""
        ...


class Dataset(Stream, Protocol):
    """Rows that a driver receives. Reading it is what counts them; it can be read once."""

    @property
    def schema(self) -> Any:
        """The ``arro3.core.Schema`` of the rows; reading it consumes nothing."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The column names in order."""
        ...

    def batches(self) -> Iterator[Any]:
        """The rows as ``arro3.core.RecordBatch`` values."""
        ...

    def relation(self, connection: Any) -> Any:
        """The rows as a DuckDB relation on ``connection``, which reads them when it runs."""
        ...

    def to_polars(self) -> Any:
        """All rows as a polars DataFrame (polars must be installed)."""
        ...

    def to_arrow(self) -> Any:
        """All rows as an ``arro3.core.Table``."""
        ...


class DriverContext(Protocol):
    """What the runtime gives a driver for one step of one run."""

    @property
    def step_id(self) -> str:
        """The step's id."""
        ...

    @property
    def run_id(self) -> str:
        """The session id of the run."""
        ...

    @property
    def load_id(self) -> str:
        """What identifies this step's change to its destination; equal in every retry of it."""
        ...

    @property
    def manifest_hash(self) -> str:
        """The hash of the manifest being run."""
        ...

    @property
    def connection(self) -> Any:
        """The connection's config with its secrets resolved (an instance of ``ConnectionSpec.config``), or None."""
        ...

    @property
    def project_root(self) -> Path:
        """The folder that relative paths of a local connection start from."""
        ...

    @property
    def reserved(self) -> tuple[Path, ...]:
        """The project's files and folders that are Osiris's own; what writes files refuses a path there."""
        ...

    @property
    def window(self) -> Window | None:
        """Which rows an extractor with ``incremental`` shall read; None for a step without it."""
        ...

    def load_state(self) -> LoadState | None:
        """What a writer that keeps state notes in the commit row of this load, once all rows have been staged."""
        ...

    @property
    def scratch(self) -> Path:
        """A folder for temporary files, private to the step, removed after the run."""
        ...

    @property
    def data_values(self) -> bool:
        """Whether the record may hold values of the data (setting ``logging.data_values``); where not, what a driver
        says of them in ``columns_observed`` is left out.
        """
        ...

    @property
    def memory_limit(self) -> int:
        """Bytes of memory the step may plan with."""
        ...

    @property
    def threads(self) -> int:
        """Threads the step may start."""
        ...

    def log_metric(self, name: str, value: float, unit: str) -> None:
        """Record a measurement of this step, named ``<plugin>.<name>``; rows, bytes and time the runtime measures."""
        ...

    def emit(self, event: str, **fields: Any) -> None:
        """Record an event of the vocabulary in :mod:`osiris_core.run.events`; the runtime adds step and time."""
        ...

    def artifact(self, name: str) -> Path:
        """The path of a file to leave in the run's record."""
        ...

    def check(self) -> None:
        """Raise ``Cancelled`` when the run has been stopped; call it in every loop."""
        ...

    def on_cancel(self, action: Any) -> Any:
        """A context manager: while it is open, ``action()`` is called (once, from another thread) on cancellation."""
        ...

    def failpoint(self, name: str) -> None:
        """A named point at which a fault test may stop the process; does nothing otherwise."""
        ...


@attrs.frozen(kw_only=True)
class Split:
    """A part of an extract: its number, and whatever the driver needs to read it (plain JSON data)."""

    part: int
    spec: Mapping[str, Any]


class Driver(Protocol):
    """Runs a component. A new instance serves each step."""

    def run(
        self, *, step_id: str, config: Any, inputs: Mapping[str, Dataset], ctx: DriverContext
    ) -> Mapping[str, Stream]:
        """Read, transform or write.

        ``inputs`` maps each upstream step's SQL name (and ``df`` when there is one) to its rows. Extractors and
        processors return ``{"df": stream}``; the stream may be lazy and is read after ``run`` has returned, on the same
        thread. One that raises errors of its own while it is read should be a :class:`BatchSource`. A writer that is
        not ``Staged`` consumes its inputs and returns ``{}``.
        """
        ...


@runtime_checkable
class Partitioned(Protocol):
    """An extractor that can read in parts, each row in exactly one of them."""

    def splits(self, *, config: Any, count: int, ctx: DriverContext) -> Sequence[Split]:
        """At most ``count`` splits that cover every row exactly once, NULL keys included; empty for "as one".

        With ``ctx.window`` they must all see the source at one moment (a shared snapshot), or be empty: of parts read
        at different moments, a row that changes in between may have a cursor below the largest and be in none.
        """
        ...

    def run_split(self, *, step_id: str, config: Any, split: Split, ctx: DriverContext) -> Mapping[str, Stream]:
        """The rows of one split, as ``run`` would return them."""
        ...


@attrs.frozen(kw_only=True)
class Stage:
    """Where a write is prepared, invisible to readers. ``published`` holds the report of the same load when the
    destination already has it: the runtime then neither writes nor publishes. ``state`` is the driver's own.
    """

    load_id: str
    target: str
    published: Report | None = None
    state: Any = None


@attrs.frozen(kw_only=True)
class Receipt:
    """What was staged by one ``write``; ``state`` is the driver's own. Bytes are those staged."""

    part: int
    rows: int
    bytes: int
    checksum: str | None = None
    state: Any = None


@attrs.frozen(kw_only=True)
class Report:
    """What a publish made visible. ``rows`` is the number of rows of this load now in the destination."""

    target: str
    rows: int
    bytes: int | None = None
    checksum: str | None = None
    inserted: int | None = None
    updated: int | None = None
    deleted: int | None = None
    details: Mapping[str, Any] = attrs.field(factory=dict)


@runtime_checkable
class Staged(Protocol):
    """A writer whose destination is, at any instant, as it was before or as it is after.

    The runtime calls ``begin``, ``write`` once or more (parts may come from several threads), then ``publish`` - or
    ``abort`` after any failure, which must leave nothing staged. ``begin`` also removes what a killed run left.
    """

    def begin(self, *, step_id: str, config: Any, schema: Schema, ctx: DriverContext) -> Stage:
        """Open a stage for rows of ``schema``; refuse here what the destination cannot hold."""
        ...

    def write(self, stage: Stage, part: int, rows: Dataset) -> Receipt:
        """Stage all rows of ``rows`` and say how many there were."""
        ...

    def publish(self, stage: Stage, receipts: Sequence[Receipt]) -> Report:
        """Make the staged rows visible at once, together with the commit row of this load."""
        ...

    def abort(self, stage: Stage) -> None:
        """Remove everything staged; safe to call at any time, more than once."""
        ...


@runtime_checkable
class KeepsState(Protocol):
    """A ``Staged`` writer whose commit row holds an incremental extract's state: state and data cannot part."""

    def read_state(self, *, step_id: str, config: Any, key: str, ctx: DriverContext) -> str | None:
        """The text of the newest ``LoadState`` of ``key`` in the destination of ``config``, None without one.

        Newest is what was noted last, whatever clocks say. None, too, when the table (or folder) that ``config`` names
        is not there: its state is gone with its rows, and the next load begins anew.
        """
        ...

    def write_state(self, *, step_id: str, config: Any, state: LoadState, ctx: DriverContext) -> None:
        """Note a state without any rows, as a commit row of its own (``osiris state set`` and ``reset``).

        ``ctx.load_id`` is new each time. Refused where there is no table yet: ``read_state`` would not find it.
        """
        ...


@runtime_checkable
class Binds(Protocol):
    """A driver that can tell what a step will produce without reading rows."""

    def bind(
        self, *, step_id: str, config: Any, inputs: Mapping[str, Schema], ctx: DriverContext
    ) -> Mapping[str, Schema]:
        """The schema of each output, given the schemas of the inputs; ``{}`` for a writer that accepts them."""
        ...


@attrs.frozen(kw_only=True)
class Health:
    """The outcome of a doctor's check. ``category``: ``ok auth network timeout missing permission config internal``."""

    ok: bool
    category: str
    message: str
    hint: str | None = None
    details: Mapping[str, Any] = attrs.field(factory=dict)


class Doctor(Protocol):
    """Checks that a connection works, without changing anything."""

    def check(self, connection: Any, *, project_root: Path, timeout: float) -> Health:
        """The health of ``connection`` (secrets resolved), within ``timeout`` seconds."""
        ...


class CatalogReader(Protocol):
    """A look at what is behind a connection, while it is open; nothing is changed.

    Every method raises TimeoutError when the deadline passes, and otherwise errors of its own codes. Work is bounded by
    the server as well, where it can be: a statement that nobody waits for any more is stopped.
    """

    def fingerprint(self) -> str:
        """A text that changes when a table, view, column, type or key does, or when it is another server; cheap."""
        ...

    def tables(self) -> Iterable[Table]:
        """Every table, view or file in sight, in order of schema and name; one whose columns cannot be told says so."""
        ...

    def profile(self, table: Table, *, basis: Basis) -> TableProfile | None:
        """What the rows of ``table`` are like, from the server's statistics, from some rows, or from all.

        None when there is nothing to say on that basis.
        """
        ...

    def sample(self, table: Table, *, rows: int) -> Sample:
        """At most ``rows`` rows of ``table``."""
        ...

    def overlap(self, table: Table, column: str, other: Table, other_column: str, *, values: int) -> Overlap | None:
        """How many of at most ``values`` values of a column another has; None when they cannot be compared."""
        ...

    def close(self) -> None:
        """Release everything held; safe to call more than once."""
        ...


class Discoverer(Protocol):
    """Reads the catalog behind a connection: tables, columns, keys, counts, samples, profiles."""

    def open(self, connection: Any, *, project_root: Path, deadline: Deadline) -> CatalogReader:
        """A reader of what ``connection`` (secrets resolved) can see, which has to be done by ``deadline``."""
        ...


class SecretStore(Protocol):
    """Holds secrets by name."""

    def get(self, name: str) -> str | None:
        """The secret's text, or None when there is none of that name."""
        ...


class Target(Protocol):
    """A place where the executor runs a manifest; see :mod:`osiris_core.run.targets`."""

    def prepare(self, plan: Any, ctx: Any) -> Any:
        """What would be done, as a value; pure, needs no key and no network."""
        ...

    def execute(self, prepared: Any, ctx: Any) -> Any:
        """Run it to its end; the outcome is in the run record."""
        ...

    def collect(self, prepared: Any, ctx: Any) -> Any:
        """Bring the run record home."""
        ...

    def close(self) -> None:
        """Release everything held; safe to call more than once."""
        ...
