"""``osiris run`` and ``osiris explain`` as somebody types them."""

from __future__ import annotations

import json
import os
import pty
import select

import duckdb
import pytest

from osiris_core.cli.progress import line_of
from tests.run.workshop import numbers, remote_shop, sql, step, store, through

__all__ = ["remote_shop"]


def document(done):
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_a_pipeline_is_compiled_built_and_run(remote_shop):
    shop = remote_shop
    shop.write(numbers(rows=4), store())
    done = shop.osiris("run", "p.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "store: 4 rows -> store"
    assert done.stdout.splitlines()[1].startswith("p succeeded: 4 rows in ")
    assert "record: logs/run_" in done.stdout
    assert "numbers: done, 4 rows in" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    (built,) = shop.folder.glob("build/p/*/manifest.yaml")

    assert document(shop.osiris("run", str(built.relative_to(shop.folder)), "--json"))["rows"] == 4
    assert document(shop.osiris("run", str(built.parent), "--json"))["rows"] == 4
    assert document(shop.osiris("run", "--last-compile", "--json"))["pipeline"] == "p"
    assert document(shop.osiris("run", "p", "--last-compile", "--json"))["pipeline"] == "p"
    assert len(shop.records()) == 5


def test_one_json_document_on_stdout(remote_shop):
    shop = remote_shop
    shop.write(numbers(rows=4), store())
    done = document(shop.osiris("run", "p.yaml", "--json"))
    assert done["ok"] is True
    assert done["status"] == "succeeded"
    assert done["error"] is None
    assert [(one["id"], one["rows_written"], one["destination"]) for one in done["steps"]] == [
        ("numbers", 4, None),
        ("store", 4, "store"),
    ]
    assert (shop.folder / done["record"] / "status.json").exists()

    shop.write(numbers(fault="driver"), store())
    failed = shop.osiris("run", "p.yaml", "--json")
    assert failed.returncode == 1
    assert document(failed)["ok"] is False
    assert document(failed)["error"]["code"] == "OSR-SAMPLE-001"
    assert document(failed)["error"]["hint"] == "tell it otherwise"


def test_a_failure_on_a_terminal_less_stderr(remote_shop):
    shop = remote_shop
    shop.write(numbers(fault="connection"), store())
    done = shop.osiris("run", "p.yaml")
    assert done.returncode == 5
    assert "error[OSR-SAMPLE-003]: step 'numbers' (sample.numbers): no such host" in done.stderr
    assert "p failed after" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_what_a_driver_prints_does_not_mix_with_the_document(remote_shop):
    shop = remote_shop
    shop.write(numbers(rows=4, says="hello from a driver"), store())
    done = shop.osiris("run", "p.yaml", "--json")
    assert document(done)["ok"] is True
    assert done.stderr.count("hello from a driver") == 2
    (record,) = shop.records()
    log = (record / "osiris.log").read_text()
    assert "sample: logged: hello from a driver" in log
    assert "UserWarning: warned: hello from a driver" in log


def test_verbose_has_a_line_for_every_event_of_interest(remote_shop):
    remote_shop.write(numbers(rows=4), store())
    done = remote_shop.osiris("run", "p.yaml", "--verbose")
    for word in ("run_started", "step_started step=numbers", "write_staged", "write_published", "store: done, 4 rows"):
        assert word in done.stderr


def test_a_dry_run_says_what_would_be_done_and_touches_nothing(remote_shop):
    shop = remote_shop
    shop.write(numbers(), store("a", ["numbers"]), store("b", ["numbers"]))
    done = document(shop.osiris("run", "p.yaml", "--dry-run", "--json"))
    assert done["dry_run"] is True
    assert done["spooled"] == ["numbers"]
    assert done["streams"] == [["numbers"], ["a"], ["b"]]
    text = shop.osiris("run", "p.yaml", "--dry-run").stdout
    assert "sample.numbers" in text
    assert not (shop.folder / "logs").exists()
    assert not (shop.folder / "build").exists()
    assert shop.calls() == []


def test_records_go_where_out_says(remote_shop, tmp_path):
    shop = remote_shop
    shop.write(numbers(), store())
    done = document(shop.osiris("run", "p.yaml", "--json", "--out", str(tmp_path / "elsewhere")))
    assert (tmp_path / "elsewhere" / done["session"] / "status.json").exists()
    assert not (shop.folder / "logs").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        ([], "OSR-RUN-070", 2),
        (["nowhere.yaml"], "OSR-YAML-014", 2),
        (["--last-compile"], "OSR-CMP-020", 2),
        (["p.yaml", "--target", "moon"], "OSR-PLG-020", 2),
        (["p.yaml", "--jobs", "0"], "OSR-SET-001", 2),
        (["p.yaml", "--param", "x"], "OSR-CMP-031", 2),
    ],
)
def test_what_cannot_be_run(remote_shop, arguments, code, status):
    remote_shop.write(numbers(), store())
    done = remote_shop.osiris("run", *arguments, "--json")
    assert done.returncode == status
    assert document(done)["error"]["code"] == code
    assert "Traceback" not in done.stderr


