"""What changes between two manifests, as a typed plan: steps, config by path, SQL by syntax tree, destinations.

Formatting is no change: neither that of the document (manifests do not have it) nor that of SQL. Two manifests can
therefore have different hashes and an empty plan.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.compile.sql_equality import same_sql
from osiris_core.diagnostics import json_path
from osiris_core.errors import PluginError
from osiris_core.oml.destination import Destination, destination_of
from osiris_core.oml.sql import sql_fields

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from osiris_core.compile.manifest import Manifest, ManifestStep
    from osiris_core.diagnostics import Path
    from osiris_core.plugins.registry import Registry
    from osiris_core.spec.describe import ComponentSpec


class Kind(StrEnum):
    """What a change is about."""

    PIPELINE = "pipeline"
    PARAM = "param"
    STEP_ADDED = "step_added"
    STEP_REMOVED = "step_removed"
    COMPONENT = "component"
    NEEDS = "needs"
    CONNECTION = "connection"
    CONFIG = "config"
    SQL = "sql"
    PLUGIN = "plugin"
    EFFECT = "effect"


@attrs.frozen(kw_only=True)
class Change:
    """One difference. ``before`` and ``after`` are plain data, None where there was or will be nothing.

    An ``effect`` says in words what happens to a destination; it follows from other changes.
    """

    kind: Kind
    step: str | None = None
    path: Path = ()
    before: Any = None
    after: Any = None
    text: str = ""

    def to_json(self) -> dict[str, Any]:
        """The change as plain data, every key present."""
        return {
            "kind": self.kind.value,
            "step": self.step,
            "path": json_path(self.path),
            "before": self.before,
            "after": self.after,
            "text": self.text,
        }


_PIPELINE_FIELDS: Final = ("name", "description", "metadata", "profile", "strict_types")
_ABSENT: Final = object()


def compare(before: Manifest, after: Manifest, *, registry: Registry) -> tuple[Change, ...]:
    """The plan of changes from ``before`` to ``after``, in a fixed order; empty when they mean the same."""
    old = {step.id: step for step in before.steps}
    new = {step.id: step for step in after.steps}
    changes = [*_pipeline(before, after), *_params(before.params, after.params)]
    for step_id, step in new.items():
        if step_id in old:
            changes += _step(old[step_id], step, registry)
        else:
            changes.append(Change(kind=Kind.STEP_ADDED, step=step_id, after=step.component, text=_sentence("+", step)))
    changes += [
        Change(kind=Kind.STEP_REMOVED, step=step_id, before=step.component, text=_sentence("-", step))
        for step_id, step in old.items()
        if step_id not in new
    ]
    changes += _pins(before, after)
    changes += _effects(old, new, registry)
    return tuple(changes)


def _pipeline(before: Manifest, after: Manifest) -> Iterator[Change]:
    for name in _PIPELINE_FIELDS:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            text = f"{name}: {shown(old)} → {shown(new)}"
            yield Change(kind=Kind.PIPELINE, path=(name,), before=old, after=new, text=text)


def _params(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for path, old, new in _leaves(before, after, ()):
        text = f"param {path[0]}: {_arrow(old, new)}"
        yield Change(kind=Kind.PARAM, path=("params", *path), before=_plain(old), after=_plain(new), text=text)


def _step(before: ManifestStep, after: ManifestStep, registry: Registry) -> Iterator[Change]:
    step = after.id
    if before.component != after.component:
        text = f"component: {before.component} → {after.component}"
        yield Change(kind=Kind.COMPONENT, step=step, before=before.component, after=after.component, text=text)
    if before.needs != after.needs:
        old, new = list(before.needs), list(after.needs)
        yield Change(kind=Kind.NEEDS, step=step, before=old, after=new, text=f"needs: {shown(old)} → {shown(new)}")
    yield from _connection(before, after)
    sql, dialect = _sql_of(after.component, registry)
    for path, old, new in _leaves(before.config, after.config, ()):
        is_sql = path[0] in sql and isinstance(old, str) and isinstance(new, str)
        if is_sql and same_sql(old, new, dialect=dialect):
            continue
        text = f"{json_path(path)[2:]}: {'SQL changed' if is_sql else _arrow(old, new)}"
        yield Change(
            kind=Kind.SQL if is_sql else Kind.CONFIG,
            step=step,
            path=("config", *path),
            before=_plain(old),
            after=_plain(new),
            text=text,
        )


def _connection(before: ManifestStep, after: ManifestStep) -> Iterator[Change]:
    old = {} if before.connection is None else attrs.asdict(before.connection)
    new = {} if after.connection is None else attrs.asdict(after.connection)
    for path, was, now in _leaves(old, new, ()):
        text = f"connection {json_path(path)[2:]}: {_arrow(was, now)}"
        yield Change(
            kind=Kind.CONNECTION,
            step=after.id,
            path=("connection", *path),
            before=_plain(was),
            after=_plain(now),
            text=text,
        )


def _sql_of(component: str, registry: Registry) -> tuple[frozenset[str], str]:
    spec = _spec(component, registry)
    return (sql_fields(spec.config), spec.sql_dialect) if spec else (frozenset(), "")  # compared as text


def _spec(component: str, registry: Registry) -> ComponentSpec | None:
    """The component; None when it is not installed here."""
    try:
        return registry.component(component)
    except PluginError:
        return None


def _pins(before: Manifest, after: Manifest) -> Iterator[Change]:
    old = {(pin.kind, pin.name): pin for pin in before.pins}
    new = {(pin.kind, pin.name): pin for pin in after.pins}
    for kind, name in sorted(old.keys() & new.keys()):
        for path, was, now in _leaves(attrs.asdict(old[kind, name]), attrs.asdict(new[kind, name]), ()):
            text = f"{kind} {name}: {str(path[0]).replace('_', ' ')} {_arrow(was, now)}"
            yield Change(
                kind=Kind.PLUGIN, path=("pins", kind, name, *path), before=_plain(was), after=_plain(now), text=text
            )
    if before.compiler != after.compiler:
        text = f"compiler: {before.compiler} → {after.compiler}"
        yield Change(kind=Kind.PLUGIN, path=("compiler",), before=before.compiler, after=after.compiler, text=text)


def _effects(old: Mapping[str, ManifestStep], new: Mapping[str, ManifestStep], registry: Registry) -> Iterator[Change]:
    """What happens differently to each destination, whichever step writes it."""
    was, now = _destinations(old, registry), _destinations(new, registry)
    for key in dict.fromkeys((*now, *was)):
        before, after = was.get(key), now.get(key)
        if before is None and after is not None:
            yield _effect(after, f"{after.name}: written now{after.manner_text}", after=after.manner)
        elif after is None and before is not None:
            text = f"{before.name}: no longer written; what it holds stays"
            yield _effect(before, text, before=before.manner)
        elif before is not None and after is not None and before.manner != after.manner:
            words = [
                f"{_arrow(old_value, new_value)}" if path == ("mode",) else f"{path[0]} {_arrow(old_value, new_value)}"
                for path, old_value, new_value in _leaves(before.manner, after.manner, ())
            ]
            yield _effect(after, f"{after.name}: {', '.join(words)}", before=before.manner, after=after.manner)


def _destinations(steps: Mapping[str, ManifestStep], registry: Registry) -> dict[Any, Destination]:
    found = (_destination(step, _spec(step.component, registry)) for step in steps.values())
    return {each.key: each for each in found if each is not None}


def _destination(step: ManifestStep, spec: ComponentSpec | None) -> Destination | None:
    ref = step.connection.ref if step.connection is not None else None
    return destination_of(step.id, step.mode, step.config, cls=spec.config if spec else None, connection=ref)


def _effect(destination: Destination, text: str, *, before: Any = None, after: Any = None) -> Change:
    return Change(kind=Kind.EFFECT, step=destination.step, before=before, after=after, text=text)


def _leaves(before: Any, after: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    """The places where two pieces of plain data differ, with both values (``_ABSENT`` where there is none)."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from _leaves(before.get(key, _ABSENT), after.get(key, _ABSENT), (*path, key))
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _leaves(old, new, (*path, index))
    elif type(before) is not type(after) or before != after:
        yield path, before, after


def _plain(value: Any) -> Any:
    return None if value is _ABSENT else value


def _arrow(before: Any, after: Any) -> str:
    return f"{shown(before)} → {shown(after)}"


def shown(value: Any) -> str:
    """A value as the plan shows it: short, on one line."""
    if value is _ABSENT:
        return "(none)"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, list | tuple):
        text = f"[{', '.join(map(shown, value))}]"
    elif isinstance(value, dict):
        text = "{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) + "}"
    else:
        text = " ".join(str(value).split()) or "(empty)"
    return text if len(text) <= 100 else text[:97] + "..."


def _sentence(sign: str, step: ManifestStep) -> str:
    needs = f" of {', '.join(step.needs)}" if step.needs else ""
    connection = f" at {step.connection.ref}" if step.connection is not None else ""
    return f"{sign} {step.mode}{needs} by {step.component}{connection}"
