"""What changed since the run before: of the same pipeline, in the same folder of records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.report.aiop.evidence import whole
from osiris_core.report.aiop.names import local_id, run_id
from osiris_core.report.reader import RUNNING, read_session, session_folders, text_of
from osiris_core.report.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_core.report.aiop.fitting import Section
    from osiris_core.report.session import Step

MOST_LOOKED_AT: Final = 500
"""Sessions before a run among which the one before is looked for."""

_COUNTED: Final = ("rows_read", "rows_written", "duration_ms", "attempts")


@attrs.frozen(kw_only=True)
class Delta:
    """The run before, None when there is none; ``looked_at`` sessions were looked at to find it."""

    previous: Session | None
    looked_at: int
    changes: tuple[dict[str, Any], ...] = ()

    def head(self) -> dict[str, Any]:
        """What is said in any case."""
        return {
            "@id": "delta",
            "@type": "Delta",
            "previous": run_id(self.previous.id) if self.previous else None,
            "previous_status": self.previous.status if self.previous else None,
            "first_run": self.previous is None and self.looked_at < MOST_LOOKED_AT,
            "looked_at": self.looked_at,
        }

    def section(self) -> Section:
        """The changes."""
        return whole(self.changes)


def delta_of(session: Session) -> Delta:
    """What differs from the run of the same pipeline that started before ``session`` did."""
    looked_at = 0
    if session.pipeline is not None and session.kind == "run":
        for folder in session_folders(session.path.absolute().parent):
            if _order(folder.name) >= _order(session.id) or not folder.name.startswith("run_"):
                continue
            if looked_at == MOST_LOOKED_AT or not folder.is_dir():
                break
            looked_at += 1
            record = read_session(folder)
            if record.pipeline == session.pipeline and record.status != RUNNING:
                previous = Session(folder)
                return Delta(previous=previous, looked_at=looked_at, changes=tuple(_numbered(previous, session)))
    return Delta(previous=None, looked_at=looked_at)


def _numbered(before: Session, after: Session) -> Iterator[dict[str, Any]]:
    for n, (what, step, old, new) in enumerate(_changes(before, after), 1):
        yield {
            "@id": local_id("delta", n),
            "@type": "Change",
            "what": what,
            "step": None if step is None else local_id("step", step),
            "before": old,
            "after": new,
        }


_Change = tuple[str, str | None, Any, Any]


def _changes(before: Session, after: Session) -> Iterator[_Change]:
    yield from _one("status", None, before.status, after.status)
    yield from _one("manifest_hash", None, before.record.manifest_hash, after.record.manifest_hash)
    yield from _one("error", None, text_of(before.error or {}, "code"), text_of(after.error or {}, "code"))
    yield from _one("rows", None, before.rows, after.rows)
    yield from _one("duration_ms", None, before.duration_ms, after.duration_ms)
    old = {step.id: step for step in before.steps}
    new = {step.id: step for step in after.steps}
    for step_id in [*new, *(step_id for step_id in old if step_id not in new)]:
        was, now = old.get(step_id), new.get(step_id)
        if was is None or now is None:
            yield "step", step_id, was and was.component, now and now.component
        else:
            yield from _steps(was, now)


def _steps(before: Step, after: Step) -> Iterator[_Change]:
    yield from _one("status", after.id, before.status, after.status)
    for name in _COUNTED:
        yield from _one(name, after.id, getattr(before, name), getattr(after, name))
    if before.schema is not None and after.schema is not None:
        old = {column.name: _type(column) for column in before.schema}
        new = {column.name: _type(column) for column in after.schema}
        for name in [*new, *(name for name in old if name not in new)]:
            yield from _one(f"column {name}", after.id, old.get(name), new.get(name))


def _type(column: Any) -> str:
    return f"{column.type}{'' if column.nullable else ' not null'}"


def _one(what: str, step: str | None, before: Any, after: Any) -> Iterator[_Change]:
    if before != after:
        yield what, step, before, after


def _order(name: str) -> str:
    return name.partition("_")[2]
