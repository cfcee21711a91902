"""The driver that the writers of all formats are, short of what a format adds (:class:`~.staging.Format`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris_filesystem import folder_state, publish, staging

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osiris_core.api import Dataset, DriverContext, LoadState, Receipt, Report, Schema, Stage, Stream


class FileWriter(staging.Format):
    """The write contract for files (``Staged``, ``Binds``, ``KeepsState``); a subclass is a format."""

    def run(
        self, *, step_id: str, config: Any, inputs: Mapping[str, Dataset], ctx: DriverContext
    ) -> Mapping[str, Stream]:
        """Stage and publish in one go, for a caller that does not know ``Staged``."""
        return publish.write_all(self, step_id=step_id, config=config, inputs=inputs, ctx=ctx)

    def bind(
        self, *, step_id: str, config: Any, inputs: Mapping[str, Schema], ctx: DriverContext
    ) -> Mapping[str, Schema]:
        """Refuse columns that cannot be written."""
        staging.check(self, config=config, schemas=tuple(inputs.values()), ctx=ctx)
        return {}

    def begin(self, *, step_id: str, config: Any, schema: Schema, ctx: DriverContext) -> Stage:
        """Open a stage beside the target."""
        return staging.begin(self, config=config, schema=schema, ctx=ctx)

    def write(self, stage: Stage, part: int, rows: Dataset) -> Receipt:
        """Stage one part."""
        return staging.write(stage, part, rows)

    def publish(self, stage: Stage, receipts: Sequence[Receipt]) -> Report:
        """Make the parts visible."""
        return publish.publish(stage, receipts)

    def read_state(self, *, step_id: str, config: Any, key: str, ctx: DriverContext) -> str | None:
        """The newest state of ``key`` in the folder's record of parts; None when the folder is not there."""
        del step_id
        return folder_state.read(config, key=key, ctx=ctx)

    def write_state(self, *, step_id: str, config: Any, state: LoadState, ctx: DriverContext) -> None:
        """Note a state in the folder's record, as a load without parts; refused where there is no folder yet."""
        folder_state.write(config, state=state, step_id=step_id, ctx=ctx)

    def abort(self, stage: Stage) -> None:
        """Remove what was staged."""
        staging.abort(stage)
