"""The commit rows of loads (table ``_osiris_loads``), the locks of loads, and what is left of those that died.

A load goes by a *token*. Whatever it makes on the server has the token in its name, and the session that loads holds a
lock of that name for as long as it lives, so the tables of a token whose lock is free belong to nobody and are removed.

A load that changes a table in a transaction adds its commit row in the same. One that exchanges tables cannot, since
RENAME TABLE ends a transaction; it notes a row as ``prepared``, renames, and then calls the row ``committed``. Should
it die between, the next one can tell what happened: the rename is atomic and takes away the new table's name, and
nothing else removes that table before the row. So: the table is there, the load never happened; it is gone, the load is
done.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import attrs

from osiris_core.api import DriverError, Report
from osiris_mysql.statements import change, ident, text

if TYPE_CHECKING:
    from osiris_core.api import DriverContext, LoadState
    from osiris_mysql.session import Session

LOADS: Final = "_osiris_loads"
STAGE: Final = "_osiris_stage_"
NEW: Final = "_osiris_new_"
OLD: Final = "_osiris_old_"
_PREFIXES: Final = (STAGE, NEW, OLD)
_TOKEN: Final = re.compile("[0-9a-f]{24}")
_SLICE_SECONDS: Final = 2

LEFT_HINT: Final = (
    "let the foreign key refer to the table itself (or remove what else holds it); the next load then removes it"
)
_WHAT: Final = f"the commit rows in {LOADS}"

_DEFINITION: Final = f"""CREATE TABLE IF NOT EXISTS {LOADS} (
    seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, load_id VARCHAR(64) NOT NULL, manifest_hash VARCHAR(80) NOT NULL,
    step VARCHAR(255) NOT NULL, target VARCHAR(64) NOT NULL, mode VARCHAR(16) NOT NULL, `rows` BIGINT NOT NULL,
    checksum VARCHAR(64) NULL, loaded_at DATETIME(6) NOT NULL, status VARCHAR(10) NOT NULL, token VARCHAR(64) NULL,
    state_key VARCHAR(255) NULL, state LONGTEXT NULL, UNIQUE KEY (load_id), KEY (state_key)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"""


@attrs.frozen(kw_only=True)
class CommitRow:
    """What the commit row says; ``token`` is of a load that exchanges tables."""

    load_id: str
    manifest_hash: str
    step: str
    target: str
    mode: str
    rows: int = 0
    checksum: str | None = None
    token: str | None = None
    state: LoadState | None = None


def new_token(load_id: str) -> str:
    """A token for one attempt at a load."""
    return f"{load_id[:16]}{uuid4().hex[:8]}"


def has_loads(session: Session) -> bool:
    """Whether the database has commit rows."""
    return bool(
        session.run(
            f"SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {text(LOADS)}",
            _WHAT,
        )
    )


def create_loads(session: Session) -> None:
    """Make room for commit rows; outside of any transaction, which it would end."""
    if not has_loads(session):
        change(session, _DEFINITION, f"creating {LOADS}")


def find_load(session: Session, load_id: str, target: str) -> Report | None:
    """The report of a load that the database already has."""
    if not has_loads(session):
        return None
    found = session.run(
        f"SELECT target, `rows`, checksum FROM {LOADS} WHERE load_id = {text(load_id)} AND status = 'committed'", _WHAT
    )
    if not found:
        return None
    ((noted, rows, checksum),) = found
    if noted != target:
        raise DriverError("OSR-MYSQL-059", f"this load is recorded for '{noted}', not for '{target}'")
    return Report(target=target, rows=int(rows), checksum=checksum)


def find_state(session: Session, key: str) -> str | None:
    """The newest state of that key."""
    if not has_loads(session):
        return None
    found = session.run(
        f"SELECT state FROM {LOADS} WHERE state_key = {text(key)} AND state IS NOT NULL AND status = 'committed' "
        "ORDER BY seq DESC LIMIT 1",
        _WHAT,
    )
    return str(found[0][0]) if found else None


def forget_states(session: Session, target: str) -> None:
    """End the states of a table that is gone: what a new one of its name holds, none of them tells."""
    change(session, f"UPDATE {LOADS} SET state = NULL WHERE target = {text(target)}", _WHAT)


def add_commit_row(session: Session, row: CommitRow) -> None:
    """Add the row: ``prepared`` when the load exchanges tables, else ``committed``, in the caller's transaction."""
    state = row.state
    values = (
        text(row.load_id),
        text(row.manifest_hash),
        text(row.step),
        text(row.target),
        text(row.mode),
        str(row.rows),
        text(row.checksum),
        "UTC_TIMESTAMP(6)",
        text("prepared" if row.token else "committed"),
        text(row.token),
        text(state.key if state else None),
        text(state.text if state else None),
    )
    change(
        session,
        f"INSERT INTO {LOADS} (load_id, manifest_hash, step, target, mode, `rows`, checksum, loaded_at, status, token, "
        f"state_key, state) VALUES ({', '.join(values)})",
        _WHAT,
    )


def confirm(session: Session, token: str) -> None:
    """Call a prepared row committed."""
    change(session, f"UPDATE {LOADS} SET status = 'committed' WHERE token = {text(token)}", _WHAT)


def table_exists(session: Session, name: str) -> bool:
    """Whether the database has a table of that name."""
    return bool(
        session.run(
            f"SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {text(name)}",
            f"looking for '{name}'",
        )
    )


def hold(session: Session, name: str, seconds: float, ctx: DriverContext | None = None) -> bool:
    """Get the lock ``name`` for the session within so many seconds; False when somebody else keeps it."""
    left, most = seconds, min(_SLICE_SECONDS, session.connection.read_timeout / 2)
    while True:
        part = min(left, most)
        ((got,),) = session.run(f"SELECT GET_LOCK({text(name)}, {part:.1f})", "waiting for another load")
        if got == 1:
            return True
        left -= part
        if left <= 0:
            return False
        if ctx is not None:
            ctx.check()


def release(session: Session, name: str) -> None:
    """Give a lock back."""
    session.run(f"SELECT RELEASE_LOCK({text(name)})", "ending a load")


def holder(session: Session, name: str) -> str:
    """Who has a lock, for messages."""
    ((thread,),) = session.run(f"SELECT IS_USED_LOCK({text(name)})", "waiting for another load")
    return "nobody any more" if thread is None else f"connection {thread} of the server"


def token_lock(token: str) -> str:
    """The lock that a load holds while it lives."""
    return f"osiris:load:{token}"


def target_lock(database: str, table: str) -> str:
    """The lock of whoever changes a table: a digest, as names of locks are short. Names that differ in case have one,
    since on some servers they are one table.
    """
    return f"osiris:table:{sha256(f'{database}.{table}'.casefold().encode()).hexdigest()[:40]}"


def clean_up(session: Session, ctx: DriverContext, *, load_id: str | None, wait: float) -> tuple[str, ...]:
    """Settle prepared rows and remove the tables of loads that died; the names of those that cannot be removed, each
    of which an event names as well. An earlier attempt at ``load_id`` itself that is still under way is waited for;
    DriverError OSR-MYSQL-061 when it does not end.
    """
    left: list[str] = []
    for token, owner in _tokens(session).items():
        lock = token_lock(token)
        ours = load_id is not None and owner == load_id
        if not hold(session, lock, wait if ours else 0, ctx):
            if ours:
                raise DriverError(
                    "OSR-MYSQL-061",
                    f"an earlier attempt at this load is still under way: {holder(session, lock)}",
                    retriable=True,
                )
            continue
        try:
            _settle(session, token)
            left += _removed_but(session, ctx, token)
        finally:
            release(session, lock)
    return tuple(left)


def discard(session: Session, token: str) -> None:
    """Settle the prepared row of ``token`` and remove its tables; only for who holds its lock."""
    _settle(session, token)
    for name in _tables(session, token):
        _drop(session, name)


def _removed_but(session: Session, ctx: DriverContext, token: str) -> list[str]:
    """Remove the tables of ``token``, but for those that the server keeps (a foreign key may hold one); their names.
    The load that is about to begin can do without.
    """
    left = []
    for name in _tables(session, token):
        try:
            _drop(session, name)
        except DriverError as error:
            left.append(name)
            ctx.emit("mysql.left_behind", table=name, why=error.message, hint=LEFT_HINT)
    return left


def _tables(session: Session, token: str) -> list[str]:
    return [prefix + token for prefix in _PREFIXES if table_exists(session, prefix + token)]


def _drop(session: Session, name: str) -> None:
    change(session, f"DROP TABLE IF EXISTS {ident(name)}", f"removing '{name}', which an earlier load left")


def _settle(session: Session, token: str) -> None:
    """Tell of a prepared row whether its load happened, and call it committed or remove it."""
    if has_loads(session):
        row = f"token = {text(token)} AND status = 'prepared'"
        if table_exists(session, NEW + token):
            change(session, f"DELETE FROM {LOADS} WHERE {row}", _WHAT)
        else:
            change(session, f"UPDATE {LOADS} SET status = 'committed' WHERE {row}", _WHAT)


def _tokens(session: Session) -> dict[str, str | None]:
    """The tokens that the database knows of, and the load of those with a prepared row."""
    found: dict[str, str | None] = {}
    rows: Any = session.run(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() "
        f"AND ({' OR '.join(f'BINARY LEFT(TABLE_NAME, {len(prefix)}) = {text(prefix)}' for prefix in _PREFIXES)})",
        "looking for what dead loads left",
    )
    for (name,) in rows:
        token = next(str(name).removeprefix(prefix) for prefix in _PREFIXES if str(name).startswith(prefix))
        if _TOKEN.fullmatch(token):  # another name is of a table that somebody else made
            found[token] = None
    if has_loads(session):
        for token, load_id in session.run(f"SELECT token, load_id FROM {LOADS} WHERE status = 'prepared'", _WHAT):
            found[str(token)] = str(load_id)
    return found
