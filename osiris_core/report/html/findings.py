"""What went wrong in a session, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.catalogue import remedy
from osiris_core.report.again import OPEN
from osiris_core.report.html.events import fields_of
from osiris_core.report.html.text import pairs, plain, shown
from osiris_core.report.reader import RUNNING, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.report.session import Session

_MAX_FINDINGS: Final = 500

_SEVERITY: Final = {
    "step_failed": "error",
    "step_retried": "warning",
    "step_cancelled": "warning",
    "observer_failed": "warning",
    "type_lost": "warning",
    "schema_changed": "note",
    "pin_differs": "warning",
    "cancel_requested": "warning",
    "chat.llm_failed": "error",
}


@attrs.frozen(kw_only=True)
class Finding:
    """Something that went wrong, or that a reader should know: ``severity`` is ``error``, ``warning`` or ``note``."""

    severity: str
    event: str
    step: str | None
    code: str | None
    message: str
    where: str | None
    hint: str | None
    offset_ms: int | None


def failure(session: Session) -> Finding | None:
    """Why the session failed, from its status or else from the step that did."""
    error = session.error
    if error is None:
        error = next((step.error for step in session.steps if step.error is not None), None)
        if error is None:
            return None
    step = text_of(error, "step") or session.record.step
    return Finding(
        severity="error",
        event="error",
        step=step or next((one.id for one in session.steps if one.error is not None), None),
        code=text_of(error, "code"),
        message=text_of(error, "message") or "the record does not say why",
        where=text_of(error, "where"),
        hint=text_of(error, "hint") or remedy(text_of(error, "code") or ""),
        offset_ms=None,
    )


def findings(session: Session) -> tuple[list[Finding], int]:
    """What the events say of faults, the gravest first; and how many more there are."""
    found = []
    for event in session.events:
        name = event.get("event")
        severity = _SEVERITY.get(name) if isinstance(name, str) else None
        if name == "write_aborted" and event.get("clean") is False:
            severity = "warning"
        if severity is None:
            continue
        code = text_of(event, "code")
        found.append(
            Finding(
                severity=severity,
                event=str(name),
                step=text_of(event, "step"),
                code=code,
                message=_said(event),
                where=None,
                hint=text_of(event, "hint") or (remedy(code) if code else None),
                offset_ms=session.offset_ms(event.get("ts")),
            )
        )
    order = {"error": 0, "warning": 1, "note": 2}
    found.sort(key=lambda finding: order[finding.severity])
    return found[:_MAX_FINDINGS], max(0, len(found) - _MAX_FINDINGS)


def _said(event: Mapping[str, Any]) -> str:
    """What an event says in words, or else its fields."""
    text = text_of(event, "message") or text_of(event, "reason")
    if text is not None:
        return text
    fields = {key: value for key, value in fields_of(event).items() if key not in ("code", "hint")}
    return "; ".join(f"{path} {value}" for path, value in pairs(plain(fields)))


def standing(session: Session) -> tuple[str, str] | None:
    """Of a session that has not ended as it should: how it stands, and what to do."""
    under_way = [step.id for step in session.steps if step.status == RUNNING]
    at = f" while {', '.join(map(shown, under_way[:5]))} ran" if under_way else ""
    again = f"Run it again: what it had published is not written twice, if {OPEN}."
    match session.status:
        case "running":
            return "The run was under way when this page was written.", "Write the page again to see how it goes on."
        case "crashed":
            return f"The process ended{at}, before it could say how the run went.", again
        case "damaged":
            return f"How the run ended is not known; its process may have ended{at}.", again
        case "interrupted":
            return f"The run was stopped{at}.", again
    return None
