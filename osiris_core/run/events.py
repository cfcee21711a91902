"""The vocabulary of a run: every event there is, with the same fields on every target, each fact exactly once.

A line of ``events.jsonl`` is ``{"ts", "session", "seq", "event", …fields}``; ``ts`` is UTC, ``seq`` counts from 1
without gaps in what is written. Fields that hold for one machine or moment only stand under ``environment``. Durations
are milliseconds of a monotonic clock. A plugin's own event is named ``<plugin>.<name>`` and carries plain data.
"""
# ruff: noqa: RUF009 - _field() is attrs.field() with a doc, made once for each class

from __future__ import annotations

import re
from typing import Any, Final, Literal, NotRequired, TypedDict

import attrs


def _field(doc: str, *, default: Any = attrs.NOTHING) -> Any:
    return attrs.field(default=default, metadata={"doc": doc})


described: Final = _field
"""A field of an event with its description, for other vocabularies."""


_STEP: Final = "The step's id."


# What stands in lists within events.


class ColumnShape(TypedDict):
    """A column that a step gives; ``type`` is Arrow's."""

    name: str
    type: str
    nullable: bool


class ObservedColumn(TypedDict):
    """What is known of the values in a column; ``min`` and ``max`` as text."""

    name: str
    nulls: NotRequired[int]
    min: NotRequired[str]
    max: NotRequired[str]


class InferredColumn(TypedDict):
    """A column whose type was taken from data (``inferred``) or was stated."""

    name: str
    type: str
    inferred: NotRequired[bool]


class ColumnChange(TypedDict):
    """``change``: ``added`` (with ``type``), ``ignored``, or ``default``."""

    column: str
    change: str
    type: NotRequired[str]


class FileRead(TypedDict):
    """A file and its size in bytes."""

    path: str
    bytes: int


@attrs.frozen(kw_only=True)
class RunStarted:
    """A run began."""

    pipeline: str = _field("The pipeline's name.")
    manifest_hash: str = _field("The hash of the manifest.")
    target: str = _field("The target that runs it.")
    token: str = _field("The first session of this unbroken chain of unsuccessful runs; part of every load id.")
    steps: int = _field("How many steps the manifest has.")
    environment: dict[str, Any] = _field(
        "Versions, process id, limits, ``project`` and ``record``, the folders of the project and of this record, in "
        "which the manifest's copy stands already: what may differ between machines."
    )


@attrs.frozen(kw_only=True)
class IsolationApplied:
    """The run put itself into a sandbox."""

    landlock: bool = _field("Whether the kernel restricts which files the run may touch.")
    limits: dict[str, int] = _field("The resource limits set, by name.")
    reason: str | None = _field("Why Landlock is not on.", default=None)


@attrs.frozen(kw_only=True)
class PinDiffers:
    """A distribution is not the version that the manifest was compiled with; the component still fits."""

    message: str = _field("The component, what is installed and what it was compiled with.")


@attrs.frozen(kw_only=True)
class StepStarted:
    """A step began."""

    step: str = _field(_STEP)
    component: str = _field("The component it runs.")
    mode: str = _field("``extract``, ``transform`` or ``write``.")
    sql_dialect: str | None = _field("sqlglot's name of the dialect of its SQL; null when its component has no SQL.")


@attrs.frozen(kw_only=True)
class StepSchema:
    """The columns a step produces became known."""

    step: str = _field(_STEP)
    columns: list[ColumnShape] = _field("Name, Arrow type and nullability of each column.")


@attrs.frozen(kw_only=True)
class ColumnsObserved:
    """What is known of the values in columns, where knowing it costs nothing.

    Of ``rows`` it is said once for each step that gives rows, before ``step_finished``: the NULLs among the rows that
    passed. Of ``statistics`` a driver says what a file or server keeps, with the least and the greatest value where
    ``logging.data_values`` allows.
    """

    step: str = _field(_STEP)
    basis: Literal["rows", "statistics"] = _field(
        "``rows``: counted as they passed; ``statistics``: kept by the file or server."
    )
    rows: int = _field("The rows it is said of.")
    columns: list[ObservedColumn] = _field("Name, NULLs, and perhaps the least and the greatest value, as text.")


@attrs.frozen(kw_only=True)
class StepProgress:
    """Rows are passing; at most one a second for each step, none for short steps."""

    step: str = _field(_STEP)
    rows: int = _field("Rows so far.")
    bytes: int = _field("Arrow bytes so far.")


