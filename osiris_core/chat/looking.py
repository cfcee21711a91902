"""Looking behind the connections for what a wish is about: bounded in tables and seconds, and kept from the last time.

Small catalogs are described whole. Of others the tables that fit the wish best are described in full, and the rest by
name; a table that the model then asks for is described as well, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.chat.catalog import Sources, sources_of
from osiris_core.discovery.discover import Request, discover
from osiris_core.errors import OsirisError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from osiris_core.discovery.discover import Discovery
    from osiris_core.plugins.registry import Registry
    from osiris_core.project.connection_entry import ConnectionEntry
    from osiris_core.project.connections import Connections
    from osiris_core.project.environment import Environment
    from osiris_core.project.paths import Project
    from osiris_core.redaction import Redactor

SMALL: Final = 8
"""A catalog of at most so many tables is described whole."""


@attrs.frozen(kw_only=True)
class Looker:
    """What looking takes. ``seconds`` is the time for one connection, ``most`` the tables described of it."""

    project: Project
    environment: Environment
    registry: Registry
    connections: Connections
    redactor: Redactor
    seconds: float = 20.0
    most: int = 6
    done: Callable[[str], None] = lambda _: None

    def readable(self) -> tuple[str, ...]:
        """The connections that have a catalog."""
        families = {spec.family for spec in self.registry.discoverers()}
        return tuple(entry.ref for entry in self.connections.all() if entry.family in families)

    def refs(self) -> tuple[str, ...]:
        """All connections of the project."""
        return tuple(entry.ref for entry in self.connections.all())

    def look(self, refs: Iterable[str], wish: str, *, wanted: Sequence[str] = ()) -> Sources:
        """What is behind the connections ``refs`` about ``wish``, and the tables named ``wanted`` in any case.

        A connection that cannot be looked at is no error while another can: it is in ``problems``.
        """
        found: list[Discovery] = []
        problems: dict[str, str] = {}
        for ref in refs:
            try:
                found += self._one(self.connections.get(ref), wish, wanted)
            except OsirisError as error:
                problems[ref] = self.redactor.text(error.message)
                self.done(f"{ref}: {problems[ref]}")
        return sources_of(found, self.registry, problems)

    def _one(self, entry: ConnectionEntry, wish: str, wanted: Sequence[str]) -> list[Discovery]:
        listed = self._discover(entry, Request(timeout=self.seconds))
        names = {name: one.table.label for one in listed.tables for name in (one.table.name, one.table.label)}
        if len(listed.tables) <= SMALL:
            chosen = tuple(one.table.label for one in listed.tables)
        else:
            about = self._discover(entry, Request(about=wish, most=self.most, timeout=self.seconds))
            labels = [one.table.label for one in about.tables]
            labels += [label for name in wanted if (label := names.get(name)) is not None and label not in labels]
            chosen = tuple(labels)
        if not chosen:
            return [attrs.evolve(listed, tables=(), others=tuple(one.table.label for one in listed.tables))]
        return [self._discover(entry, Request(tables=chosen, profile=True, timeout=self.seconds))]

    def _discover(self, entry: ConnectionEntry, request: Request) -> Discovery:
        return discover(
            entry,
            request,
            project=self.project,
            environment=self.environment,
            registry=self.registry,
            redactor=self.redactor,
            done=lambda said: self.done(f"{entry.ref}: {said}"),
        )
