"""What changed since the run before: of the same pipeline, in the same folder of records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.report.aiop.evidence import whole
from osiris_core.report.aiop.names import local_id, run_id
from osiris_core.report.diff import compare_runs
from osiris_core.report.reader import RUNNING, order_of, read_session, session_folders
from osiris_core.report.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_core.report.aiop.fitting import Section

MOST_LOOKED_AT: Final = 500
"""Sessions before a run among which the one before is looked for."""


@attrs.frozen(kw_only=True)
class Delta:
    """The run before, None when there is none; ``looked_at`` sessions were looked at to find it.

    ``sought``: whether it could be looked for: not for a record that does not say of which pipeline it is.
    """

    previous: Session | None
    looked_at: int
    sought: bool = True
    changes: tuple[dict[str, Any], ...] = ()

    def head(self) -> dict[str, Any]:
        """What is said in any case."""
        return {
            "@id": "delta",
            "@type": "Delta",
            "previous": run_id(self.previous.id) if self.previous else None,
            "previous_status": self.previous.status if self.previous else None,
            "first_run": self.sought and self.previous is None and self.looked_at < MOST_LOOKED_AT,
            "looked_at": self.looked_at,
        }

    def section(self) -> Section:
        """The changes."""
        return whole(self.changes)


def delta_of(session: Session) -> Delta:
    """What differs from the run of the same pipeline that started before ``session`` did."""
    looked_at = 0
    sought = session.pipeline is not None and session.kind == "run"
    if sought:
        for folder in session_folders(session.path.absolute().parent):
            if order_of(folder.name) >= order_of(session.id) or not folder.name.startswith("run_"):
                continue
            if looked_at == MOST_LOOKED_AT or not folder.is_dir():
                break
            looked_at += 1
            record = read_session(folder)
            if record.pipeline == session.pipeline and record.status != RUNNING:
                previous = Session(folder)
                return Delta(previous=previous, looked_at=looked_at, changes=tuple(_numbered(previous, session)))
    return Delta(previous=None, looked_at=looked_at, sought=sought)


def _numbered(before: Session, after: Session) -> Iterator[dict[str, Any]]:
    for n, one in enumerate(compare_runs(before, after, registry=None).differences, 1):
        yield {
            "@id": local_id("delta", n),
            "@type": "Change",
            "what": one.what,
            "step": None if one.step is None else local_id("step", one.step),
            "before": _scalar(one.before),
            "after": _scalar(one.after),
        }


def _scalar(value: Any) -> str | int | None:
    """``value`` where it is a text or a whole number, else its JSON."""
    if value is None or isinstance(value, str) or type(value) is int:
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
