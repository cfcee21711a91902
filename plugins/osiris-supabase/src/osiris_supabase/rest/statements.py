"""SQL for a person to run where the Data API can run none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osiris_core.api import quote_identifier
from osiris_supabase.rest.types import created

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_core.api import Column

RELOAD: Final = "NOTIFY pgrst, 'reload schema';"
_LOADS: Final = (
    "load_id text PRIMARY KEY, manifest_hash text NOT NULL, step text NOT NULL, target text NOT NULL, "
    "mode text NOT NULL, rows bigint NOT NULL, checksum text, loaded_at timestamptz NOT NULL DEFAULT now(), "
    "state_key text, state text"
)


def create_table(
    schema: str,
    table: str,
    columns: Sequence[Column],
    key: Sequence[str],
    *,
    grants: Sequence[str] | None,
    rls: bool,
) -> str:
    """A table that takes the load; without ``grants``, the role of the secret key may use it."""
    items = [f"{quote_identifier(column.name)} {created(str(column.type))}" for column in columns]
    items.append(f"PRIMARY KEY ({', '.join(quote_identifier(name) for name in key)})")
    return _made(_name(schema, table), ", ".join(items), grants or ("service_role",), rls=rls)


def add_columns(schema: str, table: str, columns: Sequence[Column]) -> str:
    """New columns of a table."""
    items = ", ".join(f"ADD COLUMN {quote_identifier(column.name)} {created(str(column.type))}" for column in columns)
    return f"ALTER TABLE {_name(schema, table)} {items}; {RELOAD}"


def create_loads(schema: str) -> str:
    """The table of commit rows."""
    return _made(_name(schema, "_osiris_loads"), _LOADS, ("service_role",), rls=True)


def _made(name: str, items: str, grants: Sequence[str], *, rls: bool) -> str:
    roles = ", ".join(quote_identifier(role) for role in grants)
    statements = [
        f"CREATE TABLE {name} ({items});",
        *([f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;"] if rls else []),
        f"GRANT SELECT, INSERT, UPDATE ON {name} TO {roles};",
        RELOAD,
    ]
    return " ".join(statements)


def _name(schema: str, table: str) -> str:
    return f"{quote_identifier(schema)}.{quote_identifier(table)}"
