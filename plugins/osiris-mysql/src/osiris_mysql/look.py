"""What is known of a load before rows come: the target, the plan, and the tables that follow from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from osiris_core.api import Column, DriverError
from osiris_mysql.cells import Pair, pairs_of
from osiris_mysql.private import SYSTEM, folded
from osiris_mysql.staging import PART, ROW
from osiris_mysql.statements import change, define, ident
from osiris_mysql.table import (
    Dialect,
    Table,
    column_definition,
    dialect,
    key_index,
    make_plan,
    read_counter,
    read_table,
)
from osiris_mysql.types_out import ZONED

if TYPE_CHECKING:
    from osiris_core.api import LoadPlan
    from osiris_mysql.session import Session
    from osiris_mysql.writer_config import Writer


@attrs.frozen(kw_only=True)
class Look:
    """What was found before anything was done: the table, and how the rows go into it."""

    table: Table | None
    plan: LoadPlan
    words: Dialect
    pairs: tuple[Pair, ...]


def look_at(session: Session, config: Writer, columns: tuple[Column, ...]) -> Look:
    """The target, and the plan for rows of ``columns`` (with DuckDB types); DriverError says what does not fit."""
    if folded(database := session.connection.database) in SYSTEM:
        raise DriverError(
            "OSR-MYSQL-058",
            f"'{database}' is the server's own database, which no pipeline writes",
            hint="let the connection's 'database' be one of yours",
        )
    table, words = read_table(session, config.table), dialect(session)
    plan = make_plan(config, columns, table, words)
    return Look(table=table, plan=plan, words=words, pairs=pairs_of(plan.pairs))


def swaps(config: Writer, look: Look) -> bool:
    """Whether rows can be sent straight to a new table: an upsert has to look at their keys first."""
    if look.table is None:
        return config.mode != "upsert"
    return config.mode == "replace" and look.table.bound is None


def merges(config: Writer, look: Look) -> bool:
    """Whether ``ON DUPLICATE KEY UPDATE`` means the same as an update and an insert, which take three times as long.

    It takes a row of any unique key for the same one, and lets triggers of inserts see rows that are only updated.
    """
    keys = frozenset(key.lower() for key in config.primary_key or ())
    return look.table is not None and look.table.plain and look.table.unique == (keys,)


def key_pairs(config: Writer, look: Look) -> tuple[Pair, ...]:
    """The key columns."""
    pairs = {pair.target.lower(): pair for pair in look.pairs}
    return tuple(pairs[key.lower()] for key in config.primary_key or config.replace_keys or ())


def stage_statement(name: str, look: Look) -> str:
    """CREATE TABLE for a stage: the table's types, so that values are judged as the table would, and no key of its."""
    lines = [
        f"{ident(PART)} INT NOT NULL DEFAULT 0",
        f"{ident(ROW)} BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY",
        *(f"{ident(pair.target)} {pair.type.definition()} NULL" for pair in look.pairs),
    ]
    options = f"ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {look.words.collation}"
    return f"CREATE TABLE {ident(name)} ({', '.join(lines)}) {options}"


def add_columns(session: Session, table: str, plan: LoadPlan, what: str) -> None:
    """Add the plan's new columns to ``table``."""
    if plan.added:
        added = ", ".join(f"ADD COLUMN {ident(one.name)} {column_definition(one.type)}" for one in plan.added)
        define(session, f"ALTER TABLE {ident(table)} {added}", what)


def make_like(session: Session, new: str, table: str, what: str) -> None:
    """Make the table ``new`` like ``table``, without its rows."""
    define(session, f"CREATE TABLE {ident(new)} LIKE {ident(table)}", what)
    keep_counter(session, new, table, what)


def keep_counter(session: Session, new: str, table: str, what: str) -> None:
    """Have AUTO_INCREMENT of ``new`` go on from where ``table`` is, lest numbers of rows that are gone come again."""
    counter = read_counter(session, table, what)
    if counter is not None and counter > (read_counter(session, new, what) or 0):
        define(session, f"ALTER TABLE {ident(new)} AUTO_INCREMENT = {counter}", what)


def in_utc(look: Look) -> dict[str, Any]:
    """The columns whose moments are written as times of UTC without saying so in the type."""
    named = [pair.target for pair in look.pairs if pair.kind.id == ZONED and pair.type.name == "datetime"]
    return {"written_in_utc": named} if named else {}


def index_stage(session: Session, stage: str, config: Writer, look: Look) -> None:
    """Let keys be found in the stage: the table may have no index for them."""
    keys = key_pairs(config, look)
    columns = [Column(pair.target, pair.type) for pair in look.pairs if pair in keys]
    if columns:
        sql = f"ALTER TABLE {ident(stage)} ADD {key_index(columns)}"
        change(session, sql, f"indexing the rows for '{config.table}'")


def require_unchanged(session: Session, config: Writer, look: Look) -> None:
    """Refuse to go on when somebody has altered, made or dropped the table since it was looked at."""
    now, before = read_table(session, config.table), look.table
    same = (now and now.definition) == (before and before.definition)
    bonds = [table and (table.bound, table.plain, table.cascades) for table in (now, before)]
    if not same or bonds[0] != bonds[1]:
        raise DriverError(
            "OSR-MYSQL-063",
            f"'{config.table}' has been altered, made or dropped while rows were staged for it",
            retriable=True,
        )
