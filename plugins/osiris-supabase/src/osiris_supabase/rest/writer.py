"""Writing a table through the Data API: keyed rows, sent again until they are there.

Each request is a transaction of its own, so a load of several requests is not atomic: while it runs, and after it has
failed, readers see a part of its rows. That is sound for 'upsert' alone, where sending a row twice is sending it once;
every other mode could lose or repeat rows and is refused with the way out.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import attrs
from arro3.core import Schema

from osiris_core.api import Column, DriverError, LoadCodes, LoadRules, Receipt, Report, Stage, plan_load
from osiris_supabase.rest import loads, sending
from osiris_supabase.rest.catalog import read_tables, read_tables_with
from osiris_supabase.rest.client import Halting, RestClient
from osiris_supabase.rest.limits import refuse_mode
from osiris_supabase.rest.staging import Staging, columns_of
from osiris_supabase.rest.statements import add_columns, create_loads, create_table
from osiris_supabase.rest.types import created, holds, written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osiris_core.api import Dataset, DriverContext, LoadPlan, LoadState, Stream
    from osiris_core.api import Schema as AnySchema
    from osiris_supabase.config import Writer
    from osiris_supabase.rest.catalog import Table

_CODES: Final = LoadCodes(
    no_table="OSR-SUPA-110", columns_differ="OSR-SUPA-121", lossy="OSR-SUPA-122", no_key="OSR-SUPA-123"
)


@attrs.define(kw_only=True)
class _State:
    """What a stage holds."""

    step_id: str
    config: Writer
    ctx: DriverContext
    client: RestClient
    staging: Staging
    plan: LoadPlan
    schema: str
    notes: bool


@attrs.frozen(kw_only=True)
class _Target:
    """Where rows are to go: what the Data API says about it, and how they fit."""

    plan: LoadPlan
    tables: Mapping[str, Table]


class RestWriter:
    """Stages rows on disk, then sends them in batches."""

    def run(
        self, *, step_id: str, config: Writer, inputs: Mapping[str, Dataset], ctx: DriverContext
    ) -> Mapping[str, Stream]:
        """Stage and publish in one go, for a caller that does not know ``Staged``."""
        (rows,) = {id(dataset): dataset for dataset in inputs.values()}.values()
        stage = self.begin(step_id=step_id, config=config, schema=rows.schema, ctx=ctx)
        try:
            if stage.published is None:
                self.publish(stage, [self.write(stage, 0, rows)])
        finally:
            self.abort(stage)
        return {}

    def bind(
        self, *, step_id: str, config: Writer, inputs: Mapping[str, AnySchema], ctx: DriverContext
    ) -> Mapping[str, AnySchema]:
        """Nothing; refuses what ``begin`` would refuse, but for what only the server can tell."""
        refuse_mode(config)
        schema = config.schema or str(ctx.connection.schema)
        with closing(_connect(ctx, schema)) as client:
            for one in {id(one): one for one in inputs.values()}.values():
                _target(client, config, schema, Schema.from_arrow(one))
        return {}

    def begin(self, *, step_id: str, config: Writer, schema: AnySchema, ctx: DriverContext) -> Stage:
        """Compare the rows' columns with the table's, and let the server say whether it would take them."""
        refuse_mode(config)
        name = config.schema or str(ctx.connection.schema)
        shown = _shown(config, name)
        client = _connect(ctx, name)
        try:
            target = _target(client, config, name, Schema.from_arrow(schema))
            notes = loads.usable(target.tables.get(loads.TABLE))
            if not notes:
                # Sending rows again changes nothing, so a load can do without a commit row.
                ctx.emit(
                    "supabase.no_commit_row",
                    because=f"there is no table '{loads.TABLE}'",
                    statement=create_loads(name),
                )
            published = loads.find_load(client, ctx.load_id, shown) if notes else None
            if published is not None:
                client.close()
                return Stage(load_id=ctx.load_id, target=shown, published=published)
            sending.probe(client, config.table, target.plan, config.primary_key or (), target=shown)
            staging = Staging(ctx, target.plan, config.primary_key or (), target=shown)
        except BaseException:
            client.close()
            raise
        state = _State(
            step_id=step_id,
            config=config,
            ctx=ctx,
            client=client,
            staging=staging,
            plan=target.plan,
            schema=name,
            notes=notes,
        )
        ctx.failpoint("supabase.begun")
        return Stage(load_id=ctx.load_id, target=shown, state=state)

    def write(self, stage: Stage, part: int, rows: Dataset) -> Receipt:
        """Stage one part; parts may come from several threads."""
        state: _State = stage.state
        staged = state.staging.add(part, rows)
        return Receipt(part=part, rows=staged.rows, bytes=staged.bytes, state=staged)

    def publish(self, stage: Stage, receipts: Sequence[Receipt]) -> Report:
        """Send all rows, then the commit row."""
        state: _State = stage.state
        parts = sorted((receipt.state for receipt in receipts), key=lambda part: part.number)
        if tuple(parts) != state.staging.parts():
            raise DriverError("OSR-SUPA-129", "the receipts are not those of the staged parts")
        kept = state.ctx.load_state()
        if kept is not None and not state.notes:
            raise _no_loads(state.schema)
        checksum = f"{sum(part.hash for part in parts) % 2**128:032x}"
        dropped = state.staging.settle(last_wins=state.config.on_duplicate == "last")
        rows = sum(part.rows for part in parts) - dropped
        if changes := state.plan.changes():
            state.ctx.emit("schema_changed", destination=stage.target, changes=changes)
        sent = sending.send(state.client, state.config, state.plan, state.staging, state.ctx, target=stage.target)
        if sent.rows != rows:
            raise DriverError("OSR-SUPA-129", f"'{stage.target}': {rows} rows were staged, {sent.rows} were sent")
        state.ctx.failpoint("supabase.before_commit_row")
        if state.notes:
            if kept is not None:
                kept.require_unmoved(loads.newest_state(state.client, kept.key))
            loads.note(state.client, _row(state.ctx, state.step_id, stage.target, rows, checksum, kept))
        details: dict[str, Any] = {"mode": "upsert", "way": "data api", "requests": sent.requests, "atomic": False}
        if dropped:
            details["duplicates_dropped"] = dropped
        self.abort(stage)
        return Report(target=stage.target, rows=rows, checksum=checksum, details=details)

    def abort(self, stage: Stage) -> None:
        """Let go of the staged rows; what was sent stays, and the next run of this load sends it again."""
        state: _State | None = stage.state
        if state is not None:
            state.client.close()
            state.staging.close()

    def read_state(self, *, step_id: str, config: Writer, key: str, ctx: DriverContext) -> str | None:
        """The newest state of an incremental extract beside this table's loads."""
        name = config.schema or str(ctx.connection.schema)
        with closing(_connect(ctx, name)) as client:
            tables = read_tables(client)
            if config.table not in tables or not loads.usable(tables.get(loads.TABLE)):
                return None
            return loads.newest_state(client, key)

    def write_state(self, *, step_id: str, config: Writer, state: LoadState, ctx: DriverContext) -> None:
        """Note a state without any rows."""
        name = config.schema or str(ctx.connection.schema)
        shown = _shown(config, name)
        with closing(_connect(ctx, name)) as client:
            tables = read_tables_with(client, config.table)
            if config.table not in tables:
                raise DriverError("OSR-SUPA-110", f"there is no table '{shown}' whose state could be noted")
            if not loads.usable(tables.get(loads.TABLE)):
                raise _no_loads(name)
            loads.note(client, {**_row(ctx, step_id, shown, 0, None, state), "mode": "state"})


