"""The connections of a project: ``osiris_connections.yaml``.

    connections:
      mysql:                        # a family, served by a plugin
        shop:                       # an alias: @mysql.shop
          host: db.example.org
          user: ${MYSQL_USER}       # a reference may stand in any text
          password: ${MYSQL_PASSWORD}
          default: true             # what a step of this family uses when it names none

Reading the file resolves nothing and needs no plugin; a family's plugin is asked when an entry is looked at. A value
of this file never stands in a message's source line, since any of them may be a secret in the wrong place.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.catalogue import title
from osiris_core.diagnostics import Diagnostic, did_you_mean
from osiris_core.errors import InvalidInput
from osiris_core.ids import CONNECTION_REF
from osiris_core.model import yaml
from osiris_core.project.connection_entry import ConnectionEntry, of_node, without_value
from osiris_core.project.paths import CONNECTIONS_FILE
from osiris_core.project.textfile import has_content, read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from osiris_core.diagnostics import Path, Position
    from osiris_core.plugins.registry import Registry
    from osiris_core.project.paths import Project

__all__ = ["ConnectionEntry", "Connections", "load_connections"]

REFUSED: Final = "OSR-CON-001"
SHAPE: Final = "OSR-CON-002"
NAME: Final = "OSR-CON-003"
TWO_DEFAULTS: Final = "OSR-CON-004"
UNKNOWN: Final = "OSR-CON-005"
NO_DEFAULT: Final = "OSR-CON-006"
OTHER_FAMILY: Final = "OSR-CON-007"
UNREADABLE: Final = "OSR-CON-018"

DEFAULT: Final = "default"
"""The key that marks a family's default, and the alias that is one without it."""

_QUOTES_NOTHING: Final = frozenset({"OSR-YAML-001", "OSR-YAML-003", "OSR-YAML-006", "OSR-YAML-010"})
"""Findings of YAML whose messages name keys, characters and places only."""

_TOP: Final = ("connections", "version")
_TOP_HINT: Final = "the file has the keys `connections` and `version`; families stand below `connections`"
_FAMILY = re.compile(r"[a-z][a-z0-9_]*\Z")
_ALIAS = re.compile(r"[a-z][a-z0-9_-]*\Z")


@attrs.frozen
class Connections:
    """The entries of a project in the order of the file."""

    entries: tuple[ConnectionEntry, ...]
    file: str = CONNECTIONS_FILE

    def all(self) -> tuple[ConnectionEntry, ...]:
        """Every entry."""
        return self.entries

    def family(self, family: str) -> tuple[ConnectionEntry, ...]:
        """The entries of a family."""
        return tuple(entry for entry in self.entries if entry.family == family)

    def get(self, ref: str) -> ConnectionEntry:
        """The entry ``@family.alias``. Raises InvalidInput that lists what there is."""
        match = CONNECTION_REF.match(ref)
        if match is None:
            raise InvalidInput(UNKNOWN, f"'{ref}' is not a connection", hint="write it as @family.alias")
        for entry in self.entries:
            if entry.ref == ref:
                return entry
        same = self.family(match["family"])
        hint = did_you_mean(ref, [entry.ref for entry in self.entries])
        raise InvalidInput(UNKNOWN, f"there is no connection {ref}; {self._have(same)}", hint=hint)

    def select(self, family: str, ref: str | None = None) -> ConnectionEntry:
        """The entry for a step whose component needs ``family``.

        ``ref`` when given; else the alias with ``default: true``; else the alias named ``default``; else InvalidInput
        that lists what there is.
        """
        if ref is not None:
            entry = self.get(ref)
            if entry.family != family:
                message = f"{ref} is a connection of family '{entry.family}'; the step needs '{family}'"
                raise InvalidInput(OTHER_FAMILY, f"{message}; {self._have(self.family(family))}")
            return entry
        entries = self.family(family)
        marked = [entry for entry in entries if entry.default]
        named = [entry for entry in entries if entry.alias == DEFAULT]
        chosen = [*marked, *named]
        if not chosen:
            what = f"no connection of family '{family}' is the default"
            raise InvalidInput(NO_DEFAULT, f"{what}; {self._have(entries)}")
        return chosen[0]

    def _have(self, same_family: tuple[ConnectionEntry, ...]) -> str:
        if same_family:
            return f"{self.file} has {', '.join(entry.ref for entry in same_family)}"
        if self.entries:
            return f"{self.file} has none of that family (it has {', '.join(entry.ref for entry in self.entries)})"
        return f"{self.file} is missing or empty"


