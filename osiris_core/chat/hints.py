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
_ADDING: Final = frozenset({"append", "add", "adding", "appended", "keep", "without"})
_UPDATING: Final = frozenset({"upsert", "update", "updating", "updated", "merge", "refresh", "existing"})


def likely(wish: str, destinations: Sequence[Destination]) -> tuple[Destination, ...]:
    """The destinations whose kind or connection the wish names; all of them when it names none."""
    words = set(_WORD.findall(wish.lower()))
    named = tuple(one for one in destinations if _names(one) & words)
    return named or tuple(destinations)


def path_in(wish: str, destination: Destination) -> str | None:
    """The path that the wish names for such a file, or None."""
    if destination.path_field is None:
        return None
    ending = destination.ending.removeprefix(".")
    found = [match.group() for match in _PATH.finditer(wish) if match["ending"].lower() == ending]
    return found[-1] if found else None


def modes_in(wish: str, modes: Sequence[str]) -> tuple[str, ...]:
    """The modes that the wish may mean."""
    words = set(_WORD.findall(wish.lower()))
    meant = [REPLACE]
    if words & _ADDING:
        meant.append(APPEND)
    if words & _UPDATING:
        meant.append(UPSERT)
    return tuple(mode for mode in meant if mode in modes) or tuple(modes)


def _names(destination: Destination) -> set[str]:
    """The words that mean a destination: of its component and of its connection."""
    return set(_WORD.findall(destination.label.lower())) - _GENERAL
