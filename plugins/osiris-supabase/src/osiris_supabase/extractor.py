"""``supabase.extractor``: by the database where the connection has a dsn, else by the Data API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osiris_core.api import Dataset, DriverContext, Split, Stream
    from osiris_core.api import Schema as AnySchema
    from osiris_supabase.config import Extractor


class ExtractorDriver:
    """Hands over to the way in that the connection has."""

    def run(
        self, *, step_id: str, config: Extractor, inputs: Mapping[str, Dataset], ctx: DriverContext
    ) -> Mapping[str, Stream]:
        """The rows of the table or query."""
        rows: Mapping[str, Stream] = _reader(ctx).run(step_id=step_id, config=config, inputs=inputs, ctx=ctx)
        return rows

    def bind(
        self, *, step_id: str, config: Extractor, inputs: Mapping[str, AnySchema], ctx: DriverContext
    ) -> Mapping[str, AnySchema]:
        """The columns of the table or query."""
        columns: Mapping[str, AnySchema] = _reader(ctx).bind(step_id=step_id, config=config, inputs=inputs, ctx=ctx)
        return columns

    def splits(self, *, config: Extractor, count: int, ctx: DriverContext) -> Sequence[Split]:
        """Parts of a table that can be read at the same time; empty for "as one", as is the Data API."""
        if ctx.connection.dsn is None:
            return ()
        parts: Sequence[Split] = _reader(ctx).splits(config=config, count=count, ctx=ctx)
        return parts

    def run_split(self, *, step_id: str, config: Extractor, split: Split, ctx: DriverContext) -> Mapping[str, Stream]:
        """The rows of one part."""
        rows: Mapping[str, Stream] = _reader(ctx).run_split(step_id=step_id, config=config, split=split, ctx=ctx)
        return rows


def _reader(ctx: DriverContext) -> Any:
    if ctx.connection.dsn is not None:
        from osiris_supabase.postgres.extractor import PostgresReader

        return PostgresReader()
    from osiris_supabase.rest.reader import RestReader

    return RestReader()
