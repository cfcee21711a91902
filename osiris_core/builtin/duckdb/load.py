"""One load into one table, as a transaction: every mode, the commit row, and the counts that must agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import DriverError, Report
from osiris_core.builtin.duckdb.table import TARGET, make_plan, qualified, read_columns, shown
from osiris_core.sqltext import quote_identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_core.api import Column, LoadPlan, LoadState
    from osiris_core.builtin.duckdb.config import Writer

LOADS: Final = f"{TARGET}.main._osiris_loads"
_STAGED: Final = "osiris_staged"
_LOAD: Final = "osiris_load"
_INSERT_MEMORY: Final = 128 * 1024 * 1024
"""Bytes that rows passing into a table without an index need; more would only fill up with blocks already written."""


@attrs.frozen(kw_only=True)
class Identity:
    """What the commit row says about a load beside its counts."""

    load_id: str
    manifest_hash: str
    step: str
    state: LoadState | None = None


@attrs.frozen(kw_only=True)
class Staged:
    """The staged rows: SQL that gives them in their order, and how many they are.

    The columns are named by :func:`staged_name`, so that none of them hides DuckDB's ``rowid``.
    """

    sql: str
    rows: int


@attrs.frozen(kw_only=True)
class Outcome:
    """What a load did."""

    report: Report
    changes: list[dict[str, Any]]


def staged_name(position: int) -> str:
    """The name of the staged column at ``position`` of the load's columns."""
    return f"c{position}"


def find_load(connection: Any, config: Writer, load_id: str) -> Report | None:
    """The report of a load that the attached file already has."""
    if "load_id" not in _loads_columns(connection):
        return None
    found = connection.execute(
        f"SELECT target, rows, checksum FROM {LOADS} WHERE load_id = $load_id", {"load_id": load_id}
    ).fetchall()
    if not found:
        return None
    target, rows, checksum = found[0]
    if target != shown(config):
        raise DriverError("OSR-DUCKDB-039", f"this load is recorded for '{target}', not for '{shown(config)}'")
    return Report(target=target, rows=rows, checksum=checksum)


def find_state(connection: Any, key: str) -> str | None:
    """The newest state of that key in the attached file."""
    if "state" not in _loads_columns(connection):
        return None
    # The order of the rows, not of their times: a clock may be set back.
    found = connection.execute(
        f"SELECT state FROM {LOADS} WHERE state_key = $key AND state IS NOT NULL ORDER BY rowid DESC LIMIT 1",
        {"key": key},
    ).fetchall()
    return found[0][0] if found else None


def forget_states(connection: Any, target: str) -> None:
    """End the states of a table that is gone: what a new one of its name holds, none of them tells."""
    if "state" in _loads_columns(connection):
        connection.execute(f"UPDATE {LOADS} SET state = NULL WHERE target = $target", {"target": target})


def _loads_columns(connection: Any) -> set[str]:
    """The columns of the attached file's commit rows; none when it has no such table."""
    found = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE database_name = $name AND schema_name = 'main' "
        "AND table_name = '_osiris_loads'",
        {"name": TARGET},
    ).fetchall()
    return {name for (name,) in found}


def create_loads(connection: Any) -> None:
    """Make the table of the commit rows in the attached file, or give one of an older Osiris its new columns."""
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {LOADS} (load_id VARCHAR PRIMARY KEY, manifest_hash VARCHAR NOT NULL, "
        "step VARCHAR NOT NULL, target VARCHAR NOT NULL, mode VARCHAR NOT NULL, rows BIGINT NOT NULL, "
        "checksum VARCHAR, loaded_at TIMESTAMPTZ NOT NULL, state_key VARCHAR, state VARCHAR)"
    )
    missing = {"state_key", "state"} - _loads_columns(connection)
    for name in sorted(missing):
        connection.execute(f"ALTER TABLE {LOADS} ADD COLUMN {name} VARCHAR")