def test_a_manifest_takes_no_parameters(remote_shop):
    remote_shop.write(numbers(), store())
    remote_shop.osiris("compile", "p.yaml")
    done = remote_shop.osiris("run", "--last-compile", "--param", "x=1", "--json")
    assert document(done)["error"]["code"] == "OSR-RUN-071"


def test_a_manifest_for_another_component_is_refused_and_recorded(remote_shop):
    shop = remote_shop
    shop.write(numbers(), store())
    shop.osiris("compile", "p.yaml")
    plugin = shop.site.folder / "osiris_sample.py"
    # Of another length, too: Python takes bytecode of the same second and size for that of the old source.
    plugin.write_text(plugin.read_text().replace('version="1.0.0"', 'version="10.0.0"'))
    done = shop.osiris("run", "--last-compile", "--json")
    assert done.returncode == 2
    assert document(done)["error"]["code"] == "OSR-RUN-052"
    assert [one["code"] for one in document(done)["diagnostics"]] == ["OSR-CMP-011", "OSR-CMP-011"]
    assert shop.calls() == []
    assert document(shop.osiris("logs", "last", "--json"))["status"] == "failed"


def test_running_a_manifest_imports_only_the_plugins_it_names(remote_shop):
    shop = remote_shop
    shop.site.install("osiris-other", {"other": "osiris_other"}, sources={"osiris_other.py": "1 / 0\n"})
    shop.write(numbers(), store())
    assert "osiris-other" in shop.osiris("compile", "p.yaml").stderr
    done = shop.osiris("run", "--last-compile")
    assert done.returncode == 0
    assert "other" not in done.stderr


