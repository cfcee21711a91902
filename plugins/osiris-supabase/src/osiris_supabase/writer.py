"""``supabase.writer``: by the database where the connection has a dsn, else by the Data API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osiris_core.api import Dataset, DriverContext, LoadState, Receipt, Report, Stage, Stream
    from osiris_core.api import Schema as AnySchema
    from osiris_supabase.config import Writer


class WriterDriver:
    """Hands over to the way in that the connection has."""

    def __init__(self) -> None:
        self._writer: Any = None

    def _for(self, ctx: DriverContext) -> Any:
        if self._writer is None:
            if ctx.connection.dsn is not None:
                from osiris_supabase.postgres.writer import PostgresWriter

                self._writer = PostgresWriter()
            else:
                from osiris_supabase.rest.writer import RestWriter

                self._writer = RestWriter()
        return self._writer

    def run(
        self, *, step_id: str, config: Writer, inputs: Mapping[str, Dataset], ctx: DriverContext
    ) -> Mapping[str, Stream]:
        """Stage and publish in one go, for a caller that does not know ``Staged``."""
        done: Mapping[str, Stream] = self._for(ctx).run(step_id=step_id, config=config, inputs=inputs, ctx=ctx)
        return done

    def bind(
        self, *, step_id: str, config: Writer, inputs: Mapping[str, AnySchema], ctx: DriverContext
    ) -> Mapping[str, AnySchema]:
        """Nothing; refuses what ``begin`` would refuse."""
        bound: Mapping[str, AnySchema] = self._for(ctx).bind(step_id=step_id, config=config, inputs=inputs, ctx=ctx)
        return bound

    def begin(self, *, step_id: str, config: Writer, schema: AnySchema, ctx: DriverContext) -> Stage:
        """Open a stage."""
        stage: Stage = self._for(ctx).begin(step_id=step_id, config=config, schema=schema, ctx=ctx)
        return stage

    def write(self, stage: Stage, part: int, rows: Dataset) -> Receipt:
        """Stage one part."""
        receipt: Receipt = self._writer.write(stage, part, rows)
        return receipt

    def publish(self, stage: Stage, receipts: Sequence[Receipt]) -> Report:
        """Make the staged rows visible; what the database has made for them is then known to both ways in."""
        report: Report = self._writer.publish(stage, receipts)
        state, made = stage.state, report.details
        connection = state.ctx.connection
        if connection.dsn is not None and connection.url is not None and (made.get("created") or made.get("added")):
            from osiris_supabase.rest.awaiting import await_made

            await_made(state.ctx, state.place.schema, state.place.table, made.get("added", ()))
        return report

    def abort(self, stage: Stage) -> None:
        """Remove everything staged."""
        self._writer.abort(stage)

    def read_state(self, *, step_id: str, config: Writer, key: str, ctx: DriverContext) -> str | None:
        """The text of the newest state of ``key``."""
        text: str | None = self._for(ctx).read_state(step_id=step_id, config=config, key=key, ctx=ctx)
        return text

    def write_state(self, *, step_id: str, config: Writer, state: LoadState, ctx: DriverContext) -> None:
        """Note a state without any rows."""
        self._for(ctx).write_state(step_id=step_id, config=config, state=state, ctx=ctx)
