"""The flights example, run as its README says, against numbers computed row by row in Python."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"


def osiris(project, *arguments):
    command = [sys.executable, "-c", "from osiris_core.cli import main; main()", *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy(tmp_path_factory):
    project = tmp_path_factory.mktemp("flights") / "project"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("output", "logs", "build", ".osiris"))
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The example after one run with its defaults."""
    project = copy(tmp_path_factory)
    said = json.loads(osiris(project, "run", "pipelines/flights.yaml", "--json"))
    assert said["status"] == "succeeded"
    return project


@pytest.fixture(scope="module")
def departures():
    """Every flight with its airline, aircraft and weather, joined by dictionaries."""
    rows = {
        table: pq.read_table(EXAMPLE / "data" / f"{table}.parquet").to_pylist()
        for table in ("flights", "weather", "airlines", "planes")
    }
    weather = {(row["origin"], row["time_hour"]): row for row in rows["weather"]}
    airlines = {row["carrier"]: row["name"] for row in rows["airlines"]}
    planes = {row["tailnum"]: row for row in rows["planes"]}
    assert len(weather) == len(rows["weather"])
    joined = []
    for flight in rows["flights"]:
        plane = planes.get(flight["tailnum"], {})
        joined.append(
            flight
            | {
                "airline": airlines.get(flight["carrier"]),
                "seats": plane.get("seats"),
                "built": plane.get("year"),
                "cancelled": flight["dep_time"] is None,
                "sky": sky(weather.get((flight["origin"], flight["time_hour"]))),
            }
        )
    return joined


def sky(seen):
    if seen is None:
        return "unknown"
    if seen["visib"] is not None and seen["visib"] < 3:
        return "poor visibility"
    if seen["precip"] is not None and seen["precip"] > 0:
        return "rain or snow"
    if seen["wind_speed"] is not None and seen["wind_speed"] >= 20:
        return "windy"
    return "calm"


def rounded(value, digits):
    """Half away from zero, as DuckDB rounds; the numbers at hand have no ties that binary floating point would turn."""
    return None if value is None else round(value, digits)


def mean(values):
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def grouped(rows, *keys):
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[key] for key in keys)].append(row)
    return groups


def worst_hours(rows, *, least, late=15, top=10):
    found = []
    for (origin, hour), group in grouped(rows, "origin", "hour").items():
        if len(group) < least:
            continue
        delays = [row["dep_delay"] for row in group if row["dep_delay"] is not None]
        found.append(
            (
                origin,
                hour,
                len(group),
                sum(row["cancelled"] for row in group),
                rounded(mean(delays), 2),
                rounded(100 * sum(delay >= late for delay in delays) / len(delays), 1),
            )
        )
    return sorted(found, key=lambda row: (-row[4], row[0], row[1]))[:top]


