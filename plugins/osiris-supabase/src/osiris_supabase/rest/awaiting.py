"""A table that the database has just made, until the Data API knows it too."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from osiris_core.api import OsirisError
from osiris_supabase.rest.client import SCHEMA_LAG, Halting, RestClient
from osiris_supabase.rest.failures import Refused, raise_refusal

if TYPE_CHECKING:
    from osiris_core.api import DriverContext

_SECONDS: Final = SCHEMA_LAG
_ANSWER_SECONDS: Final = 5.0


def await_table(ctx: DriverContext, schema: str, table: str) -> None:
    """Return when the Data API knows ``table``, or will not in time, which is recorded: the load has been made."""
    try:
        _await(ctx, schema, table)
    except OsirisError as error:
        ctx.emit("supabase.unknown_to_data_api", table=f"{schema}.{table}", code=error.code, because=error.message)


def _await(ctx: DriverContext, schema: str, table: str) -> None:
    halting = Halting(check=ctx.check, on_cancel=ctx.on_cancel)
    client = RestClient(ctx.connection, schema=schema, halting=halting, longest=_ANSWER_SECONDS, attempts=1)
    with closing(client):
        try:
            client.read(table, (("limit", "0"),), lag=_SECONDS)
        except Refused as refused:
            if refused.refusal.code != "42501":  # what may not be read is known
                raise_refusal(refused, what=f"looking for table '{table}'")
