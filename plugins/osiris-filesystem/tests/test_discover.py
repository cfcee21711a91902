"""Discovery of a folder through the command."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris

FLIGHTS = Path(__file__).parents[3] / "examples/flights/data"


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "osiris.yaml").write_text("")
    connect(tmp_path, "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def connect(project, root):
    text = json.dumps({"version": 1, "connections": {"filesystem": {"here": {"root": str(root)}}}})
    (project / "osiris_connections.yaml").write_text(text)


def found(*arguments, code=0):
    done = CliRunner().invoke(osiris, ["discover", "@filesystem.here", *arguments, "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def types(table):
    return {column["name"]: column["type"] for column in table["columns"]}


def test_each_file_of_a_known_format_is_a_table(project):
    data = project / "data"
    pq.write_table(pa.table({"id": pa.array([1, 2], pa.uint64()), "d": pa.array(["1", "2"])}), data / "a.parquet")
    (data / "sub").mkdir()
    (data / "sub/b.csv").write_text("id;name\n1;x\n2;y\n")
    with gzip.open(data / "c.jsonl.gz", "wt") as file:
        file.write('{"id": 1, "tags": ["x"]}\n')
    (data / "notes.txt").write_text("no table")
    (data / ".hidden.csv").write_text("a\n1\n")
    tables = found()["tables"]
    assert [(one["name"], one["kind"], one["component"], one["rows"], one["rows_exact"]) for one in tables] == [
        ("a.parquet", "file", "filesystem.parquet_extractor", 2, True),
        ("c.jsonl.gz", "file", "filesystem.jsonl_extractor", None, False),
        ("sub/b.csv", "file", "filesystem.csv_extractor", None, False),
    ]
    assert types(tables[0]) == {"id": "UBIGINT", "d": "VARCHAR"}
    assert types(tables[1])["id"] == "BIGINT"
    assert types(tables[2]) == {"id": "BIGINT", "name": "VARCHAR"}
    assert tables[2]["bytes"] == 16


def test_profiles_and_samples_of_every_format(project):
    data = project / "data"
    lines = [f"{number},{'' if number % 3 == 0 else f'v{number % 2}'}" for number in range(20_000)]
    (data / "rows.csv").write_text("n,v\n" + "\n".join(lines) + "\n")
    (data / "few.jsonl").write_text('{"n": 1, "v": null}\n{"n": 2, "v": "x"}\n')
    pq.write_table(pa.table({"n": [5], "v": ["ü" * 300]}), data / "one.parquet")
    few, one, rows = found("--profile", "--sample", "2")["tables"]
    assert rows["profile"]["basis"] == "full"
    assert rows["profile"]["examined"] == 20_000
    assert rows["profile"]["columns"] == [
        {
            "name": "n",
            "nulls": 0,
            "distinct": 20_000,
            "minimum": "0",
            "maximum": "19999",
            "top": None,
            "withheld": False,
        },
        {
            "name": "v",
            "nulls": 6667,
            "distinct": 2,
            "minimum": "v0",
            "maximum": "v1",
            "top": [{"value": "v1", "count": 6667}, {"value": "v0", "count": 6666}],
            "withheld": False,
        },
    ]
    assert rows["sample"] == {"columns": ["n", "v"], "rows": [["0", None], ["1", "v1"]]}
    assert few["sample"]["rows"] == [["1", None], ["2", "x"]]
    assert [column["nulls"] for column in few["profile"]["columns"]] == [0, 1]
    assert one["sample"]["rows"] == [["5", "ü" * 200 + "… (300 characters)"]]


def test_a_file_that_is_broken_says_so_and_the_others_are_shown(project):
    data = project / "data"
    (data / "bad.parquet").write_bytes(b"PAR1 but not really PAR1")
    (data / "good.csv").write_text("a\n1\n")
    (data / "late.csv").write_text("a,b\n" + "1,2\n" * 9000 + "1,2,3\n")
    bad, good, late = found("--profile")["tables"]
    assert (bad["columns"], bad["problem"]["code"]) == ([], "OSR-FS-030")
    assert good["profile"]["basis"] == "full"
    assert types(late) == {"a": "BIGINT", "b": "BIGINT"}  # the beginning of the file says nothing of its end
    assert late["stopped"].startswith("OSR-FS-023")


def test_a_file_with_a_hostile_name_is_shown_and_not_opened(project):
    (project / "data/good.csv").write_text("a\n1\n")
    for name in (b"a\x1b[2J.csv", b"b\xff.csv", b"c\n.parquet"):
        descriptor = os.open(os.fsencode(project / "data") + b"/" + name, os.O_CREAT | os.O_WRONLY)
        os.close(descriptor)
    tables = found()["tables"]
    assert [(one["name"], one["problem"] and one["problem"]["code"]) for one in tables] == [
        ("a\\u001b[2J.csv", "OSR-FS-001"),
        ("b\\udcff.csv", "OSR-FS-001"),
        ("c\\u000a.parquet", "OSR-FS-001"),
        ("good.csv", None),
    ]
    assert "\x1b" not in CliRunner().invoke(osiris, ["discover", "@filesystem.here"]).output


def test_a_link_out_of_the_root_is_not_followed(project):
    (project / "secret.csv").write_text("password\nx\n")
    (project / "data/link.csv").symlink_to(project / "secret.csv")
    (table,) = found("--profile", "--sample", "1")["tables"]
    assert (table["name"], table["columns"], table["sample"]) == ("link.csv", [], None)
    assert table["problem"]["code"] == "OSR-FS-002"


def test_a_file_that_comes_goes_or_changes_makes_the_list_stale(project):
    file = project / "data/a.csv"
    file.write_text("a\n1\n")
    assert (found()["cached"], found()["cached"]) == (False, True)
    file.write_text("a,b\n1,2\n")
    changed = found("--profile")
    assert changed["cached"] is False
    assert types(changed["tables"][0]) == {"a": "BIGINT", "b": "BIGINT"}
    (project / "data/b.csv").write_text("c\n1\n")
    assert len(found()["tables"]) == 2
    file.unlink()
    assert [one["name"] for one in found()["tables"]] == ["b.csv"]


def test_a_file_whose_size_and_time_were_kept_makes_the_list_stale(project):
    file = project / "data/a.csv"
    file.write_text("a\n1\n")
    os.utime(file, (1e9, 1e9))
    found()
    file.write_text("b\n1\n")
    os.utime(file, (1e9, 1e9))
    again = found()
    assert not again["cached"]
    assert again["tables"][0]["columns"][0]["name"] == "b"


def test_a_file_that_takes_too_long_to_look_into_ends_with_the_time(project):
    names = ",".join(f"c{at}" for at in range(3000))
    (project / "data/wide.csv").write_text(f"{names}\n{','.join('1' * 3000)}\n")
    assert found("--timeout", "0.5", code=5)["error"]["code"] == "OSR-DSC-002"


def test_an_empty_folder_and_one_that_is_not_there(project):
    assert found()["tables"] == []
    connect(project, "none")
    assert found(code=5)["error"]["code"] == "OSR-FS-007"


@pytest.mark.slow
def test_relations_of_the_flights(project):
    connect(project, FLIGHTS)
    document = found("--profile")
    assert [(one["name"], one["rows"], one["profile"]["basis"]) for one in document["tables"]] == [
        ("airlines.parquet", 16, "full"),
        ("airports.parquet", 1458, "full"),
        ("flights.parquet", 336_776, "full"),
        ("planes.parquet", 3322, "full"),
        ("weather.parquet", 26_115, "full"),
    ]
    relations = {
        (one["table"], *one["columns"], one["to_table"], *one["to_columns"]): one for one in document["relations"]
    }
    carrier = relations["flights.parquet", "carrier", "airlines.parquet", "carrier"]
    plane = relations["flights.parquet", "tailnum", "planes.parquet", "tailnum"]
    airports = {(table, column) for table, column, other, *_ in relations if other == "airports.parquet"}
    assert airports == {("flights.parquet", "origin"), ("flights.parquet", "dest"), ("weather.parquet", "origin")}
    assert len(relations) == 2 + len(airports)
    assert 0.8 < carrier["confidence"] < 1
    assert "16 of 16 values are there" in carrier["reasons"]
    # the data lacks some planes, so it is less certain
    assert 0.5 < plane["confidence"] < carrier["confidence"]
    # the columns of airports have other names, and four airports are missing
    dest = relations["flights.parquet", "dest", "airports.parquet", "faa"]
    assert dest["confidence"] < plane["confidence"]
    assert "101 of 105 values are there" in dest["reasons"]
    names = {column["name"]: column for column in document["tables"][2]["profile"]["columns"]}
    assert names["origin"]["top"] == [
        {"value": "EWR", "count": 120_835},
        {"value": "JFK", "count": 111_279},
        {"value": "LGA", "count": 104_662},
    ]
    assert names["dep_time"]["nulls"] == 8255
