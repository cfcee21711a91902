"""Plain data to config values and back: strict, with every finding at its place.

Nothing is coerced: ``"5"`` is no number, ``"yes"`` no boolean, ``true`` no 1; a float field takes a whole number that
a float holds exactly. All findings are reported (a hundred, at most), not the first. The value of a secret field
never stands in a message, nor in the source line under it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from osiris_core.diagnostics import Diagnostic, did_you_mean
from osiris_core.model import shape as shapes
from osiris_core.model.faults import Fault, length_fault, limit_fault, type_fault
from osiris_core.model.fields import Checked, is_config
from osiris_core.model.wording import shown, words
from osiris_core.secrets import SecretRef, SecretStr

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris_core.diagnostics import Path, Position

T = TypeVar("T")

DECIMAL: Final = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,6})?"
"""The text of a decimal number, as a regular expression."""

MAX_FINDINGS: Final = 100
"""So many are reported of one config; who has made more mistakes has made one."""

_LENGTH: Final = "OSR-CFG-006"  # says how long the value is instead of showing it
_BAD: Final[Any] = object()
_PLACEHOLDER: Final = "${"


def structure(
    cls: type[T],
    data: Any,
    *,
    path: Path = (),
    position: Callable[..., Position | None] | None = None,
    placeholders: bool = False,
) -> tuple[T | None, list[Diagnostic]]:
    """An instance of the config class ``cls`` made of plain data, or None and what is wrong with it.

    ``path`` is where ``data`` stands in its document and ``position`` tells the place of a path there
    (``Document.position``). A secret field also takes a ``SecretStr`` or ``SecretRef``, a decimal one a ``Decimal``.

    With ``placeholders``, a text that contains ``${`` is taken as it is for any scalar (its field then holds that text,
    whatever its type says, and ``check`` is left out), so that a document can be judged before its references are
    resolved. Raises TypeError when ``cls`` is not declared properly.
    """
    walker = _Walker(position, placeholders=placeholders)
    value = walker.group(shapes.shape_of(cls), data, path)
    return (None if walker.findings else value), sorted(walker.findings, key=_place)


def read_value(member: shapes.Member, value: Any) -> tuple[Any, list[Diagnostic]]:
    """What one field holds when it is given ``value``, or None and what is wrong with it."""
    walker = _Walker(None, placeholders=False)
    held = walker.field(member, value, (member.name,))
    return (None if walker.findings else held), walker.findings


def unstructure(value: Any) -> Any:
    """A config value as plain data with every default written out.

    References to secrets and decimals become their text, tuples lists, nested config classes mappings in the order of
    declaration. Raises TypeError for a resolved secret: it has no business in plain data.
    """
    if is_config(type(value)):
        return {a.name: unstructure(getattr(value, a.name)) for a in attrs.fields(type(value))}
    if isinstance(value, list | tuple):
        return [unstructure(item) for item in value]
    if isinstance(value, Mapping):
        return {key: unstructure(item) for key, item in value.items()}
    if isinstance(value, SecretRef | Decimal):
        return str(value)
    if isinstance(value, SecretStr):
        raise TypeError("a resolved secret cannot become plain data")
    return value


def _place(finding: Diagnostic) -> tuple[int, int]:
    """For the order of a document; findings without a place keep theirs."""
    return (finding.position.line, finding.position.column) if finding.position else (0, 0)


class _Walker:
    """One pass over data and shape, collecting findings."""

    def __init__(self, position: Callable[..., Position | None] | None, *, placeholders: bool) -> None:
        self.findings: list[Diagnostic] = []
        self._position = position
        self._placeholders = placeholders
        self._faults = 0
        self._kept = False  # a placeholder stands for a value somewhere
        self._group: shapes.Group | None = None
        self._member: shapes.Member | None = None
        self._readers: dict[type, Callable[[Any, Any, Path], Any]] = {
            shapes.Text: self._text,
            shapes.Number: self._number,
            shapes.Decimals: self._decimal,
            shapes.SecretReference: self._secret,
            shapes.Anything: lambda _shape, value, _path: value,
            shapes.Choice: self._choice,
            shapes.Items: self._items,
            shapes.Entries: self._entries,
            shapes.OneOf: self._one_of,
            shapes.Group: self.group,
        }

    def group(self, shape: shapes.Group, value: Any, path: Path) -> Any:
        """An instance of the group's class."""
        if not isinstance(value, Mapping):
            return self._fault(type_fault(shape, value), path, value)
        outer = self._group, self._member
        self._group, self._member = shape, None
        faults = self._faults
        self._unknown_keys(shape, value, path)
        values: dict[str, Any] = {}
        for member in shape.members:
            if member.name in value:
                values[member.name] = self.field(member, value[member.name], (*path, member.name))
            elif member.required:
                self._member = member
                fault = Fault("OSR-CFG-003", f"'{member.name}' is missing", f"{member.name}: {member.info.doc}")
                self._fault(fault, path, at_key=True)
        self._member = None
        made = _BAD
        if self._faults == faults:
            made = shape.cls(**values)
            self._check(made, path)
        self._group, self._member = outer
        return made

    def field(self, member: shapes.Member, value: Any, path: Path) -> Any:
        """What a field of the group holds."""
        self._member = member
        return self._read(member.shape, value, path)

    def _unknown_keys(self, shape: shapes.Group, value: Mapping[Any, Any], path: Path) -> None:
        known = [member.name for member in shape.members]
        for key in value:
            if key in known or len(self.findings) >= MAX_FINDINGS:
                continue
            if not isinstance(key, str):
                self._fault(Fault("OSR-CFG-002", f"the key {shown(key)} is not text"), path)
                continue
            missing = [name for name in known if name not in value]
            listed = f"known keys: {', '.join(known)}" if known else "it takes no keys"
            hint = did_you_mean(key, missing) or did_you_mean(key, known) or listed
            self._fault(Fault("OSR-CFG-002", f"unknown key '{key[:80]}'", hint), (*path, key), at_key=True)

    def _check(self, made: Any, path: Path) -> None:
        if self._kept or not isinstance(made, Checked):
            return
        try:
            for problem in made.check():
                at_key = bool(problem.field)
                fault = Fault("OSR-CFG-009", problem.message, problem.hint)
                self._fault(fault, (*path, *problem.field), at_key=at_key)
        except Exception as error:  # noqa: BLE001 - a plugin's rule that breaks is a finding, named as the plugin's
            message = f"the check of {type(made).__name__} failed with {type(error).__name__}"
            hint = "this is a defect of the plugin that declares it"
            self._fault(Fault("OSR-CFG-010", message, hint), path)

    def _read(self, shape: shapes.Shape, value: Any, path: Path) -> Any:
        if self._placeholders and isinstance(value, str) and _PLACEHOLDER in value and shapes.takes_scalar(shape):
            self._kept = True
            return value
        reader = self._readers.get(type(shape))
        if reader is not None:
            return reader(shape, value, path)
        if shapes.kind_of(value) in shapes.kinds(shape):  # Flag and Null
            return value
        return self._fault(type_fault(shape, value), path, value)

    def _text(self, shape: shapes.Text, value: Any, path: Path) -> Any:
        if not isinstance(value, str):
            return self._fault(type_fault(shape, value), path, value)
        fault = length_fault(shape, value)
        if fault is None and shape.pattern is not None and not re.fullmatch(shape.pattern, value):
            fault = Fault("OSR-CFG-007", f"must have the form {shape.pattern}")
        return value if fault is None else self._fault(fault, path, value)

    def _number(self, shape: shapes.Number, value: Any, path: Path) -> Any:
        kind = shapes.kind_of(value)
        if kind != "integer" and (shape.whole or kind != "number"):
            return self._fault(type_fault(shape, value), path, value)
        number = value
        if not shape.whole and kind == "integer":
            number = _exact_float(value)
            if number is None:
                message = f"must be a number that a 64-bit float holds exactly, which {shown(value)} is not"
                return self._fault(Fault("OSR-CFG-011", message), path)
        fault = limit_fault(shape, number)
        return number if fault is None else self._fault(fault, path, value)

    def _decimal(self, shape: shapes.Decimals, value: Any, path: Path) -> Any:
        number = value if isinstance(value, Decimal) and value.is_finite() else _decimal(value)
        if number is None:
            return self._fault(type_fault(shape, value), path, value)
        fault = limit_fault(shape, number)
        return number if fault is None else self._fault(fault, path, value)

    def _secret(self, shape: shapes.SecretReference, value: Any, path: Path) -> Any:
        if isinstance(value, SecretStr | SecretRef):
            return value
        reference = SecretRef.parse(value) if isinstance(value, str) else None
        if reference is not None:
            return reference
        variable = (self._member.name if self._member else "secret").upper()
        message = "is a secret: it takes a reference, never the value itself"
        hint = f"put the value into the environment or .env, and write ${{{variable}}} here"
        del shape
        return self._fault(Fault("OSR-CFG-008", message, hint), path)

    def _choice(self, shape: shapes.Choice, value: Any, path: Path) -> Any:
        for allowed in shape.values:
            if type(allowed) is type(value) and allowed == value:
                return allowed
        if shapes.kind_of(value) not in shapes.kinds(shape):
            return self._fault(type_fault(shape, value), path, value)
        texts = [allowed for allowed in shape.values if isinstance(allowed, str)]
        hint = did_you_mean(value, texts) if isinstance(value, str) else None
        return self._fault(Fault("OSR-CFG-004", f"must be {words(shape)}", hint), path, value)

    def _items(self, shape: shapes.Items, value: Any, path: Path) -> Any:
        if not isinstance(value, list | tuple):
            return self._fault(type_fault(shape, value), path, value)
        fault = length_fault(shape, value)
        if fault is not None:
            return self._fault(fault, path)
        return tuple(self._read(shape.item, item, (*path, index)) for index, item in enumerate(value))

    def _entries(self, shape: shapes.Entries, value: Any, path: Path) -> Any:
        if not isinstance(value, Mapping):
            return self._fault(type_fault(shape, value), path, value)
        fault = length_fault(shape, value)
        if fault is not None:
            return self._fault(fault, path)
        bad = [key for key in value if not isinstance(key, str)]
        for key in bad:
            self._fault(Fault("OSR-CFG-002", f"the key {shown(key)} is not text"), path)
        return {k: self._read(shape.value, v, (*path, k)) for k, v in value.items() if k not in bad}

    def _one_of(self, shape: shapes.OneOf, value: Any, path: Path) -> Any:
        kind = shapes.kind_of(value)
        fitting = [member for member in shape.members if kind in shapes.kinds(member)]
        if not fitting and kind == "integer":
            fitting = [member for member in shape.members if "number" in shapes.kinds(member)]
        if not fitting and kind is None:
            fitting = [
                member for member in shape.members if isinstance(member, shapes.SecretReference | shapes.Decimals)
            ]
        if not fitting and shapes.SecretReference() in shape.members:
            fitting = [shapes.SecretReference()]
        if fitting:
            return self._read(fitting[0], value, path)
        return self._fault(type_fault(shape, value), path, value)

    def _fault(self, fault: Fault, path: Path, value: Any = _BAD, *, at_key: bool = False) -> Any:
        """Record a finding; ``value`` is shown in it unless a secret may be in there."""
        self._faults += 1
        if len(self.findings) >= MAX_FINDINGS:
            return _BAD
        member, group = self._member, self._group
        about = member.shape if member else group
        secret = about is None or shapes.holds_secret(about)
        message = fault.message
        if fault.code in _NAMED:
            message = f"{_name(path)} {message}"
            if value is not _BAD and not secret and fault.code != _LENGTH:
                message += f", not {shown(value)}"
        hint = fault.hint
        if hint is None and member is not None and member.info.examples and not secret:
            hint = f"for example: {shown(unstructure(member.info.examples[0]))}"
        place = self._position(path, key=at_key) if self._position else None
        if place is not None and (secret or (group is not None and shapes.holds_secret(group))):
            own = member is not None and not secret and _starts_with_key(place.source_line, member.name)
            place = place if own else attrs.evolve(place, source_line="")
        self.findings.append(Diagnostic(code=fault.code, message=message, path=path, position=place, hint=hint))
        return _BAD


_NAMED: Final = frozenset({f"OSR-CFG-{n:03}" for n in (1, 4, 5, 6, 7, 8, 11)})


def _name(path: Path) -> str:
    """The field a path leads to, for a sentence: ``'columns[2]'``."""
    names = [index for index, part in enumerate(path) if isinstance(part, str)]
    if not names:
        return "the value"
    indexes = "".join(f"[{part}]" for part in path[names[-1] + 1 :])
    return f"'{path[names[-1]]}{indexes}'"


def _starts_with_key(line: str, key: str) -> bool:
    return re.match(rf"\s*(?:- +)?[\"']?{re.escape(key)}[\"']?\s*:", line) is not None


def _exact_float(value: int) -> float | None:
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if number == value else None


def _decimal(value: Any) -> Decimal | None:
    if shapes.kind_of(value) == "integer":
        return Decimal(value)
    if not isinstance(value, str) or not re.fullmatch(DECIMAL, value):
        return None
    return Decimal(value)
