"""Rows made by Python code, as a stream that a driver can return."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris_core.run.cstream import export_stream

if TYPE_CHECKING:
    from collections.abc import Generator

    from arro3.core import RecordBatch, Schema


class GeneratedRows:
    """The batches of a generator as a ``Stream``; each is an ``arro3.core.RecordBatch`` of ``schema``.

    The runtime reads :meth:`batches` itself, so that an exception raised there arrives as itself; anybody else
    reads the Arrow stream and meets its text. Like every stream it can be read once.
    """

    def __init__(self, schema: Schema, batches: Generator[RecordBatch, None, None]) -> None:
        self.schema = schema
        self._batches = batches

    def batches(self) -> Generator[RecordBatch, None, None]:
        """The rows."""
        return self._batches

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows as an ``arrow_array_stream`` capsule."""
        return export_stream(self.schema, self._batches, self._batches.close)
