"""Making staged rows visible: what changes the table and what counts prove that it did.

Rows reach a table in one of two ways.

*Exchange*: they are loaded straight into a new table, which then takes the name of the old one by a single RENAME
TABLE. This is how a table is made that is not there yet, and how ``replace`` works where nothing hangs on the old one:
rows are written once, the old ones need not be undoable, and readers meet the old table or the new one. The rename
waits for transactions that have read the old table; one that began before and reads it only afterwards is told by the
server that the definition has changed.

*Transaction*: they are loaded into a stage without keys, and one transaction of InnoDB changes the table and adds the
commit row. All other modes work so, and ``replace`` too where the table has triggers, foreign keys or a history of its
own: a new table would lose the first, leave the others on the table that is thrown away, and have no past. Triggers run
and foreign keys are checked as for any other change.

Counts come from the server, statement by statement, and must agree with the rows that were staged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import DriverError, Report
from osiris_mysql.loads import add_commit_row, confirm
from osiris_mysql.staging import PART, ROW
from osiris_mysql.statements import change, ident, listed, merge, number
from osiris_mysql.types_out import TEXTS

if TYPE_CHECKING:
    from osiris_core.api import DriverContext
    from osiris_mysql.cells import Pair
    from osiris_mysql.loads import CommitRow
    from osiris_mysql.session import Session
    from osiris_mysql.writer_config import Writer

_ROWS: Final = 10**21
"""More than there are rows in a stage."""
_BYTES: Final = "_osiris_bytes_"
_DIGEST: Final = "_osiris_digest_"


@attrs.frozen(kw_only=True)
class Changed:
    """Rows inserted, updated and deleted."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0


class Publisher:
    """One load into ``table`` from ``stage``: ``columns`` are names of the table's, ``keys`` those it is found by;
    ``merges``: one statement can both update and insert, see :func:`osiris_mysql.look.merges`.
    """

    def __init__(
        self,
        session: Session,
        config: Writer,
        ctx: DriverContext,
        *,
        stage: str,
        table: str,
        columns: tuple[str, ...],
        keys: tuple[Pair, ...],
        merges: bool,
    ) -> None:
        self._session = session
        self._config = config
        self._ctx = ctx
        self._stage = ident(stage)
        self._table = ident(table)
        self._columns = columns
        self._key_pairs = keys
        self._merges = merges
        self._keys = tuple(key.target for key in keys)
        self._what = f"writing '{config.table}'"

    def settle_keys(self, rows: int) -> int:
        """Refuse NULL and doubled keys of an upsert, or drop all but the last row of a key; the rows dropped."""
        if self._config.mode != "upsert":
            return 0
        named = ", ".join(self._keys)
        nulls = " OR ".join(f"{ident(key)} IS NULL" for key in self._keys)
        empty = number(self._session, f"SELECT COUNT(*) FROM {self._stage} WHERE {nulls}", self._what)
        if empty:
            raise DriverError("OSR-MYSQL-055", f"{empty} of {rows} rows have NULL in the primary_key ({named})")
        distinct = number(
            self._session,
            f"SELECT COUNT(*) FROM (SELECT DISTINCT {listed(self._keys)} FROM {self._stage}) d",
            self._what,
        )
        if distinct == rows:
            return 0
        if self._config.on_duplicate == "error":
            raise DriverError(
                "OSR-MYSQL-056", f"{rows} rows have only {distinct} different values of the primary_key ({named})"
            )
        # Part and row as one number, of which the largest is the last row.
        last = f"CAST(MAX({PART} * {_ROWS} + {ROW}) % {_ROWS} AS UNSIGNED)"
        kept = f"SELECT {last} AS kept FROM {self._stage} GROUP BY {listed(self._keys)}"
        dropped = self._change(
            f"DELETE a FROM {self._stage} a LEFT JOIN ({kept}) b ON b.kept = a.{ROW} WHERE b.kept IS NULL"
        )
        if dropped != rows - distinct:
            raise self._disagreement(f"{rows - distinct} of {rows} rows repeat a key, {dropped} were dropped")
        return dropped

    def transaction(self, row: CommitRow) -> Changed:
        """Change the table and add the commit row in one transaction."""
        session, ctx = self._session, self._ctx
        # Should this side go away now, its locks go with it.
        session.run("SET SESSION wait_timeout = 120", self._what)
        change(session, "START TRANSACTION", self._what)
        done = self.apply(row.rows)
        add_commit_row(session, row)
        ctx.failpoint("mysql.before_commit")
        ctx.check()  # from here on, cancelling comes too late
        change(session, "COMMIT", self._what)
        ctx.failpoint("mysql.after_commit")
        return done

    def apply(self, rows: int) -> Changed:
        """The statements of the mode, for so many staged rows."""
        match self._config.mode:
            case "append":
                done = Changed(inserted=self._insert())
            case "replace":
                deleted = self._change(f"DELETE FROM {self._table}")
                done = Changed(inserted=self._insert(), deleted=deleted)
            case "delete_insert":
                deleted = self._delete_keys()
                done = Changed(inserted=self._insert(), deleted=deleted)
            case _:
                done = self._upsert()
        if done.inserted + done.updated != rows:
            raise self._disagreement(f"{rows} rows are staged, {done.inserted} were inserted, {done.updated} updated")
        return done

    def _delete_keys(self) -> int:
        """Delete the rows whose keys are in the stage.

        Each key is joined once: many rows of one key on both sides would be as many pairs as their product. Texts are
        compared as they are, so that an index finds them, and by their bytes, lest a collation that takes 'a' and 'A'
        for one value deletes rows that no new ones replace.
        """
        picked, same = [], []
        for at, key in enumerate(self._key_pairs):
            name = ident(key.target)
            picked.append(name)
            same.append(f"t.{name} <=> s.{name}")
            if key.type.name in TEXTS:
                picked.append(f"CAST({name} AS BINARY) AS {_BYTES}{at}")
                same.append(f"CAST(t.{name} AS BINARY) <=> s.{_BYTES}{at}")
            if key.type.name.endswith(("text", "blob")):  # of which the server makes no index for the join
                picked.append(f"CRC32({name}) AS {_DIGEST}{at}")
                same.append(f"CRC32(t.{name}) <=> s.{_DIGEST}{at}")
        keys = f"SELECT DISTINCT {', '.join(picked)} FROM {self._stage}"
        return self._change(f"DELETE t FROM {self._table} t JOIN ({keys}) s ON {' AND '.join(same)}")

    def _upsert(self) -> Changed:
        """Update the rows whose key is there, insert the others."""
        keys = {key.lower() for key in self._keys}
        rest = [name for name in self._columns if name.lower() not in keys]
        if rest and self._merges:
            return self._merge(rest)
        joined = f"{self._table} t JOIN {self._stage} s ON {self._same('t', 's')}"
        ((matched, updated),) = self._session.run(
            f"SELECT COUNT(*), COUNT(DISTINCT s.{ROW}) FROM {joined} FOR UPDATE", self._what
        )
        if matched != updated:
            raise DriverError(
                "OSR-MYSQL-057",
                f"'{self._config.table}' has {matched} rows for {updated} values of the primary_key "
                f"({', '.join(self._keys)})",
            )
        if rest and updated:
            settings = ", ".join(f"t.{ident(name)} = s.{ident(name)}" for name in rest)
            self._change(f"UPDATE {joined} SET {settings}")
        first = ident(self._keys[0])
        inserted = self._change(
            f"INSERT INTO {self._table} ({listed(self._columns)}) SELECT {listed(self._columns, 's.')} "
            f"FROM {self._stage} s LEFT JOIN {self._table} t ON {self._same('t', 's')} WHERE t.{first} IS NULL"
        )
        return Changed(inserted=inserted, updated=int(updated))

    def _merge(self, rest: list[str]) -> Changed:
        names, stage = listed(self._columns), self._stage
        settings = ", ".join(f"{self._table}.{ident(name)} = s.{ident(name)}" for name in rest)
        inserted, updated = merge(
            self._session,
            f"INSERT INTO {self._table} ({names}) SELECT {listed(self._columns, 's.')} FROM {stage} s "
            f"ON DUPLICATE KEY UPDATE {settings}",
            self._what,
        )
        return Changed(inserted=inserted, updated=updated)

    def _insert(self) -> int:
        names = listed(self._columns)
        order = f"ORDER BY {PART}, {ROW}" if self._config.mode == "append" else ""
        return self._change(f"INSERT INTO {self._table} ({names}) SELECT {names} FROM {self._stage} {order}")

    def _same(self, one: str, other: str) -> str:
        return " AND ".join(f"{one}.{ident(key)} = {other}.{ident(key)}" for key in self._keys)

    def _change(self, sql: str) -> int:
        return change(self._session, sql, self._what)

    def _disagreement(self, text: str) -> DriverError:
        return DriverError("OSR-MYSQL-059", f"{self._what}: {text}")


