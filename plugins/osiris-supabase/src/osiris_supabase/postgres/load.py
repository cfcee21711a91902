"""One load into one table, as one transaction: where its rows go first, every mode, and the counts that must agree.

Rows that are only added (``append``, ``replace``) are copied straight into the table: nobody sees them before the
transaction ends, and that is all a stage needs to be. ``replace`` deletes what was there instead of truncating it,
since TRUNCATE shuts readers out until the end and shows an empty table to whoever began before. Rows that must be
compared with the table's go into a temporary table of the same transaction, which a pooler of transactions allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import DriverError, quote_identifier
from osiris_supabase.postgres.target import find_target, has_unique_index, make_plan, refuse_dependents

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from osiris_core.api import Column, LoadPlan
    from osiris_supabase.config import Writer
    from osiris_supabase.postgres.session import Session
    from osiris_supabase.postgres.target import Place, Target

_STAGE: Final = "pg_temp.osiris_stage"


class Load:
    """The statements of one load, in an open transaction of ``session``."""

    def __init__(self, session: Session, config: Writer, columns: Sequence[Column], place: Place) -> None:
        self._session = session
        self._config = config
        self._columns = tuple(columns)
        self._place = place
        self._target: Target | None = None
        self._deleted = 0
        self._staged = 0
        self._order = ""
        self.dropped = 0

    def prepare(self) -> LoadPlan:
        """Make ready what the rows are copied into; says how they go into the table."""
        config, session = self._config, self._session
        if config.mode == "replace":
            self._lock()
        target = find_target(session, self._place)
        self.plan = make_plan(config, self._columns, target, self._place)
        if (self.plan.create or self.plan.added) and config.mode != "replace":
            # Another load may be about to make the same: who comes second finds it made.
            self._lock()
            target = find_target(session, self._place)
            self.plan = make_plan(config, self._columns, target, self._place)
        if self.plan.create:
            self._create()
            target = find_target(session, self._place)
        assert target is not None
        self._target = target
        if config.mode in ("replace", "delete_insert"):
            refuse_dependents(session, target, self._place)
        self._direct = config.mode in ("append", "replace") and not self.plan.added
        if not self._direct:
            self._make_stage()
        elif config.mode == "replace":
            self._deleted = self._delete_all()
        return self.plan

    def copy(self, chunks: Iterable[Any]) -> int:
        """Copy rows, given as CSV in the order of the load's columns that are written; how many the server took."""
        into = self._place.quoted if self._direct else _STAGE
        count = self._session.copy_in(f"COPY {into} ({self._names()}) FROM STDIN (FORMAT csv, ENCODING 'UTF8')", chunks)
        self._staged += count
        return count

    def finish(self) -> tuple[int, int, int]:
        """Bring the rows into the table; how many were inserted, updated and deleted."""
        if self._direct:
            return self._staged, 0, self._deleted
        if self._config.mode != "replace":
            self._lock()
        self._session.run(f"ANALYZE {_STAGE}")
        for column in self.plan.added:
            self._session.run(
                f"ALTER TABLE {self._place.quoted} ADD COLUMN {quote_identifier(column.name)} {column.type}"
            )
        match self._config.mode:
            case "append":
                return self._insert(), 0, 0
            case "replace":
                deleted = self._delete_all()
                return self._insert(), 0, deleted
            case "delete_insert":
                deleted = self._delete_same()
                return self._insert(), 0, deleted
            case _:
                return self._upsert()

    def _lock(self) -> None:
        """Let no other load of ours into the table until the end of the transaction."""
        self._session.rows(
            "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 0))", f"osiris:{self._place.shown}"
        )

    def _create(self) -> None:
        session, config, table = self._session, self._config, self._place.quoted
        written = [f"{quote_identifier(column.name)} {column.type}" for column in self._columns]
        if config.primary_key:
            written.append(f"PRIMARY KEY ({_listed(config.primary_key)})")
        session.run(f"CREATE TABLE {table} ({', '.join(written)})")
        for role in config.grants or ():
            session.run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {quote_identifier(role)}")
        if config.enable_rls:
            session.run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")

    def _make_stage(self) -> None:
        added = {column.name for column in self.plan.added}
        items = ", ".join(
            f"CAST(NULL AS {theirs.type}) AS {quote_identifier(theirs.name)}"
            if theirs.name in added
            else quote_identifier(theirs.name)
            for _, theirs in self.plan.pairs
        )
        self._session.run(
            f"CREATE TEMP TABLE osiris_stage ON COMMIT DROP AS SELECT {items} FROM {self._place.quoted} WITH NO DATA"
        )
        if self._config.on_duplicate == "last":
            self._order = "osiris_row"
            while self._order in {theirs.name for _, theirs in self.plan.pairs}:
                self._order += "_"
            self._session.run(f"ALTER TABLE {_STAGE} ADD COLUMN {self._order} bigint GENERATED ALWAYS AS IDENTITY")

    def _names(self) -> str:
        return _listed(theirs.name for _, theirs in self.plan.pairs)

    def _insert(self, where: str = "") -> int:
        names = self._names()
        return self._session.run(
            f"INSERT INTO {self._place.quoted} ({names}) OVERRIDING SYSTEM VALUE "
            f"SELECT {names} FROM {_STAGE} AS s{where}"
        )

    def _delete_all(self) -> int:
        table = self._place.quoted
        return self._delete(f"DELETE FROM {table}", f"SELECT 1 FROM {table}")

    def _delete_same(self) -> int:
        keys, table = self._config.replace_keys or (), self._place.quoted
        names = _listed(keys)
        absent = " OR ".join(f"{quote_identifier(key)} IS NULL" for key in keys)
        deleted = 0
        # Equality can use an index or a hash; NULL, which equals nothing, is looked for by itself and seldom.
        for values, same in ((f"NOT ({absent})", "{0} = {1}"), (f"({absent})", "{0} IS NOT DISTINCT FROM {1}")):
            staged = f"(SELECT DISTINCT {names} FROM {_STAGE} WHERE {values}) AS s"
            condition = " AND ".join(
                same.format(f"t.{quote_identifier(key)}", f"s.{quote_identifier(key)}") for key in keys
            )
            deleted += self._delete(
                f"DELETE FROM {table} AS t USING {staged} WHERE {condition}",
                f"SELECT 1 FROM {table} AS t JOIN {staged} ON {condition}",
            )
        return deleted

    def _delete(self, statement: str, left: str) -> int:
        """How many rows ``statement`` deleted. Triggers, rules and policies keep rows in silence, so ``left`` looks for
        them; those that another session has added meanwhile are deleted with the next attempt.
        """
        deleted = self._session.run(statement)
        while self._session.rows(f"{left} LIMIT 1"):
            again = self._session.run(statement)
            if not again:
                raise DriverError("OSR-PG-043", f"'{self._place.shown}' still has rows that were deleted from it")
            deleted += again
        return deleted

    def _upsert(self) -> tuple[int, int, int]:
        keys = self._config.primary_key or ()
        assert self._target is not None
        self._make_unique(keys)
        rows = self._staged - self.dropped
        if has_unique_index(self._session, self._target, keys):
            inserted, updated = self._insert_or_update(keys)
        else:
            inserted, updated = self._update_then_insert(keys)
        if inserted + updated != rows:
            raise DriverError(
                "OSR-PG-039", f"'{self._place.shown}': of {rows} rows {inserted} were inserted and {updated} updated"
            )
        return inserted, updated, 0

    def _make_unique(self, keys: Sequence[str]) -> None:
        """Refuse NULL keys; refuse or drop rows of the same key."""
        names, shown = _listed(keys), ", ".join(keys)
        absent = " OR ".join(f"{quote_identifier(key)} IS NULL" for key in keys)
        ((empty, distinct),) = self._session.rows(
            f"SELECT (SELECT count(*) FROM {_STAGE} WHERE {absent}), "
            f"(SELECT count(*) FROM (SELECT 1 FROM {_STAGE} GROUP BY {names}) AS d)"
        )
        if empty != "0":
            raise DriverError("OSR-PG-034", f"{empty} of {self._staged} rows have NULL in the primary_key ({shown})")
        if int(distinct or 0) == self._staged:
            return
        if self._config.on_duplicate == "error":
            raise DriverError(
                "OSR-PG-035", f"{self._staged} rows have only {distinct} different values of the primary_key ({shown})"
            )
        self.dropped = self._session.run(
            f"DELETE FROM {_STAGE} AS s USING (SELECT {names}, max({self._order}) AS osiris_last FROM {_STAGE} "
            f"GROUP BY {names} HAVING count(*) > 1) AS d "
            f"WHERE {_same('s', 'd', keys)} AND s.{self._order} < d.osiris_last"
        )

    def _insert_or_update(self, keys: Sequence[str]) -> tuple[int, int]:
        names, table = self._names(), self._place.quoted
        settings = ", ".join(f"{name} = EXCLUDED.{name}" for name in self._settable(keys))
        statement = (
            f"INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM {_STAGE} "
            f"ON CONFLICT ({_listed(keys)}) DO {f'UPDATE SET {settings}' if settings else 'NOTHING'}"
        )
        assert self._target is not None
        if not settings:
            inserted = self._session.run(statement)
            return inserted, self._matched(keys) - inserted
        if self._target.kind != "r":  # the row's own system columns are out of reach there
            known = self._matched(keys)
            return self._session.run(statement) - known, known
        ((total, fresh),) = self._session.rows(
            f"WITH done AS ({statement} RETURNING (xmax = 0) AS fresh) "
            "SELECT count(*), count(*) FILTER (WHERE fresh) FROM done"
        )
        inserted = int(fresh or 0)
        return inserted, int(total or 0) - inserted

    def _update_then_insert(self, keys: Sequence[str]) -> tuple[int, int]:
        table, same = self._place.quoted, _same("t", "s", keys)
        # Nobody else may add a row of a key between the two statements; readers go on.
        self._session.run(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
        known = self._matched(keys)
        settings = ", ".join(f"{name} = s.{name}" for name in self._settable(keys))
        updated = known
        if settings:
            updated = self._session.run(f"UPDATE {table} AS t SET {settings} FROM {_STAGE} AS s WHERE {same}")
        if updated != known:
            raise DriverError(
                "OSR-PG-037",
                f"'{self._place.shown}' has {updated} rows for {known} values of the primary_key ({', '.join(keys)})",
            )
        return self._insert(f" WHERE NOT EXISTS (SELECT 1 FROM {table} AS t WHERE {same})"), updated

    def _matched(self, keys: Sequence[str]) -> int:
        """How many staged rows have a row of the same key in the table."""
        ((count,),) = self._session.rows(
            f"SELECT count(*) FROM {_STAGE} AS s WHERE EXISTS "
            f"(SELECT 1 FROM {self._place.quoted} AS t WHERE {_same('t', 's', keys)})"
        )
        return int(count or 0)

    def _settable(self, keys: Sequence[str]) -> list[str]:
        return _quoted(theirs.name for _, theirs in self.plan.pairs if theirs.name not in keys)


def _same(one: str, other: str, keys: Iterable[str]) -> str:
    return " AND ".join(f"{one}.{key} = {other}.{key}" for key in _quoted(keys))


def _quoted(names: Iterable[str]) -> list[str]:
    return [quote_identifier(name) for name in names]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(_quoted(names))
