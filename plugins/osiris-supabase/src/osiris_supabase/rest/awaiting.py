"""A table or columns that the database has just made, until the Data API knows them too."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import DriverError, OsirisError
from osiris_supabase.rest.catalog import read_tables
from osiris_supabase.rest.client import SCHEMA_LAG, Halting, RestClient
from osiris_supabase.rest.failures import Refused, raise_refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_core.api import DriverContext

_SECONDS: Final = SCHEMA_LAG
_ANSWER_SECONDS: Final = 5.0


def await_made(ctx: DriverContext, schema: str, table: str, columns: Sequence[str]) -> None:
    """Return when the Data API knows ``table``, or its new ``columns`` where there are some; or will not in time, which
    is recorded: the load has been made.
    """
    try:
        _await(ctx, schema, table, columns)
    except OsirisError as error:
        named: dict[str, Any] = {"columns": list(columns)} if columns else {}
        ctx.emit(
            "supabase.unknown_to_data_api", table=f"{schema}.{table}", **named, code=error.code, because=error.message
        )


def _await(ctx: DriverContext, schema: str, table: str, columns: Sequence[str]) -> None:
    halting = Halting(check=ctx.check, on_cancel=ctx.on_cancel)
    client = RestClient(ctx.connection, schema=schema, halting=halting, longest=_ANSWER_SECONDS, attempts=1)
    with closing(client):
        try:
            if columns:
                _await_columns(client, table, columns)
            else:
                client.read(table, (("limit", "0"),), lag=_SECONDS)
        except Refused as refused:
            if refused.refusal.code != "42501":  # what may not be read is known
                raise_refusal(refused, what=f"looking for table '{table}'")


def _await_columns(client: RestClient, table: str, columns: Sequence[str]) -> None:
    """Look at the description of the tables, for only that is made of what the Data API knows: a column that it does
    not know can be read, and is refused when it is written.
    """
    until = time.monotonic() + _SECONDS
    attempt = 1
    while True:
        found = read_tables(client).get(table)
        if found is None:
            client.read(table, (("limit", "0"),), lag=until - time.monotonic())
            found = read_tables(client).get(table)
        if found is None:
            raise DriverError("OSR-SUPA-114", f"the Data API has table '{table}', but does not say what it looks like")
        known = {column.name for column in found.columns}
        missing = [f"'{name}'" for name in columns if name not in known]
        if not missing:
            return
        if time.monotonic() >= until:
            raise DriverError("OSR-SUPA-111", f"table '{table}' has no {', '.join(missing)} in the schema cache")
        client.pause(attempt)
        attempt += 1
