"""What a write step does to which destination, read from its config without knowing its component.

A destination is the value of the field that its config class marks as a written path, or else of a field called
``table`` (with ``schema`` when there is one); names that differ in case are one table where the config class has
``folds_names``. How it is written is ``mode`` and the fields that name keys.
"""

from __future__ import annotations

from posixpath import normpath
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.canonical import canonical_json
from osiris_core.errors import OsirisError
from osiris_core.model.shape import shape_of
from osiris_core.oml.document import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from osiris_core.oml.connect import Choice
    from osiris_core.oml.findings import Findings
    from osiris_core.oml.steps import CheckedStep

_MANNER: Final = ("mode", "primary_key", "replace_keys", "on_duplicate", "on_schema_change", "create_if_missing")
_APPEND: Final = "append"
_TABLE: Final = "table"
_FOLDS: Final = "folds_names"


@attrs.frozen(kw_only=True)
class Destination:
    """A table or file, and the manner in which a step writes it."""

    step: str
    field: str
    place: str
    connection: str | None
    manner: Mapping[str, Any]
    folds: bool = False
    """Whether the system takes names of tables that differ in case for one."""

    @property
    def same(self) -> str:
        """What is one text for every way to write the place; not for reading."""
        if self.what == "file":
            return normpath(self.place)
        return self.place.casefold() if self.folds else self.place

    @property
    def what(self) -> str:
        """``table`` or ``file``."""
        return "table" if self.field == _TABLE else "file"

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What makes it the same destination in two manifests."""
        return self.what, self.same, self.connection

    @property
    def name(self) -> str:
        """``table orders of @mysql.shop``."""
        return f"{self.what} {self.place}" + (f" of {self.connection}" if self.connection else "")

    @property
    def mode(self) -> str | None:
        """The mode; None when the component has no modes."""
        return self.manner.get("mode")

    @property
    def manner_text(self) -> str:
        """``, replace``; empty when the component has no modes."""
        return f", {self.mode}" if self.mode is not None else ""


def destination_of(
    step: str, mode: str, config: Mapping[str, Any], *, cls: type | None, connection: str | None
) -> Destination | None:
    """The destination of a step whose config is of ``cls`` (None when its plugin is not there) and whose connection
    is called ``connection``; None for a step that does not write and for a component that says nothing of it.
    """
    if mode != Mode.WRITE:
        return None
    field = _TABLE if isinstance(config.get(_TABLE), str) else _written_path(cls)
    place = config.get(field) if field else None
    if field is None or not isinstance(place, str):
        return None
    schema = config.get("schema")
    return Destination(
        step=step,
        field=field,
        place=f"{schema}.{place}" if field == _TABLE and isinstance(schema, str) else place,
        connection=connection,
        manner={key: config[key] for key in _MANNER if config.get(key) is not None},
        folds=bool(getattr(cls, _FOLDS, False)),
    )


def check_destinations(steps: Iterable[CheckedStep], findings: Findings) -> None:
    """Report steps that write one destination: nothing follows a write, so chance decides whose rows are there last.

    Two that append lose nothing in either order.
    """
    seen: dict[object, list[tuple[CheckedStep, Destination]]] = {}
    for step in sorted(steps, key=lambda each: each.doc.index):
        ref = step.connection.ref if step.connection is not None else None
        found = destination_of(step.id, step.mode, step.config, cls=step.component.config, connection=ref)
        if found is None:
            continue
        before = seen.setdefault((found.what, found.same, _system(step.connection)), [])
        other = next((each for each in before if not each[1].mode == found.mode == _APPEND), None)
        before.append((step, found))
        if other is not None:
            _report(step, found, other, findings)


def _report(step: CheckedStep, found: Destination, other: tuple[CheckedStep, Destination], findings: Findings) -> None:
    first, second = (
        f"'{each.id}' (line {findings.position(('steps', each.doc.index)).line}{its.manner_text})"
        for each, its in (other, (step, found))
    )
    append = ", or let both append" if _APPEND in (found.mode, other[1].mode) else ""
    findings.error(
        "OSR-OML-029",
        f"steps {first} and {second} write the same {found.what} {found.place}; nothing sets their order, so that one "
        "can undo the other",
        ("steps", step.doc.index, "config", found.field),
        hint=f"give one of them another `{found.field}`, or unite the rows in a transform and write them once{append}",
    )


def _system(connection: Choice | None) -> str | None:
    """The system that a connection leads to: two aliases of one database are one. ``${VAR}`` counts as its text."""
    if connection is None:
        return None
    try:
        identity = connection.entry.identity(connection.overrides) if connection.entry is not None else {}
    except OsirisError:  # an override waits for the value of a parameter
        identity = {}
    return canonical_json([connection.family, identity or [connection.alias, connection.overrides]])


def _written_path(cls: type | None) -> str | None:
    members = shape_of(cls).members if cls is not None else ()
    return next((member.name for member in members if member.info.path == "write"), None)
