"""The event reference, from the vocabulary's classes."""

from __future__ import annotations

from typing import Any, NotRequired, get_origin, get_type_hints, is_typeddict

import attrs

from generators.markdown import code, prose, table
from osiris_core.chat import events as chat
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
        "Every line fits [events.schema.json](events.schema.json).",
    ]
    parts += [part for kind in events.VOCABULARY for part in _event(events.event_name(kind), kind)]
    parts += ["## In lists", _shapes()]
    parts += ["## Of a conversation", prose(chat.__doc__)]
    parts += [part for kind in chat.VOCABULARY for part in _event(chat.chat_event_name(kind), kind)]
    return "\n\n".join(part.strip() for part in parts)


def _event(name: str, kind: type) -> list[str]:
    rows = [(code(a.name), code(_type(a)), prose(a.metadata["doc"]), _default(a)) for a in attrs.fields(kind)]
    return [f"## {name}", prose(kind.__doc__), table(("field", "type", "", "default"), rows)]


def _names(kinds: frozenset[type]) -> str:
    return ", ".join(code(name) for name in sorted(events.event_name(kind) for kind in kinds))


def _type(attribute: attrs.Attribute[Any]) -> str:
    return str(attribute.type).replace("Any", "any").replace("None", "null")


def _shapes() -> str:
    """What stands in lists within events."""
    shapes = [kind for kind in vars(events).values() if is_typeddict(kind)]
    rows = [
        (code(kind.__name__), ", ".join(_member(name, hint) for name, hint in hints(kind)), prose(kind.__doc__))
        for kind in shapes
    ]
    return table(("list of", "keys", ""), rows)


def hints(kind: type) -> list[tuple[str, Any]]:
    """The members of a shape."""
    return list(get_type_hints(kind, include_extras=True).items())


def _member(name: str, hint: Any) -> str:
    return code(name) + (" (may be missing)" if get_origin(hint) is NotRequired else "")


def _default(attribute: attrs.Attribute[Any]) -> str:
    if attribute.default is attrs.NOTHING:
        return ""
    value = attribute.default.factory() if isinstance(attribute.default, attrs.Factory) else attribute.default  # type: ignore[arg-type]
    return code({None: "null", False: "false", True: "true"}.get(value, value) if not isinstance(value, dict) else "{}")
