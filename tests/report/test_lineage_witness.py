"""Lineage of real queries - the flights example and all of TPC-H - with DuckDB as the witness."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import attrs
import pytest
import yaml

from osiris_core.report.lineage import lineage_of
from osiris_core.sqltext import rewrite
from tests.report.lineage_workshop import Witness, kinds, manifest, over, step
from tests.report.test_lineage import refuted

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TPCH = {path.stem: path.read_text() for path in sorted((ROOT / "tests/integration/tpch").glob("q*.sql"))}
FLIGHTS = yaml.safe_load((ROOT / "examples/flights/pipelines/flights.yaml").read_text())
PARAMS = {"from_month": 1, "to_month": 12, "late_minutes": 15, "least_flights": 2, "top": 10}


# The flights example: the steps' SQL is put together for the witness, and taken apart for lineage.


@pytest.fixture(scope="module")
def flights():
    data = ROOT / "examples/flights/data"
    steps = {one["id"]: one["config"] for one in FLIGHTS["steps"] if one["mode"] == "extract"}
    made = []
    for name, config in steps.items():
        columns = ", ".join(config.get("columns", ["*"])).replace("time_hour", "time_hour::TIMESTAMP AS time_hour")
        made.append(f"CREATE TABLE {name} AS SELECT {columns} FROM '{data / Path(config['path']).name}'")
    made.append("DELETE FROM flights WHERE NOT (day = 8 AND month IN (1, 2, 3) AND hour IN (6, 17))")
    made.append("DELETE FROM weather WHERE time_hour NOT IN (SELECT time_hour FROM flights)")
    made.append("DELETE FROM planes WHERE tailnum NOT IN (SELECT tailnum FROM flights WHERE tailnum IS NOT NULL)")
    return Witness(";\n".join(made))


def test_the_flights_example(flights):
    texts = {one["id"]: bound(one["config"]["query"]) for one in FLIGHTS["steps"] if one["mode"] == "transform"}
    whole = {name: f"WITH departures AS MATERIALIZED ({texts['departures']}) {text}" for name, text in texts.items()}
    whole["departures"] = texts["departures"]
    schemas = {**flights.tables, **{name: flights.columns(text) for name, text in whole.items()}}
    made = manifest(
        *(
            step(one["id"], one["component"], one["mode"], one.get("needs", ()), **one["config"])
            for one in FLIGHTS["steps"]
        )
    )
    found = lineage_of(made, schemas)
    for one in FLIGHTS["steps"]:
        if one["mode"] == "write":
            lineage = found.step(one["id"])
            assert lineage.unknown is None
            assert not any(column.influence.unknown for column in lineage.columns)
            assert not lineage.rows.unknown
            refuted(flights, whole[one["needs"][0]], by_step(lineage))
    weather = found.step("store-delay-by-weather")
    assert kinds(next(column.influence for column in weather.columns if column.name == "airline")) == {
        "data/airlines.parquet.name": {"IDENTITY"}
    }


def bound(query):
    return rewrite(query, lambda name: str(PARAMS[name]))


def by_step(lineage):
    """The lineage with the steps' ids as datasets, as the witness calls its tables."""

    def of(influence):
        return attrs.evolve(
            influence,
            edges=frozenset((attrs.evolve(source, dataset=source.step), kind) for source, kind in influence.edges),
        )

    columns = tuple(attrs.evolve(column, influence=of(column.influence)) for column in lineage.columns)
    return attrs.evolve(lineage, columns=columns, rows=of(lineage.rows))


# TPC-H.


@pytest.fixture(scope="module")
def tpch(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tpch")
    tool = Path(sys.executable).with_name("tpchgen-cli")
    subprocess.run(
        [str(tool), "parquet", "-s", "0.002", f"--output-dir={folder}"], check=True, stdout=subprocess.DEVNULL
    )
    return Witness(
        ";\n".join(f"CREATE TABLE {path.stem} AS FROM '{path}'" for path in sorted(folder.glob("*.parquet")))
    )


@pytest.mark.extra
@pytest.mark.parametrize("name", TPCH)
def test_tpch(tpch, name):
    query = TPCH[name]
    found = lineage_of(over(tpch.tables, query), {**tpch.tables, "q": tpch.columns(query)}).step("w")
    assert found.unknown is None
    assert not any(column.influence.unknown for column in found.columns)
    assert not found.rows.unknown
    read = {source.dataset for column in found.columns for source, _ in found.column(column.name).edges}
    assert read <= {table for table in tpch.tables if table in query}
    assert read
    refuted(tpch, query, found)


def test_tpch_is_not_everything_from_everything(tpch):
    """Of the first query the edges are written down."""
    found = lineage_of(over(tpch.tables, TPCH["q01"]), {**tpch.tables, "q": tpch.columns(TPCH["q01"])}).step("w")
    columns = {column.name: kinds(column.influence) for column in found.columns}
    price, discount, tax = ("lineitem.l_extendedprice", "lineitem.l_discount", "lineitem.l_tax")
    assert columns["l_returnflag"] == {"lineitem.l_returnflag": {"IDENTITY"}}
    assert columns["sum_charge"] == {one: {"AGGREGATION"} for one in (price, discount, tax)}
    assert columns["count_order"] == {}
    assert kinds(found.rows) == {
        "lineitem.l_shipdate": {"FILTER"},
        "lineitem.l_returnflag": {"GROUP_BY", "SORT"},
        "lineitem.l_linestatus": {"GROUP_BY", "SORT"},
    }
