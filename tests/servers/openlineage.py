"""Is an event what OpenLineage's own client makes of it? Each part is built again as the class of its schema.

The client's classes are generated from the specification's JSON Schemas and check what those do: which fields there
are, which must be there, of which kind they are, UUIDs, times and addresses.
"""

from __future__ import annotations

import types
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import attr
from openlineage.client import event_v2, facet_v2


def _facets() -> dict[str, type]:
    found: dict[str, type] = {}
    for name in facet_v2.__all__:
        module = getattr(facet_v2, name)
        for cls in vars(module).values() if isinstance(module, types.ModuleType) else ():
            if isinstance(cls, type) and issubclass(cls, facet_v2.BaseFacet):
                found[cls._get_schema()] = cls
    return found


FACETS = _facets()


def check(event: dict[str, Any]) -> None:
    """Fail unless ``event`` is a run event of the specification, facets included."""
    made(event_v2.RunEvent, event, "event")


def made(cls: Any, value: Any, where: str) -> Any:
    """``value`` as a ``cls``; fails, naming the place, where it is none."""
    origin = get_origin(cls)
    if cls is Any:
        return value
    if origin in (Union, types.UnionType):
        choices = [choice for choice in get_args(cls) if choice is not type(None)]
        assert len(choices) == 1, where
        return made(choices[0], value, where)
    if origin is list:
        assert isinstance(value, list), where
        return [made(get_args(cls)[0], item, f"{where}[{at}]") for at, item in enumerate(value)]
    if origin is dict:
        assert isinstance(value, dict), where
        kind = get_args(cls)[1]
        if isinstance(kind, type) and issubclass(kind, facet_v2.BaseFacet):
            return {name: _facet(kind, item, f"{where}.{name}") for name, item in value.items()}
        return {name: made(kind, item, f"{where}.{name}") for name, item in value.items()}
    if attr.has(cls):
        return _class(cls, value, where)
    if issubclass(cls, Enum):
        return cls(value)
    assert isinstance(value, (int, float) if cls is float else cls), f"{where}: {value!r}"
    assert not (isinstance(value, bool) and cls is not bool), where
    return value


def _facet(kind: type, value: dict[str, Any], where: str) -> Any:
    cls = FACETS[value["_schemaURL"]]
    assert issubclass(cls, kind), f"{where}: {cls.__name__} is no {kind.__name__}"
    assert value["_producer"], where
    return _class(cls, value, where)


def _class(cls: type, value: Any, where: str) -> Any:
    assert isinstance(value, dict), where
    hints = get_type_hints(cls)
    fields = {field.name: field for field in attr.fields(cls)}
    assert set(value) <= set(fields), f"{where}: {set(value) - set(fields)}"
    given = {
        field.alias or name.lstrip("_"): made(hints[name], value[name], f"{where}.{name}")
        for name, field in fields.items()
        if name in value and field.init
    }
    built = cls(**given)  # its validators run; what is required and missing fails
    for name in set(value) - {name for name, field in fields.items() if field.init}:
        assert getattr(built, name) == value[name], f"{where}.{name}"
    return built
