"""Text and figures as a report shows them: short enough for a page, with nothing in them that acts.

Escaping for HTML is the template's business; what is embedded as JSON is escaped here.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from osiris_core.display import size, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TEXT: Final = 2_000
"""Characters of one value that a report shows."""
_MAX_ITEMS: Final = 1_000
_MAX_DEPTH: Final = 8
_SAFE_INTEGER: Final = (1 << 53) - 1
"""The largest number up to which JavaScript's are exact."""
_COUNTS: Final = ("", " K", " M", " G")


def cut(text: str, limit: int = MAX_TEXT) -> str:
    """``text`` up to ``limit`` characters, and a mark that says how long it is when it is longer."""
    return text if len(text) <= limit else f"{text[:limit]}… [cut: {len(text):,} characters]"


def shown(text: str, limit: int = MAX_TEXT) -> str:
    """``text`` as a page shows it: cut, and with acting characters made visible."""
    text = cut(text, limit)
    return text if text.isascii() and text.isprintable() else visible(text)


def displayed(value: Any) -> Any:
    """What a template puts out for a value: nothing for None, text that is safe to show; markup as it is."""
    if value is None:
        return ""
    if hasattr(value, "__html__"):
        return value
    return shown(value if isinstance(value, str) else str(value))


def plain(value: Any, depth: int = 0) -> Any:
    """Data of a record as a report embeds it: texts shown, numbers that JavaScript holds exactly, no deep nesting."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) <= _SAFE_INTEGER else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth == _MAX_DEPTH:
        return "… [cut: nested deeper]"
    if isinstance(value, dict):
        items = list(value.items())
        kept = {shown(str(key)): plain(item, depth + 1) for key, item in items[:_MAX_ITEMS]}
        return kept if len(items) <= _MAX_ITEMS else {**kept, "…": f"[cut: {len(items):,} keys]"}
    if isinstance(value, list | tuple):
        listed = [plain(item, depth + 1) for item in value[:_MAX_ITEMS]]
        return listed if len(value) <= _MAX_ITEMS else [*listed, f"… [cut: {len(value):,} items]"]
    return shown(str(value))


def embedded(data: Any) -> str:
    """Data as JSON that can stand within a ``<script>`` element: nothing in it ends the element or begins a comment."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def pairs(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """The leaves of nested data, each with its path (``table.columns[0]``) and as text."""
    if isinstance(value, dict) and value and depth < _MAX_DEPTH:
        for key, item in list(value.items())[:_MAX_ITEMS]:
            yield from pairs(item, f"{path}.{key}" if path else str(key), depth + 1)
    elif (
        isinstance(value, list | tuple) and any(isinstance(item, dict | list) for item in value) and depth < _MAX_DEPTH
    ):
        for index, item in enumerate(value[:_MAX_ITEMS]):
            yield from pairs(item, f"{path}[{index}]", depth + 1)
    else:
        yield path, text_of_value(value)


def text_of_value(value: Any) -> str:
    """A leaf of configuration as text: texts as they are, lists with commas, everything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return ", ".join(text_of_value(item) for item in value[:_MAX_ITEMS])
    return json.dumps(plain(value), ensure_ascii=False)


def duration(milliseconds: float | None) -> str:
    """A duration read at leisure: ``35 ms``, ``4.91 s``, ``1 min 15 s``, ``2 h 05 min``."""
    if milliseconds is None:
        return "–"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.2f} s" if milliseconds < 10_000 else f"{milliseconds / 1000:.1f} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    return f"{minutes // 60:,} h {minutes % 60:02d} min"


def number(value: float | None) -> str:
    """A count: ``336,776``."""
    return "–" if value is None else f"{value:,}"


def amount(value: float | None) -> str:
    """An amount of bytes: ``3.4 MiB``."""
    return "–" if value is None else size(value)


def rate(value: float | None) -> str:
    """Rows a second, in three digits: ``107 K rows/s``."""
    if value is None:
        return "–"
    for unit in _COUNTS:
        if value < 1000 or unit == _COUNTS[-1]:
            digits = f"{value:,.0f}" if value >= 100 or not unit else f"{value:.1f}"
            return f"{digits}{unit} rows/s"
        value /= 1000
    raise AssertionError


def moment(text: str | None) -> str:
    """A time of a record as people write it: ``2026-11-29 09:32:15 UTC``; as it stands where it is none."""
    if text is None:
        return "–"
    day, separator, rest = text.partition("T")
    if not separator or not rest.endswith("Z") or len(day) != 10:
        return text
    return f"{day} {rest[:8]} UTC"