@attrs.frozen(kw_only=True)
class StepRetried:
    """A step failed in a way that may pass, and is tried again together with the steps it streams with."""

    step: str = _field("The step that failed.")
    attempt: int = _field("The attempt that failed, from 1.")
    attempts: int = _field("How many attempts there are.")
    delay_ms: int = _field("How long the run waits before the next one.")
    code: str = _field("The error's code.")
    message: str = _field("The error.")
    restarted: list[str] = _field("The steps that start over.")


@attrs.frozen(kw_only=True)
class RowsSpooled:
    """A step's rows were set down on disk, because more than one step reads them."""

    step: str = _field("The step that produced them.")
    rows: int = _field("Rows spooled.")
    bytes: int = _field("Size of the file.")
    consumers: list[str] = _field("The steps that read them.")


@attrs.frozen(kw_only=True)
class WriteStaged:
    """A writer holds all its rows, invisible to readers."""

    step: str = _field(_STEP)
    destination: str = _field("What is written.")
    load_id: str = _field("What identifies this change to the destination.")
    rows: int = _field("Rows staged.")
    bytes: int = _field("Bytes staged.")


@attrs.frozen(kw_only=True)
class WritePublished:
    """The destination shows the rows."""

    step: str = _field(_STEP)
    destination: str = _field("What was written.")
    load_id: str = _field("What identifies this change to the destination.")
    rows: int = _field("Rows of this load in the destination.")
    bytes: int | None = _field("Bytes written, where the destination knows them.", default=None)
    checksum: str | None = _field("Checksum of what was written, where the destination has one.", default=None)
    inserted: int | None = _field("Rows that are new.", default=None)
    updated: int | None = _field("Rows that replaced others.", default=None)
    deleted: int | None = _field("Rows removed.", default=None)
    already: bool = _field("An earlier attempt had published this load; nothing was written now.", default=False)
    details: dict[str, Any] = _field("What else the driver reports.", default=attrs.Factory(dict))


@attrs.frozen(kw_only=True)
class WriteAborted:
    """What a writer had staged was removed; the destination is as it was."""

    step: str = _field(_STEP)
    destination: str = _field("What was to be written.")
    load_id: str = _field("What identifies this change to the destination.")
    clean: bool = _field("Whether the driver could remove everything; if not, the next run does.")
    message: str | None = _field("Why it could not.", default=None)


@attrs.frozen(kw_only=True)
class SchemaInferred:
    """A driver had to guess types from data, and says what it took."""

    step: str = _field(_STEP)
    source: str = _field("What was looked at.")
    columns: list[InferredColumn] = _field("Name and type of each column.")
    details: dict[str, Any] = _field(
        "How it was done: rows sampled, delimiter, encoding …", default=attrs.Factory(dict)
    )


@attrs.frozen(kw_only=True)
class SchemaChanged:
    """A writer changed the shape of its destination, or left columns out."""

    step: str = _field(_STEP)
    destination: str = _field("What changed.")
    changes: list[ColumnChange] = _field("Column and change.")


@attrs.frozen(kw_only=True)
class TypeLost:
    """A value's type cannot be kept in full; allowed by ``types.strict: false``."""

    step: str = _field(_STEP)
    column: str = _field("The column.")
    source: str = _field("Its type where it comes from.")
    target: str = _field("Its type where it goes.")
    loses: str = _field("What is lost.")


@attrs.frozen(kw_only=True)
class FilesRead:
    """An extractor knows which files it reads."""

    step: str = _field(_STEP)
    files: list[FileRead] = _field("Path and size of each file.")


@attrs.frozen(kw_only=True)
class IncrementalStarted:
    """An incremental extract knows which rows it reads: ``lower <= cursor < upper``, null being no bound."""

    step: str = _field(_STEP)
    cursor: str = _field("The column that only grows.")
    lower: str | None = _field("Where it begins.")
    upper: str | None = _field("Where it ends.")
    origin: str = _field(
        "Why there: ``state``, ``initial`` (of the config), ``beginning``, ``full_refresh`` or ``backfill``."
    )
    state: str | None = _field("The last value that was loaded, as the destination has it.")


