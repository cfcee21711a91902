"""Names of tables and columns as relations compare them, and types as far as values can be equal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from osiris_core.spec.catalog import Table

GENERIC: Final = frozenset(
    {"code", "date", "day", "guid", "hour", "id", "key", "month", "name", "no", "nr", "number", "pk", "status", "time"}
    | {"title", "type", "uid", "uuid", "value", "version", "year"}
)
"""Names that say nothing about what they are the key of."""

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OTHER: Final = re.compile(r"[^0-9a-z]+")
_ENDINGS: Final = re.compile(r"(\.[a-z]{2,8}){1,2}\Z", re.IGNORECASE)
_FAMILIES: Final = (
    ("uuid", re.compile(r"uuid|uniqueidentifier")),
    ("number", re.compile(r"u?(tiny|small|medium|big|huge)?int(eger)?\d?\b|numeric|decimal|u?int\d+|serial")),
    ("text", re.compile(r"(var)?char|character|text|tinytext|mediumtext|longtext|string|bpchar|citext|enum")),
    ("date", re.compile(r"date\b")),
)


def words(name: str) -> str:
    """A name in lower case, its words joined by ``_``: ``customerId`` and ``Customer-ID`` are ``customer_id``."""
    return _OTHER.sub("_", _CAMEL.sub("_", name).lower()).strip("_")


def singular(name: str) -> str:
    """A guess at the singular of an English plural: ``airlines``, ``countries``, ``boxes``."""
    if name.endswith("ies") and len(name) > 4:
        return f"{name[:-3]}y"
    if name.endswith(("sses", "xes", "ches", "shes", "zes")):
        return name[:-2]
    return name[:-1] if name.endswith("s") and not name.endswith(("ss", "us", "is")) and len(name) > 3 else name


def entity(table: Table) -> str:
    """What a row of ``table`` is, by the table's name: ``airline`` of ``airlines`` or of ``data/airlines.csv.gz``."""
    name = table.name
    if table.kind == "file":
        name = _ENDINGS.sub("", name.rpartition("/")[2])
    return singular(words(name))


def family(kind: str) -> str | None:
    """The family of a type, within which servers compare values without a cast; None for one that keys do not have."""
    lowered = kind.lower().strip()
    if lowered.endswith("]"):
        return None
    return next((name for name, pattern in _FAMILIES if pattern.match(lowered)), None)
