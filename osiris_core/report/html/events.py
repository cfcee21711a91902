"""The events of a session as the page embeds them, and what of them stands in the page itself."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from osiris_core.report.html.text import embedded, pairs, plain, shown, text_of_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.report.session import Session

MAX_EVENTS: Final = 200_000
_MAX_NAMES: Final = 1_000
_MAX_CHARACTERS: Final = 48_000_000
"""Of fields of events, as JSON; beyond it events are embedded with their names only."""
_STATIC: Final = 60
"""Events at either end that stand in the page itself, for paper and for readers without scripts."""

_ENVELOPE: Final = frozenset({"ts", "session", "seq", "event", "step"})


def fields_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """What an event says beside when, where and its name."""
    return {key: value for key, value in event.items() if key not in _ENVELOPE}


def embedded_events(session: Session) -> tuple[str, int]:
    """The events as embedded JSON: ``[number, milliseconds, name, step, time, fields]`` each; how many lost fields."""
    events = session.events
    if len(events) > MAX_EVENTS:
        events = events[: MAX_EVENTS // 2] + events[-MAX_EVENTS // 2 :]
    lines = []
    left, cut = _MAX_CHARACTERS, 0
    for place, event in enumerate(events, 1):
        seq, ts = event.get("seq"), event.get("ts")
        head = [
            plain(seq) if isinstance(seq, int) else place,
            session.offset_ms(ts),
            shown(text_of_any(event.get("event"))),
            shown(text_of_any(event.get("step"))),
            shown(text_of_any(ts)),
        ]
        fields = embedded(plain(fields_of(event))) if left > 0 else "null"
        left -= len(fields)
        cut += left <= 0 and fields == "null"
        lines.append(f"{embedded(head)[:-1]},{fields}]")
    return "[" + ",\n".join(lines) + "]", cut


def text_of_any(value: Any) -> str:
    """A value of a record where a text belongs."""
    if value is None:
        return ""
    return value if isinstance(value, str) else text_of_value(value)


def tally(session: Session, key: str) -> list[tuple[str, int]]:
    """The values under ``key`` of all events and how often each stands there, by name; as shown, so that they fit."""
    return sorted(Counter(name for event in session.events if (name := shown(text_of_any(event.get(key))))).items())[
        :_MAX_NAMES
    ]


def static_events(session: Session) -> list[dict[str, Any] | int]:
    """The first and the last events, and between them how many are left out."""
    events = session.events
    left_out = max(0, len(events) - 2 * _STATIC)
    chosen: list[Mapping[str, Any] | int] = list(events[:_STATIC] if left_out else events)
    if left_out:
        chosen += [left_out, *events[-_STATIC:]]
    return [one if isinstance(one, int) else _line(session, one) for one in chosen]


def _line(session: Session, event: Mapping[str, Any]) -> dict[str, Any]:
    fields = {key: value for key, value in fields_of(event).items() if value is not None}
    return {
        "offset_ms": session.offset_ms(event.get("ts")),
        "name": text_of_any(event.get("event")),
        "step": text_of_any(event.get("step")),
        "text": shown(", ".join(f"{path} {value}" for path, value in pairs(plain(fields)) if path), 200),
    }
