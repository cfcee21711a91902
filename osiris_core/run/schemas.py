"""JSON Schemas of the lines of a record, made from the vocabularies: one for events, one for metrics."""

from __future__ import annotations

import re
import types
from inspect import cleandoc
from typing import Any, Final, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from osiris_core.ids import SESSION_ID
from osiris_core.run.events import BY_NAME
from osiris_core.run.metrics import METRICS

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_OWN: Final = {"type": "string", "pattern": r"^[a-z][a-z0-9_]*\.\S"}
"""The name of an event or metric of a plugin's own."""
_PLAIN: Final[dict[Any, dict[str, Any]]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
}


def event_schema() -> dict[str, Any]:
    """The schema of a line of ``events.jsonl``."""
    definitions = {name: _event(name, kind) for name, kind in BY_NAME.items()}
    definitions["own"] = {
        "description": "An event of a plugin's own, named `<plugin>.<name>`, or of a conversation (`chat.<name>`).",
        **_object({**_head(), "seq": _SEQ, "event": _OWN}),
        "additionalProperties": True,
    }
    return {
        "$schema": _DIALECT,
        "title": "A line of events.jsonl",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in definitions],
        "$defs": definitions,
    }


def metric_schema() -> dict[str, Any]:
    """The schema of a line of ``metrics.jsonl``."""
    definitions = {}
    for metric in METRICS:
        step = [{"run": _PLAIN[type(None)], "step": _PLAIN[str]}[of] for of in metric.of]
        properties = {
            **_head(),
            "metric": {"const": metric.name},
            "value": {"type": "integer"},
            "unit": {"const": metric.unit},
            "step": step[0] if len(step) == 1 else {"anyOf": step},
        }
        definitions[metric.name] = {"description": metric.doc, **_object(properties)}
    own = {**_head(), "metric": _OWN, "value": _PLAIN[float], "unit": _PLAIN[str], "step": _PLAIN[str]}
    definitions["own"] = {"description": "A metric of a plugin's own, named `<plugin>.<name>`.", **_object(own)}
    return {
        "$schema": _DIALECT,
        "title": "A line of metrics.jsonl",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in definitions],
        "$defs": definitions,
    }


_SEQ: Final = {"type": "integer", "minimum": 1}
_SESSION: Final = "^" + re.sub(r"\?P<\w+>", "?:", SESSION_ID.pattern).replace(r"\Z", "$")


def _head() -> dict[str, Any]:
    return {
        "ts": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"},
        "session": {"type": "string", "pattern": _SESSION},
    }


def _event(name: str, kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    fields = {attribute.name: attribute for attribute in kind.__attrs_attrs__}  # type: ignore[attr-defined]
    properties = {**_head(), "seq": _SEQ, "event": {"const": name}}
    for field, attribute in fields.items():
        properties[field] = {"description": attribute.metadata["doc"], **_schema(hints[field])}
    return {"description": cleandoc(kind.__doc__ or ""), **_object(properties)}


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


def _schema(kind: Any) -> dict[str, Any]:
    """The schema of a type that the vocabulary uses; TypeError for one that it has not used so far."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if is_typeddict(kind):
        hints = get_type_hints(kind, include_extras=True)
        required = [name for name, hint in hints.items() if get_origin(hint) is not NotRequired]
        return _object({name: _schema(hint) for name, hint in hints.items()}, required)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is NotRequired:
        return _schema(arguments[0])
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is list:
        return {"type": "array", "items": _schema(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    if origin in (types.UnionType, Union):
        return {"anyOf": [_schema(one) for one in arguments]}
    raise TypeError(f"no JSON Schema is known for {kind!r}")
