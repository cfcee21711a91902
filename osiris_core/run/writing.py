"""The write contract, runtime side: begin, stage, compare counts, publish once - or abort.

Nothing is published unless every row that left the producers was staged: each input must have been read to its end
and the driver's receipts must say what the runtime counted.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs

from osiris_core.errors import DriverError, RunFailed
from osiris_core.run.events import WriteAborted, WritePublished, WriteStaged
from osiris_core.run.failure import is_real
from osiris_core.spec.behave import Receipt, Report, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from osiris_core.run.context import StepContext
    from osiris_core.run.dataset import RowStream
    from osiris_core.run.session import Session


@attrs.frozen(kw_only=True)
class Written:
    """What a write step did; ``already``: an earlier attempt had published the same load."""

    destination: str
    rows: int
    already: bool = False


def write_staged(
    driver: Any,
    *,
    config: Any,
    rows: RowStream,
    ctx: StepContext,
    session: Session,
    confirm: Callable[[], None] = lambda: None,
) -> Written:
    """Run a ``Staged`` driver through the contract; ``confirm`` raises when the rows are not to be trusted."""
    stage = _expect(driver.begin(step_id=ctx.step_id, config=config, schema=rows.schema, ctx=ctx), Stage, "begin")
    try:
        ctx.failpoint("begin")
        report = stage.published
        if report is None:
            receipt = _stage(driver, stage, rows)
            confirm()
            staged = WriteStaged(
                step=ctx.step_id,
                destination=stage.target,
                load_id=ctx.load_id,
                rows=receipt.rows,
                bytes=receipt.bytes,
            )
            session.emit(staged)
            ctx.failpoint("staged")
            ctx.check()
            ctx.failpoint("before_publish")
            report = _expect(driver.publish(stage, [receipt]), Report, "publish")
    except BaseException:
        _abort(driver, stage, ctx, session)
        raise
    ctx.failpoint("after_publish")
    already = stage.published is not None
    session.emit(_published(report, ctx, already=already))
    return Written(destination=report.target, rows=report.rows, already=already)


def write_plain(
    driver: Any, *, config: Any, inputs: Mapping[str, RowStream], rows: RowStream, ctx: StepContext
) -> Written:
    """Run a writer that is not ``Staged``: it consumes its input and says nothing."""
    outputs = driver.run(step_id=ctx.step_id, config=config, inputs=inputs, ctx=ctx)
    if outputs:
        raise DriverError("OSR-RUN-022", "a writer returned rows", hint="a writer's run() returns {}")
    _require_read(rows)
    return Written(destination=ctx.step_id, rows=rows.meter.rows)


def _stage(driver: Any, stage: Stage, rows: RowStream) -> Receipt:
    receipt: Receipt = _expect(driver.write(stage, 0, rows), Receipt, "write")
    _require_read(rows)
    if receipt.rows != rows.meter.rows:
        raise DriverError(
            "OSR-RUN-024",
            f"the driver staged {receipt.rows:,} of {rows.meter.rows:,} rows; nothing is published",
            hint="report it to the author of the component",
        )
    return receipt


def _require_read(rows: RowStream) -> None:
    if is_real(rows.failure):
        # The driver has swallowed the error that ended its input.
        assert rows.failure is not None
        raise rows.failure
    if not rows.meter.ended:
        raise DriverError(
            "OSR-RUN-023",
            f"the driver stopped reading the rows of '{rows.name}' before their end; nothing is published",
            hint="report it to the author of the component",
        )


def _expect(value: Any, kind: type, method: str) -> Any:
    if not isinstance(value, kind):
        raise DriverError(
            "OSR-RUN-022", f"the driver's {method}() returned a {type(value).__name__}, not a {kind.__name__}"
        )
    return value


def _published(report: Report, ctx: StepContext, *, already: bool) -> WritePublished:
    return WritePublished(
        step=ctx.step_id,
        destination=report.target,
        load_id=ctx.load_id,
        rows=report.rows,
        bytes=report.bytes,
        checksum=report.checksum,
        inserted=report.inserted,
        updated=report.updated,
        deleted=report.deleted,
        already=already,
        details=dict(report.details),
    )


def _abort(driver: Any, stage: Stage, ctx: StepContext, session: Session) -> None:
    """Remove what is staged; a failure of that is recorded and must not hide the one that led here."""
    message = None
    try:
        driver.abort(stage)
    except BaseException as error:  # noqa: BLE001 - recorded in the event; a panic is none of Exception
        message = f"{type(error).__name__}: {error}"
    aborted = WriteAborted(
        step=ctx.step_id, destination=stage.target, load_id=ctx.load_id, clean=message is None, message=message
    )
    # When the record cannot be written the run already fails for that.
    with suppress(RunFailed):
        session.emit(aborted)
