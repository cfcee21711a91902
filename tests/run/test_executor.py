"""What a run does with good drivers: rows arrive, are counted once, and streams that fork are spooled."""

from __future__ import annotations

import threading

import pytest

from osiris_core.run.dataset import RowStream
from tests.run.workshop import numbers, sql, step, store, through


def test_a_chain_streams_from_extractor_to_writer(shop):
    ran = shop.run(numbers(rows=10), through(), store())
    assert ran.outcome.error is None
    assert shop.stored() == (list(range(10)), 1)
    assert shop.staged() == []
    assert ran.outcome.rows == ran.status["rows"] == 10
    assert [(s["id"], s["status"], s["rows_read"], s["rows_written"]) for s in ran.status["steps"]] == [
        ("numbers", "succeeded", 10, 10),
        ("pass", "succeeded", 10, 10),
        ("store", "succeeded", 10, 10),
    ]


def test_each_fact_is_one_event_and_seq_has_no_gaps(shop):
    ran = shop.run(numbers(rows=10), through(), store())
    assert [line["seq"] for line in ran.lines] == list(range(1, len(ran.lines) + 1))
    assert sorted((line["event"], line.get("step")) for line in ran.lines) == sorted(
        [
            ("run_started", None),
            *((kind, one) for kind in ("step_started", "step_finished") for one in ("numbers", "pass", "store")),
            ("step_schema", "numbers"),
            ("step_schema", "pass"),
            ("columns_observed", "numbers"),
            ("columns_observed", "pass"),
            ("write_staged", "store"),
            ("write_published", "store"),
            ("run_finished", None),
        ]
        # run_finished has a step of its own: the one that failed
    )
    assert ran.lines[0]["event"] == "run_started"
    assert ran.lines[-1]["event"] == "run_finished"


def test_the_record_holds_the_manifest_and_metrics_with_step_and_unit(shop):
    ran = shop.run(numbers(rows=3), store())
    assert (ran.folder / "manifest" / "manifest.yaml").read_text().count("sample.numbers")
    assert {(m["metric"], m["step"], m["value"], m["unit"]) for m in ran.metrics if m["unit"] == "rows"} == {
        ("rows_read", "numbers", 3, "rows"),
        ("rows_written", "numbers", 3, "rows"),
        ("rows_read", "store", 3, "rows"),
        ("rows_written", "store", 3, "rows"),
        ("rows", None, 3, "rows"),
    }
    assert not list(shop.folder.glob("logs/.scratch/*"))
    assert not (ran.folder / ".reserve").exists()


def test_a_stream_with_several_readers_is_produced_once(shop):
    ran = shop.run(
        numbers(rows=10),
        store("left", ["numbers"], path="a"),
        store("right", ["numbers"], path="b"),
        sql("count", "SELECT count(*) AS n FROM df", ["numbers"]),
    )
    assert ran.outcome.error is None
    assert shop.calls("numbers") == [("numbers", "run")]
    assert shop.stored("a")[0] == shop.stored("b")[0] == list(range(10))
    (spooled,) = ran.events("rows_spooled")
    assert (spooled["step"], spooled["rows"], spooled["consumers"]) == ("numbers", 10, ["left", "right", "count"])


def test_a_diamond_joins_again(shop):
    ran = shop.run(
        numbers(rows=100),
        sql("even", "SELECT * FROM df WHERE id % 2 = 0", ["numbers"]),
        sql("odd", "SELECT * FROM df WHERE id % 2 = 1", ["numbers"]),
        sql("both", "SELECT * FROM even UNION ALL SELECT * FROM odd ORDER BY id", ["even", "odd"]),
        store("store", ["both"]),
    )
    assert ran.outcome.error is None
    assert shop.stored()[0] == list(range(100))


def test_a_stream_inside_a_stream_inside_a_stream(shop):
    """DuckDB in DuckDB in DuckDB around Python generators: crashed the process with arro3's readers."""
    ran = shop.run(
        numbers(rows=5000, batch=50),
        sql("one", "SELECT id + 1 AS id, name FROM df"),
        through("two"),
        sql("three", "SELECT id * 2 AS id, name FROM df ORDER BY id"),
        through("four"),
        sql("five", "SELECT count(*) AS id, max(name) AS name FROM df"),
        store(),
    )
    assert ran.outcome.error is None
    assert shop.stored()[0] == [5000]


def test_a_chain_longer_than_a_unit_is_spooled_in_between(shop):
    chain = [through(f"pass{n}") for n in range(40)]
    ran = shop.run(numbers(rows=10), *chain, store())
    assert shop.stored()[0] == list(range(10))
    assert len(ran.events("rows_spooled")) == 2


def test_a_pipeline_without_a_writer_counts_what_was_extracted(shop):
    ran = shop.run(numbers(rows=7), sql("agg", "SELECT count(*) AS n FROM df"))
    assert ran.outcome.rows == 7
    assert ran.step("agg")["rows_written"] == 1


def test_no_rows_are_rows_too(shop):
    ran = shop.run(numbers(rows=0), through(), store())
    assert ran.outcome.error is None
    assert shop.stored() == ([], 1)


def test_layouts_are_plain_when_they_arrive(shop):
    ran = shop.run(numbers(encoded=True), store())
    assert ran.outcome.error is None, ran.outcome.error
    (schema,) = ran.events("step_schema")
    assert [(c["name"], c["type"]) for c in schema["columns"]] == [("id", "Int64"), ("name", "Utf8")]


