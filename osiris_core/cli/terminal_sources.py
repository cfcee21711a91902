"""The terminal's commands about where data is: connections, tables, columns. Nothing is changed there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.cli.output import print_table
from osiris_core.cli.terminal_desk import CannotDo
from osiris_core.diagnostics import did_you_mean
from osiris_core.discovery.discover import Request, discover, listed_before
from osiris_core.errors import InvalidInput, OsirisError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_core.chat.session import World
    from osiris_core.cli.terminal_desk import Desk
    from osiris_core.discovery.discover import Discovery
    from osiris_core.project.connection_entry import ConnectionEntry
    from osiris_core.spec.catalog import Table

_SECONDS: Final = 20.0


def connections(desk: Desk, argument: str) -> None:
    """The connections, and whether their tables can be looked at."""
    del argument
    world = desk.session.world
    readable = {entry.ref for entry in _readable(world)}
    rows = [
        (entry.ref, "yes" if entry.default else "", "yes" if entry.ref in readable else "")
        for entry in world.connections.all()
    ]
    if not rows:
        raise CannotDo("osiris_connections.yaml has no connections; `osiris init` writes an example")
    print_table(("connection", "default", "has tables"), rows)


def tables(desk: Desk, argument: str) -> None:
    """The tables of a connection, or of all."""
    from osiris_core.cli.discover import show_discovery

    world = desk.session.world
    chosen = [_chosen(world, argument)] if argument else list(_readable(world))
    if not chosen:
        raise CannotDo("there is no connection whose tables could be looked at")
    for entry in chosen:
        try:
            found = _look(desk, entry, Request(timeout=_SECONDS))
        except OsirisError as error:
            if len(chosen) == 1:
                raise
            desk.note(f"{entry.ref}: {error.message}")
            continue
        if len(chosen) > 1:
            desk.note(f"{entry.ref}:")
        show_discovery(attrs.evolve(found, cached=False, relations=()), Request(timeout=_SECONDS))
        desk.shown.drain()


def describe(desk: Desk, argument: str) -> None:
    """A table in full: the columns, their types and keys, and what is in them."""
    from osiris_core.cli.discover import show_discovery

    if not argument:
        raise CannotDo("/describe needs a table, e.g. one of /tables")
    entry, label = _table(desk, argument)
    request = Request(tables=(label,), profile=True, timeout=_SECONDS)
    found = _look(desk, entry, request)
    desk.note(f"{entry.ref}:")
    show_discovery(attrs.evolve(found, cached=False), request)
    desk.shown.drain()


def known_tables(world: World) -> list[str]:
    """The tables that are known without asking anybody, as /describe takes them."""
    names: dict[str, None] = {}
    for entry in _readable(world):
        names |= dict.fromkeys(table.label for table in _listed(world, entry))
    return list(names)


def known_connections(world: World) -> list[str]:
    """The connections, as /tables takes them."""
    return [entry.ref for entry in _readable(world)]


def _readable(world: World) -> Sequence[ConnectionEntry]:
    families = {spec.family for spec in world.registry.discoverers()}
    return [entry for entry in world.connections.all() if entry.family in families]


def _chosen(world: World, argument: str) -> ConnectionEntry:
    ref = argument if argument.startswith("@") else f"@{argument}"
    try:
        return world.connections.get(ref)
    except InvalidInput as error:
        hint = did_you_mean(ref, known_connections(world)) or error.hint
        raise CannotDo(f"there is no connection {ref}" + (f"; {hint}" if hint else "")) from error


def _table(desk: Desk, argument: str) -> tuple[ConnectionEntry, str]:
    """The connection and the label of the table that is meant: ``TABLE`` or ``CONNECTION TABLE``."""
    world = desk.session.world
    first, _, rest = argument.partition(" ")
    if first.startswith("@") and rest:
        return _chosen(world, first), rest.strip()
    listings = {entry.ref: (entry, _labels(desk, entry)) for entry in _readable(world)}
    fitting = [
        (entry, label)
        for entry, labels in listings.values()
        for label, others in labels.items()
        if argument == label or argument in others
    ]
    exact = [(entry, label) for entry, label in fitting if label == argument]
    match exact or fitting:
        case [one]:
            return one
        case []:
            names = [name for _, labels in listings.values() for label in labels for name in (label, *labels[label])]
            hint = did_you_mean(argument, names) or "/tables lists them"
            raise CannotDo(f"there is no table '{argument}'; {hint}")
        case several:
            shown = ", ".join(f"/describe {entry.ref} {label}" for entry, label in several[:4])
            raise CannotDo(f"several tables are called '{argument}': {shown}")


def _labels(desk: Desk, entry: ConnectionEntry) -> dict[str, tuple[str, ...]]:
    """For each table's label what it is called as well; of a connection that cannot be looked at none."""
    known = _listed(desk.session.world, entry)
    if not known:
        try:
            known = tuple(one.table for one in _look(desk, entry, Request(timeout=_SECONDS)).tables)
        except OsirisError as error:
            desk.note(f"{entry.ref}: {error.message}")
    return {table.label: (table.name, table.name.rsplit("/", 1)[-1].partition(".")[0]) for table in known}


def _listed(world: World, entry: ConnectionEntry) -> tuple[Table, ...]:
    return listed_before(
        entry,
        project=world.loaded.project,
        environment=world.environment,
        registry=world.registry,
        redactor=world.redactor,
    )


def _look(desk: Desk, entry: ConnectionEntry, request: Request) -> Discovery:
    world = desk.session.world
    return discover(
        entry,
        request,
        project=world.loaded.project,
        environment=world.environment,
        registry=world.registry,
        redactor=world.redactor,
    )
