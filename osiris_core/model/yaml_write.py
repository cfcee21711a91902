"""Plain data as block YAML: one text for one value, the same on every machine.

Mappings keep their order. A text is written plain only where YAML 1.1 and 1.2 both read it back as the same text; one
of several lines becomes a literal block where that is exact; everything else is a double-quoted JSON string.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

_MAX_DEPTH: Final = 64
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./(),+*=<>$]*(?:[ -][A-Za-z0-9_./(),+*=<>$]+)*\Z")
_WORDS_OF_ITS_OWN = frozenset(["null", "true", "false", "yes", "no", "on", "off", "y", "n"])
_CONSTANTS: Final = {None: "null", True: "true", False: "false"}
_LITERAL_LINE = re.compile("[\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*\\Z")


def dump(data: Any) -> str:
    """``data`` (dict with str keys, list, tuple, str, int, float, bool, None) as YAML text, ending in a newline.

    Raises ValueError for NaN, infinities and more than 64 levels, and TypeError for any other type.
    """
    lines: list[str] = []
    if isinstance(data, dict | list | tuple) and data:
        _block(data, 0, lines)
    else:
        lines.append(_scalar(data, 1))
    return "\n".join(lines) + "\n"


def _block(data: Any, level: int, lines: list[str]) -> None:
    """Append the lines of a mapping or list that is not empty."""
    if level >= _MAX_DEPTH:
        raise ValueError(f"more than {_MAX_DEPTH} levels of nesting")
    pad = "  " * level
    if isinstance(data, dict):
        for key, value in data.items():
            if not isinstance(key, str):
                raise TypeError(f"a mapping has text keys, not {type(key).__name__}")
            lead = f"{pad}{_key(key)}:"
            if isinstance(value, dict | list | tuple) and value:
                lines.append(lead)
                _block(value, level + 1, lines)
            else:
                lines.append(f"{lead} {_scalar(value, level + 1)}")
        return
    for item in data:
        if isinstance(item, dict | list | tuple) and item:
            start = len(lines)
            _block(item, level + 1, lines)
            lines[start] = f"{pad}- {lines[start][len(pad) + 2 :]}"
        else:
            lines.append(f"{pad}- {_scalar(item, level + 1)}")


def _scalar(value: Any, level: int) -> str:
    """A value on the line it starts on (a literal block runs on)."""
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    kind = type(value)
    if kind is str:
        return _text(value, level)
    if kind is int:
        return str(value)
    if kind is float:
        return _float(value)
    if isinstance(value, dict | list | tuple):
        return "{}" if isinstance(value, dict) else "[]"
    raise TypeError(f"no YAML for {kind.__name__}")


def _float(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError("YAML for NaN and infinities is not JSON's")
    text = repr(value)
    mantissa, exponent, power = text.partition("e")
    # YAML 1.1 knows a float by its point; JSON and 1.2 do without.
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}{exponent}{power}"


def _text(text: str, level: int) -> str:
    if _is_plain(text):
        return text
    body = text.removesuffix("\n")
    inner = body.split("\n")
    if (
        len(inner) > 1
        and inner[0][:1] not in ("", " ", "\t")
        and inner[-1].strip(" \t")
        and all(_LITERAL_LINE.match(line) for line in inner)
    ):
        pad = "  " * level
        mark = "|" if text.endswith("\n") else "|-"
        return "\n".join([mark, *(f"{pad}{line}" if line else "" for line in inner)])
    return _quoted(text)


def _key(text: str) -> str:
    return text if len(text) <= 100 and _is_plain(text) else _quoted(text)


def _is_plain(text: str) -> bool:
    return _PLAIN.match(text) is not None and text.lower() not in _WORDS_OF_ITS_OWN


def _quoted(text: str) -> str:
    out = json.dumps(text, ensure_ascii=False)
    return "".join(c if _LITERAL_LINE.match(c) and c != "\t" else _escape(c) for c in out)


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    if 0xD800 <= code <= 0xDFFF:
        raise ValueError(f"a lone surrogate (U+{code:04X}) has no YAML form")
    return f"\\u{code:04x}"