def test_the_live_table_on_a_terminal(remote_shop):
    """A table while it runs, the summary at the end; what comes from data is shown and does nothing."""
    shop = remote_shop
    shop.write(numbers(wait_for="go"), through(), store(path="[bold]"))
    main, terminal = pty.openpty()
    process = shop.start("run", "p.yaml", terminal=terminal, env={"TERM": "xterm", "COLUMNS": "120"})
    os.close(terminal)
    seen = b""
    while True:
        if b"running" in seen:
            (shop.folder / "go").touch()
        ready, _, _ = select.select([main], [], [], 20)
        assert ready, seen
        try:
            piece = os.read(main, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(main)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    text = seen.decode()
    for word in ("sample.numbers", "running", "done", "rows/s"):
        assert word in text
    assert "store: 10 rows -> [bold]" in out


# explain


def test_explain_says_columns_and_types(remote_shop):
    shop = remote_shop
    with duckdb.connect(str(shop.folder / "w.duckdb")) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1::INTEGER AS id, 1.5::DECIMAL(9,2) AS price")
    (shop.folder / "osiris_connections.yaml").write_text("connections:\n  duckdb:\n    main:\n      path: w.duckdb\n")
    read = step("read", "duckdb.extractor", connection="@duckdb.main", table="t")
    shop.write(read, sql("double", "SELECT id, price * 2 AS twice FROM df"), store())
    done = document(shop.osiris("explain", "p.yaml", "--json"))
    columns = {one["id"]: one["columns"] for one in done["steps"]}
    assert [(c["name"], c["type"]) for c in columns["read"]] == [("id", "Int32"), ("price", "Decimal128(9, 2)")]
    assert [c["name"] for c in columns["double"]] == ["id", "twice"]
    unknown = {one["id"]: one["unknown"] for one in done["steps"]}
    assert unknown["store"] == "sample.store cannot tell without reading"
    text = shop.osiris("explain", "p.yaml").stdout
    assert "Decimal128(9, 2)" in text
    assert shop.calls() == []
    assert not (shop.folder / "logs").exists()


def test_explain_finds_what_would_fail(remote_shop):
    shop = remote_shop
    with duckdb.connect(str(shop.folder / "w.duckdb")) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS id")
    (shop.folder / "osiris_connections.yaml").write_text("connections:\n  duckdb:\n    main:\n      path: w.duckdb\n")
    read = step("read", "duckdb.extractor", connection="@duckdb.main", table="t")
    shop.write(read, sql("wrong", "SELECT nonsense FROM df"), sql("after", "SELECT * FROM df"), store())
    done = shop.osiris("explain", "p.yaml", "--json")
    assert done.returncode == 2
    steps = {one["id"]: one for one in document(done)["steps"]}
    assert "nonsense" in steps["wrong"]["error"]["message"]
    assert steps["wrong"]["error"]["hint"].startswith("check names and types")
    assert steps["after"]["unknown"] == "the columns of 'wrong' are not known"
    assert "error[" in shop.osiris("explain", "p.yaml").stderr


def test_explain_says_what_it_cannot_know(remote_shop):
    remote_shop.write(numbers(), sql("next", "SELECT * FROM df"), store())
    done = document(remote_shop.osiris("explain", "p.yaml", "--json"))
    assert [one["unknown"] for one in done["steps"]] == [
        "sample.numbers cannot tell without reading",
        "the columns of 'numbers' are not known",
        "the columns of 'next' are not known",
    ]


OBSERVER = """\
from osiris_core.api import hookimpl
OSIRIS_API = "1.0"

@hookimpl
def osiris_run_event(event):
    if event["event"] == "run_finished":
        print("observed", event["status"])
"""


@pytest.mark.parametrize(
    ("allow", "observed"),
    [
        (["sample", "watch"], True),
        (["sample", "osiris-watch"], True),
        (["*sample", "osiris_w*"], True),
        (["sample"], False),
        (None, False),
    ],
)
def test_what_the_settings_allow_expressly_observes_the_run_of_a_manifest(remote_shop, allow, observed):
    shop = remote_shop
    shop.site.install("osiris-watch", {"watch": "osiris_watch"}, sources={"osiris_watch.py": OBSERVER})
    shop.write(numbers(), store())
    shop.osiris("compile", "p.yaml")
    if allow is not None:
        (shop.folder / "osiris.yaml").write_text(json.dumps({"plugins": {"allow": allow}}))
    done = shop.osiris("run", "--last-compile")
    assert done.returncode == 0, done.stderr
    assert ("observed succeeded" in done.stderr) is observed


def test_one_row_is_said_as_one(remote_shop):
    remote_shop.write(numbers(rows=1), store())
    done = remote_shop.osiris("run", "p.yaml")
    assert done.stdout.startswith("store: 1 row -> store\np succeeded: 1 row in ")
    assert "numbers: done, 1 row in" in done.stderr


def test_an_event_is_shown_in_a_persons_words():
    changes = [{"column": "z", "change": "added", "type": "VARCHAR"}, {"column": "y", "change": "left out"}]
    event = {"ts": "t", "session": "s", "seq": 1, "event": "schema_changed", "step": "up", "changes": changes}
    assert line_of(event) == "schema_changed step=up changes=z added VARCHAR; y left out"
    columns = [{"name": "z", "type": "DATE", "nullable": True, "nulls": 0}, {"name": "y", "nullable": False}]
    event = {"ts": "t", "session": "s", "seq": 1, "event": "columns", "columns": columns, "already": False}
    assert line_of(event) == "columns columns=z DATE nullable nulls=0; y not nullable already=False"
