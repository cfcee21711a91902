"""The fences around SQL that a pipeline brings: it reads, and does nothing else.

1. It is one statement of a kind that reads (:mod:`osiris_sql.readonly`), and goes to the server without its comments.
2. It runs no function that may do more than compute (:mod:`osiris_supabase.postgres.acting`), be it called, read like a
   column, an operator's, a cast's or a domain's; nor one that runs SQL given as text. The words are looked up in the
   server's own catalogue, whatever schema they are in.
3. The server parses it as one statement with columns and without open parameters.
4. It runs within ``COPY (…) TO STDOUT`` in a read-only transaction of a session opened for it, with a timeout.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from osiris_core.api import DriverError
from osiris_sql.readonly import Query, Refused, Rules, check_condition, read_only
from osiris_supabase.postgres.acting import Names, acting

if TYPE_CHECKING:
    from collections.abc import Collection

    from osiris_supabase.postgres.session import Session

_REFUSED: Final = re.compile(
    r"(database|schema|table|query|cursor)_to_xml(schema|_and_xmlschema)?|current_setting|txid_current"
    r"|pg_current_xact_id|pg_export_snapshot|ts_stat|ts_rewrite|dblink.*|lo_.*|loread|lowrite|pg_read_.*|pg_ls_.*"
    r"|pg_stat_file|pg_advisory_.*|pg_try_advisory_.*|pg_sleep.*|pg_file_.*|pg_logical_.*|set_config"
    r"|crosstab.*|connectby|xpath_table|pg_show_all_(file_)?settings|pg_hba_file_rules|pg_ident_file_mappings"
)
"""Functions that are refused whatever the server says of them: they run SQL given as text, or show its settings."""

_SECRET: Final = frozenset(
    {"pg_authid", "pg_shadow", "pg_user_mapping", "pg_user_mappings", "pg_subscription", "pg_largeobject"}
    | {"pg_hba_file_rules", "pg_ident_file_mappings", "pg_file_settings", "pg_settings", "decrypted_secrets"}
    | {"_pg_user_mappings", "user_mapping_options", "pg_stat_wal_receiver"}
    | {"pg_db_role_setting", "pg_roles", "pg_user"}
)
"""Relations that hold passwords, keys, the server's files, or settings, in which Supabase keeps keys as well."""

_RULES: Final = Rules(dialect="postgres", denied=frozenset(), qualified=True)

_UNICODE: Final = re.compile(r"""[uU]&["']""")
_NAME: Final = r"(?:(?<![\w$\u0080-\U0010ffff])[A-Za-z_\u0080-\U0010ffff][\w$\u0080-\U0010ffff]*|\"(?:[^\"]|\"\")*\")"
_OPENING: Final = re.compile(rf"({_NAME})\s*\(")
_DOTTED: Final = re.compile(rf"(?P<head>[)\]]|{_NAME})(?P<names>(?:\s*\.\s*{_NAME})+)")
_NAMES: Final = re.compile(_NAME)
_WORDS: Final = re.compile(rf"::|{_NAME}(?:\s*\.\s*{_NAME})*")
_RESERVED: Final = """
    ALL AND ANY ARRAY CASE CROSS DISTINCT ELSE EXCEPT FROM FULL GROUP HAVING IN INNER INTERSECT IS JOIN LATERAL LEFT
    LIKE LIMIT NATURAL NOT OFFSET ON ONLY OR ORDER RIGHT SELECT SOME TABLE THEN UNION USING WHEN WHERE WITH
"""
_NO_COLUMN: Final = frozenset(_RESERVED.split())
"""Words that no column can have for a name without quotes, so that what follows one is not its type."""
_OPENS_VALUE: Final = re.compile(r"\s*(?:[(']|\$|[EeNn]')")
_VALUES: Final = frozenset(
    {"current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp"}
    | {"current_user", "localtime", "localtimestamp", "session_user", "system_user", "user"}
)
"""Functions that are called without parentheses, also where a table may stand."""


def check_text(sql: str, what: str) -> Query:
    """The query to send; refuses what is not one query that reads."""
    if _UNICODE.search(sql):
        raise _refusal(what, 'it has text or names with Unicode escapes (U&"…")')
    try:
        query = read_only(sql, _RULES)
    except Refused as refused:
        raise _refusal(what, str(refused)) from None
    # Of the text itself, strings included, as well: see check_functions.
    texts = {name.lower() for name in _mentioned(query)}
    refuse_secret(_identifiers(query) | texts, what)
    return query


def refuse_secret(names: Collection[str], what: str) -> None:
    """Refuse to read where one of ``names`` is that of a relation that no pipeline reads."""
    if secret := sorted(_SECRET.intersection(names)):
        raise _refusal(what, f"it names '{secret[0]}', which holds what no pipeline needs")


