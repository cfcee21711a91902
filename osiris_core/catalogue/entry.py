"""What an error code is."""

from __future__ import annotations

import attrs


@attrs.frozen
class ErrorEntry:
    """A code, what happened in a few words, and the remedy shown when an error brings no hint of its own."""

    code: str
    title: str
    remedy: str