def load_connections(project: Project, registry: Registry) -> Connections:
    """The connections of ``project``; none when there is no file.

    Raises InvalidInput with every finding about the file's structure. What a plugin demands of an entry is checked by
    :meth:`ConnectionEntry.diagnostics`.
    """
    text = read_text(project.connections_file, shown=CONNECTIONS_FILE, code=UNREADABLE)
    if text is None or not has_content(text):
        return Connections(())
    try:
        document = yaml.load(text, file=CONNECTIONS_FILE)
    except InvalidInput as error:
        findings = [_without_values(finding) for finding in error.diagnostics]
        message = f"{CONNECTIONS_FILE} is not YAML that can be used" if findings else error.message
        raise InvalidInput(error.code, message, where=error.where, diagnostics=findings) from None
    reader = _Reader(document.data, document.position, registry)
    if reader.findings:
        raise InvalidInput(REFUSED, f"{CONNECTIONS_FILE} cannot be used", diagnostics=reader.findings)
    return Connections(tuple(reader.entries))


class _Reader:
    """Reads the structure of the file: families, aliases, defaults."""

    def __init__(self, data: Any, place: Callable[..., Position], registry: Registry) -> None:
        self.entries: list[ConnectionEntry] = []
        self.findings: list[Diagnostic] = []
        self._place = place
        self._registry = registry
        for key, families in self._mapping(data, (), "the file").items():
            if key == "connections":
                for family, aliases in self._mapping(families, (key,), "'connections'").items():
                    self._family(family, aliases)
            elif key not in _TOP:
                self._find(SHAPE, f"unknown key '{key}'", (key,), did_you_mean(key, _TOP) or _TOP_HINT)
            elif families != 1:
                self._find(SHAPE, "'version' must be 1", (key,))

    def _family(self, family: str, aliases: Any) -> None:
        path: Path = ("connections", family)
        if not _FAMILY.match(family):
            self._find(NAME, f"'{family}' cannot name a family", path, "use a-z, 0-9 and _, a letter first")
            return
        for alias, raw in self._mapping(aliases, path, f"family '{family}'").items():
            self._alias(family, alias, raw)
        marked = [entry for entry in self.entries if entry.family == family and entry.default]
        for entry in marked[1:]:
            message = f"{entry.ref} is marked as default, and so is {marked[0].ref}"
            self._find(TWO_DEFAULTS, message, (*path, entry.alias, DEFAULT))

    def _alias(self, family: str, alias: str, raw: Any) -> None:
        path: Path = ("connections", family, alias)
        if not _ALIAS.match(alias):
            self._find(NAME, f"'{alias}' cannot name a connection", path, "use a-z, 0-9, - and _, a letter first")
            return
        fields = dict(self._mapping(raw, path, f"@{family}.{alias}"))
        default = fields.pop(DEFAULT, False)
        if not isinstance(default, bool):
            self._find(SHAPE, "'default' must be true or false", (*path, DEFAULT))
            default = False
        self.entries.append(
            ConnectionEntry(
                family=family,
                alias=alias,
                raw=fields,
                position=of_node(self._place(path, key=True)),
                default=default,
                place=self._place,
                registry=self._registry,
            )
        )

    def _mapping(self, value: Any, path: Path, what: str) -> Mapping[str, Any]:
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        self._find(SHAPE, f"{what} must be a mapping", path)
        return {}

    def _find(self, code: str, message: str, path: Path, hint: str | None = None) -> None:
        position = of_node(self._place(path, key=bool(path)))
        self.findings.append(Diagnostic(code=code, message=message, path=path, position=position, hint=hint))


def _without_values(finding: Diagnostic) -> Diagnostic:
    """A finding about the file's syntax with nothing of a value: not in its source line, its hint or its message."""
    message = finding.message if finding.code in _QUOTES_NOTHING else title(finding.code)
    return attrs.evolve(
        finding, message=message, position=finding.position and without_value(finding.position), hint=None
    )
