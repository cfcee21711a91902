"""Whether the Data API of a connection answers, and to which role. Nothing is changed."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, closing, nullcontext
from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import DriverError, Health, OsirisError
from osiris_supabase.rest.catalog import read_tables
from osiris_supabase.rest.client import Halting, RestClient
from osiris_supabase.rest.keys import role_of

if TYPE_CHECKING:
    from osiris_supabase.connection import SupabaseConnection

_CATEGORIES: Final = {
    "OSR-SUPA-101": "network",
    "OSR-SUPA-102": "auth",
    "OSR-SUPA-103": "permission",
    "OSR-SUPA-104": "config",
    "OSR-SUPA-105": "config",
    "OSR-SUPA-106": "network",
    "OSR-SUPA-107": "timeout",
    "OSR-SUPA-109": "missing",
    "OSR-SUPA-112": "config",
    "OSR-SUPA-114": "config",
}
_BOUND: Final = "row level security decides what this key sees: a table without a policy looks empty"


def check_data_api(connection: SupabaseConnection, *, timeout: float) -> Health:
    """The health of the Data API, within about ``timeout`` seconds."""
    until = time.monotonic() + timeout

    def check() -> None:
        if time.monotonic() >= until:
            raise DriverError("OSR-SUPA-107", f"the Data API did not answer within {timeout:g} seconds")

    def on_cancel(_: Any) -> AbstractContextManager[None]:
        return nullcontext()

    halting = Halting(check=check, on_cancel=on_cancel)
    try:
        client = RestClient(connection, schema=connection.schema, halting=halting, longest=timeout, attempts=2)
        with closing(client):
            tables = read_tables(client)
    except OsirisError as error:
        category = _CATEGORIES.get(error.code, "internal")
        return Health(ok=False, category=category, message=error.message, hint=error.hint)
    role = role_of(connection.key)
    bound = role != "secret"
    shown = f"a key of role '{role}'" if bound else "the secret key"
    return Health(
        ok=True,
        category="ok",
        message=f"the Data API shows {len(tables)} tables of schema '{connection.schema}' to {shown}",
        hint=_BOUND if bound else None,
        details={"tables": len(tables), "role": role, **({"warnings": [_BOUND]} if bound else {})},
    )