def test_independent_chains_run_at_the_same_time(shop):
    """Each chain waits for a file that only the other one's end brings about: one at a time would never end."""
    both = threading.Thread(
        target=lambda: (
            shop.await_call("a", "run"),
            shop.await_call("b", "run"),
            (shop.folder / "go").touch(),
        )
    )
    both.start()
    ran = shop.run(
        numbers("a", wait_for="go"),
        store("a-store", ["a"], path="a"),
        numbers("b", wait_for="go"),
        store("b-store", ["b"], path="b"),
        settings={"run.jobs": 2, "run.timeout": 30.0},
    )
    both.join()
    assert ran.outcome.error is None


def test_extract_and_load_overlap(shop):
    """The extractor's third batch waits for the writer to have seen the first: one after the other would never end."""
    ran = shop.run(
        numbers(rows=40, batch=4, pause_at=3, wait_for="seen"),
        through(),
        store(touch="seen"),
        settings={"run.timeout": 30.0},
    )
    assert ran.outcome.error is None
    assert shop.stored()[0] == list(range(40))


def test_progress_is_said_of_every_step_that_rows_pass(shop, monkeypatch):
    from osiris_core.run import attempt

    monkeypatch.setattr(attempt, "PROGRESS_SECONDS", 0.0)
    ran = shop.run(
        numbers(rows=12, batch=4),
        through("pass", ["numbers"]),
        store("a", ["pass"], path="a"),
        store("b", ["numbers"], path="b"),
    )
    said = {}
    for line in ran.events("step_progress"):
        said.setdefault(line["step"], []).append(line["rows"])
    assert set(said) == {"numbers", "pass", "a", "b"}
    for rows in said.values():
        assert rows == sorted(rows)
        assert rows[-1] == 12


def test_progress_of_a_step_ends_with_the_step_and_counts_each_row_once(shop, monkeypatch):
    from osiris_core.run import attempt

    monkeypatch.setattr(attempt, "PROGRESS_SECONDS", 0.0)
    ran = shop.run(
        numbers(rows=40, batch=4),
        through("pass", ["numbers"]),
        *(store(name, ["pass"], path=name) for name in "abc"),
        sql("join", "SELECT x.id FROM numbers x JOIN pass y USING (id)", ["numbers", "pass"]),
        store("joined", ["join"], path="joined"),
    )
    assert ran.outcome.error is None
    finished = {}
    for line in ran.events("step_progress", "step_finished"):
        assert line["step"] not in finished, line
        if line["event"] == "step_progress":
            assert line["rows"] <= 40
        else:
            finished[line["step"]] = line["rows_written"]
    assert set(finished.values()) == {40}


def test_a_reader_that_outlives_its_step_is_not_heard_of(shop, monkeypatch):
    from osiris_core.run import attempt

    monkeypatch.setattr(attempt, "PROGRESS_SECONDS", 0.0)
    kept = []
    monkeypatch.setattr(
        attempt, "RowStream", lambda *given, **named: kept.append(RowStream(*given, **named)) or kept[-1]
    )
    said = []
    ran = shop.run(numbers(rows=4), store(), listeners=(lambda event: said.append(event["event"]),))
    assert ran.outcome.error is None
    before = list(said)
    for stream in kept:
        stream._watch(stream.meter)
    assert said == before


def test_jobs_bounds_how_many_run_at_the_same_time(shop):
    steps = []
    for name in "abcd":
        steps += [numbers(name), store(f"{name}-store", [name], path=name)]
    ran = shop.run(*steps, settings={"run.jobs": 1})
    order = [(e["event"], e["step"]) for e in ran.events("step_started", "step_finished")]
    assert order == [
        (kind, one) for name in "abcd" for kind in ("step_started", "step_finished") for one in (name, f"{name}-store")
    ]


@pytest.mark.parametrize("count", [2, 3, 7])
def test_an_extract_in_parts_gives_every_row_once_in_a_fixed_order(shop, count):
    ran = shop.run(numbers(rows=50, batch=3), store(), settings={"run.partitions": count})
    assert ran.outcome.error is None
    first = shop.stored()[0]
    assert sorted(first) == list(range(50))
    shop.run(numbers(rows=50, batch=3), store(path="again"), settings={"run.partitions": count})
    assert shop.stored("again")[0] == first
    assert sum(call.startswith("split") for _, call in shop.calls("numbers")) == 2 * count + 2


def test_a_writer_that_is_not_staged(shop):
    ran = shop.run(numbers(rows=5), step("sink", "sample.sink"))
    assert ran.outcome.rows == 5
    assert (shop.folder / "sink.json").read_text().count("id") == 5


def test_events_that_are_filtered_leave_no_gap(shop):
    shop_settings = {"logging.events": ["*", "!step_schema", "!write_*"]}
    ran = shop.run(numbers(), store(), settings=shop_settings)
    assert not ran.events("step_schema", "write_staged", "write_published")
    assert [line["seq"] for line in ran.lines] == list(range(1, len(ran.lines) + 1))


def test_observers_see_every_event_after_redaction(shop, monkeypatch):
    ran = shop.run(numbers(), store())
    import osiris_sample

    assert [one["event"] for one in osiris_sample.SEEN] == [line["event"] for line in ran.lines]


def test_an_observer_that_fails_changes_nothing_and_is_named_once(shop, monkeypatch):
    monkeypatch.setenv("SAMPLE_OBSERVER", "fails")
    ran = shop.run(numbers(), store())
    assert ran.outcome.error is None
    (failed,) = ran.events("observer_failed")
    assert "sample" in failed["message"]
    assert "cannot observe" in failed["message"]
