"""Whether a config class keeps its own rules: defaults and examples are values that its fields accept.

A default never passes through structuring, so a wrong one would reach drivers and manifests unseen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris_core.model.structure import read_value, unstructure

if TYPE_CHECKING:
    from osiris_core.model.shape import Group, Member


def check_declaration(group: Group) -> None:
    """Raise TypeError naming class and field when a default or an example would be refused, or held differently."""
    for member in group.members:
        where = f"{group.cls.__name__}.{member.name}"
        if not member.required:
            default = member.default()
            held = _read(f"{where}: the default", member, default)
            if repr(held) != repr(default):
                raise TypeError(f"{where}: the default must be written as {held!r}, not {default!r}")
        for example in member.info.examples:
            _read(f"{where}: an example", member, example)


def _read(what: str, member: Member, value: Any) -> Any:
    held, findings = read_value(member, unstructure(value))
    if findings:
        raise TypeError(f"{what} is refused: {findings[0].message}")
    return held
