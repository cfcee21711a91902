"""What a plugin's descriptions must look like to be let in: types, names and text, checked before anyone uses them.

This is the border: behind it, every description has the types its class declares, a name that belongs to its plugin,
and text that is safe to print. Whether a description is *good* (its examples valid, its driver importable) is the
business of :mod:`osiris_core.plugins.check`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Final

import attrs

from osiris_core.catalogue import ErrorEntry
from osiris_core.diagnostics import Diagnostic
from osiris_core.display import visible, visible_line
from osiris_core.ids import COMPONENT_NAME
from osiris_core.model.fields import is_config
from osiris_core.model.shape import holds_secret, shape_of
from osiris_core.plugins.containment import shortened
from osiris_core.plugins.index import PLUGIN_ID
from osiris_core.spec.describe import (
    Capability,
    ComponentSpec,
    ConnectionSpec,
    DiscovererSpec,
    DriverSpec,
    Example,
    LLMProviderSpec,
    Role,
    SecretStoreSpec,
    TargetSpec,
)

MAX_ITEMS: Final = 1000
"""How many values one hook may return; a bound, so that an endless generator ends."""

MAX_NAME: Final = 80
MAX_LINE: Final = 300
MAX_TEXT: Final = 20_000

REF: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\Z", re.ASCII)
"""A reference to behaviour: ``package.module:attribute``."""

VERSION: Final = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?\Z", re.ASCII
)
"""A semantic version (semver.org 2.0.0, without its rule on leading zeros in pre-releases)."""

_PLAIN_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*\Z")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*\Z")

Check = Callable[[Any], str | None]
"""Says what is wrong with a value, or None."""


class Misshapen(Exception):
    """What a hook returned cannot be used."""


def items(hook: str, expected: type, returned: Any) -> list[Any]:
    """What ``hook`` returned, as a list of ``expected``; anything else is :class:`Misshapen`."""
    if isinstance(returned, expected | str | bytes | Mapping) or not isinstance(returned, Iterable):
        if hasattr(returned, "close"):
            returned.close()  # a coroutine that nobody will await
        raise Misshapen(f"{hook} returned {_kind(returned)} instead of a sequence of {expected.__name__}")
    found = list(islice(returned, MAX_ITEMS + 1))
    if len(found) > MAX_ITEMS:
        raise Misshapen(f"{hook} returned more than {MAX_ITEMS} values")
    for item in found:
        if type(item) is not expected:  # a subclass could change what a property says from call to call
            raise Misshapen(f"{hook} returned {_kind(item)} among its values; each must be {expected.__name__} itself")
    return found


def specs(plugin_id: str, hook: str, expected: type, returned: Any) -> dict[str, Any]:
    """The descriptions a hook returned, by name, in their order; every one checked."""
    found: dict[str, Any] = {}
    for spec in items(hook, expected, returned):
        check_fields(hook, spec)
        _check_name(plugin_id, hook, spec)
        if spec.name in found:
            raise Misshapen(f"{hook} returned '{spec.name}' twice")
        found[spec.name] = spec
    return found


def check_fields(hook: str, value: Any) -> None:
    """Refuse ``value`` when a field of it has a type or text that its class does not allow."""
    shapes = _FIELDS[type(value)]
    for attribute in attrs.fields(type(value)):
        wrong = shapes[attribute.name](getattr(value, attribute.name))
        if wrong:
            name = shapes_name(value)
            raise Misshapen(f"{hook} returned {type(value).__name__}{name} whose '{attribute.name}' {wrong}")


def shapes_name(value: Any) -> str:
    """`` 'name'`` of a description for a message, empty when it has no usable one."""
    name = getattr(value, "component", None) or getattr(value, "name", None) if type(value) is not Example else None
    return f" '{shortened(name, MAX_NAME)}'" if isinstance(name, str) else ""


def _check_name(plugin_id: str, hook: str, spec: Any) -> None:
    name: str = spec.name
    shown = shortened(name, MAX_NAME)
    if type(spec) in (ComponentSpec, DriverSpec):
        match = COMPONENT_NAME.match(name)
        if match is None:
            raise Misshapen(f"{hook} returned the name '{shown}', which is not of the form 'family.role'")
        if match["plugin"] != plugin_id:
            raise Misshapen(f"{hook} returned the name '{shown}', which must start with '{plugin_id}.'")
    elif type(spec) in (ConnectionSpec, DiscovererSpec):
        if PLUGIN_ID.match(name) is None:
            raise Misshapen(
                f"{hook} returned the family '{shown}': lower-case letters, digits, single '_' between them"
            )
        if name != plugin_id and not name.startswith(f"{plugin_id}_"):
            raise Misshapen(
                f"{hook} returned the family '{shown}', which must be '{plugin_id}' or start with '{plugin_id}_'"
            )
    else:
        grammar = _SCHEME if type(spec) is SecretStoreSpec else _PLAIN_NAME
        if grammar.match(name) is None:
            raise Misshapen(
                f"{hook} returned the name '{shown}': lower-case letters and digits, single '-' or '_' between"
            )


def _kind(value: Any) -> str:
    return visible_line(type(value).__name__)[:MAX_NAME]


def _text(limit: int, *, empty: bool = False, lines: bool = False) -> Check:
    def check(value: Any) -> str | None:
        if type(value) is not str:
            return f"must be text, not {_kind(value)}"
        if len(value) > limit:
            return f"has {len(value)} characters; at most {limit} are allowed"
        if (visible(value) if lines else visible_line(value)) != value:
            return "holds control, invisible or direction-changing characters"
        return None if value.strip() or empty else "must not be empty"

    return check


def _matching(pattern: re.Pattern[str], form: str, *, optional: bool = False) -> Check:
    def check(value: Any) -> str | None:
        if value is None and optional:
            return None
        wrong = _text(MAX_LINE)(value)
        if wrong:
            return wrong
        return None if pattern.match(value) else f"must be {form}, not '{shortened(value, MAX_NAME)}'"

    return check


def _instance(expected: type, form: str) -> Check:
    return lambda value: None if isinstance(value, expected) else f"must be {form}, not {_kind(value)}"


def _config(value: Any) -> str | None:
    return None if is_config(value) else "must be a class made with @config"


def _component_config(value: Any) -> str | None:
    if not is_config(value):
        return _config(value)
    try:
        shape = shape_of(value)
    except TypeError:
        return None  # a class that does not work: osiris_core.plugins.check says why
    return "has a field for a secret, which belongs to a connection" if holds_secret(shape) else None


def _mapping(value: Any) -> str | None:
    if not isinstance(value, Mapping):
        return f"must be a mapping, not {_kind(value)}"
    return None if all(type(key) is str for key in value) else "must have text as keys"


def _each(container: type[tuple[Any, ...] | frozenset[Any]], check: Check) -> Check:
    def check_all(value: Any) -> str | None:
        if type(value) is not container:
            return f"must be a {container.__name__}, not {_kind(value)}"
        for item in value:
            wrong = check(item)
            if wrong:
                return f"holds a value that {wrong}"
        return None

    return check_all


def _record(expected: type) -> Check:
    def check(value: Any) -> str | None:
        if type(value) is not expected:
            return f"must be {expected.__name__}, not {_kind(value)}"
        for attribute in attrs.fields(expected):
            wrong = _FIELDS[expected][attribute.name](getattr(value, attribute.name))
            if wrong:
                return f"has a '{attribute.name}' that {wrong}"
        return None

    return check


_LINE = _text(MAX_LINE)
_LINES = _text(MAX_TEXT, empty=True, lines=True)
_NAME = _text(MAX_NAME)
_REF = _matching(REF, "a reference 'package.module:attribute'")
_FAMILY = _matching(PLUGIN_ID, "a connection family")

_FIELDS: Final[dict[type, dict[str, Check]]] = {
    ErrorEntry: {"code": _NAME, "title": _LINE, "remedy": _LINE},
    Example: {"title": _LINE, "config": _mapping},
    ComponentSpec: {
        "name": _NAME,
        "version": _matching(VERSION, "a semantic version"),
        "role": _instance(Role, "a Role"),
        "config": _component_config,
        "summary": _LINE,
        "description": _LINES,
        "connection": _matching(PLUGIN_ID, "a connection family", optional=True),
        "connection_required": _instance(bool, "true or false"),
        "examples": _each(tuple, _record(Example)),
        "hints": _each(tuple, _text(MAX_TEXT, lines=True)),
        "errors": _each(tuple, _record(ErrorEntry)),
        "sql_dialect": _matching(PLUGIN_ID, "the name of a dialect"),
    },
    DriverSpec: {
        "component": _NAME,
        "ref": _REF,
        "capabilities": _each(frozenset, _instance(Capability, "a Capability")),
    },
    ConnectionSpec: {
        "family": _FAMILY,
        "config": _config,
        "summary": _LINE,
        "doctor": _matching(REF, "a reference 'package.module:attribute'", optional=True),
        "example": _mapping,
    },
    DiscovererSpec: {"family": _FAMILY, "ref": _REF},
    LLMProviderSpec: {"name": _NAME, "ref": _REF, "config": _config, "summary": _LINE},
    TargetSpec: {"name": _NAME, "ref": _REF, "summary": _LINE},
    SecretStoreSpec: {"scheme": _NAME, "ref": _REF, "summary": _LINE},
}


def diagnostics(returned: Any) -> list[Diagnostic]:
    """What ``osiris_validate_pipeline`` returned, checked."""
    return items("osiris_validate_pipeline", Diagnostic, returned)
