"""A small catalog made by hand, and what a pipeline may write to."""

from __future__ import annotations

from osiris_core.chat.catalog import Source, Sources
from osiris_core.chat.destinations import destinations_of
from osiris_core.discovery.discover import FoundTable
from osiris_core.plugins.registry import load_registry
from osiris_core.spec.catalog import ColumnInfo, ColumnProfile, Key, Table, TableProfile, ValueCount

REGISTRY = load_registry(only=frozenset({"duckdb", "filesystem"}))
DESTINATIONS = destinations_of(REGISTRY, ["@duckdb.main", "@filesystem.data"])


def source(
    name, *columns, table=None, component="filesystem.parquet_extractor", profile=None, comment=None, types=None
):
    """A table of these columns, each VARCHAR unless ``types`` says another type by its name."""
    infos = tuple(ColumnInfo(name=one, type=(types or {}).get(one, "VARCHAR"), nullable=True) for one in columns)
    described = Table(
        name=table or f"{name}.parquet", kind="file", columns=infos, rows=3, comment=comment,
        primary_key=Key(columns=columns[:1]),
    )  # fmt: skip
    return Source(
        name=name,
        connection="@filesystem.data",
        found=FoundTable(table=described, profile=profile),
        component=REGISTRY.component(component),
    )


def profiled(name, *values, distinct=None, nulls=0, withheld=False):
    """A profile of one column with these most frequent values."""
    column = ColumnProfile(
        name=name, nulls=nulls, distinct=distinct or len(values), minimum=min(values), maximum=max(values),
        top=tuple(ValueCount(value=one, count=2) for one in values), withheld=withheld,
    )  # fmt: skip
    return TableProfile(basis="full", examined=3, columns=(column,))


ORDERS = source("orders", "id", "customer_id", "total", "placed_at")
CUSTOMERS = source("customers", "id", "name", "city")
SHOP = Sources(described=(ORDERS, CUSTOMERS))
