"""What a discoverer says about the tables behind a connection, as plain values that can be stored and shown.

Values of columns appear as text only, as exactly as the server writes them; a text that had to be cut says how long it
is. Names and comments are the server's own and may hold anything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TypeVar, cast

import attrs

from osiris_core.model.fields import config, field

T = TypeVar("T")

TableKind = Literal["table", "view", "materialized view", "foreign table", "partitioned table", "file"]
Basis = Literal["estimate", "sample", "full"]

STAGES: Final[tuple[Basis, ...]] = ("estimate", "sample", "full")
"""What a profile can rest on, from the cheapest: the server's statistics, some rows, all rows."""

SAMPLE_ROWS: Final = 10_000
"""About how many rows a profile of basis 'sample' looks at."""

_TURN: Final = 0.2
_AGAIN: Final = 0.02


@attrs.frozen
class Deadline:
    """When discovery has to be done; ``ends`` is a reading of ``time.monotonic``."""

    ends: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline that is ``seconds`` from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds that are left; never negative."""
        return max(0.0, self.ends - time.monotonic())

    def check(self) -> None:
        """Raise TimeoutError when no time is left."""
        if self.remaining() <= 0:
            raise TimeoutError

    def bounded(self, action: Callable[[], T], interrupt: Callable[[], object]) -> T:
        """The result of ``action``, which runs on a thread of its own so that this one can be interrupted.

        When the time is over (TimeoutError then) or this thread is interrupted, ``interrupt`` is called, again and
        again until ``action`` has ended: for engines that a deadline or Ctrl-C does not reach.
        """
        self.check()
        outcome: list[tuple[T | None, BaseException | None]] = []
        # Plain locks: a signal within a Future's or an Event's own bookkeeping would leave it locked for ever.
        ended, lock = threading.Lock(), threading.Lock()
        ended.acquire()
        began = given_up = False

        def work() -> None:
            nonlocal began
            with lock:
                if given_up:
                    return
                began = True
            try:
                outcome.append((action(), None))
            except BaseException as error:  # noqa: BLE001 - handed over, raised below
                outcome.append((None, error))
            ended.release()

        try:
            # Starting a thread waits for it: a signal may come there, too.
            threading.Thread(target=work, name="osiris-discovery", daemon=True).start()
            # In turns: a signal that comes just before a wait begins is noticed only when the wait ends.
            while not outcome:
                ended.acquire(timeout=min(_TURN, self.remaining()))
                if not outcome:
                    self.check()
        except BaseException:
            with lock:
                given_up = True
            while began and not outcome:
                ended.acquire(timeout=_AGAIN)
                if not outcome:
                    interrupt()
            raise
        ((value, error),) = outcome
        if error is not None:
            raise error
        return value  # type: ignore[return-value]


@config
class ColumnInfo:
    """A column of a table."""

    name: str = field(doc="The column's name.")
    type: str = field(doc="Its type in the server's own words, with length, precision and so on.")
    nullable: bool | None = field(default=None, doc="Whether it may hold NULL; null when nobody says.")
    default: str | None = field(default=None, doc="The expression that it defaults to.")
    generated: bool = field(default=False, doc="Whether the server computes or numbers its values.")
    comment: str | None = field(default=None, doc="Its comment.")


@config
class Key:
    """Columns whose values together are unique."""

    columns: tuple[str, ...] = field(doc="The columns in the key's order.")
    name: str | None = field(default=None, doc="The constraint's name.")


@config
class Index:
    """An index of a table."""

    name: str = field(doc="The index's name.")
    columns: tuple[str, ...] = field(doc="Its columns or expressions in order.")
    unique: bool = field(default=False, doc="Whether it admits each value once.")


@config
class ForeignKey:
    """Columns that refer to a key of another table."""

    columns: tuple[str, ...] = field(doc="The columns that refer.")
    to_schema: str | None = field(default=None, doc="The schema of the table referred to.")
    to_table: str = field(doc="The table referred to.")
    to_columns: tuple[str, ...] = field(doc="The columns referred to, in the order of `columns`.")
    name: str | None = field(default=None, doc="The constraint's name.")


@config
class TableFault:
    """Why a table could not be described."""

    code: str = field(doc="The error's code.")
    message: str = field(doc="What is wrong.")


@config
class Table:
    """A table, view or file that can be read."""

    name: str = field(doc="Its name; of a file, its path below the connection's root.")
    kind: TableKind = field(doc="What it is.")
    schema: str | None = field(default=None, doc="The schema it stands in; null where there are none.")
    comment: str | None = field(default=None, doc="Its comment.")
    rows: int | None = field(default=None, doc="How many rows it has, as far as that is known without counting.")
    rows_exact: bool = field(default=False, doc="Whether `rows` is a count and not an estimate.")
    bytes: int | None = field(default=None, doc="The bytes it takes, as far as the server says.")
    columns: tuple[ColumnInfo, ...] = field(default=(), doc="Its columns in order.")
    primary_key: Key | None = field(default=None, doc="Its primary key.")
    unique_keys: tuple[Key, ...] = field(default=(), doc="Its other unique constraints.")
    indexes: tuple[Index, ...] = field(default=(), doc="Its indexes.")
    foreign_keys: tuple[ForeignKey, ...] = field(default=(), doc="What its columns refer to.")
    component: str | None = field(
        default=None, doc="The component that reads it, where the connection's family has several."
    )
    problem: TableFault | None = field(default=None, doc="Why its columns are not known.")

    @property
    def label(self) -> str:
        """``schema.name``, or the name where there is no schema."""
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


@config
class ValueCount:
    """A value and how often it occurs."""

    value: str = field(doc="The value as text.")
    count: int = field(doc="How many rows have it.")


@config
class ColumnProfile:
    """What the values of a column are like, within the rows that the profile rests on."""

    name: str = field(doc="The column's name.")
    nulls: int | None = field(default=None, doc="How many rows hold NULL.")
    distinct: int | None = field(default=None, doc="How many different values there are, NULL not counted.")
    minimum: str | None = field(default=None, doc="The least value.")
    maximum: str | None = field(default=None, doc="The greatest value.")
    top: tuple[ValueCount, ...] | None = field(
        default=None, doc="The most frequent values; null where nearly every row has a value of its own."
    )
    withheld: bool = field(
        default=False, doc="Whether values are left out because the column's name says that they are secrets."
    )

    def with_top(self, top: Iterable[ValueCount]) -> ColumnProfile:
        """The same with its most frequent values."""
        made: ColumnProfile = attrs.evolve(cast("Any", self), top=tuple(top))
        return made

    def without_values(self) -> ColumnProfile:
        """The same with counts only."""
        return ColumnProfile(name=self.name, nulls=self.nulls, distinct=self.distinct, withheld=True)


@config
class TableProfile:
    """What the rows of a table are like."""

    basis: Basis = field(
        doc="What it rests on: the server's own statistics ('estimate'), some of the rows ('sample'), or all ('full')."
    )
    examined: int | None = field(default=None, doc="How many rows were looked at; null for an estimate.")
    columns: tuple[ColumnProfile, ...] = field(doc="The columns in the table's order.")


@config
class Sample:
    """A few rows of a table."""

    columns: tuple[str, ...] = field(doc="The names of the columns.")
    rows: tuple[tuple[str | None, ...], ...] = field(doc="The rows, each value as text or null.")


@config
class Overlap:
    """How many values of one column another column has."""

    checked: int = field(doc="How many different values were looked up.")
    found: int = field(doc="How many of them the other column has.")
