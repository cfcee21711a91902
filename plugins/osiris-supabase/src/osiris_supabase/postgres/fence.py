"""The fences around SQL that a pipeline brings: it reads, and does nothing else.

1. It is one statement of a kind that reads (:mod:`osiris_sql.readonly`), and goes to the server without its comments.
2. It calls no function that the server says is volatile, but for a few that only compute; nor one that runs SQL given
   as text. The words are looked up in the server's own catalogue, whatever schema they are in.
3. The server parses it as one statement with columns and without open parameters.
4. It runs within ``COPY (…) TO STDOUT`` in a read-only transaction of a session opened for it, with a timeout.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from osiris_core.api import DriverError
from osiris_sql.readonly import Query, Refused, Rules, check_condition, read_only

if TYPE_CHECKING:
    from osiris_supabase.postgres.session import Session

_HARMLESS: Final = frozenset(
    {"random", "random_normal", "clock_timestamp", "timeofday", "gen_random_uuid", "setseed"}
    | {"uuidv4", "uuidv7", "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4"}
    | {"statement_timestamp", "pg_backend_pid", "pg_column_size", "pg_column_compression"}
    | {"pg_table_size", "pg_relation_size", "pg_total_relation_size", "pg_indexes_size", "pg_database_size"}
    | {"pg_tablespace_size", "pg_relation_filenode", "pg_size_pretty", "obj_description", "col_description"}
    | {"gen_random_bytes", "gen_salt", "bernoulli", "system", "system_rows", "system_time"}
)
"""Functions that the server calls volatile and that change nothing."""

_REFUSED: Final = re.compile(
    r"(database|schema|table|query|cursor)_to_xml(schema|_and_xmlschema)?|current_setting|txid_current"
    r"|pg_current_xact_id|pg_export_snapshot|ts_stat|ts_rewrite|dblink.*|lo_.*|loread|lowrite|pg_read_.*|pg_ls_.*"
    r"|pg_stat_file|pg_advisory_.*|pg_try_advisory_.*|pg_sleep.*|pg_file_.*|pg_logical_.*|set_config"
)
"""Functions that are refused whatever the server says of them: they run SQL given as text, or show its settings."""

_SECRET: Final = frozenset(
    {"pg_authid", "pg_shadow", "pg_user_mapping", "pg_user_mappings", "pg_subscription", "pg_largeobject"}
    | {"pg_hba_file_rules", "pg_ident_file_mappings", "pg_file_settings", "pg_settings", "decrypted_secrets"}
)
"""Relations that hold passwords, keys, or the server's files."""

_RULES: Final = Rules(dialect="postgres", denied=frozenset(), qualified=True)

_VOLATILE: Final = """
SELECT DISTINCT lower(p.proname) FROM pg_catalog.pg_proc AS p
WHERE lower(p.proname) = ANY ($1::text[]) AND p.provolatile = 'v' AND p.prokind = 'f'
"""
_OF_ROWS: Final = """
SELECT DISTINCT lower(p.proname) FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_type AS t ON t.oid = p.proargtypes[0]
WHERE lower(p.proname) = ANY ($1::text[]) AND p.provolatile = 'v' AND p.pronargs = 1 AND t.typtype IN ('c', 'p')
"""
_UNICODE: Final = re.compile(r"""[uU]&["']""")
_OPENING: Final = re.compile(r"(?<![A-Za-z0-9_$])(?P<name>[A-Za-z_\u0080-\U0010ffff][\w$]*|\"(?:[^\"]|\"\")*\")\s*\(")


def check_text(sql: str, what: str) -> Query:
    """The query to send; refuses what is not one query that reads."""
    if _UNICODE.search(sql):
        raise _refusal(what, 'it has text or names with Unicode escapes (U&"…")')
    try:
        query = read_only(sql, _RULES)
    except Refused as refused:
        raise _refusal(what, str(refused)) from None
    secret = sorted(_identifiers(query) & _SECRET)
    if secret:
        raise _refusal(what, f"it names '{secret[0]}', which holds what no pipeline needs")
    return query


def check_one_condition(sql: str, what: str) -> None:
    """Refuse a condition that would close the parentheses around it."""
    try:
        check_condition(sql, "postgres")
    except Refused as refused:
        raise _refusal(what, f"in 'where', {refused}") from None


def check_functions(session: Session, query: Query, what: str) -> None:
    """Refuse calls of functions that do more than compute."""
    called = frozenset(name.rpartition(".")[2] for name in query.calls)
    # The same from the text itself, strings included: should the two readings differ, both are looked up.
    called |= {name.strip('"').replace('""', '"').lower() for name in _OPENING.findall(query.sql)}
    refused = sorted(name for name in called if _REFUSED.fullmatch(name))
    # A function of one row can be called like a column of it: row.function.
    volatile = _found(session, _VOLATILE, called) | _found(session, _OF_ROWS, _identifiers(query))
    refused += sorted(volatile - _HARMLESS)
    if refused:
        raise DriverError("OSR-PG-026", f"{what} calls {refused[0]}(), which does more than compute")


def check_shape(session: Session, query: Query, what: str) -> None:
    """Let the server parse the statement: one, with columns, without open parameters."""
    described = session.describe(query.sql)
    if described.nparams:
        raise DriverError("OSR-PG-027", f"{what} has the parameter $1", hint="write :name, and give it in query_params")
    if not described.nfields:
        raise _refusal(what, "it gives no columns")


def _found(session: Session, sql: str, names: frozenset[str]) -> set[str]:
    if not names:
        return set()
    array = "{" + ",".join('"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' for name in sorted(names)) + "}"
    return {str(name) for (name,) in session.rows(sql, array)}


def _identifiers(query: Query) -> frozenset[str]:
    return frozenset(node.name.lower() for node in query.tree.walk() if node.key == "identifier")


def _refusal(what: str, why: str) -> DriverError:
    return DriverError("OSR-PG-020", f"{what} is refused: {why}")
