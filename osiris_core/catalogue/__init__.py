"""Every error code the core can show, with what it means and what to do: the source of the error reference page.

A code is never reused. A component adds the codes of its own through ``ComponentSpec.errors``.
"""

from __future__ import annotations

from typing import Final

from osiris_core.catalogue import documents, talking, working
from osiris_core.catalogue.entry import ErrorEntry

ENTRIES: Final[tuple[ErrorEntry, ...]] = (
    *documents.YAML,
    *documents.OML,
    *documents.CONFIG,
    *documents.CONNECTIONS,
    *documents.SETTINGS,
    *documents.PLUGINS,
    *documents.COMPILE,
    *working.RUN,
    *working.DISCOVERY,
    *talking.MODELS,
    *talking.CONVERSATION,
    *talking.EVALUATION,
    *working.COMMANDS,
)

_BY_CODE = {entry.code: entry for entry in ENTRIES}


def remedy(code: str) -> str | None:
    """The catalogue's remedy for ``code``, or None for a code of a plugin's."""
    entry = _BY_CODE.get(code)
    return entry.remedy if entry else None


def title(code: str) -> str:
    """What ``code`` means in a few words, or the code itself when it is a plugin's."""
    entry = _BY_CODE.get(code)
    return entry.title if entry else code


__all__ = ["ENTRIES", "ErrorEntry", "remedy", "title"]
