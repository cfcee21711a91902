"""The waterfall: when each step ran, on one axis of time. Places and lengths are per cent of the axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.report.html.text import duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osiris_core.report.session import Session, Step

_ROUND: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_TICKS: Final = 5
_NARROW: Final = 0.35
"""The least length of a bar: a step that took no time is still to be seen."""
_SIGNS: Final = {"write_published": "published", "step_retried": "retried"}
_MAX_MARKS: Final = 20


@attrs.frozen(kw_only=True)
class Mark:
    """Something that happened within a step: ``published`` or ``retried``."""

    kind: str
    at: float
    offset_ms: int


@attrs.frozen(kw_only=True)
class Bar:
    """When a step ran; ``open`` where its end is not known."""

    start: float
    length: float
    open: bool
    marks: tuple[Mark, ...]


@attrs.frozen(kw_only=True)
class Tick:
    """A place on the axis and the time there."""

    at: float
    label: str


@attrs.frozen(kw_only=True)
class Timeline:
    """The axis, a bar for each step that started, and when the first one did."""

    span_ms: int
    ticks: tuple[Tick, ...]
    bars: dict[str, Bar]
    starting_ms: int


def timeline(session: Session) -> Timeline | None:
    """The timeline of a session; None when no step is known to have started."""
    begun = [step for step in session.steps if step.offset_ms is not None]
    if not begun:
        return None
    last = max(
        (at for event in session.events[-100:] if (at := session.offset_ms(event.get("ts"))) is not None), default=0
    )
    ends = [(step.offset_ms or 0) + max(step.duration_ms or 0, 0) for step in begun]
    span = max(session.duration_ms or 0, last, *ends, 1)
    marks = _marks(session, span)
    return Timeline(
        span_ms=span,
        ticks=tuple(_ticks(span)),
        bars={step.id: _bar(step, span, last, marks.get(step.id, ())) for step in begun},
        starting_ms=min(step.offset_ms or 0 for step in begun),
    )


def _bar(step: Step, span: int, last: int, marks: Iterable[Mark]) -> Bar:
    start = step.offset_ms or 0
    took = step.duration_ms if step.duration_ms is not None else max(last - start, 0)
    length = max(_share(took, span), _NARROW)
    return Bar(
        start=min(_share(start, span), 100 - length),
        length=length,
        open=step.duration_ms is None,
        marks=tuple(marks),
    )


def _marks(session: Session, span: int) -> dict[str, list[Mark]]:
    found: dict[str, list[Mark]] = {}
    for event in session.events:
        step, kind = event.get("step"), _SIGNS.get(str(event.get("event")))
        if kind is None or not isinstance(step, str) or len(found.get(step, ())) == _MAX_MARKS:
            continue
        offset = session.offset_ms(event.get("ts"))
        if offset is not None:
            found.setdefault(step, []).append(Mark(kind=kind, at=min(_share(offset, span), 100.0), offset_ms=offset))
    return found


def _ticks(span: int) -> Iterable[Tick]:
    """Some round times along the axis, the last with room for its label."""
    step = _round_step(span / _TICKS)
    count = int(span // step)
    return [Tick(at=_share(index * step, span), label=_label(index * step)) for index in range(count + 1)]


def _round_step(wanted: float) -> float:
    """A round number of milliseconds, at least ``wanted``."""
    scale = 1.0
    while wanted < 1000 and scale < 1000:
        for digit in (1, 2, 5):
            if digit * scale >= wanted:
                return digit * scale
        scale *= 10
    seconds = wanted / 1000
    for one in _ROUND:
        if one >= seconds:
            return one * 1000.0
    return float(-(-wanted // 86_400_000) * 86_400_000)


def _label(milliseconds: float) -> str:
    if milliseconds == 0:
        return "0"
    if milliseconds < 60_000 and milliseconds % 1000 == 0:
        return f"{milliseconds / 1000:.0f} s"
    return duration(milliseconds)


def _share(part: float, whole: float) -> float:
    return round(part * 100 / whole, 2)
