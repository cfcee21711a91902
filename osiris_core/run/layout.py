"""Arrow layouts that only some readers know, brought to the plain ones that all of them do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import nanoarrow
from arro3.core import DataType, Field, RecordBatch, Schema

if TYPE_CHECKING:
    from osiris_core.run.events import ColumnShape

_KEYS_SORTED: Final = 4
"""ARROW_FLAG_MAP_KEYS_SORTED of the C data interface."""


def plain_schema(schema: Schema) -> Schema | None:
    """``schema`` without dictionaries, run ends and views, or None when it has none.

    Those are layouts, not types. A consumer would have to know each of them and the spool cannot hold them, so every
    step meets the same plain columns whether its input was spooled or not.
    """
    fields = [_plain_field(schema.field(index)) for index in range(len(schema.names))]
    if all(field is None for field in fields):
        return None
    kept = [field if field is not None else schema.field(index) for index, field in enumerate(fields)]
    return Schema(kept, metadata=schema.metadata)


def plain_batch(batch: RecordBatch, schema: Schema) -> RecordBatch:
    """``batch`` with its columns decoded to ``schema``, as :func:`plain_schema` made it."""
    columns = []
    for index in range(batch.num_columns):
        column = batch.column(index)
        wanted = schema.field(index).type
        columns.append(column if column.type == wanted else column.cast(wanted))
    return RecordBatch.from_arrays(columns, schema=schema)


def columns_of(schema: Schema) -> list[ColumnShape]:
    """Name, Arrow type and nullability of each column, as plain data."""
    fields = (schema.field(index) for index in range(len(schema.names)))
    return [{"name": field.name, "type": type_name(field.type), "nullable": field.nullable} for field in fields]


def type_name(kind: DataType) -> str:
    """An Arrow type in words: ``Int64``, ``Decimal128(18, 2)``."""
    return str(kind).replace("arro3.core.DataType", "").strip().removeprefix("<").removesuffix(">")


def _plain_field(field: Field) -> Field | None:
    plain = _plain_type(field.type)
    return None if plain is None else field.with_type(plain)


def _plain_type(kind: DataType) -> DataType | None:
    """``kind`` decoded at every depth, or None when there is nothing to decode."""
    value = kind.value_type
    if value is not None and not DataType.is_nested(kind):
        # A dictionary, or run-end encoded (arro3 0.9's is_run_end_encoded answers another question).
        return _plain_type(value) or value
    if DataType.is_struct(kind):
        return _plain_struct(kind)
    if DataType.is_map(kind):
        return _plain_map(kind)
    if kind.value_field is not None:
        return _plain_list(kind, kind.value_field)
    if DataType.is_string_view(kind):
        return DataType.large_string()
    return DataType.large_binary() if DataType.is_binary_view(kind) else None


def _plain_struct(kind: DataType) -> DataType | None:
    fields = [(_plain_field(field), field) for field in kind.fields or ()]
    if all(plain is None for plain, _ in fields):
        return None
    return DataType.struct([plain or field for plain, field in fields])


def _plain_map(kind: DataType) -> DataType | None:
    raw = nanoarrow.c_schema(kind)  # arro3 0.9 does not tell the fields of a map
    fields = [Field.from_arrow(field) for field in raw.child(0).children]
    plain = [_plain_field(field) for field in fields]
    if plain == [None, None]:
        return None
    key, value = (new or old for new, old in zip(plain, fields, strict=True))
    return DataType.map(key, value, bool(raw.flags & _KEYS_SORTED))


def _plain_list(kind: DataType, inner: Field) -> DataType | None:
    plain = _plain_field(inner)
    if DataType.is_fixed_size_list(kind):
        return DataType.list(plain, kind.list_size) if plain else None
    if DataType.is_large_list(kind) or DataType.is_large_list_view(kind):
        return DataType.large_list(plain or inner) if plain or DataType.is_large_list_view(kind) else None
    return DataType.list(plain or inner) if plain or DataType.is_list_view(kind) else None
