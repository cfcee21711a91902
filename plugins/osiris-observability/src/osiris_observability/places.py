"""What a step reads or writes, as OpenLineage and OpenTelemetry call it.

OpenLineage names a dataset by a namespace (the system) and a name in it; which, its naming specification says for each
kind of system: ``mysql://host:port`` and ``database.table``, ``postgres://host:port`` and ``database.schema.table``,
``file`` and a path. A manifest holds what is not secret of a connection. Where that does not say which system it is (a
PostgreSQL address is part of a secret), the connection's name takes its place: ``osiris://supabase.main``.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from osiris_core.compile.manifest import ManifestStep

Attributes = dict[str, str | int]

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:]+")
_WILDCARD: Final = re.compile(r"[*?\[]")
_FORMAT: Final = re.compile(r"(csv|excel|jsonl|parquet)_")
_SUPABASE: Final = ".supabase.co"
_FILES: Final = "filesystem"


@attrs.frozen(kw_only=True)
class Place:
    """A table, file or folder of files. ``attributes`` are those of OpenTelemetry's conventions."""

    namespace: str
    name: str
    kind: str
    """``TABLE`` or ``FILE``."""
    format: str | None = None
    attributes: Attributes = attrs.field(factory=dict)

    @property
    def uri(self) -> str:
        """The whole as one address, without credentials."""
        return f"file://{self.name}" if self.namespace == "file" else f"{self.namespace}/{self.name}"


@attrs.frozen(kw_only=True)
class System:
    """A database. ``levels`` are those of a table's full name above the table: database, schema."""

    namespace: str
    levels: tuple[str, ...] = ()
    attributes: Attributes = attrs.field(factory=dict)

    def table(self, *parts: str) -> Place:
        """The table whose name ends with ``parts``; what they leave out is the connection's."""
        full = (*self.levels[: max(0, len(self.levels) + 1 - len(parts))], *parts)
        attributes = dict(self.attributes)
        if attributes:
            attributes |= {"db.namespace": "|".join(full[:-1]), "db.collection.name": full[-1]}
        return Place(namespace=self.namespace, name=".".join(full), kind="TABLE", attributes=attributes)


def place_of(step: ManifestStep, root: Path) -> Place | None:
    """What ``step``'s config says that it reads or writes; None when only its query does. ``root`` is the project's."""
    table, schema, path = (step.config.get(key) for key in ("table", "schema", "path"))
    if isinstance(table, str):
        return system_of(step, root).table(*([schema] if isinstance(schema, str) else []), table)
    if not isinstance(path, str):
        return None
    return _file(step, path, root) if _family(step) == _FILES else system_of(step, root).table(path)


def system_of(step: ManifestStep, root: Path) -> System:
    """The database that ``step`` talks to; where its connection does not tell which, one named like the connection."""
    family = _family(step)
    identity = step.connection.identity if step.connection is not None else {}
    alias = f".{step.connection.alias}" if step.connection is not None else ""
    made = {"mysql": _mysql, "supabase": _supabase, "duckdb": _duckdb}.get(family)
    found = made(identity, root) if made is not None else None
    return found or System(namespace=f"osiris://{family}{alias}")


def _family(step: ManifestStep) -> str:
    return step.connection.family if step.connection is not None else step.component.partition(".")[0]


def _file(step: ManifestStep, path: str, root: Path) -> Place:
    """A file; of a pattern the folder below which all that it stands for lies."""
    identity = step.connection.identity if step.connection is not None else {}
    wildcard = _WILDCARD.search(path)
    fixed = path if wildcard is None else path[: wildcard.start()].rpartition("/")[0]
    found = _FORMAT.match(step.component.partition(".")[2])
    name = os.path.normpath(root / (_text(identity, "root") or ".") / fixed)
    return Place(namespace="file", name=name, kind="FILE", format=found[1] if found else None)


def _mysql(identity: Mapping[str, Any], _: Path) -> System | None:
    host, port, database = _text(identity, "host"), identity.get("port"), _text(identity, "database")
    if _text(identity, "unix_socket") is not None:
        host = "localhost"
    if host is None or not _HOST.fullmatch(host) or not isinstance(port, int) or database is None:
        return None
    shown = f"[{host}]" if ":" in host else host
    return System(
        namespace=f"mysql://{shown}:{port}",
        levels=(database,),
        attributes={"db.system.name": "mysql", "server.address": host, "server.port": port},
    )


def _supabase(identity: Mapping[str, Any], _: Path) -> System | None:
    """The database behind a project's URL: of the project ``<ref>``, ``postgres`` on ``db.<ref>.supabase.co``."""
    try:
        host = urlsplit(_text(identity, "url") or "").hostname or ""
    except ValueError:
        return None
    if not host.endswith(_SUPABASE) or not _HOST.fullmatch(host):
        return None
    return System(
        namespace=f"postgres://db.{host}:5432",
        levels=("postgres", _text(identity, "schema") or "public"),
        attributes={"db.system.name": "postgresql", "server.address": f"db.{host}", "server.port": 5432},
    )


def _duckdb(identity: Mapping[str, Any], root: Path) -> System | None:
    path = _text(identity, "path")
    if path is None:
        return None
    # The specification has no scheme for a database that is a file: this follows those for a server.
    namespace = f"duckdb://{os.path.normpath(root / path)}"
    return System(namespace=namespace, levels=("main",), attributes={"db.system.name": "duckdb"})


def _text(identity: Mapping[str, Any], name: str) -> str | None:
    """A field of a connection, ``${VAR}`` replaced; None where it is not set, or refers to what this process lacks."""
    value = identity.get(name)
    if not isinstance(value, str):
        return None
    text = _VARIABLE.sub(lambda match: os.environ.get(match[1]) or match[0], value)
    return None if "${" in text else text
