"""``osiris discover``: what stands behind a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from osiris_core.cli.numbers import NumberRange
from osiris_core.cli.output import json_option, print_json, print_note, print_table, print_text, redactor, reporting
from osiris_core.cli.printed import printed
from osiris_core.cli.workspace import open_workspace
from osiris_core.discovery.discover import Request
from osiris_core.discovery.discover import discover as look
from osiris_core.discovery.document import document
from osiris_core.display import counted, visible_line
from osiris_core.project.connections import load_connections

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osiris_core.cli.printed import Printed
    from osiris_core.discovery.discover import Discovery, FoundTable
    from osiris_core.discovery.relations import Relation
    from osiris_core.spec.catalog import ColumnInfo, ColumnProfile, Table

_TOP = 3


@click.command()
@click.argument("connection", metavar="@FAMILY.ALIAS")
@click.option("--table", "tables", metavar="NAME", multiple=True, help="Only this table, in full; may be repeated.")
@click.option("--about", metavar="TEXT", help="Only the tables that fit this question best, in full.")
@click.option(
    "--most", type=click.IntRange(1, 1000), default=5, show_default=True, metavar="N", help="So many, with --about."
)
@click.option(
    "--profile", is_flag=True, help="Count NULLs and distinct values, find least, greatest and most frequent."
)
@click.option("--sample", type=click.IntRange(0, 1000), default=0, metavar="N", help="Show N rows of each table.")
@click.option(
    "--timeout",
    type=NumberRange(0, 86_400, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Time for all of it; what is found by then is shown.",
)
@click.option(
    "--max-age",
    type=NumberRange(0),
    default=86_400.0,
    show_default=True,
    metavar="SECONDS",
    help="How old a kept result may be.",
)
@click.option("--refresh", is_flag=True, help="Use no kept result.")
@json_option
def discover(
    connection: str,
    tables: tuple[str, ...],
    about: str | None,
    most: int,
    profile: bool,
    sample: int,
    timeout: float,
    max_age: float,
    refresh: bool,
    as_json: bool,
) -> None:
    """Show the tables behind a connection, their columns, keys and relations, and what is in them.

    Nothing is changed there. Lists and profiles are kept in the project's .osiris folder for as long as the schema is
    the same; rows are not kept. A relation that is not declared is a suggestion with a confidence.
    """
    masks = redactor()
    with reporting(as_json=as_json, alone=True), printed(masks) as shown:
        if tables and about is not None:
            raise click.UsageError("--table names tables, --about has them found: give one of the two")
        workspace = open_workspace()
        registry = workspace.registry(notes=not as_json)
        request = Request(
            tables=tables,
            about=about,
            most=most,
            profile=profile,
            sample=sample,
            timeout=timeout,
            max_age=max_age,
            refresh=refresh,
        )
        found = look(
            load_connections(workspace.project, registry).get(connection),
            request,
            project=workspace.project,
            environment=workspace.environment,
            registry=registry,
            redactor=masks,
            done=_progress(shown, as_json=as_json),
        )
        if as_json:
            print_json(document(found))
            return
        show_discovery(found, request)


def _progress(shown: Printed, *, as_json: bool) -> Callable[[str], None]:
    """Each step as it is done, for whoever waits at a terminal."""
    if as_json or not shown.terminal.isatty():
        return lambda _: None
    return lambda step: print_note(visible_line(step))


def show_discovery(found: Discovery, request: Request) -> None:
    """A discovery as tables, with its notes."""
    if not found.tables:
        print_note(f"no table of {found.ref} fits" if found.others else f"{found.ref} has no tables")
    elif request.tables or request.about or request.profile or request.sample:
        for number, one in enumerate(found.tables):
            if number:
                print_text("")
            _show_table(one)
    else:
        headers = ("table", "kind", "rows", "columns", "key", "comment")
        print_table(headers, [_row(one.table) for one in found.tables], whole=1, spare=5)
    if found.relations:
        print_text("")
        print_table(("from", "to", "confidence", "why"), [_relation(one) for one in found.relations])
    if request.about is not None and found.others:
        print_text(f"\nother tables: {visible_line(', '.join(found.others))}")
    _print_notes(found, request)


def _print_notes(found: Discovery, request: Request) -> None:
    for one in found.tables:
        if one.table.problem:
            print_note(f"{visible_line(one.table.label)}: {one.table.problem.message} ({one.table.problem.code})")
        if one.stopped:
            print_note(f"{visible_line(one.table.label)}: not profiled further: {one.stopped}")
    for note in found.notes:
        print_note(note)
    if not found.complete:
        print_note(
            f"not all tables could be read within {request.timeout:g} seconds; raise --timeout to see the others"
        )
    if found.cached:
        print_note(f"as found at {found.made_at}; the schema has not changed (--refresh looks again)")


def _row(table: Table) -> tuple[object, ...]:
    key = ", ".join(table.primary_key.columns) if table.primary_key else ""
    return table.label, table.kind, _rows(table), len(table.columns), key, table.comment


def _rows(table: Table) -> str:
    if table.rows is None:
        return ""
    return f"{table.rows:,}" if table.rows_exact else f"~{table.rows:,}"


def _relation(one: Relation) -> tuple[object, ...]:
    why = "declared" if one.declared else "; ".join(one.reasons)
    return (
        _end(one.schema, one.table, one.columns),
        _end(one.to_schema, one.to_table, one.to_columns),
        f"{one.confidence:.2f}",
        why,
    )


def _end(schema: str | None, table: str, columns: tuple[str, ...]) -> str:
    place = table if schema is None else f"{schema}.{table}"
    return f"{place} ({', '.join(columns)})"


def _show_table(one: FoundTable) -> None:
    table = one.table
    facts = [table.kind, *([f"{_rows(table)} rows"] if table.rows is not None else [])]
    if one.profile is not None:
        looked = "" if one.profile.examined is None else f" of {counted(one.profile.examined, 'row')}"
        facts.append(f"profile: {one.profile.basis}{looked}")
    comment = f": {table.comment}" if table.comment else ""
    print_text(visible_line(f"{table.label} ({', '.join(facts)}){comment}"))
    if table.columns:
        _show_columns(one)
    if table.indexes:
        rows = [(index.name, ", ".join(index.columns), "yes" if index.unique else "") for index in table.indexes]
        print_table(("index", "columns", "unique"), rows)
    if one.sample is not None:
        print_table(one.sample.columns, one.sample.rows)


def _show_columns(one: FoundTable) -> None:
    table = one.table
    marks = {column.name: ", ".join(_marks(table, column.name)) for column in table.columns}
    if one.profile is None:
        rows = [(*_column(column, marks), column.default, column.comment) for column in table.columns]
        print_table(("column", "type", "nulls", "key", "default", "comment"), rows, whole=1)
        return
    known = {profile.name: profile for profile in one.profile.columns}
    headers = ("column", "type", "nulls", "key", "distinct", "least", "greatest", "most frequent")
    print_table(headers, [_measured(column, marks, known.get(column.name)) for column in table.columns], whole=1)


def _column(column: ColumnInfo, marks: dict[str, str]) -> tuple[object, ...]:
    return column.name, column.type, {True: "yes", False: "no", None: ""}[column.nullable], marks[column.name]


def _measured(column: ColumnInfo, marks: dict[str, str], profile: ColumnProfile | None) -> tuple[object, ...]:
    if profile is None:
        return (*_column(column, marks), "", "", "", "")
    top = "withheld" if profile.withheld else ", ".join(f"{v.value} ({v.count:,})" for v in (profile.top or ())[:_TOP])
    nulls = "" if profile.nulls is None else f"{profile.nulls:,}"
    distinct = "" if profile.distinct is None else f"{profile.distinct:,}"
    return column.name, column.type, nulls, marks[column.name], distinct, profile.minimum, profile.maximum, top


def _marks(table: Table, column: str) -> Iterator[str]:
    """What a column is part of."""
    if table.primary_key and column in table.primary_key.columns:
        yield "primary"
    if any(column in key.columns for key in table.unique_keys):
        yield "unique"
    for key in table.foreign_keys:
        if column in key.columns:
            yield f"→ {_end(key.to_schema, key.to_table, key.to_columns)}"
