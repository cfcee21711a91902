"""The one module a plugin imports: everything here is stable within an API version.

``OSIRIS_API`` is ``major.minor``; a plugin says which it was written for in its entry module (``OSIRIS_API = "1.0"``)
and is refused when the major differs or its minor is newer than this one. ``llm`` is what a model provider speaks
(:mod:`osiris_core.spec.llm`), ``recording`` how its calls are kept and found again. ``Session`` reads what a run
has left (:mod:`osiris_core.report.session`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris_core.catalogue import ErrorEntry
from osiris_core.diagnostics import Diagnostic, Position, Severity
from osiris_core.errors import (
    Cancelled,
    ConnectionUnusable,
    DriverError,
    ExitCode,
    InvalidInput,
    OsirisError,
)
from osiris_core.model.fields import Problem, config, field
from osiris_core.plugins.hookspecs import hookimpl
from osiris_core.secrets import Secret, SecretRef, SecretStr
from osiris_core.spec import llm, recording
from osiris_core.spec.behave import (
    BatchSource,
    Binds,
    CatalogReader,
    Dataset,
    Discoverer,
    Doctor,
    Driver,
    DriverContext,
    Health,
    KeepsState,
    Partitioned,
    Receipt,
    Report,
    Schema,
    SecretStore,
    Split,
    Stage,
    Staged,
    Stream,
    Target,
)
from osiris_core.spec.catalog import (
    SAMPLE_ROWS,
    Basis,
    ColumnInfo,
    ColumnProfile,
    Deadline,
    ForeignKey,
    Index,
    Key,
    Overlap,
    Sample,
    Table,
    TableFault,
    TableProfile,
    ValueCount,
)
from osiris_core.spec.describe import (
    Capability,
    ComponentSpec,
    ConnectionSpec,
    DiscovererSpec,
    DriverSpec,
    Example,
    LLMProviderSpec,
    Role,
    SecretStoreSpec,
    TargetSpec,
)
from osiris_core.spec.profiling import (
    LONGEST,
    Spelling,
    duckdb_spelling,
    overlap_sources,
    profile_source,
    sample_source,
)
from osiris_core.spec.tables import (
    Column,
    Follows,
    Incremental,
    LoadCodes,
    LoadPlan,
    LoadRules,
    LoadState,
    TableWriter,
    Window,
    check_table_name,
    plan_load,
)
from osiris_core.sqltext import placeholders, quote_identifier, rewrite

if TYPE_CHECKING:
    from collections.abc import Generator

    from osiris_core.report.session import Session

OSIRIS_API = "1.0"


def rows(schema: Any, batches: Generator[Any, None, None]) -> Stream:
    """A stream over a generator of ``arro3.core.RecordBatch`` values of ``schema``, for a driver to return.

    The generator runs on the step's own thread; what it raises reaches the user as it is, and it is closed when nobody
    reads any more.
    """
    from osiris_core.run.generated import GeneratedRows

    return GeneratedRows(schema, batches)


def __getattr__(name: str) -> Any:
    """``Session``, the record of a run: imported when it is asked for, so that no plugin's start pays for it."""
    if name != "Session":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from osiris_core.report.session import Session

    return Session


def __dir__() -> list[str]:
    return sorted(__all__)


__all__ = [
    "LONGEST",
    "OSIRIS_API",
    "SAMPLE_ROWS",
    "Basis",
    "BatchSource",
    "Binds",
    "Cancelled",
    "Capability",
    "CatalogReader",
    "Column",
    "ColumnInfo",
    "ColumnProfile",
    "ComponentSpec",
    "ConnectionSpec",
    "ConnectionUnusable",
    "Dataset",
    "Deadline",
    "Diagnostic",
    "Discoverer",
    "DiscovererSpec",
    "Doctor",
    "Driver",
    "DriverContext",
    "DriverError",
    "DriverSpec",
    "ErrorEntry",
    "Example",
    "ExitCode",
    "Follows",
    "ForeignKey",
    "Health",
    "Incremental",
    "Index",
    "InvalidInput",
    "KeepsState",
    "Key",
    "LLMProviderSpec",
    "LoadCodes",
    "LoadPlan",
    "LoadRules",
    "LoadState",
    "OsirisError",
    "Overlap",
    "Partitioned",
    "Position",
    "Problem",
    "Receipt",
    "Report",
    "Role",
    "Sample",
    "Schema",
    "Secret",
    "SecretRef",
    "SecretStore",
    "SecretStoreSpec",
    "SecretStr",
    "Session",
    "Severity",
    "Spelling",
    "Split",
    "Stage",
    "Staged",
    "Stream",
    "Table",
    "TableFault",
    "TableProfile",
    "TableWriter",
    "Target",
    "TargetSpec",
    "ValueCount",
    "Window",
    "check_table_name",
    "config",
    "duckdb_spelling",
    "field",
    "hookimpl",
    "llm",
    "overlap_sources",
    "placeholders",
    "plan_load",
    "profile_source",
    "quote_identifier",
    "recording",
    "rewrite",
    "rows",
    "sample_source",
]
