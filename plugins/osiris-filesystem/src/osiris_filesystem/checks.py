"""Rules that several configs share; each yields the breaches it finds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from osiris_core.api import Problem
from osiris_filesystem.typenames import canonical_type, is_nested


def type_problems(types: Mapping[str, str], *, nested: bool = False) -> Iterable[Problem]:
    """Types that cannot be understood, or cannot be read from a cell."""
    for column, text in types.items():
        try:
            found = canonical_type(text)
        except ValueError as error:
            yield Problem(field=("types", column), message=str(error))
            continue
        if is_nested(found) and not nested:
            yield Problem(
                field=("types", column),
                message=f"{found} cannot be read from a cell",
                hint="read it as JSON, and take it apart in a step after",
            )


def unique(field: str, names: Sequence[str] | None) -> Iterable[Problem]:
    """Lists of columns that are empty or name one twice."""
    if names is None:
        return
    if not names:
        yield Problem(field=(field,), message="is empty", hint="leave it out to take all columns")
    seen: set[str] = set()
    for at, one in enumerate(names):
        if not one:
            yield Problem(field=(field, at), message="is an empty name")
        elif one in seen:
            yield Problem(field=(field, at), message=f"names '{one}' a second time")
        seen.add(one)


def one_character(**characters: str | None) -> Iterable[Problem]:
    """Characters of a dialect that are line breaks, wider than a byte, or the same as another one."""
    used: dict[str, str] = {}
    for field, character in characters.items():
        if not character:
            continue
        if character in "\r\n\0" or ord(character) > 0x7F:
            yield Problem(field=(field,), message="must be an ASCII character other than a line break or NUL")
        elif character in used and {field, used[character]} != {"quote", "escape"}:
            yield Problem(field=(field,), message=f"is the same character as '{used[character]}'")
        used.setdefault(character, field)


def write_problems(config: Any) -> Iterable[Problem]:
    """Writers' modes and layouts that do not go together."""
    yield from unique("columns", config.columns)
    if config.mode == "append" and config.layout == "file":
        yield Problem(
            field=("mode",),
            message="append needs layout: folder, because a file cannot be appended to in one step",
            hint="set layout: folder; each run then adds a part",
        )
    if config.columns is not None and config.sort_columns:
        yield Problem(field=("sort_columns",), message="has no meaning when 'columns' gives the order")
