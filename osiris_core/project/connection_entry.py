"""One connection of a project as its file has it, and what its family's plugin has to say about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.diagnostics import Diagnostic, Severity
from osiris_core.errors import InvalidInput
from osiris_core.model.shape import shape_of
from osiris_core.model.structure import structure, unstructure
from osiris_core.project.paths import CONNECTIONS_FILE
from osiris_core.project.references import references_in, stray, texts
from osiris_core.secret_shapes import secret_shape
from osiris_core.secrets import SecretRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from osiris_core.diagnostics import Path, Position
    from osiris_core.plugins.registry import Registry
    from osiris_core.spec.describe import ConnectionSpec

MALFORMED_REFERENCE: Final = "OSR-CON-008"
INVALID: Final = "OSR-CON-009"
LITERAL: Final = "OSR-CON-010"
OVERRIDE_FORBIDDEN: Final = "OSR-CON-011"
OVERRIDE_WARNED: Final = "OSR-CON-012"

_NAME: Final = r"[\"']?[\w.-]+[\"']?[ \t]*:"
_SOURCE_KEY = re.compile(rf"(?P<key>[ \t]*(?:- )?{_NAME})(?P<value>.*)\Z")
_OPENINGS = re.compile(rf"[ \t]*(?:- )?(?:{_NAME}[ \t]+\{{[ \t]*|\{{[ \t]*)*(?P<key>{_NAME}[ \t]+)?\Z")
_KEY_BEFORE = re.compile(rf"[{{,][ \t]*(?P<key>{_NAME}[ \t]+)\Z")
_PLAIN: Final = re.compile(r"""[ \t]*(?:version|default)[ \t]*:[ \t]+[\w.-]{1,20}[ \t]*(?:[,}\]#].*)?\Z""")
"""A line from one of the file's own keys on whose value is no connection's."""


