"""The JSON Schema (2020-12, https://json-schema.org/draft/2020-12) of a config class.

It accepts what :func:`osiris_core.model.structure.structure` accepts, but for three things that a schema cannot say:
rules of ``check``, numeric limits of decimals written as text, and whole numbers too large for a float field; and a
schema takes ``5.0`` for a whole number, which we do not. Patterns are written for ECMA-262.

Keywords of our own: ``x-osiris-path`` (``read`` or ``write``) and ``x-osiris-override``, on fields that declare them.
"""

from __future__ import annotations

import inspect
import re
from typing import Any, Final

from osiris_core.canonical import digest
from osiris_core.model import shape as shapes
from osiris_core.model.structure import DECIMAL, unstructure
from osiris_core.secrets import REFERENCE

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

PLACEHOLDER_PATTERN: Final = r"\$\{"

_TYPES: Final[dict[shapes.Kind, str]] = {
    "null": "null",
    "boolean": "boolean",
    "integer": "integer",
    "number": "number",
    "text": "string",
    "list": "array",
    "mapping": "object",
}
_DESCRIBING: Final = frozenset({"$schema", "title", "description", "examples"})


def json_schema(cls: type, *, placeholders: bool = False) -> dict[str, Any]:
    """The schema of a config class as a document of its own.

    With ``placeholders``, any scalar may also be a text that contains ``${``, as for ``structure``.
    """
    return {"$schema": DIALECT, **object_schema(cls, placeholders=placeholders)}


def object_schema(cls: type, *, placeholders: bool = False) -> dict[str, Any]:
    """The schema of a config class as a part of another schema."""
    return _Writer(placeholders=placeholders).group(shapes.shape_of(cls))


def schema_hash(cls: type) -> str:
    """The digest of what the schema demands, as lower-case hex; titles, descriptions and examples leave it alone."""
    return digest(_demands(object_schema(cls)))


def title_of(cls: type) -> str:
    """The first line of a config class's docstring, without its full stop; the class's name when it has none."""
    return _docstring(cls).partition("\n")[0].removesuffix(".") or cls.__name__


def description_of(cls: type) -> str:
    """What follows the first line of a config class's docstring."""
    return _docstring(cls).partition("\n")[2].strip()


def _docstring(cls: type) -> str:
    return inspect.cleandoc(cls.__doc__ or "")


def _demands(schema: Any) -> Any:
    """A schema without what only describes; names of properties, defaults and constants are no keywords."""
    if isinstance(schema, list):
        return [_demands(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    demands: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            demands[key] = {name: _demands(part) for name, part in value.items()}
        elif key in ("default", "enum"):
            demands[key] = value
        elif key not in _DESCRIBING:
            demands[key] = _demands(value)
    return demands


class _Writer:
    """Shapes as schemas."""

    def __init__(self, *, placeholders: bool) -> None:
        self._placeholders = placeholders

    def group(self, shape: shapes.Group) -> dict[str, Any]:
        """A mapping with the keys of a config class."""
        schema: dict[str, Any] = {"title": title_of(shape.cls)}
        if description := description_of(shape.cls):
            schema["description"] = description
        schema["type"] = "object"
        schema["properties"] = {member.name: self._member(member) for member in shape.members}
        required = [member.name for member in shape.members if member.required]
        if required:
            schema["required"] = required
        schema["additionalProperties"] = False
        return schema

    def _member(self, member: shapes.Member) -> dict[str, Any]:
        info = member.info
        schema = {"description": info.doc, **self._any(member.shape)}
        # A nested config class describes itself; here its field does.
        schema["description"] = info.doc
        if not member.required:
            schema["default"] = unstructure(member.default())
        if info.examples:
            schema["examples"] = unstructure(info.examples)
        if member.secret:
            schema["writeOnly"] = True
        if info.sql:
            schema["contentMediaType"] = "application/sql"
        if info.path is not None:
            schema["x-osiris-path"] = info.path
        if info.override != "forbidden":
            schema["x-osiris-override"] = info.override
        return schema

    def _any(self, shape: shapes.Shape) -> dict[str, Any]:
        schema = self._plain(shape)
        if self._placeholders and shapes.takes_scalar(shape) and not _takes_all_text(shape):
            return {"anyOf": [schema, {"type": "string", "pattern": PLACEHOLDER_PATTERN}]}
        return schema

    def _plain(self, shape: shapes.Shape) -> dict[str, Any]:
        match shape:
            case shapes.Anything():
                return {}
            case shapes.Group():
                return self.group(shape)
            case shapes.Items(item=item):
                return {"type": "array", "items": self._any(item), **_lengths(shape, "Items")}
            case shapes.Entries(value=value):
                entries = self._any(value)
                return {"type": "object", "additionalProperties": entries, **_lengths(shape, "Properties")}
            case shapes.OneOf(members):
                return _union([self._plain(member) for member in members])
            case _:
                return _scalar(shape)


def _scalar(shape: shapes.Shape) -> dict[str, Any]:
    match shape:
        case shapes.Text(pattern=pattern):
            matched = {} if pattern is None else {"pattern": _whole(pattern)}
            return {"type": "string", **_lengths(shape, "Length"), **matched}
        case shapes.SecretReference():
            return {"type": "string", "pattern": _whole(REFERENCE.pattern)}
        case shapes.Decimals():
            return {"type": ["string", "integer"], "pattern": _whole(DECIMAL), **_limits(shape)}
        case shapes.Number():
            return {"type": "integer" if shape.whole else "number", **_limits(shape)}
        case shapes.Choice(values):
            types = [_TYPES[kind] for kind in shapes.kinds(shape)]
            return {"type": types[0] if len(types) == 1 else types, "enum": list(values)}
        case _:
            return {"type": _TYPES[shapes.kinds(shape)[0]]}


def _lengths(shape: shapes.Text | shapes.Items | shapes.Entries, what: str) -> dict[str, Any]:
    bounds = {f"min{what}": shape.min_length, f"max{what}": shape.max_length}
    return {keyword: bound for keyword, bound in bounds.items() if bound is not None}


def _limits(shape: shapes.Number | shapes.Decimals) -> dict[str, Any]:
    bounds = {
        "minimum": shape.minimum,
        "exclusiveMinimum": shape.exclusive_minimum,
        "maximum": shape.maximum,
    }
    return {keyword: bound for keyword, bound in bounds.items() if bound is not None}


def _union(members: list[dict[str, Any]]) -> dict[str, Any]:
    """The members as one schema: keywords bind only values of their own type, so that they can stand side by side.

    Editors complete such a schema better than ``anyOf``, which is left for members with constants, titles or the same
    keyword twice.
    """
    merged: dict[str, Any] = {"type": []}
    for member in members:
        keywords = member.keys() - {"type"}
        if keywords & (merged.keys() | {"enum", "title"}):
            return {"anyOf": members}
        types = member["type"] if isinstance(member["type"], list) else [member["type"]]
        merged["type"] += [name for name in types if name not in merged["type"]]
        merged |= {keyword: member[keyword] for keyword in member if keyword != "type"}
    return merged


def _takes_all_text(shape: shapes.Shape) -> bool:
    members = shape.members if isinstance(shape, shapes.OneOf) else (shape,)
    return shapes.Text() in members


def _whole(pattern: str) -> str:
    """A pattern that must match all of a text, as an ECMA-262 expression."""
    plain = re.sub(r"\(\?P<\w+>", "(?:", pattern)
    return plain if plain.startswith("^") and plain.endswith("$") and "|" not in plain else f"^(?:{plain})$"
