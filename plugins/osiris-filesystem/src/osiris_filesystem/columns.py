"""Names of columns: unique, matched between files, chosen and suggested."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from osiris_core.api import DriverError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


def check_names(names: Iterable[str], *, where: str) -> None:
    """Raise DriverError when two names are one to SQL, which does not tell case apart."""
    seen: dict[str, str] = {}
    for one in names:
        other = seen.get(one.casefold())
        seen[one.casefold()] = one
        if other is not None:
            twice = f"'{one}' twice" if other == one else f"'{other}' and '{one}', which are one name to SQL"
            raise DriverError("OSR-FS-028", f"{where}: there is {twice}")


def match_headers(headers: Sequence[tuple[str, Sequence[str]]], *, union: bool) -> tuple[str, ...]:
    """The columns of files given as path and names: those of the first, then with ``union`` what later ones add.

    Without ``union`` every file must have the columns of the first, in whatever order.
    """
    first_path, first = headers[0]
    found = list(first)
    known = set(first)
    for path, names in headers[1:]:
        if union:
            found.extend(one for one in names if one not in known)
            known.update(names)
        elif set(names) != known:
            raise DriverError("OSR-FS-020", f"'{path}' {_difference(names, first)} '{first_path}'")
    if union:
        check_names(found, where="the files taken together")
    return tuple(found)


def pick(chosen: Sequence[str] | None, available: Sequence[str], missing: Callable[[str], DriverError]) -> list[str]:
    """``chosen``, or all; ``missing`` makes the error for one that is not available."""
    if chosen is None:
        return list(available)
    known = set(available)
    for one in chosen:
        if one not in known:
            raise missing(one)
    return list(chosen)


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """A hint with the closest of ``names``, or a few of them."""
    available = list(names)
    close = difflib.get_close_matches(word, available, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    listed = ", ".join(f"'{one}'" for one in available[:12])
    return f"there are {listed}{' and more' if len(available) > 12 else ''}"


def _difference(names: Sequence[str], first: Sequence[str]) -> str:
    lacks = [one for one in first if one not in set(names)]
    adds = [one for one in names if one not in set(first)]
    parts = []
    if lacks:
        parts.append(f"lacks the column{'s' if len(lacks) > 1 else ''} {', '.join(map(repr, lacks[:8]))} of")
    if adds:
        parts.append(f"has the column{'s' if len(adds) > 1 else ''} {', '.join(map(repr, adds[:8]))} beyond those of")
    return " and ".join(parts)