def read(project, query):
    connection = duckdb.connect(str(project / "output" / "flights.duckdb"), read_only=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_the_worst_hours_are_those_counted_by_hand(project, departures):
    assert read(project, "FROM worst_hours ORDER BY rowid") == worst_hours(departures, least=500)


def test_the_delays_by_weather_and_carrier_are_those_counted_by_hand(project, departures):
    expected = sorted(
        (
            sky,
            carrier,
            airline,
            len(group),
            sum(row["cancelled"] for row in group),
            rounded(mean(row["dep_delay"] for row in group), 2),
        )
        for (sky, carrier, airline), group in grouped(departures, "sky", "carrier", "airline").items()
    )
    table = pq.read_table(project / "output" / "delay_by_weather.parquet")
    assert table.column_names == ["weather", "carrier", "airline", "flights", "cancelled", "mean_delay"]
    assert [
        tuple(int(v) if not isinstance(v, str | float | None) else v for v in row.values()) for row in table.to_pylist()
    ] == expected


def test_the_carriers_are_those_counted_by_hand(project, departures):
    with (project / "output" / "carriers.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    expected = {}
    for (carrier, airline), group in grouped(departures, "carrier", "airline").items():
        expected[carrier] = {
            "carrier": carrier,
            "airline": airline,
            "flights": str(len(group)),
            "cancelled_percent": rounded(100 * sum(row["cancelled"] for row in group) / len(group), 1),
            "mean_delay": rounded(mean(row["dep_delay"] for row in group), 2),
            "mean_delay_calm": rounded(mean(row["dep_delay"] for row in group if row["sky"] == "calm"), 2),
            "mean_seats": str(round(mean(row["seats"] for row in group))),
        }
    numbers = ("cancelled_percent", "mean_delay", "mean_delay_calm")
    assert [row | {name: float(row[name]) for name in numbers} for row in found] == sorted(
        expected.values(), key=lambda row: (-row["mean_delay"], row["carrier"])
    )


def test_every_flight_is_in_the_table_once(project, departures):
    assert read(
        project, "SELECT count(*), count_if(cancelled), sum(delay), sum(distance), sum(aircraft_age) FROM departures"
    ) == [
        (
            len(departures),
            sum(row["cancelled"] for row in departures),
            sum(row["dep_delay"] or 0 for row in departures),
            sum(row["distance"] for row in departures),
            sum(2013 - row["built"] for row in departures if row["built"] is not None),
        )
    ]
    counted = read(project, "SELECT weather, count(*) FROM departures GROUP BY weather ORDER BY weather")
    assert counted == sorted((key, len(group)) for (key,), group in grouped(departures, "sky").items())
    first = read(project, "SELECT epoch_us(time_hour), origin, carrier, flight FROM departures ORDER BY rowid LIMIT 3")
    moments = sorted((row["time_hour"], row["origin"], row["carrier"], row["flight"]) for row in departures)[:3]
    assert first == [(round(moment.timestamp() * 1e6), *rest) for moment, *rest in moments]
    assert moments[0][0] == dt.datetime(2013, 1, 1, 10, tzinfo=dt.UTC)


def test_running_again_gives_the_same_files_and_no_row_twice(project, departures):
    before = hashes(project)
    osiris(project, "run", "pipelines/flights.yaml")
    assert hashes(project) == before
    assert read(project, "SELECT count(*) FROM departures") == [(len(departures),)]
    assert read(project, "SELECT step, count(*) FROM _osiris_loads GROUP BY step ORDER BY step") == [
        ("store-departures", 2),
        ("store-worst-hours", 2),
    ]


def hashes(project):
    return {
        name: hashlib.sha256((project / "output" / name).read_bytes()).hexdigest()
        for name in ("carriers.csv", "delay_by_weather.parquet")
    }


def test_the_summer_profile_looks_at_three_months_and_keeps_the_others(tmp_path_factory, project, departures):
    summer = tmp_path_factory.mktemp("summer") / "project"
    shutil.copytree(project, summer)
    osiris(summer, "run", "pipelines/flights.yaml", "--profile", "summer")
    rows = [row for row in departures if 6 <= row["month"] <= 8]
    assert read(summer, "FROM worst_hours ORDER BY rowid") == worst_hours(rows, least=100)
    assert read(summer, "SELECT count(*) FROM departures") == [(len(departures),)]
    assert read(
        summer, "SELECT rows FROM _osiris_loads WHERE step = 'store-departures' ORDER BY loaded_at DESC LIMIT 1"
    ) == [(len(rows),)]


def test_parameters_change_what_is_kept(tmp_path_factory, departures):
    project = copy(tmp_path_factory)
    osiris(
        project, "run", "pipelines/flights.yaml", "--param", "to_month=1", "--param", "top=3", "--param", "late_minutes=60",
        "--param", "least_flights=50",
    )  # fmt: skip
    rows = [row for row in departures if row["month"] == 1]
    assert read(project, "FROM worst_hours ORDER BY rowid") == worst_hours(rows, least=50, late=60, top=3)


def test_the_columns_are_explained_without_reading(tmp_path_factory):
    project = copy(tmp_path_factory)
    said = json.loads(osiris(project, "explain", "pipelines/flights.yaml", "--json"))
    assert said["ok"]
    assert not (project / "output").exists()
    assert not (project / "logs").exists()


def test_the_data_is_what_its_licence_note_says():
    note = (EXAMPLE / "data" / "README.md").read_text()
    assert "CC0" in note
    counts = {path.stem: pq.read_metadata(path).num_rows for path in (EXAMPLE / "data").glob("*.parquet")}
    assert counts == {"airlines": 16, "airports": 1_458, "flights": 336_776, "planes": 3_322, "weather": 26_115}
    for count in counts.values():
        assert f"{count:,}" in note


def test_the_readme_shows_the_numbers_of_the_run(project):
    text = (EXAMPLE / "README.md").read_text()
    shown = read(
        project, "SELECT origin, hour, flights, mean_delay, late_percent FROM worst_hours ORDER BY rowid LIMIT 3"
    )
    for row in shown:
        assert f"| {' | '.join(map(str, row))} |" in text
    with (project / "output" / "carriers.csv").open(newline="") as file:
        (express,) = [row for row in csv.DictReader(file) if row["carrier"] == "EV"]
    assert f"{express['mean_delay_calm']} minutes late" in text
    assert f"have {express['mean_delay']} " in text
