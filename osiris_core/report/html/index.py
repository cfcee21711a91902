"""What the page over all sessions shows: one line each, and the latest as a row of bars."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.report.html.text import duration, embedded, moment, plain, shown
from osiris_core.report.reader import STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from osiris_core.report.reader import SessionRecord

_BARS: Final = 80
_BAR: Final = (10, 72)
"""Width with the gap, and greatest height, in pixels."""


@attrs.frozen(kw_only=True)
class Bar:
    """A session as a bar as high as it took long; place and size in pixels."""

    status: str
    x: int
    height: float
    title: str


def context(sessions: Iterable[tuple[SessionRecord, bool]]) -> dict[str, Any]:
    """The variables of the template ``index.html``; sessions newest first, each with whether it has a page."""
    lines = []
    latest: list[SessionRecord] = []
    statuses: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for record, has_page in sessions:
        lines.append(_line(record, has_page=has_page))
        if len(latest) < _BARS:
            latest.append(record)
        statuses[record.status] += 1
        kinds[record.kind] += 1
    known = statuses["succeeded"] + statuses["failed"] + statuses["crashed"]
    return {
        "sessions": "[" + ",\n".join(lines) + "]",
        "count": len(lines),
        "statuses": [(status, statuses[status]) for status in STATUSES if statuses[status]],
        "kinds": sorted(kinds.items()),
        "success": f"{statuses['succeeded'] / known:.1%}" if known else "–",
        "unsuccessful": statuses["failed"] + statuses["crashed"],
        "latest": moment(latest[0].started) if latest else "–",
        "bars": _bars(latest),
        "bar_height": _BAR[1],
        "bar_width": _BAR[0] - 3,
    }


def _line(record: SessionRecord, *, has_page: bool) -> str:
    error = record.error or {}
    said = [str(error[key]) for key in ("code", "message") if error.get(key)]
    return embedded(
        plain(
            [
                record.id,
                record.kind,
                record.status,
                record.pipeline or "",
                moment(record.started),
                record.duration_ms,
                record.rows,
                record.target or "",
                shown(": ".join(said) or record.damage or "", 300),
                has_page,
                duration(record.duration_ms),
            ]
        )
    )


def _bars(latest: Sequence[SessionRecord]) -> list[Bar]:
    """The latest sessions from left to right, the newest last; heights by the root, so that short ones are seen."""
    longest = max((record.duration_ms or 0 for record in latest), default=0) or 1
    return [
        Bar(
            status=record.status,
            x=place * _BAR[0],
            height=round(max(4.0, _BAR[1] * (max(record.duration_ms or 0, 0) / longest) ** 0.5), 1),
            title=f"{record.pipeline or record.id}, {moment(record.started)}, {record.status}, "
            f"{duration(record.duration_ms)}",
        )
        for place, record in enumerate(reversed(latest))
    ]
