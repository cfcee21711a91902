"""Whether a connection works, and what it could do; nothing is changed."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import Health, OsirisError

if TYPE_CHECKING:
    from pathlib import Path

    from osiris_supabase.connection import SupabaseConnection
    from osiris_supabase.postgres.session import Session

_CATEGORIES: Final = {
    "OSR-PG-001": "network",
    "OSR-PG-002": "auth",
    "OSR-PG-003": "network",
    "OSR-PG-004": "network",
    "OSR-PG-005": "config",
    "OSR-PG-006": "missing",
    "OSR-PG-007": "config",
    "OSR-PG-008": "permission",
    "OSR-PG-009": "timeout",
}
_ASKED: Final = """
SELECT session_user, r.rolsuper, r.rolbypassrls, pg_catalog.pg_is_in_recovery(),
  EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1),
  coalesce(
    (SELECT pg_catalog.has_schema_privilege(oid, 'CREATE') FROM pg_catalog.pg_namespace WHERE nspname = $1), false),
  EXISTS (SELECT 1 FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND pg_catalog.has_table_privilege(c.oid, 'INSERT')),
  (SELECT count(*) FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND pg_catalog.has_table_privilege(c.oid, 'SELECT')),
  (SELECT count(*) FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relrowsecurity AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')),
  pg_catalog.pg_backend_pid()
FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user
"""


class SupabaseDoctor:
    """Checks a connection of the family ``supabase``: its database where it has a dsn, else its Data API."""

    def check(self, connection: SupabaseConnection, *, project_root: Path, timeout: float) -> Health:
        """The health of ``connection``, within ``timeout`` seconds."""
        from osiris_supabase.rest.doctor import check_data_api

        try:
            if connection.dsn is not None:
                return _check_database(connection, project_root, timeout)
            return check_data_api(connection, timeout=timeout)
        except OsirisError as error:
            category = _CATEGORIES.get(error.code, "internal")
            if "no answer within" in error.message or "silent" in error.message:
                category = "timeout"
            return Health(ok=False, category=category, message=error.message, hint=error.hint)


def _check_database(connection: SupabaseConnection, project_root: Path, timeout: float) -> Health:
    from osiris_supabase.postgres.begin import begin
    from osiris_supabase.postgres.endpoint import endpoint_of
    from osiris_supabase.postgres.failures import ServerFailure
    from osiris_supabase.postgres.session import open_session

    half = max(1.0, timeout / 2)
    endpoint = endpoint_of(connection, project_root)
    with closing(
        open_session(endpoint, connection, check=lambda: None, connect_timeout=half, stall_timeout=half)
    ) as session:
        try:
            begin(session, connection, read_only=True)
            (row,) = session.rows(_ASKED, connection.schema)
        except ServerFailure as failure:
            raise failure.error("looking at the database") from None
        return _told(connection, session, row)


def _told(connection: SupabaseConnection, session: Session, row: tuple[str | None, ...]) -> Health:
    user, *flags, tables, guarded, process = row
    superuser, bypasses, standby, exists, creates, inserts = (flag == "t" for flag in flags)
    writable = (creates or inserts) and not standby
    details: dict[str, Any] = {
        "server_version": f"{session.version // 10000}.{session.version % 10000}",
        "encrypted": session.encrypted,
        "verified": session.endpoint.tls.startswith("verify"),
        "role": user,
        "superuser": superuser,
        "bypasses_row_level_security": bypasses or superuser,
        "standby": standby,
        "pooler": session.endpoint.pooled or process != str(session.process),
        "tables": int(tables or 0),
        "tables_behind_row_level_security": 0 if bypasses or superuser else int(guarded or 0),
        "may_create": creates,
        "writable": writable,
    }
    warnings = list(_warnings(details, session))
    if warnings:
        details["warnings"] = warnings
    if not exists:
        return Health(
            ok=False,
            category="missing",
            message=f"the database has no schema '{connection.schema}' that '{user}' could see",
            hint="correct 'schema', or create it",
            details=details,
        )
    return Health(
        ok=True,
        category="ok",
        message=f"PostgreSQL {details['server_version']} as '{user}': {tables} tables in '{connection.schema}', "
        f"readable{' and writable' if writable else ''}",
        hint=warnings[0] if warnings else None,
        details=details,
    )


def _warnings(details: dict[str, Any], session: Session) -> list[str]:
    found = []
    if not session.endpoint.is_local and not details["encrypted"]:
        found.append("the connection is not encrypted")
    elif not session.endpoint.is_local and not details["verified"]:
        found.append("the server's certificate is not verified: give the project's CA as ca_file")
    if details["superuser"]:
        found.append("the role is a superuser; give pipelines a role of their own")
    if details["tables_behind_row_level_security"]:
        found.append("row level security hides rows of some tables from this role")
    if session.endpoint.pooled:
        found.append("this is the transaction pooler; the session pooler (port 5432) suits long loads better")
    return found