def exchange(session: Session, ctx: DriverContext, row: CommitRow, *, new: str, old: str | None) -> int:
    """Give the table ``new`` the name of the target, whose table becomes ``old`` (None: there is none) and goes; the
    number of rows that were in it.
    """
    what = f"writing '{row.target}'"
    assert row.token is not None
    add_commit_row(session, row)
    ctx.failpoint("mysql.prepared")
    ctx.check()  # from here on, cancelling comes too late
    aside = f"{ident(row.target)} TO {ident(old)}, " if old else ""
    change(session, f"RENAME TABLE {aside}{ident(new)} TO {ident(row.target)}", what)
    ctx.failpoint("mysql.renamed")
    deleted = 0
    if old is not None:
        deleted = number(session, f"SELECT COUNT(*) FROM {ident(old)}", what)
        _drop_old(session, row.target, new=new, old=old)
    confirm(session, row.token)
    ctx.failpoint("mysql.after_commit")
    return deleted


def _drop_old(session: Session, target: str, *, new: str, old: str) -> None:
    """Drop the old table; where a foreign key that the account cannot see holds it, put it back and say so."""
    what = f"removing the rows that '{target}' had"
    try:
        change(session, f"DROP TABLE {ident(old)}", what)
    except DriverError as error:
        if error.code != "OSR-MYSQL-062":
            raise
        change(session, f"RENAME TABLE {ident(target)} TO {ident(new)}, {ident(old)} TO {ident(target)}", what)
        raise DriverError(
            "OSR-MYSQL-058",
            f"'{target}' is referred to by a foreign key that the account cannot see, so nothing was changed",
            hint="let the account see the table with that foreign key, or use another mode",
        ) from error


def report(row: CommitRow, done: Changed, **details: Any) -> Report:
    """What the load made visible."""
    return Report(
        target=row.target,
        rows=row.rows,
        checksum=row.checksum,
        inserted=done.inserted,
        updated=done.updated,
        deleted=done.deleted,
        details={"mode": row.mode, **details},
    )
