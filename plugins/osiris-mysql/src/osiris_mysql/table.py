"""The table a load goes to: what it looks like on the server, and how the rows' columns map onto it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import Column, DriverError, LoadCodes, LoadPlan, LoadRules, plan_load
from osiris_mysql.references import references
from osiris_mysql.statements import ident, listed, text
from osiris_mysql.types_out import MyType, created, holds, refused, their_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_mysql.session import Session
    from osiris_mysql.writer_config import Writer

_CODES: Final = LoadCodes(
    no_table="OSR-MYSQL-050", columns_differ="OSR-MYSQL-051", lossy="OSR-MYSQL-052", no_key="OSR-MYSQL-053"
)
_COLUMN_FIELDS: Final = (
    "COLUMN_NAME",
    "COLUMN_TYPE",
    "DATA_TYPE",
    "CHARACTER_SET_NAME",
    "COLLATION_NAME",
    "CHARACTER_MAXIMUM_LENGTH",
    "NUMERIC_PRECISION",
    "NUMERIC_SCALE",
    "DATETIME_PRECISION",
    "IS_NULLABLE",
    "COLUMN_DEFAULT",
    "EXTRA",
)
_COUNTER: Final = re.compile(r" AUTO_INCREMENT=\d+")
_NEXT_NUMBER: Final = re.compile(r"^\)[^\n]*? ENGINE=\w+ AUTO_INCREMENT=(\d+)", re.MULTILINE)
_TRANSACTIONAL: Final = frozenset({"innodb", "rocksdb", "tokudb", "ndbcluster"})
_EXCHANGED: Final = frozenset({"innodb", "rocksdb", "myisam", "aria", "memory"})
"""Engines of which a table made like another has its own rows; one of FEDERATED or CONNECT has the same remote ones."""


@attrs.frozen(kw_only=True)
class Dialect:
    """What new columns can be on this server: the collation in which texts compare byte by byte, the largest scale."""

    collation: str
    most_scale: int


@attrs.frozen(kw_only=True)
class Table:
    """A table that is there. ``definition`` is its CREATE TABLE without the state of its counter; ``bound`` says why
    its rows cannot simply be exchanged for a new table's (triggers, foreign keys), None when they can. ``unique`` are
    its unique indexes, each with its columns' names in lower case; None for what is more than columns.
    ``plain``: a change of a row has no effect beside it, neither a trigger's nor a history.
    """

    columns: tuple[Column, ...]
    computed: tuple[str, ...]
    definition: str
    engine: str
    bound: str | None
    cascades: tuple[str, ...]
    unique: tuple[frozenset[str] | None, ...]
    plain: bool

    @property
    def transactional(self) -> bool:
        """Whether the engine has transactions."""
        return self.engine in _TRANSACTIONAL


def dialect(session: Session) -> Dialect:
    """What the server offers. Under these collations 'a' and 'a ' are two values; older servers have none such."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", session.version)[:3])
    if session.is_mariadb:
        return Dialect(collation="utf8mb4_nopad_bin" if numbers >= (10, 2) else "utf8mb4_bin", most_scale=38)
    return Dialect(collation="utf8mb4_0900_bin" if numbers >= (8, 0, 17) else "utf8mb4_bin", most_scale=30)


def read_table(session: Session, name: str) -> Table | None:
    """The table of that name in the session's database, or None; DriverError for what is no table."""
    what = f"looking at '{name}'"
    here = f"TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {text(name)}"
    found = session.run(f"SELECT TABLE_TYPE, ENGINE FROM information_schema.TABLES WHERE {here}", what)
    if not found:
        return None
    kind, engine = found[0]
    if kind not in ("BASE TABLE", "SYSTEM VERSIONED"):
        raise DriverError("OSR-MYSQL-058", f"'{name}' is no table but a {str(kind).casefold()}")
    rows = session.run(
        f"SELECT {', '.join(_COLUMN_FIELDS)} FROM information_schema.COLUMNS WHERE {here} ORDER BY ORDINAL_POSITION",
        what,
    )
    described = [dict(zip(_COLUMN_FIELDS, row, strict=True)) for row in rows]
    ((_, definition, *_),) = session.run(f"SHOW CREATE TABLE {ident(name)}", what)
    versioned, triggers = kind != "BASE TABLE", _triggers(session, name, what)
    cascades, bound = _bonds(session, name, versioned=versioned, triggers=triggers, what=what)
    engine = str(engine).lower()
    if bound is None and engine not in _EXCHANGED:
        bound = f"its engine is {engine}"
    return Table(
        columns=tuple(_column(row) for row in described if not _is_computed(row)),
        computed=tuple(row["COLUMN_NAME"] for row in described if _is_computed(row)),
        definition=_COUNTER.sub("", str(definition)),
        engine=engine,
        bound=bound,
        cascades=cascades,
        unique=_unique(session, here, what),
        plain=not versioned and triggers is None,
    )


