"""A pipeline tried out: its rows go into a database in a temporary folder instead of where the pipeline would write.

Serves the preview of a draft and its evaluation. Nothing of the project is changed: the record of the run and the
database go with the folder. It is a run like any other, by the one executor, with a time limit.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.chat.lowering import plain_name
from osiris_core.compile.compiler import compile_document
from osiris_core.diagnostics import Position
from osiris_core.model import yaml
from osiris_core.model.shape import shape_of
from osiris_core.model.yaml_write import dump
from osiris_core.project.connection_entry import ConnectionEntry
from osiris_core.project.connections import Connections
from osiris_core.run.api import RunOptions, run_manifest
from osiris_core.run.executor import Interrupts

if TYPE_CHECKING:
    from osiris_core.chat.session import World
    from osiris_core.compile.manifest import Manifest
    from osiris_core.plugins.registry import Registry

_FAMILY: Final = "duckdb"
_ALIAS: Final = "tried"
_WRITER: Final = "duckdb.writer"
_READER: Final = "osiris_core.builtin.duckdb.results:read_rows"


@attrs.frozen(kw_only=True)
class Tried:
    """Rows that a step would have written: the step that gives them, the columns with their types, the first rows in
    their order. ``total`` is how many there are.
    """

    source: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Any, ...], ...]
    total: int


def try_out(
    oml: str,
    world: World,
    *,
    rows: int,
    seconds: float,
    of_each_source: int | None = None,
    interrupts: Interrupts | None = None,
) -> tuple[Tried, ...]:
    """Run the pipeline ``oml`` without writing anything: the first ``rows`` of each output.

    ``of_each_source`` limits what is read of each source whose component can be limited: the rows are then of a part of
    the data, and whoever shows them says so. Raises what the run fails with, RunFailed after ``seconds`` too;
    ``interrupts`` stop it as they stop a run.
    """
    with tempfile.TemporaryDirectory(prefix="osiris-try-") as folder:
        database = Path(folder) / "tried.duckdb"
        document, outputs = _diverted(oml, world.registry, of_each_source)
        entry = _entry(database, world.registry)
        connections = Connections((*world.connections.all(), entry))
        compiled = compile_document(
            yaml.load(dump(document), file="try.yaml"),
            registry=world.registry,
            connections=connections,
            environment=world.environment,
        )
        _run(compiled.manifest, world, connections, folder, seconds, interrupts or Interrupts())
        read = world.registry.load(_READER)
        return tuple(
            Tried(source=source, columns=columns, rows=found, total=total)
            for source, table in outputs
            for columns, found, total in [read(database, table, rows)]
        )


def _run(
    manifest: Manifest, world: World, connections: Connections, folder: str, seconds: float, interrupts: Interrupts
) -> None:
    settings: Any = world.loaded.settings
    project = attrs.evolve(world.loaded.project, logs_folder=f"{folder}/logs")
    limited = attrs.evolve(settings, run=attrs.evolve(settings.run, timeout=seconds, temp_directory=folder))
    outcome = run_manifest(
        manifest,
        project=project,
        registry=world.registry,
        loaded_settings=attrs.evolve(world.loaded, settings=limited, project=project),
        environment=world.environment,
        connections=connections,
        options=RunOptions(redactor=world.redactor, interrupts=interrupts),
    )
    if outcome.error is not None:
        raise outcome.error


def _diverted(oml: str, registry: Registry, of_each_source: int | None) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The document with each write into a table of its own; and for each the step it stores, and that table."""
    document = dict(yaml.load(oml, file="draft").data)
    steps: list[dict[str, Any]] = []
    outputs: list[tuple[str, str]] = []
    for step in document["steps"]:
        made = dict(step)
        if step["mode"] == "write":
            table = f"{plain_name(step['id'])}_{len(outputs)}"
            outputs += [(source, table) for source in step.get("needs", ())[:1]]
            made["component"] = _WRITER
            made["config"] = {"connection": f"@{_FAMILY}.{_ALIAS}", "table": table, "mode": "replace"}
        elif step["mode"] == "extract" and of_each_source is not None:
            fields = {member.name for member in shape_of(registry.component(step["component"]).config).members}
            if "limit" in fields:
                made["config"] = {**step["config"], "limit": of_each_source}
        steps.append(made)
    return {**document, "steps": steps}, outputs


def _entry(database: Path, registry: Registry) -> ConnectionEntry:
    """A connection to the temporary database."""
    nowhere = Position(file="try", line=1, column=1)

    def place(_path: Any = (), *, key: bool = False) -> Position:
        del key
        return nowhere

    return ConnectionEntry(
        family=_FAMILY,
        alias=_ALIAS,
        raw={"path": str(database)},
        position=nowhere,
        default=False,
        place=place,
        registry=registry,
    )
