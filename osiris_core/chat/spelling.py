"""Texts that a small model's query compares with, written and looked for as the data has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_core.chat.catalog import Source, Sources
    from osiris_core.spec.catalog import ColumnProfile


def spelled(tree: exp.Expr, sources: Sources) -> Iterator[str]:
    """A text that is compared with a column is written as the column's values are, where only the case differs."""
    tables = {one.alias_or_name.lower(): sources.get(one.name) for one in tree.find_all(exp.Table)}
    for literal in [one for one in tree.find_all(exp.Literal) if one.is_string]:
        compared = literal.parent
        if not isinstance(compared, exp.EQ | exp.NEQ | exp.In):
            continue
        column = next((one for one in compared.iter_expressions() if isinstance(one, exp.Column)), None)
        if column is None:
            continue
        owners = [tables.get(column.table.lower())] if column.table else list(tables.values())
        values = {value for owner in owners if owner is not None for value in _values(owner, column.name)}
        alike = [value for value in values if value.casefold() == literal.name.casefold()]
        if literal.name not in values and len(alike) == 1:
            said = literal.name
            literal.replace(exp.Literal.string(alike[0]))
            yield f"'{said}' is written '{alike[0]}' in {column.name}."


def moved(tree: exp.Expr, sources: Sources) -> Iterator[str]:
    """A text that a column holds nowhere is looked for in the one column of its table whose values look like it."""
    for one in list(tree.find_all(exp.EQ)):
        column, text = one.this, one.expression
        if not isinstance(column, exp.Column) or not isinstance(text, exp.Literal) or not text.is_string:
            continue
        for table in tree.find_all(exp.Table):
            source = sources.get(table.name)
            if source is None or column.table.lower() not in ("", table.alias_or_name.lower()):
                continue
            profile = _profile(source, column.name)
            others = [other for other in _profiles(source) if _is_like(other, text.name)]
            if profile is not None and _lacks_value(profile, text.name) and len(others) == 1:
                yield f"'{text.name}' is looked for in {others[0].name}: {column.name} holds no such value."
                column.set("this", exp.to_identifier(others[0].name))
                break


def _is_like(profile: ColumnProfile, text: str) -> bool:
    """Whether the column may hold ``text``: it looks like all values that are known, of which it need not be one."""
    known = [one.value for one in profile.top or ()]
    alike = bool(known) and all(len(one) == len(text) and one.isupper() == text.isupper() for one in known)
    return alike and (text in known or not _lacks_value(profile, text))


def _lacks_value(profile: ColumnProfile, text: str) -> bool:
    """Whether the column is known to hold nothing like ``text``."""
    known = [one.value.casefold() for one in profile.top or ()]
    return bool(known) and profile.distinct == len(known) and text.casefold() not in known


def _profile(source: Source, column: str) -> ColumnProfile | None:
    return next((one for one in _profiles(source) if one.name.lower() == column.lower()), None)


def _profiles(source: Source) -> tuple[ColumnProfile, ...]:
    profile = source.found.profile
    return () if profile is None else tuple(one for one in profile.columns if not one.withheld)


def _values(source: Source, column: str) -> Iterator[str]:
    profile = _profile(source, column)
    yield from (one.value for one in (profile.top if profile is not None else None) or ())