def _unique(session: Session, here: str, what: str) -> tuple[frozenset[str] | None, ...]:
    rows = session.run(
        "SELECT INDEX_NAME, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS "
        f"WHERE {here} AND NON_UNIQUE = 0 ORDER BY INDEX_NAME",
        what,
    )
    found: dict[str, list[str | None]] = {}
    for index, column, part in rows:
        found.setdefault(str(index), []).append(None if column is None or part is not None else str(column).lower())
    return tuple(None if None in names else frozenset(map(str, names)) for names in found.values())


def read_counter(session: Session, name: str, what: str) -> int | None:
    """The next number of AUTO_INCREMENT; None when the table has none, or none was given yet."""
    ((_, definition, *_),) = session.run(f"SHOW CREATE TABLE {ident(name)}", what)
    found = _NEXT_NUMBER.search(str(definition))
    return int(found[1]) if found else None


def _column(row: dict[str, Any]) -> Column:
    kind = their_type(row)
    gets_one = row["COLUMN_DEFAULT"] is not None or "auto_increment" in str(row["EXTRA"]).casefold()
    return Column(str(row["COLUMN_NAME"]), kind, not kind.nullable and not gets_one)


def _is_computed(row: dict[str, Any]) -> bool:
    extra = str(row["EXTRA"]).upper()
    return "VIRTUAL" in extra or "STORED" in extra or "PERSISTENT" in extra or "WITHOUT SYSTEM" in extra


def _bonds(
    session: Session, name: str, *, versioned: bool, triggers: str | None, what: str
) -> tuple[tuple[str, ...], str | None]:
    """The tables whose rows go when this one's are deleted, and why the table cannot be exchanged."""
    keys = references(session, name, what)
    own = session.run(
        "SELECT 1 FROM information_schema.REFERENTIAL_CONSTRAINTS "
        f"WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = {text(name)}",
        what,
    )
    cascades = tuple(sorted({key.table for key in keys if key.destructive}))
    if versioned:
        return cascades, "it keeps its history"
    if keys or own:
        return cascades, "it has foreign keys"
    return cascades, triggers


def _triggers(session: Session, name: str, what: str) -> str | None:
    """That the table has triggers, or may have some; else None."""
    found = session.run(
        "SELECT 1 FROM information_schema.TRIGGERS "
        f"WHERE EVENT_OBJECT_SCHEMA = DATABASE() AND EVENT_OBJECT_TABLE = {text(name)}",
        what,
    )
    if found:
        return "it has triggers"
    return None if _sees_triggers(session, name, what) else "the account cannot see whether it has triggers"


def _sees_triggers(session: Session, name: str, what: str) -> bool:
    """Whether the account has the TRIGGER privilege, without which information_schema shows none."""
    ((account,),) = session.run("SELECT CURRENT_USER()", what)
    user, _, host = str(account).rpartition("@")
    grantee = "PRIVILEGE_TYPE = 'TRIGGER' AND GRANTEE = " + text(f"'{user}'@'{host}'")
    found = session.run(
        f"SELECT 1 FROM information_schema.USER_PRIVILEGES WHERE {grantee} UNION ALL "
        f"SELECT 1 FROM information_schema.SCHEMA_PRIVILEGES WHERE {grantee} AND DATABASE() LIKE TABLE_SCHEMA "
        f"UNION ALL SELECT 1 FROM information_schema.TABLE_PRIVILEGES WHERE {grantee} AND TABLE_SCHEMA = DATABASE() "
        f"AND TABLE_NAME = {text(name)}",
        what,
    )
    return bool(found)


