"""What every writer of tables and every incremental extractor says and decides alike, whatever the system.

A writer's config class inherits :class:`TableWriter`, so that the modes and their rules are stated once, and asks
:func:`plan_load` how the columns of a load go into a table. An extractor that can read on from where it was has a field
``incremental`` of type :class:`Incremental`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs

from osiris_core.errors import DriverError
from osiris_core.model.fields import Problem, config, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


@config
class TableWriter:
    """How rows go into a table."""

    mode: Literal["append", "replace", "upsert", "delete_insert"] = field(
        doc="What happens to the rows that are there: 'append' keeps them, 'replace' removes all of them, 'upsert' "
        "updates those with the same primary_key, 'delete_insert' removes those with the same replace_keys."
    )
    primary_key: tuple[str, ...] | None = field(
        default=None, doc="The columns that identify a row; needed by 'upsert'."
    )
    replace_keys: tuple[str, ...] | None = field(
        default=None,
        doc="The columns whose values name the rows to replace; needed by 'delete_insert'. NULL is a value here.",
    )
    on_duplicate: Literal["error", "last"] = field(
        default="error",
        doc="With 'upsert', what two rows of one load with the same primary_key mean: an error, or that the last wins.",
    )
    create_if_missing: bool = field(
        default=True, doc="Create the table, and what it needs to stand in, when it does not exist."
    )
    on_schema_change: Literal["fail", "add_columns", "ignore"] = field(
        default="fail",
        doc="When the rows have other columns than the table: 'fail'; 'add_columns' adds them to the table; 'ignore' "
        "leaves out what the table does not have. The last two fill columns that the rows lack with their default.",
    )

    def check(self) -> Iterable[Problem]:
        """Keys exactly where the mode needs them."""
        yield from self._check_keys("primary_key", self.primary_key, "upsert")
        yield from self._check_keys("replace_keys", self.replace_keys, "delete_insert")
        if self.on_duplicate == "last" and self.mode != "upsert":
            yield Problem(field=("on_duplicate",), message="'on_duplicate: last' belongs to 'mode: upsert'")

    def _check_keys(self, name: str, keys: tuple[str, ...] | None, mode: str) -> Iterable[Problem]:
        if self.mode == mode and not keys:
            yield Problem(field=(name,), message=f"'mode: {mode}' needs '{name}'", hint=f"{name}: [id]")
        if self.mode != mode and keys is not None:
            yield Problem(field=(name,), message=f"'{name}' belongs to 'mode: {mode}', not to '{self.mode}'")
        if keys and len({key.casefold() for key in keys}) < len(keys):
            yield Problem(field=(name,), message=f"'{name}' names a column twice")


def check_table_name(table: str) -> Iterable[Problem]:
    """A finding when the name of a table to write is one of Osiris's own."""
    if table.casefold().startswith("_osiris_"):
        yield Problem(field=("table",), message="names that start with '_osiris_' are kept for Osiris's own tables")


@attrs.frozen
class Column:
    """A column's name, its type as the writer knows types, and whether it must have a value and gets none by itself."""

    name: str
    type: Any
    required: bool = False


@attrs.frozen(kw_only=True)
class LoadPlan:
    """How a load's columns go into the table: the pairs (of the load, of the table), and what changes before."""

    create: bool
    pairs: tuple[tuple[Column, Column], ...]
    added: tuple[Column, ...] = ()
    ignored: tuple[str, ...] = ()
    defaulted: tuple[str, ...] = ()

    def changes(self) -> list[dict[str, Any]]:
        """What the load changes or leaves out, as plain data (the event ``schema_changed``)."""
        return [
            *({"column": column.name, "change": "added", "type": str(column.type)} for column in self.added),
            *({"column": name, "change": "ignored"} for name in self.ignored),
            *({"column": name, "change": "default"} for name in self.defaulted),
        ]


@attrs.frozen(kw_only=True)
class LoadCodes:
    """A plugin's error codes for what :func:`plan_load` refuses."""

    no_table: str
    columns_differ: str
    lossy: str
    no_key: str


@attrs.frozen(kw_only=True)
class LoadRules:
    """What a system says about columns: whether one type ``holds`` every value of another (source, target), what it
    cannot ``create`` (raises DriverError), which names are one name (``fold``), and the codes of refusals.
    """

    codes: LoadCodes
    holds: Callable[[Any, Any], bool]
    create: Callable[[Column], None]
    fold: Callable[[str], str] = str.casefold


def plan_load(
    writer: TableWriter, load: Sequence[Column], table: Sequence[Column] | None, *, target: str, rules: LoadRules
) -> LoadPlan:
    """How ``load`` goes into ``table`` (None: there is none), which messages call ``target``; DriverError says what
    does not fit.
    """
    ours = {rules.fold(column.name): column for column in load}
    for key in writer.primary_key or writer.replace_keys or ():
        if rules.fold(key) not in ours:
            listed = _listed(column.name for column in load)
            raise DriverError(rules.codes.no_key, f"the key column '{key}' is not among the rows' columns ({listed})")
    if table is not None:
        return _fit(writer, ours, table, target, rules)
    if not writer.create_if_missing:
        raise DriverError(rules.codes.no_table, f"there is no table '{target}'")
    for column in load:
        rules.create(column)
    return LoadPlan(create=True, pairs=tuple((column, column) for column in load))


