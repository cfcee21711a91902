"""Where a pipeline may write: each writer with each connection that it can use, as one word that a model can choose."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import attrs

from osiris_core.model import shape as shapes
from osiris_core.model.shape import shape_of
from osiris_core.spec.describe import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from osiris_core.plugins.registry import Registry
    from osiris_core.spec.describe import ComponentSpec

APPEND, REPLACE, UPSERT = "append", "replace", "upsert"
_WISHES = (REPLACE, APPEND, UPSERT)


@attrs.frozen(kw_only=True)
class Destination:
    """A writer and the connection it would use; ``connection`` is None where it writes below the project."""

    component: ComponentSpec
    connection: str | None

    @property
    def label(self) -> str:
        """The word for it: ``filesystem.csv_writer``, ``mysql.writer@shop``."""
        if self.connection is None:
            return self.component.name
        return f"{self.component.name}@{self.connection.partition('.')[2]}"

    @property
    def path_field(self) -> str | None:
        """The field that holds a path, of a writer of files."""
        return next((one.name for one in shape_of(self.component.config).members if one.info.path == "write"), None)

    @property
    def modes(self) -> tuple[str, ...]:
        """What it can do with rows that are there already, of append, replace and upsert; a file is replaced."""
        if self.path_field is not None:
            return (REPLACE,)
        for member in shape_of(self.component.config).members:
            if member.name == "mode" and isinstance(member.shape, shapes.Choice):
                return tuple(wish for wish in _WISHES if wish in member.shape.values)
        return (REPLACE,)

    @property
    def ending(self) -> str:
        """What the path of such a file ends in, as the component's first example has it; empty for tables."""
        field = self.path_field
        shown = str(self.component.examples[0].config.get(field, "")) if field and self.component.examples else ""
        return PurePosixPath(shown).suffix

    def config(self, target: str, mode: str, key: Sequence[str]) -> dict[str, Any]:
        """The config of a step that writes ``target`` (a table or a path)."""
        made: dict[str, Any] = {} if self.connection is None else {"connection": self.connection}
        fields = {member.name for member in shape_of(self.component.config).members}
        made[self.path_field or "table"] = target
        if "mode" in fields:
            made["mode"] = mode
        if self.path_field is not None and "create_dirs" in fields:
            made["create_dirs"] = True
        if key and mode == UPSERT:
            made["primary_key"] = list(key)
        return made


def destinations_of(registry: Registry, connections: Iterable[str]) -> tuple[Destination, ...]:
    """Every writer with every one of ``connections`` (``@family.alias``) of its family, files first."""
    refs = tuple(connections)
    found: list[Destination] = []
    for spec in registry.components():
        if spec.role is not Role.WRITER:
            continue
        if spec.connection is None or not spec.connection_required:
            found.append(Destination(component=spec, connection=None))
        found += [
            Destination(component=spec, connection=ref)
            for ref in refs
            if spec.connection is not None and ref.startswith(f"@{spec.connection}.")
        ]
    return tuple(sorted(found, key=lambda one: one.path_field is None))