def make_plan(config: Writer, load: Sequence[Column], table: Table | None, words: Dialect) -> LoadPlan:
    """How ``load`` (columns with DuckDB types) goes into ``table``, the new columns with server types; DriverError
    says what does not fit.
    """
    if table is not None:
        _refuse_doubled(config, table)
        _refuse_computed(config, load, table)
        _refuse_unsound(config, table)
    rules = LoadRules(codes=_CODES, holds=holds, create=lambda column: _refuse_untyped(column, words), fold=str.lower)
    plan = plan_load(config, load, table.columns if table else None, target=config.table, rules=rules)
    keys = {key.lower() for key in config.primary_key or ()} if plan.create else set()

    def theirs(column: Column) -> Column:
        if isinstance(column.type, MyType):
            return column
        shared = len(keys) if column.name.lower() in keys else 0
        made = created(column, collation=words.collation, keys=shared, most_scale=words.most_scale)
        return Column(column.name, made)

    return attrs.evolve(
        plan,
        pairs=tuple((one, theirs(other)) for one, other in plan.pairs),
        added=tuple(theirs(column) for column in plan.added),
    )


def _refuse_doubled(config: Writer, table: Table) -> None:
    """Refuse two columns whose names would be taken for one; the server compares some letters in its own way."""
    seen: dict[str, str] = {}
    for name in (*(column.name for column in table.columns), *table.computed):
        if name.lower() in seen:
            raise DriverError(
                "OSR-MYSQL-051",
                f"'{config.table}' has the columns '{seen[name.lower()]}' and '{name}', which look alike",
            )
        seen[name.lower()] = name


def _refuse_computed(config: Writer, load: Sequence[Column], table: Table) -> None:
    computed = {name.lower() for name in table.computed}
    clash = [column.name for column in load if column.name.lower() in computed]
    if clash:
        named = ", ".join(f"'{name}'" for name in clash)
        raise DriverError(
            "OSR-MYSQL-051",
            f"'{config.table}' computes {named} itself",
            hint="leave the column out in a step before",
        )


def _refuse_unsound(config: Writer, table: Table) -> None:
    swaps = config.mode == "replace" and table.bound is None
    if not table.transactional and table.engine not in _EXCHANGED:
        raise DriverError(
            "OSR-MYSQL-058",
            f"the engine of '{config.table}' is {table.engine}, which may keep its rows elsewhere or not keep them",
            hint="load into a table of InnoDB",
        )
    if not table.transactional and not swaps:
        raise DriverError(
            "OSR-MYSQL-058",
            f"the engine of '{config.table}' has no transactions, so it could be left half-written",
            hint=f"ALTER TABLE {ident(config.table)} ENGINE=InnoDB",
        )
    if table.cascades and config.mode in ("replace", "delete_insert"):
        named = ", ".join(f"'{name}'" for name in table.cascades)
        raise DriverError(
            "OSR-MYSQL-058",
            f"deleting rows of '{config.table}' would also change rows of {named}, by a foreign key",
            hint="use 'mode: upsert', or have the foreign key restrict deletion",
        )


def _refuse_untyped(column: Column, words: Dialect) -> None:
    if column.type.id == "null":
        raise refused(column)
    created(column, collation=words.collation, keys=0, most_scale=words.most_scale)


def create_statement(name: str, plan: LoadPlan, config: Writer, words: Dialect) -> str:
    """CREATE TABLE for a table of the plan's columns: a primary key for 'upsert', an index for 'delete_insert'."""
    columns = [theirs for _, theirs in plan.pairs]
    lines = [f"{ident(column.name)} {column_definition(column.type)}" for column in columns]
    by_name = {column.name.lower(): column for column in columns}
    if config.primary_key:
        lines.append(f"PRIMARY KEY ({listed(by_name[key.lower()].name for key in config.primary_key)})")
    if config.replace_keys:
        lines.append(key_index([by_name[key.lower()] for key in config.replace_keys]))
    options = f"ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {words.collation}"
    return f"CREATE TABLE {ident(name)} ({', '.join(lines)}) {options}"


def column_definition(kind: MyType) -> str:
    """The type and whether NULL is taken."""
    return f"{kind.definition()} {'NULL' if kind.nullable else 'NOT NULL'}"


def key_index(columns: Sequence[Column]) -> str:
    """An index over key columns, of which long ones take part with their beginning."""
    room = 3072 // len(columns)
    return f"KEY ({', '.join(_key_part(column, room) for column in columns)})"


def _key_part(column: Column, room: int) -> str:
    kind: MyType = column.type
    if kind.length is None and not kind.name.endswith(("text", "blob", "char", "binary")):
        return ident(column.name)
    fits = room // (4 if kind.charset else 1)
    whole = kind.name in ("char", "varchar", "binary", "varbinary", "enum") and (kind.length or 255) <= fits
    return ident(column.name) if whole else f"{ident(column.name)}({fits})"
