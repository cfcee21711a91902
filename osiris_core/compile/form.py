"""The written form of a manifest: plain data in a fixed order, and back.

The hash is the digest of that data without its ``hash``; the YAML text is only a way to write it down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from osiris_core.canonical import digest
from osiris_core.compile.manifest import FORMAT, ConnectionUse, Manifest, ManifestStep, Pin
from osiris_core.errors import InvalidInput
from osiris_core.ids import COMPONENT_NAME, CONNECTION_REF, is_name
from osiris_core.oml.document import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

UNREADABLE: Final = "OSR-CMP-002"
TAMPERED: Final = "OSR-CMP-003"
OTHER_FORMAT: Final = "OSR-CMP-004"

_KEYS: Final = (
    "format",
    "name",
    "hash",
    "oml_version",
    "compiler",
    "description",
    "metadata",
    "profile",
    "strict_types",
    "params",
    "steps",
    "pins",
    "fingerprints",
)
_PIN_TEXTS: Final = ("name", "config_schema", "plugin", "distribution", "distribution_version", "api")
_PIN_KEYS: Final = ("kind", "name", "version", *_PIN_TEXTS[1:])
_PIN_KINDS: Final = ("component", "connection")


def to_data(manifest: Manifest) -> dict[str, Any]:
    """``manifest`` as plain data, in the order in which it is written."""
    return {
        "format": manifest.format,
        "name": manifest.name,
        "hash": manifest.hash,
        "oml_version": manifest.oml_version,
        "compiler": manifest.compiler,
        "description": manifest.description,
        "metadata": _sorted(manifest.metadata),
        "profile": manifest.profile,
        "strict_types": manifest.strict_types,
        "params": _sorted(manifest.params),
        "steps": [step_data(step) for step in manifest.steps],
        "pins": [{key: getattr(pin, key) for key in _PIN_KEYS} for pin in manifest.pins],
        "fingerprints": _sorted(manifest.fingerprints),
    }


def step_data(step: ManifestStep) -> dict[str, Any]:
    """A step as plain data."""
    data: dict[str, Any] = {
        "id": step.id,
        "component": step.component,
        "mode": step.mode,
        "needs": list(step.needs),
    }
    if step.connection is not None:
        data["connection"] = {
            "ref": step.connection.ref,
            "identity": _sorted(step.connection.identity),
            "overrides": _sorted(step.connection.overrides),
        }
    data["config"] = _sorted(step.config)
    return data


def hash_of(data: Mapping[str, Any]) -> str:
    """The hash that belongs to the written form ``data``."""
    return digest({key: value for key, value in data.items() if key != "hash"})


def looks_like_manifest(data: Any) -> bool:
    """Whether a document is meant as a manifest rather than as OML."""
    return isinstance(data, dict) and "hash" in data and "format" in data


def from_data(data: Any, *, where: str) -> Manifest:
    """The manifest in ``data``; raises InvalidInput for another format, a wrong hash, and anything malformed."""
    reader = _Reader(where)
    top = reader.mapping(data, "manifest")
    if not looks_like_manifest(top):
        raise reader.error("it has no `format` and `hash`", hint="`osiris compile` makes a manifest of a pipeline")
    if top["format"] != FORMAT:
        raise InvalidInput(
            OTHER_FORMAT,
            f"the manifest has format {top['format']!r}; this Osiris reads format {FORMAT}",
            where=where,
            hint="compile the pipeline again with the Osiris that is to run it",
        )
    reader.keys(top, _KEYS, "manifest")
    expected = _hash_of_untrusted(top, reader)
    if top["hash"] != expected:
        raise InvalidInput(
            TAMPERED,
            "the manifest is not what was compiled: its content does not match its hash",
            where=where,
            hint="a manifest is never edited; change the pipeline and compile it again",
        )
    return _manifest(top, reader)


def _manifest(top: Mapping[str, Any], reader: _Reader) -> Manifest:
    steps = tuple(_step(item, reader, index) for index, item in enumerate(reader.items(top, "steps")))
    _check_edges(steps, reader)
    pins = tuple(_pin(item, reader) for item in reader.items(top, "pins"))
    used = [("component", step.component) for step in steps]
    used += [("connection", step.connection.family) for step in steps if step.connection is not None]
    unpinned = set(used) - {(pin.kind, pin.name) for pin in pins}
    if unpinned:
        names = ", ".join(f"{kind} {name}" for kind, name in sorted(unpinned))
        raise reader.error(f"it has no pin for {names}")
    name = reader.value(top, "name", str)
    if not is_name(name):
        raise reader.error("its name is not one of a pipeline")
    profile = top["profile"]
    return Manifest(
        format=FORMAT,
        name=name,
        hash=reader.value(top, "hash", str),
        oml_version=reader.value(top, "oml_version", str),
        compiler=reader.value(top, "compiler", str),
        description=reader.value(top, "description", str),
        metadata=reader.value(top, "metadata", dict),
        profile=None if profile is None else reader.value(top, "profile", str),
        strict_types=reader.value(top, "strict_types", bool),
        params=reader.value(top, "params", dict),
        steps=steps,
        pins=pins,
        fingerprints=reader.value(top, "fingerprints", dict),
    )


def _step(item: Any, reader: _Reader, index: int) -> ManifestStep:
    what = f"steps[{index}]"
    data = reader.mapping(item, what)
    keys = ("id", "component", "mode", "needs", "config")
    reader.keys(data, (*keys, "connection") if "connection" in data else keys, what)
    step_id = reader.value(data, "id", str)
    component = reader.value(data, "component", str)
    mode = reader.value(data, "mode", str)
    needs = reader.items(data, "needs")
    if not is_name(step_id) or not COMPONENT_NAME.match(component) or mode not in tuple(Mode):
        raise reader.error(f"{what} has an id, component or mode that no compiler writes")
    if not all(isinstance(needed, str) for needed in needs):
        raise reader.error(f"{what}.needs holds something other than ids")
    return ManifestStep(
        id=step_id,
        component=component,
        mode=mode,
        needs=tuple(needs),
        config=reader.value(data, "config", dict),
        connection=_connection(data["connection"], reader, what) if "connection" in data else None,
    )


def _connection(item: Any, reader: _Reader, what: str) -> ConnectionUse:
    data = reader.mapping(item, f"{what}.connection")
    reader.keys(data, ("ref", "identity", "overrides"), f"{what}.connection")
    match = CONNECTION_REF.match(reader.value(data, "ref", str))
    if match is None:
        raise reader.error(f"{what}.connection.ref is no reference")
    return ConnectionUse(
        family=match["family"],
        alias=match["alias"],
        identity=reader.value(data, "identity", dict),
        overrides=reader.value(data, "overrides", dict),
    )


def _pin(item: Any, reader: _Reader) -> Pin:
    data = reader.mapping(item, "a pin")
    reader.keys(data, _PIN_KEYS, "a pin")
    kind = data["kind"]
    if kind not in _PIN_KINDS:
        raise reader.error("a pin is of a kind that no compiler writes")
    version = reader.value(data, "version", str) if kind == "component" else reader.value(data, "version", type(None))
    return Pin(kind=kind, version=version, **{key: reader.value(data, key, str) for key in _PIN_TEXTS})


def _check_edges(steps: tuple[ManifestStep, ...], reader: _Reader) -> None:
    """Steps stand in execution order, under ids of their own."""
    seen: set[str] = set()
    for step in steps:
        if step.id in seen or not seen.issuperset(step.needs):
            raise reader.error(f"step '{step.id}' is out of order, or its id is taken")
        seen.add(step.id)


def _hash_of_untrusted(top: Mapping[str, Any], reader: _Reader) -> str:
    try:
        return hash_of(top)
    except (TypeError, ValueError) as error:
        raise reader.error(str(error)) from error


def _sorted(value: Any) -> Any:
    """Plain data with the keys of every mapping in order, so that its text depends on its content alone."""
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in value]
    if hasattr(value, "items"):
        return {key: _sorted(item) for key, item in sorted(value.items())}
    return value


class _Reader:
    """Takes values out of untrusted data, or says what is wrong with it."""

    def __init__(self, where: str) -> None:
        self._where = where

    def error(self, reason: str, *, hint: str | None = None) -> InvalidInput:
        """The error for a malformed manifest."""
        return InvalidInput(UNREADABLE, f"this is not a manifest: {reason}", where=self._where, hint=hint)

    def mapping(self, value: Any, what: str) -> dict[str, Any]:
        """``value``, which must be a mapping."""
        if not isinstance(value, dict):
            raise self.error(f"{what} is not a mapping")
        return value

    def keys(self, data: Mapping[str, Any], keys: tuple[str, ...], what: str) -> None:
        """Check that ``data`` has exactly ``keys``."""
        missing, extra = sorted(set(keys) - set(data)), sorted(set(data) - set(keys))
        if missing or extra:
            raise self.error(f"{what} {'lacks' if missing else 'has unknown'} {', '.join(missing or extra)}")

    def value(self, data: Mapping[str, Any], key: str, cls: type[T]) -> T:
        """The value of ``key``, which must be exactly a ``cls``."""
        value = data[key]
        if type(value) is not cls:
            raise self.error(f"`{key}` is of the wrong type")
        return value

    def items(self, data: Mapping[str, Any], key: str) -> list[Any]:
        """The value of ``key``, which must be a list."""
        return self.value(data, key, list)