def _connect(ctx: DriverContext, schema: str) -> RestClient:
    return RestClient(ctx.connection, schema=schema, halting=Halting(check=ctx.check, on_cancel=ctx.on_cancel))


def _shown(config: Writer, schema: str) -> str:
    return f"{schema}.{config.table}"


def _target(client: RestClient, config: Writer, schema: str, arrow: Schema) -> _Target:
    """How rows of ``arrow`` go into the table; what has to be made first is an error with the statement."""
    shown = _shown(config, schema)
    load = [Column(name, kind) for name, kind in columns_of(arrow, target=shown)]
    tables = read_tables_with(client, config.table)
    table = tables.get(config.table)
    there = None if table is None else [Column(c.name, c.format, c.required) for c in table.columns]
    rules = LoadRules(codes=_CODES, holds=holds, create=lambda column: _refuse_type(column, shown), fold=str)
    plan = plan_load(config, load, there, target=shown, rules=rules)
    if plan.create:
        raise DriverError(
            "OSR-SUPA-120",
            f"there is no table '{shown}', and the Data API cannot create one",
            hint="add 'dsn' to the connection, or run in the SQL editor: "
            + create_table(
                schema, config.table, load, config.primary_key or (), grants=config.grants, rls=config.enable_rls
            ),
        )
    if plan.added:
        raise DriverError(
            "OSR-SUPA-120",
            f"'{shown}' lacks columns, and the Data API cannot add them",
            hint="add 'dsn' to the connection, or run in the SQL editor: "
            + add_columns(schema, config.table, plan.added),
        )
    for ours, theirs in plan.pairs:
        if written(str(ours.type), ours.name, target=str(theirs.type)) is None:
            _refuse_type(ours, shown)
    return _Target(plan=plan, tables=tables)


def _refuse_type(column: Column, shown: str) -> None:
    if created(str(column.type)) is None:
        raise DriverError(
            "OSR-SUPA-122", f"column '{column.name}' for '{shown}' is of type {column.type}, which cannot be written"
        )


def _no_loads(schema: str) -> DriverError:
    return DriverError(
        "OSR-SUPA-120",
        f"an incremental load needs the table '{loads.TABLE}', and the Data API cannot create it",
        hint=f"add 'dsn' to the connection, or run in the SQL editor: {create_loads(schema)}",
    )


def _row(
    ctx: DriverContext, step: str, target: str, rows: int, checksum: str | None, kept: LoadState | None
) -> dict[str, Any]:
    return {
        "load_id": ctx.load_id,
        "manifest_hash": ctx.manifest_hash,
        "step": step,
        "target": target,
        "mode": "upsert",
        "rows": rows,
        "checksum": checksum,
        "state_key": None if kept is None else kept.key,
        "state": None if kept is None else kept.text,
    }
