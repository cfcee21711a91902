"""Drivers that hand one row on."""

from __future__ import annotations

from arro3.core import Array, DataType, Table


class Extractor:
    """Gives one row."""

    def run(self, *, step_id, config, inputs, ctx):
        return {"df": Table.from_pydict({"a": Array([1], DataType.int64())})}


class Processor:
    """Gives what it gets."""

    def run(self, *, step_id, config, inputs, ctx):
        return {"df": inputs["df"]}


class Writer:
    """Reads what it gets."""

    def run(self, *, step_id, config, inputs, ctx):
        for _ in inputs["df"].batches():
            pass
        return {}
