"""The rules for SQL in a step's config: parameters are bound, never pasted; what is bound must be there.

``${params.x}`` is refused in a field marked ``sql``, with one exception: it may be the whole of a quoted identifier
(``FROM "${params.table}"``), where its value is quoted again. ``$${`` is no escape in SQL, where ``$$`` begins a
dollar-quoted text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osiris_core.diagnostics import did_you_mean
from osiris_core.model.shape import shape_of
from osiris_core.oml.substitute import param_references
from osiris_core.secrets import REFERENCE
from osiris_core.sqltext import placeholders, quote_identifier, tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.diagnostics import Path
    from osiris_core.oml.findings import Findings
    from osiris_core.oml.substitute import Substitution

BINDINGS: Final = "query_params"
"""The config field that holds the bound values."""


def sql_fields(cls: type) -> frozenset[str]:
    """The fields of a config class that hold SQL."""
    return frozenset(member.name for member in shape_of(cls).members if member.info.sql)


def has_bindings(cls: type) -> bool:
    """Whether components with this config class bind values to their SQL."""
    return any(member.name == BINDINGS for member in shape_of(cls).members)


def substitute_sql(value: Any, path: Path, substitution: Substitution, *, dialect: str, binds: bool) -> Any:
    """``value`` of a SQL field with its quoted identifiers filled in; every other placeholder is a finding."""
    if isinstance(value, list):
        return [
            substitute_sql(item, (*path, index), substitution, dialect=dialect, binds=binds)
            for index, item in enumerate(value)
        ]
    if isinstance(value, dict):
        return {
            key: substitute_sql(item, (*path, key), substitution, dialect=dialect, binds=binds)
            for key, item in value.items()
        }
    if not isinstance(value, str) or "${" not in value:
        return value
    _note_reference(value, path, substitution)
    return _fill(value, path, substitution, dialect=dialect, binds=binds)


def check_bindings(
    fields: frozenset[str], config: Mapping[str, Any], path: Path, dialect: str, findings: Findings
) -> None:
    """Report placeholders without a value, and values without a placeholder."""
    given = config.get(BINDINGS)
    if given is None:
        given = {}
    if not isinstance(given, dict):
        return  # of the wrong type, which is reported as such
    wanted: set[str] = set()
    texts = {name: config[name] for name in sorted(fields) if isinstance(config.get(name), str)}
    for name, text in texts.items():
        names = placeholders(text, dialect=dialect)
        wanted.update(names)
        for missing in names:
            if missing not in given:
                hint = did_you_mean(missing, given) or f"add `{BINDINGS}: {{{missing}: ...}}`"
                message = f"':{missing}' in {name} has no value in {BINDINGS}"
                token = next(mark for mark in (f":{missing}", f"${missing}") if mark in text)
                findings.error_in_text("OSR-OML-037", message, (*path, name), token, hint=hint)
    if not texts:
        return
    for extra in given:
        if extra not in wanted:
            hint = did_you_mean(extra, wanted) or f"write `:{extra}` where the value belongs, or remove it"
            message = f"{BINDINGS} has '{extra}', which the SQL does not use"
            findings.error("OSR-OML-038", message, (*path, BINDINGS, extra), hint=hint, key=True)


def _note_reference(text: str, path: Path, substitution: Substitution) -> None:
    for match in REFERENCE.finditer(text):
        inside_dollars = match.start() and text[match.start() - 1] == "$"
        if not inside_dollars and not match["name"].startswith("params."):
            substitution.references.append((path, match.group()))


def _fill(text: str, path: Path, substitution: Substitution, *, dialect: str, binds: bool) -> str:
    identifiers = {
        (token.start + 1, token.end - 1) for token in tokens(text, dialect=dialect) if token.kind == "identifier"
    }
    pieces: list[str] = []
    done = 0
    for name, start, end in param_references(text):
        value = substitution.lookup(name, path)
        if (start, end) not in identifiers:
            _refuse(name, path, substitution.findings, binds=binds)
        elif isinstance(value, str):
            pieces += (text[done : start - 1], quote_identifier(value, dialect=dialect))
            done = end + 1
        elif value is not None:
            message = f"parameter '{name}' names a column or table here, so it must be text"
            substitution.findings.error_in_text("OSR-OML-034", message, path, text[start:end])
    return "".join((*pieces, text[done:]))


def _refuse(name: str, path: Path, findings: Findings, *, binds: bool) -> None:
    field = path[-1] if isinstance(path[-1], str) else path[-2]
    advice = (
        f"write `:{name}` in {field} and bind it: `{BINDINGS}: {{{name}: '${{params.{name}}}'}}`"
        if binds
        else "this component binds no values to its SQL; compute them in a step that does"
    )
    token = f"${{params.{name}}}"
    findings.error_in_text(
        "OSR-OML-034",
        f"'{token}' stands in SQL text, where parameters are bound and never pasted",
        path,
        token,
        hint=f'{advice} (a name of a table or column may stand in quotes: "${{params.{name}}}")',
    )