@attrs.frozen(kw_only=True)
class ConnectionEntry:
    """A connection as its file has it: nothing is resolved. ``raw`` is without the key ``default``."""

    family: str
    alias: str
    raw: Mapping[str, Any]
    position: Position
    default: bool
    _place: Callable[..., Position] = attrs.field(repr=False, eq=False)
    _registry: Registry = attrs.field(repr=False, eq=False)

    @property
    def ref(self) -> str:
        """``@family.alias``."""
        return f"@{self.family}.{self.alias}"

    @property
    def where(self) -> str:
        """``file:line`` of the alias."""
        return f"{self.position.file}:{self.position.line}"

    @property
    def spec(self) -> ConnectionSpec:
        """The family's description. Raises PluginError when no plugin serves the family."""
        return self._registry.connection(self.family)

    def place(self, path: Path = (), *, key: bool = False) -> Position:
        """Where the value at ``path`` of ``raw`` stands; its source line shows no value."""
        return of_node(self._place(("connections", self.family, self.alias, *path), key=key))

    @property
    def fields_set(self) -> frozenset[str]:
        """The names of the fields that have a value, whatever it is."""
        return frozenset(name for name, value in self.raw.items() if value is not None)

    def references(self) -> tuple[tuple[Path, SecretRef], ...]:
        """Every reference in the entry, with its path in ``raw``."""
        return tuple(references_in(self.raw))

    def config(self) -> Any:
        """An instance of the family's config class: secrets as references, ``${VAR}`` left as text.

        A field that is a reference holds its text even when it is no text field. Raises InvalidInput with every
        finding of :meth:`diagnostics` that is an error.
        """
        config, findings = self._structure({})
        errors = [finding for finding in findings if finding.is_error]
        if errors:
            raise InvalidInput(INVALID, f"connection {self.ref} cannot be used", where=self.where, diagnostics=errors)
        return config

    def diagnostics(self, overrides: Mapping[str, Any] | None = None) -> list[Diagnostic]:
        """What is wrong with the entry, and with a step's ``overrides`` of it; their paths have no position.

        Raises PluginError when no plugin serves the family.
        """
        return self._structure(overrides or {})[1]

    def identity(self, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The fields that say which system this is, as plain data with ``${VAR}`` unresolved: what a manifest holds."""
        config, findings = self._structure(overrides or {})
        if config is None:
            raise InvalidInput(INVALID, f"connection {self.ref} cannot be used", where=self.where, diagnostics=findings)
        names = [m.name for m in shape_of(self.spec.config).members if m.info.identity and not m.secret]
        return {name: unstructure(getattr(config, name)) for name in names}

    def _structure(self, overrides: Mapping[str, Any]) -> tuple[Any, list[Diagnostic]]:
        base = ("connections", self.family, self.alias)
        cls = self.spec.config
        findings = [*self._literal_secrets(), *self._malformed_references(), *self._override_findings(overrides)]
        merged = {**self.raw, **overrides}
        config, problems = structure(cls, merged, path=base, position=self._place, placeholders=True)
        for problem in problems:
            below = problem.path[len(base) :]
            if below and below[0] in overrides:
                findings.append(attrs.evolve(problem, path=("connection_overrides", *below), position=None))
            else:
                findings.append(attrs.evolve(problem, position=self.place(below, key=bool(below))))
        return (config if not any(f.is_error for f in findings) else None), findings

    def _literal_secrets(self) -> Iterator[Diagnostic]:
        for path, text in texts(self.raw):
            shape = secret_shape(text)
            if shape:
                yield Diagnostic(
                    code=LITERAL,
                    message=f"{self.ref} holds a secret as text ({shape})",
                    path=("connections", self.family, self.alias, *path),
                    position=self.place(path),
                )

    def _malformed_references(self) -> Iterator[Diagnostic]:
        for path, text in texts(self.raw):
            if stray(text):
                yield Diagnostic(
                    code=MALFORMED_REFERENCE,
                    message="'${' does not start a reference here",
                    path=("connections", self.family, self.alias, *path),
                    position=self.place(path),
                )

    def _override_findings(self, overrides: Mapping[str, Any]) -> Iterator[Diagnostic]:
        members = {member.name: member for member in shape_of(self.spec.config).members}
        for name, value in overrides.items():
            member = members.get(name)
            if member is None:
                continue  # structuring says so, with a suggestion
            path = ("connection_overrides", name)
            if member.info.override == "forbidden":
                message = f"'{name}' of {self.ref} may not be overridden by a step"
                yield Diagnostic(code=OVERRIDE_FORBIDDEN, message=message, path=path)
            elif member.info.override == "warn":
                message = f"a step overrides '{name}' of {self.ref}"
                yield Diagnostic(code=OVERRIDE_WARNED, message=message, path=path, severity=Severity.WARNING)
            if not member.secret and any("${" in text for _, text in texts(value)):
                message = f"the override of '{name}' holds a reference, which only {CONNECTIONS_FILE} may"
                yield Diagnostic(code=OVERRIDE_FORBIDDEN, message=message, path=path)


def of_node(position: Position) -> Position:
    """``position`` with what its source line shows of the node there: the keys that lead to it, but no value unless it
    is a reference or belongs to a key of the file's own. What else is on the line is blank, so that the caret is right.
    """
    before, rest = position.source_line[: position.column - 1], position.source_line[position.column - 1 :]
    openings = _OPENINGS.match(before)
    lead = _KEY_BEFORE.search(before)
    if openings is not None:
        key, shown = openings["key"], before
    elif lead is not None:
        key, shown = lead["key"], " " * lead.start("key") + lead["key"]
    elif before.rstrip(" \t").endswith(("{", ",")):
        key, shown = None, " " * len(before)
    else:
        return without_value(position)
    whole = f"{key or ''}{rest}"
    item = _SOURCE_KEY.match(whole)
    if item is None:
        return attrs.evolve(position, source_line=f"{shown}***")
    if _PLAIN.match(whole):
        value = item["value"].partition(",")[0].partition("}")[0].rstrip()
    else:
        value = item["value"].rstrip()
        if value.strip() and not SecretRef.parse(value.strip().strip("\"'")):
            value = f"{value[: len(value) - len(value.lstrip())]}***"
    start = len(shown) - len(key or "")
    return attrs.evolve(position, source_line=f"{shown[:start]}{item['key']}{value}")


def without_value(position: Position) -> Position:
    """``position`` with a source line that shows a key at most, unless its value is a reference."""
    match = _SOURCE_KEY.match(position.source_line)
    if match is None:
        return attrs.evolve(position, source_line="")
    value = match["value"].strip()
    if not value or SecretRef.parse(value.strip("\"'")):
        return position
    return attrs.evolve(position, source_line=f"{match['key']} ***")