def add_commit_row(
    connection: Any, identity: Identity, *, target: str, mode: str, rows: int, checksum: str | None
) -> None:
    """Note a load in the attached file."""
    state = identity.state
    connection.execute(
        f"INSERT INTO {LOADS} (load_id, manifest_hash, step, target, mode, rows, checksum, loaded_at, state_key, "
        "state) VALUES ($load_id, $manifest_hash, $step, $target, $mode, $rows, $checksum, now(), $state_key, $state)",
        {
            "load_id": identity.load_id,
            "manifest_hash": identity.manifest_hash,
            "step": identity.step,
            "target": target,
            "mode": mode,
            "rows": rows,
            "checksum": checksum,
            "state_key": state and state.key,
            "state": state and state.text,
        },
    )


class Load:
    """The statements of one load, on a connection with the file attached and a transaction open."""

    def __init__(
        self,
        connection: Any,
        config: Writer,
        columns: Sequence[Column],
        staged: Staged,
        identity: Identity,
        *,
        memory: int,
    ) -> None:
        self._connection = connection
        self._config = config
        self._columns = columns
        self._staged = staged
        self._identity = identity
        self._memory = memory
        self._table = qualified(config)
        self._keys: tuple[str, ...] = ()
        self._dropped = 0

    def apply(self, checksum: str) -> Outcome:
        """Change the table and add the commit row; the caller commits."""
        config = self._config
        create_loads(self._connection)
        plan = make_plan(config, self._columns, read_columns(self._connection, config))
        self._reshape(plan)
        rows = self._prepare(plan)
        self._limit_memory()
        before = self._count(self._table)
        inserted, updated, deleted = self._change(plan, rows)
        after = self._count(self._table)
        if after != before + inserted - deleted or rows != inserted + updated:
            raise DriverError(
                "OSR-DUCKDB-039",
                f"'{shown(config)}' had {before} rows; {inserted} inserted and {deleted} deleted make {after}?",
            )
        add_commit_row(
            self._connection, self._identity, target=shown(config), mode=config.mode, rows=rows, checksum=checksum
        )
        details: dict[str, Any] = {"mode": config.mode, "created": plan.create}
        if self._dropped:
            details["duplicates_dropped"] = self._dropped
        report = Report(
            target=shown(config),
            rows=rows,
            checksum=checksum,
            inserted=inserted,
            updated=updated,
            deleted=deleted,
            details=details,
        )
        return Outcome(report=report, changes=plan.changes())

    def _reshape(self, plan: LoadPlan) -> None:
        if plan.create:
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {TARGET}.{quote_identifier(self._config.schema)}")
            written = ", ".join(f"{quote_identifier(column.name)} {column.type}" for column in self._columns)
            self._connection.execute(f"CREATE TABLE {self._table} ({written})")
        for column in plan.added:
            self._connection.execute(
                f"ALTER TABLE {self._table} ADD COLUMN {quote_identifier(column.name)} {column.type}"
            )

    def _prepare(self, plan: LoadPlan) -> int:
        """Put the staged rows, in the table's columns and types, behind one name; says how many there are."""
        # They are read once where no key is looked at, else several times: then a table is cheaper than the spool.
        wanted = self._config.primary_key or self._config.replace_keys or ()
        kind = "TABLE" if wanted else "VIEW"
        self._connection.execute(f"CREATE OR REPLACE TEMP {kind} {_STAGED} AS {self._staged.sql}")
        staged = {column.name.casefold(): staged_name(at) for at, column in enumerate(self._columns)}
        items = ", ".join(
            (
                staged[ours.name.casefold()]
                if str(ours.type) == str(theirs.type)
                else f"CAST({staged[ours.name.casefold()]} AS {theirs.type})"
            )
            + f" AS {quote_identifier(theirs.name)}"
            for ours, theirs in plan.pairs
        )
        names = {theirs.name.casefold(): theirs.name for _, theirs in plan.pairs}
        self._keys = tuple(quote_identifier(names[key.casefold()]) for key in wanted)
        source, rows = _STAGED, self._staged.rows
        if self._config.primary_key:
            source = self._unique([staged[key.casefold()] for key in wanted], ", ".join(wanted))
            rows -= self._dropped
        self._connection.execute(f"CREATE OR REPLACE TEMP VIEW {_LOAD} AS SELECT {items} FROM {source}")
        return rows

    def _limit_memory(self) -> None:
        """Take no more memory than an insert needs, however many rows pass; keys and indexes need what there is."""
        if self._keys or self._memory <= _INSERT_MEMORY:
            return
        ((indexes,),) = self._connection.execute(
            "SELECT index_count FROM duckdb_tables() WHERE database_name = $database "
            "AND lower(schema_name) = lower($schema) AND lower(table_name) = lower($table)",
            {"database": TARGET, "schema": self._config.schema, "table": self._config.table},
        ).fetchall()
        if not indexes:
            self._connection.execute(f"SET memory_limit = '{_INSERT_MEMORY}B'")

    def _unique(self, keys: Sequence[str], named: str) -> str:
        """The staged rows, of which no two have the same key."""
        listed = ", ".join(keys)
        nulls = " OR ".join(f"{key} IS NULL" for key in keys)
        (total, distinct, empty), *_ = self._connection.execute(
            f"SELECT count(*), (SELECT count(*) FROM (SELECT DISTINCT {listed} FROM {_STAGED})), "
            f"count(*) FILTER ({nulls}) FROM {_STAGED}"
        ).fetchall()
        if empty:
            raise DriverError("OSR-DUCKDB-034", f"{empty} of {total} rows have NULL in the primary_key ({named})")
        if distinct == total:
            return _STAGED
        if self._config.on_duplicate == "error":
            raise DriverError(
                "OSR-DUCKDB-035", f"{total} rows have only {distinct} different values of the primary_key ({named})"
            )
        self._dropped = total - distinct
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE osiris_unique AS SELECT * FROM {_STAGED} WHERE rowid IN "
            f"(SELECT max(rowid) FROM {_STAGED} GROUP BY {listed}) ORDER BY rowid"
        )
        return "osiris_unique"

    def _change(self, plan: LoadPlan, rows: int) -> tuple[int, int, int]:
        """Rows inserted, updated and deleted."""
        match self._config.mode:
            case "append":
                return self._insert(plan), 0, 0
            case "replace":
                deleted = self._changed(f"DELETE FROM {self._table}")
                return self._insert(plan), 0, deleted
            case "delete_insert":
                same = " AND ".join(f"t.{key} IS NOT DISTINCT FROM l.{key}" for key in self._keys)
                deleted = self._changed(
                    f"DELETE FROM {self._table} AS t WHERE EXISTS (SELECT 1 FROM {_LOAD} AS l WHERE {same})"
                )
                return self._insert(plan), 0, deleted
            case _:
                return self._merge(plan, rows)

    def _merge(self, plan: LoadPlan, rows: int) -> tuple[int, int, int]:
        using = f"USING ({', '.join(self._keys)})"
        updated = self._count(f"{_LOAD} AS l SEMI JOIN {self._table} AS t {using}")
        matched = self._count(f"{self._table} AS t SEMI JOIN {_LOAD} AS l {using}")
        if matched != updated:
            raise DriverError(
                "OSR-DUCKDB-037",
                f"'{shown(self._config)}' has {matched} rows for {updated} values of the primary_key "
                f"({', '.join(self._config.primary_key or ())})",
            )
        columns = [quote_identifier(theirs.name) for _, theirs in plan.pairs]
        settings = ", ".join(f"{column} = l.{column}" for column in columns if column not in self._keys)
        update = f"WHEN MATCHED THEN UPDATE SET {settings} " if settings else ""
        self._connection.execute(
            f"MERGE INTO {self._table} AS t USING {_LOAD} AS l {using} {update}"
            f"WHEN NOT MATCHED THEN INSERT ({', '.join(columns)}) VALUES ({', '.join(f'l.{c}' for c in columns)})"
        )
        return rows - updated, updated, 0

    def _insert(self, plan: LoadPlan) -> int:
        columns = ", ".join(quote_identifier(theirs.name) for _, theirs in plan.pairs)
        return self._changed(f"INSERT INTO {self._table} ({columns}) SELECT {columns} FROM {_LOAD}")

    def _changed(self, statement: str) -> int:
        ((count,),) = self._connection.execute(statement).fetchall()
        assert isinstance(count, int)
        return count

    def _count(self, source: str) -> int:
        return self._changed(f"SELECT count(*) FROM {source}")