def check_one_condition(sql: str, what: str) -> None:
    """Refuse a condition that would close the parentheses around it."""
    try:
        check_condition(sql, "postgres")
    except Refused as refused:
        raise _refusal(what, f"in 'where', {refused}") from None


def check_functions(session: Session, query: Query, allowed: Collection[str], what: str) -> None:
    """Refuse what does more than compute: functions, and operators, casts and domains that run them. ``allowed`` are
    functions that a person let through on the connection.
    """
    # Also from the text itself, strings included: should the two readings differ, both are looked up.
    texts = frozenset(map(_unquoted, _OPENING.findall(query.sql)))
    texts |= _read_like_columns(query)
    called = frozenset(name.rpartition(".")[2] for name in query.calls) | texts | {name.lower() for name in texts}
    if "operator" in called:
        raise _refusal(what, "it has an operator with its schema, OPERATOR(…)")
    refused = sorted(name for name in called if _REFUSED.fullmatch(name.lower()))
    if refused:
        raise DriverError("OSR-PG-026", f"{what} calls {refused[0]}(), which does more than compute")
    mentions = _mentioned(query)
    # These make a row of whatever type the value has that they are given.
    fills = "#=" in query.sql or any("populate_record" in name.lower() for name in called)
    types = mentions if fills else _types(query)
    names = Names(called=called, columns=_identifiers(query), mentions=mentions, types=types)
    found = acting(session, query.sql, names, allowed=allowed)
    if found:
        hint = "a person may name the function in the connection's 'allow_functions'" if found[0].allowable else None
        raise DriverError("OSR-PG-026", f"{what} {found[0].does}, which may do more than compute", hint=hint)


def _mentioned(query: Query) -> frozenset[str]:
    """Every name of the text, strings included, as written and as the server reads it without quotes."""
    names = frozenset(map(_unquoted, _NAMES.findall(query.sql)))
    return names | {name.lower() for name in names}


def _types(query: Query) -> frozenset[str]:
    """The names that stand where a type can: ``::name``, ``AS name``, ``column name``, ``name 'text'``, ``name(…)``;
    some of them are none. A table's name is a type as well, and where it only is among the tables it makes no value.
    """
    found: set[str] = set()
    before, end = "", 0
    for match in _WORDS.finditer(query.sql):
        if query.sql[end : match.start()].strip():
            before = ""
        if (before and before not in _NO_COLUMN) or _OPENS_VALUE.match(query.sql, match.end()):
            for name in map(_unquoted, _NAMES.findall(match.group())[-1:]):
                found |= {name, name.lower()}
        before, end = match.group().upper(), match.end()
    return frozenset(found)


def _read_like_columns(query: Query) -> frozenset[str]:
    """Names that may call a function with one value: ``(value).name``, ``values[1].name``, and ``f.name`` where ``f``
    is a function among the tables. Of a table or query, ``t.name`` takes a whole row: see :func:`acting`.
    """
    rows: set[str] = set()
    others: set[str] = set()
    for node in query.tree.walk():
        if isinstance(node, (exp.Table, exp.Subquery, exp.CTE, exp.Values, exp.UDTF)):
            name = node.alias_or_name.lower()
            (rows if _has_rows(node) else others).add(name)
    found: set[str] = set()
    for match in _DOTTED.finditer(query.sql):
        names = [_unquoted(name) for name in _NAMES.findall(match["names"])]
        head = _unquoted(match["head"]).lower()
        if match["head"] in ")]" or (len(names) == 1 and (head in others or head not in rows)):
            found.update(names)
    return frozenset(found)


def _has_rows(node: exp.Expr) -> bool:
    """Whether what stands among the tables has rows, even where it is a function that has values."""
    if isinstance(node, exp.Table):
        return isinstance(node.this, exp.Identifier) and (node.this.quoted or node.name.lower() not in _VALUES)
    return isinstance(node, (exp.Subquery, exp.CTE, exp.Values))


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def check_shape(session: Session, query: Query, what: str) -> None:
    """Let the server parse the statement: one, with columns, without open parameters."""
    described = session.describe(query.sql)
    if described.nparams:
        raise DriverError("OSR-PG-027", f"{what} has the parameter $1", hint="write :name, and give it in query_params")
    if not described.nfields:
        raise _refusal(what, "it gives no columns")


def _identifiers(query: Query) -> frozenset[str]:
    names = [node.name for node in query.tree.walk() if node.key == "identifier"]
    return frozenset((*names, *(name.lower() for name in names)))


def _refusal(what: str, why: str) -> DriverError:
    return DriverError("OSR-PG-020", f"{what} is refused: {why}")
