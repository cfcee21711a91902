"""A plugin with one of everything that OML can meet, installed into a temporary folder by conftest."""

from collections.abc import Iterable, Mapping
from typing import Literal

from osiris_core.api import (
    ComponentSpec,
    ConnectionSpec,
    Diagnostic,
    Problem,
    Role,
    Secret,
    config,
    field,
    hookimpl,
)

OSIRIS_API = "1.0"


@config
class Server:
    """A server."""

    host: str = field(doc="Where it is.", identity=True)
    port: int = field(default=5432, doc="Its port.", identity=True, override="allowed")
    database: str = field(default="main", doc="The database.", identity=True, override="warn")
    password: Secret | None = field(default=None, doc="The password.")


@config
class Window:
    """A range."""

    first: int = field(default=0, doc="The first.")
    last: int | None = field(default=None, doc="The last.")


@config
class Reader:
    """Reads."""

    table: str | None = field(default=None, doc="A table.")
    query: str | None = field(default=None, doc="A query.", sql=True)
    query_params: Mapping[str, str | int | float | bool | None] = field(factory=dict, doc="Bound values.")
    limit: int = field(default=100, doc="Rows at most.", minimum=1)
    ratio: float = field(default=1.0, doc="A share.")
    flag: bool = field(default=False, doc="A switch.")
    columns: tuple[str, ...] = field(default=(), doc="Columns.")
    options: Mapping[str, str] = field(factory=dict, doc="Options.")
    style: Literal["plain", "fancy"] = field(default="plain", doc="A style.")
    window: Window = field(factory=Window, doc="A range.")

    def check(self) -> Iterable[Problem]:
        """Not both."""
        if self.table and self.query:
            yield Problem(field=("table",), message="give 'table' or 'query'")


@config
class Lone:
    """Reads without a connection."""

    label: str = field(default="", doc="A text.")


@config
class Nothing:
    """Takes nothing."""


@config
class Raw:
    """SQL that binds nothing."""

    statement: str = field(doc="SQL.", sql=True)


@config
class Store:
    """Writes."""

    table: str = field(doc="A table.")
    mode: Literal["append", "replace"] = field(default="append", doc="How.")
    primary_key: tuple[str, ...] = field(default=(), doc="A key.")


@config
class FileStore:
    """Writes a file."""

    path: str = field(doc="A file.", path="write")


@hookimpl
def osiris_components():
    return (
        ComponentSpec(
            name="sample.reader",
            version="1.2.0",
            role=Role.EXTRACTOR,
            config=Reader,
            summary="Read.",
            connection="sample",
        ),
        ComponentSpec(name="sample.plain", version="1.0.0", role=Role.EXTRACTOR, config=Reader, summary="Read."),
        ComponentSpec(
            name="sample.backtick",
            version="1.0.0",
            role=Role.EXTRACTOR,
            config=Reader,
            summary="Read.",
            sql_dialect="mysql",
        ),
        ComponentSpec(name="sample.lone", version="1.0.0", role=Role.EXTRACTOR, config=Lone, summary="Read."),
        ComponentSpec(name="sample.pass", version="1.0.0", role=Role.PROCESSOR, config=Nothing, summary="Pass on."),
        ComponentSpec(name="sample.raw", version="1.0.0", role=Role.PROCESSOR, config=Raw, summary="Run SQL."),
        ComponentSpec(
            name="sample.store",
            version="1.0.0",
            role=Role.WRITER,
            config=Store,
            summary="Write.",
            connection="sample",
            connection_required=False,
        ),
        ComponentSpec(name="sample.file", version="1.0.0", role=Role.WRITER, config=FileStore, summary="Write a file."),
    )


@hookimpl
def osiris_connections():
    return (ConnectionSpec(family="sample", config=Server, summary="A server."),)


@hookimpl
def osiris_validate_pipeline(pipeline, catalog):
    for step in pipeline.steps:
        if step.config.get("table") == "forbidden" and pipeline.metadata.get("policy") == "sample":
            yield Diagnostic(
                code="SAMPLE-001",
                message=f"table 'forbidden' at {step.config.get('connection')}, one of {list(catalog.connections)}",
                path=("steps", step.index, "config", "table"),
            )
