"""What a wish says of its destination in so many words: kinds of files, connections, paths.

Only narrows what a model may choose from: whatever is found here the model could have chosen as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from osiris_core.chat.destinations import APPEND, REPLACE, UPSERT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_core.chat.destinations import Destination

_WORD: Final = re.compile(r"[a-z0-9]+")
_PATH: Final = re.compile(r"(?<![\w/.-])(?:[\w-]+/)*[\w-]+\.(?P<ending>[a-z0-9]{2,8})(?![\w/-])")
_GENERAL: Final = frozenset({"writer", "filesystem", "file", "files", "main", "default", "data"})
_ADDING: Final = frozenset({"append", "appends", "appended", "add", "adds", "adding", "insert", "stay", "stays"})
_UPDATING: Final = frozenset({"upsert", "update", "updated", "updating", "merge", "refresh", "key", "keyed"})
_PHRASES: Final = ("up to date", "up-to-date")
_SYNONYMS: Final = {"ndjson": "jsonl", "json lines": "jsonl", "excel": "xlsx"}
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")
_TABLE: Final = re.compile(r"\btable\s+(?:called\s+|named\s+)?[`\"]?(?P<name>[A-Za-z_][A-Za-z0-9_]*)", re.IGNORECASE)
_NO_TABLE: Final = frozenset(
    {
        "of",
        "in",
        "with",
        "from",
        "for",
        "that",
        "which",
        "to",
        "and",
        "has",
        "is",
        "by",
        "where",
        "on",
        "called",
        "named",
    }
)
_KEY_AFTER: Final = re.compile(r"\bkey(?:ed)?(?:\s+(?:is|are|by|on|columns?|being))*\s*:?\s+(?P<names>[a-z0-9_, ]+)")
_KEY_BEFORE: Final = re.compile(r"(?P<name>[a-z_][a-z0-9_]*)\s*(?:\(|as\s+|is\s+)(?:its\s+|the\s+|a\s+)?key\b")


def likely(wish: str, destinations: Sequence[Destination]) -> tuple[Destination, ...]:
    """The destinations whose kind or connection the wish names; all of them when it names none."""
    said = wish.lower()
    words = {*_WORD.findall(said), *(kind for word, kind in _SYNONYMS.items() if word in said)}
    named = tuple(one for one in destinations if _names(one) & words)
    return named or tuple(destinations)


def path_in(wish: str, destination: Destination) -> str | None:
    """The path that the wish names for such a file, or None."""
    if destination.path_field is None:
        return None
    ending = destination.ending.removeprefix(".")
    found = [match.group() for match in _PATH.finditer(wish) if match["ending"].lower() == ending]
    return found[-1] if found else None


def table_in(wish: str) -> str | None:
    """The table that the wish says the rows go to, or None: the name after the word, ``daily`` in `the table daily`."""
    found = [match["name"] for match in _TABLE.finditer(wish) if match["name"].lower() not in _NO_TABLE]
    return found[0] if found else None


def mode_in(wish: str, modes: Sequence[str]) -> str:
    """What the wish says shall happen to rows that are there, of ``modes``."""
    said = wish.lower()
    words = set(_WORD.findall(said))
    if UPSERT in modes and words & _UPDATING | {word for word in _PHRASES if word in said}:
        return UPSERT
    if APPEND in modes and words & _ADDING:
        return APPEND
    return REPLACE if REPLACE in modes else modes[0]


def keys_in(wish: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Those of ``columns`` that the wish calls a key: named after `key is`, or right before `(its key)`."""
    said = wish.lower()
    after = _KEY_AFTER.search(said)
    before = _KEY_BEFORE.search(said)
    words = set(_NAME.findall(after["names"])) if after else {before["name"]} if before else set()
    return tuple(one for one in columns if one.lower() in words)


def _names(destination: Destination) -> set[str]:
    """The words that mean a destination: of its component and of its connection."""
    return set(_WORD.findall(destination.label.lower())) - _GENERAL
