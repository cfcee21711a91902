"""Text from data made safe to print: what is shown is what is there, and nothing in it acts.

C0 and C1 controls (but newline and tab), bidirectional controls, characters without a shape (zero-width, fillers,
tags) and lone surrogates are replaced by a visible escape, so that a column name can neither move the cursor nor hide
text (Unicode TR36, TR9). Variation selectors U+FE00 to U+FE0F stay: emoji use them.
"""

from __future__ import annotations

import re
from typing import Final

_BYTE_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)

_HALF = re.compile("[\ud800-\udfff]")


def visible(text: str) -> str:
    r"""``text`` with every acting character written as an escape (``\x1b``, ``\u202e``)."""
    return _ACTING.sub(_escape, text)


def visible_line(text: str) -> str:
    """Like :func:`visible`, on one line: newlines and tabs are written as escapes too."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def well_formed(text: str) -> str:
    """``text`` with the replacement character for every half of a character: no file and no wire takes those."""
    return _HALF.sub("\ufffd", text)


def counted(number: int, word: str) -> str:
    """``1 row``, ``1,000 rows``."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def size(value: float) -> str:
    """An amount of bytes for people: ``3.4 MiB``."""
    for unit in _BYTE_UNITS:
        if value < 1024 or unit == _BYTE_UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
