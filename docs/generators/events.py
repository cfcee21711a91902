"""The event reference, from the vocabulary's classes."""

from __future__ import annotations

from typing import Any

import attrs

from generators.markdown import code, prose, table
from osiris_core.run import events

SAMPLE = '{"ts": "…Z", "session": "run_…", "seq": 4, "event": "step_started", "step": "delays", …}'


def page() -> str:
    """The page."""
    parts = [
        "# Events",
        prose(events.__doc__),
        f"```json\n{SAMPLE}\n```",
        "`logging.events` chooses by name which are recorded ([settings](settings.md#logging)). A driver may emit "
        f"{_names(events.OPEN_TO_DRIVERS)}, and events of its own; the rest is the runtime's to say.",
    ]
    for kind in events.VOCABULARY:
        rows = [(code(a.name), code(_type(a)), prose(a.metadata["doc"]), _default(a)) for a in attrs.fields(kind)]
        parts += [
            f"## {events.event_name(kind)}",
            prose(kind.__doc__),
            table(("field", "type", "", "default"), rows),
        ]
    return "\n\n".join(part.strip() for part in parts)


def _names(kinds: frozenset[type]) -> str:
    return ", ".join(code(name) for name in sorted(events.event_name(kind) for kind in kinds))


def _type(attribute: attrs.Attribute[Any]) -> str:
    return str(attribute.type).replace("Any", "any").replace("None", "null")


def _default(attribute: attrs.Attribute[Any]) -> str:
    if attribute.default is attrs.NOTHING:
        return ""
    value = attribute.default.factory() if isinstance(attribute.default, attrs.Factory) else attribute.default  # type: ignore[arg-type]
    return code({None: "null", False: "false", True: "true"}.get(value, value) if not isinstance(value, dict) else "{}")