def _fit(
    writer: TableWriter, ours: dict[str, Column], table: Sequence[Column], target: str, rules: LoadRules
) -> LoadPlan:
    """How a load goes into a table that is there."""
    codes = rules.codes
    theirs = {rules.fold(column.name): column for column in table}
    new = tuple(column for key, column in ours.items() if key not in theirs)
    missing = tuple(column for key, column in theirs.items() if key not in ours)
    if writer.on_schema_change == "fail" and (new or missing):
        raise DriverError(codes.columns_differ, f"the columns of '{target}' have changed: {_drift(new, missing)}")
    required = [column.name for column in missing if column.required]
    if required:
        raise DriverError(
            codes.columns_differ,
            f"'{target}' needs a value in {_listed(required)}, which the rows do not have",
            hint="add the columns in a step before, or give them a default in the table",
        )
    pairs = [(ours[key], column) for key, column in theirs.items() if key in ours]
    lossy = [(one, other) for one, other in pairs if not rules.holds(one.type, other.type)]
    if lossy:
        listed = "; ".join(f"'{one.name}': {one.type} into {other.type}" for one, other in lossy)
        raise DriverError(codes.lossy, f"'{target}' cannot hold every value of {listed}")
    adds = writer.on_schema_change == "add_columns"
    if adds:
        for column in new:
            rules.create(column)
        pairs += [(column, column) for column in new]
    else:
        keys = {rules.fold(key) for key in (writer.primary_key or writer.replace_keys or ())}
        lost = [column.name for column in new if rules.fold(column.name) in keys]
        if lost:
            raise DriverError(codes.no_key, f"'{target}' has no key column {_listed(lost)}")
    return LoadPlan(
        create=False,
        pairs=tuple(pairs),
        added=new if adds else (),
        ignored=() if adds else tuple(column.name for column in new),
        defaulted=tuple(column.name for column in missing),
    )


def _drift(new: Sequence[Column], missing: Sequence[Column]) -> str:
    parts = []
    if new:
        parts.append(f"the rows have {_listed(column.name for column in new)}, which the table does not")
    if missing:
        parts.append(f"the table has {_listed(column.name for column in missing)}, which the rows do not")
    return "; ".join(parts)


def _listed(names: Any) -> str:
    return ", ".join(f"'{name}'" for name in names)


@config
class Incremental:
    """Reading on from where the last load ended."""

    cursor: str = field(
        doc="The column that only grows (a time of change, a serial number): rows from its last value on are read.",
        min_length=1,
        examples=("updated_at", "id"),
    )
    primary_key: tuple[str, ...] | None = field(
        default=None,
        doc="The columns that identify a row, by which rows at the last value of the cursor that were loaded already "
        "are told apart; needed when the writer appends.",
        min_length=1,
    )
    initial: str | int | float | None = field(
        default=None, doc="Where the first load begins; everything is read when not given."
    )
    lag: int | float | None = field(
        default=None,
        doc="How far before the last value to begin again, for rows that come late: seconds of a time, days of a date, "
        "else the cursor's own unit.",
        exclusive_minimum=0,
    )


@attrs.frozen(kw_only=True)
class Window:
    """Which rows of an incremental extract a run wants: ``lower <= cursor < upper``, None being no bound. A row whose
    cursor is NULL is wanted when there is no bound at all. The runtime refuses rows from outside.

    Bounds are texts that the source casts to the cursor's own type: digits of numbers, ``2026-03-01``,
    ``2026-03-01 07:00:00.25`` (with ``+00:00`` at its end for a type with a zone), text (compared by its bytes), a
    UUID, hexadecimal digits of bytes. Those of a state have that form; those of ``initial``, ``--since`` and
    ``--until`` are as somebody wrote them.
    """

    cursor: str
    lower: str | None = None
    upper: str | None = None


@attrs.frozen(kw_only=True)
class LoadState:
    """What a writer notes beside a load for an incremental extract: whose it is (at most 144 characters), and a JSON
    text of the core's (at most 2 MB). ``follows`` is the text that the extract went on from, where that is of interest:
    another run may have moved it meanwhile.
    """

    key: str
    text: str
    follows: Follows | None = None

    def require_unmoved(self, found: str | None) -> None:
        """Raise DriverError when ``found``, the newest text of :attr:`key`, is not the one that the extract began with.

        A writer calls this where nobody else can note a state any more until its own load is visible: in the
        transaction, or with the lock, that publishes. None is a state that is not there, or whose table is not.
        """
        if self.follows is not None and found != self.follows.text:
            raise DriverError(
                "OSR-RUN-087",
                f"the state of '{self.key}' was changed while this run was reading; nothing is published",
                hint="run it again; let no two runs of a pipeline overlap",
            )


@attrs.frozen
class Follows:
    """The text of a state that a load goes on from, None for the first one."""

    text: str | None