@attrs.frozen(kw_only=True)
class IncrementalRead:
    """All rows of an incremental extract have passed."""

    step: str = _field(_STEP)
    rows: int = _field("Rows read.")
    dropped: int = _field("Rows among them that an earlier load had appended already.")
    last: str | None = _field("The largest value of the cursor, of these and all earlier rows.")


@attrs.frozen(kw_only=True)
class StateCommitted:
    """The destination has noted, together with the rows, how far an incremental extract has come."""

    step: str = _field("The write step's id.")
    extract: str = _field("The extract's id.")
    key: str = _field("The name of the state in the destination.")
    cursor: str = _field("The column.")
    type: str = _field("What kind of values it has.")
    value: str = _field("The last value loaded.")
    rows_known: int = _field("Rows at the end that are remembered, to tell them from new ones.")


@attrs.frozen(kw_only=True)
class StepFinished:
    """A step came to its end; its rows have been taken over."""

    step: str = _field(_STEP)
    rows_read: int = _field("Rows it took, from its source or its inputs.")
    rows_written: int = _field("Rows it gave, to the next steps or its destination.")
    bytes: int = _field("Arrow bytes of the rows it gave (a writer: took).")
    attempts: int = _field("Attempts it took.")
    duration_ms: int = _field("From its start until its rows had been taken over.")


@attrs.frozen(kw_only=True)
class StepFailed:
    """A step failed, and the run with it."""

    step: str = _field(_STEP)
    component: str = _field("The component it ran.")
    code: str = _field("The error's code.")
    message: str = _field("What failed, and why.")
    hint: str | None = _field("What to do next.")
    attempts: int = _field("Attempts made.")
    duration_ms: int = _field("From its start until it failed.")


@attrs.frozen(kw_only=True)
class StepCancelled:
    """A running step was stopped because of something else."""

    step: str = _field(_STEP)
    reason: str = _field("Why.")
    stopped: bool = _field("Whether its driver had stopped when the run ended.", default=True)


@attrs.frozen(kw_only=True)
class StepSkipped:
    """A step was never started."""

    step: str = _field(_STEP)
    reason: str = _field("Why.")


@attrs.frozen(kw_only=True)
class CancelRequested:
    """Somebody, or the clock, asked the run to stop."""

    reason: str = _field("``interrupted``, ``timeout`` or the step that failed.")
    message: str = _field("The same, in words.")


@attrs.frozen(kw_only=True)
class ObserverFailed:
    """A plugin that observes events failed at one; said once for each plugin."""

    message: str = _field("Which plugin, and why.")


@attrs.frozen(kw_only=True)
class RunFinished:
    """The run came to its end."""

    status: str = _field("``succeeded``, ``failed`` or ``interrupted``.")
    rows: int = _field("Rows published by writers; without writers, rows extracted.")
    code: str | None = _field("The error's code.")
    message: str | None = _field("The error.")
    step: str | None = _field("The step that failed.")
    duration_ms: int = _field("From the run's start.")


VOCABULARY: Final[tuple[type, ...]] = (
    RunStarted,
    IsolationApplied,
    PinDiffers,
    StepStarted,
    StepSchema,
    ColumnsObserved,
    StepProgress,
    StepRetried,
    RowsSpooled,
    WriteStaged,
    WritePublished,
    WriteAborted,
    SchemaInferred,
    SchemaChanged,
    TypeLost,
    FilesRead,
    IncrementalStarted,
    IncrementalRead,
    StateCommitted,
    StepFinished,
    StepFailed,
    StepCancelled,
    StepSkipped,
    CancelRequested,
    ObserverFailed,
    RunFinished,
)

OPEN_TO_DRIVERS: Final = frozenset({SchemaInferred, SchemaChanged, TypeLost, FilesRead, ColumnsObserved})
"""What a driver may emit itself; everything else is the runtime's to say."""


def event_name(kind: type) -> str:
    """The name an event class has in records: ``RunStarted`` -> ``run_started``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


BY_NAME: Final = {event_name(kind): kind for kind in VOCABULARY}

_NAMES: Final = {kind: name for name, kind in BY_NAME.items()}


def event_fields(event: Any) -> tuple[str, dict[str, Any]]:
    """An event's name and its fields, every field present."""
    kind = type(event)
    return _NAMES[kind], {attribute.name: getattr(event, attribute.name) for attribute in attrs.fields(kind)}
