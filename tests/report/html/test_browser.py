"""The pages in a real browser: opened from a disk, filtered, sorted, followed, printed, attacked."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest

from osiris_core.report.html import write_index, write_report
from tests.report.html import records
from tests.run.workshop import PLUGIN, Workshop, numbers, sql, store

axe_playwright = pytest.importorskip("axe_playwright_python.sync_playwright")
pytestmark = pytest.mark.matrix

QUERY = """-- every number twice
SELECT id, id * 2 AS twice, '<b>"it''s"</b>' AS label FROM numbers WHERE id >= 0"""

OPEN = "for (const one of document.querySelectorAll('details')) one.open = true"


@pytest.fixture(scope="module")
def sound(tmp_path_factory, new_site):
    """The record of a run of three steps with an artifact."""
    site = new_site()
    site.install("osiris-sample", {"sample": "osiris_sample"}, sources={"osiris_sample.py": PLUGIN.read_text()})
    shop = Workshop(tmp_path_factory.mktemp("project"), site)
    shop.write(numbers(rows=12), sql("doubled", QUERY, ["numbers"]), store(), name="orders")
    done = shop.osiris("run", "orders.yaml")
    assert done.returncode == 0, done.stderr
    folder = shop.records()[-1]
    (folder / "artifacts" / "doubled").mkdir(parents=True)
    (folder / "artifacts" / "doubled" / "a plan#1.txt").write_text("scan, project")
    return folder


@pytest.fixture(scope="module")
def page(sound):
    return write_report(sound)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Pages of made-up records, by name."""
    logs = tmp_path_factory.mktemp("logs")
    return {one.__name__: write_report(one(logs)) for one in (records.failed, records.crashed, records.hostile)}


@pytest.fixture(scope="module")
def huge(tmp_path_factory):
    return write_report(records.huge(tmp_path_factory.mktemp("huge")))


def lines(seen):
    """The lines of the list of events that stand in the document, by column."""
    each = "all => all.map(one => [...one.children].map(cell => cell.textContent))"
    return seen.page.eval_on_selector_all("#event-list [role=option]", each)


def test_what_a_page_of_a_run_shows(visit, page, sound):
    seen = visit(page)
    at = seen.page
    assert at.title() == "orders · succeeded · Osiris"
    assert at.locator("h1").inner_text() == "orders"
    assert at.locator(".headline .status").inner_text() == "succeeded"
    tiles = dict(zip(at.locator(".tiles dt").all_inner_texts(), at.locator(".tiles dd").all_inner_texts(), strict=True))
    assert tiles["Rows"] == "12"
    assert tiles["Steps succeeded"] == "3 of 3"
    assert at.locator(".waterfall tbody th").all_inner_texts() == ["numbers", "doubled", "store"]
    assert at.locator(".waterfall rect.bar").count() == 3
    assert at.locator(".graph .node .name").all_text_contents() == ["numbers", "doubled", "store"]
    assert at.locator(".graph .edges text:not(.rate)").all_text_contents() == ["12", "12"]
    assert "Not everything" not in at.locator("#overview").inner_text()
    status = json.loads((sound / "status.json").read_text())
    assert status["manifest_hash"] in at.locator("#environment").inner_text()
    seen.picture("run-light")


def test_links_lead_to_steps_data_and_events(visit, page):
    seen = visit(page)
    at = seen.page
    at.locator(".graph a", has_text="doubled").click()
    step = at.locator("details.step", has=at.locator("summary .id", has_text="doubled")).first
    assert step.get_attribute("open") is not None
    assert step.locator("pre").inner_text() == QUERY
    assert step.locator("pre .s-keyword").all_inner_texts() == ["SELECT", "AS", "AS", "FROM", "WHERE"]
    assert step.locator("pre .s-comment").inner_text() == "-- every number twice"
    step.locator("a", has_text="Its data").click()
    data = at.locator("#data details.step[open]", has=at.locator("summary .id", has_text="doubled"))
    assert [one.split("\t") for one in data.locator("tbody").inner_text().splitlines()] == [
        ["id", "Int64", "0", "numbers.id", ""],
        ["twice", "Int64", "0", "numbers.id", "new"],
        ["label", "Utf8", "0", "", "new"],
    ]
    assert "Which rows there are: decided by numbers.id" in data.inner_text()
    assert "Not passed on: name" in data.inner_text()
    step.locator("a", has_text="Its events").click()
    assert {line[2] for line in lines(seen)} == {"doubled"}


def test_an_artifact_opens(visit, page):
    seen = visit(page)
    seen.page.locator("#artifacts a", has_text="a plan#1.txt").click()
    seen.page.wait_for_url("**/artifacts/doubled/*")
    assert unquote(seen.page.url).endswith("/artifacts/doubled/a plan#1.txt")
    assert seen.page.inner_text("body") == "scan, project"
    seen.page.go_back()


def test_a_page_elsewhere_links_to_no_artifact(visit, sound, tmp_path):
    at = visit(write_report(sound, tmp_path / "elsewhere.html")).page
    assert at.locator("#artifacts tbody tr").count() == 1
    assert at.locator("#artifacts td a:not([href^='#'])").count() == 0


def test_events_are_found_and_filtered(visit, page):
    seen = visit(page)
    at = seen.page
    everything = at.locator("#event-count").inner_text()
    at.select_option("#event-name", "step_finished")
    assert [line[1] for line in lines(seen)] == ["step_finished"] * 3
    at.select_option("#event-step", "store")
    assert [line[1:3] for line in lines(seen)] == [["step_finished", "store"]]
    assert at.locator("#event-count").inner_text() == f"1 of {everything}"
    at.select_option("#event-name", "")
    at.fill("#event-search", "STORE published")
    assert [line[1] for line in lines(seen)] == ["write_published"]
    at.fill("#event-search", "nothing has this")
    assert at.locator("#event-list").inner_text() == "No event fits."
    at.select_option("#event-step", "")
    at.fill("#event-search", "")
    assert at.locator("#event-count").inner_text() == everything


def test_events_are_sorted(visit, page):
    seen = visit(page)
    at = seen.page
    times = [line[0] for line in lines(seen)]
    at.locator(".columns button", has_text="Event").click()
    names = [line[1] for line in lines(seen)]
    assert names == sorted(names)
    at.locator(".columns button", has_text="Event").click()
    assert [line[1] for line in lines(seen)] == sorted(names, reverse=True)
    at.locator(".columns button", has_text="Time").click()
    assert [line[0] for line in lines(seen)] == times


def test_tables_are_sorted(visit, made):
    at = visit(made["failed"]).page
    head = at.locator("#metrics th", has_text="Time")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert at.locator("#metrics tbody th").all_inner_texts() == ["orders", "totals", "load"]
    head.locator("button").click()
    assert at.locator("#metrics tbody th").all_inner_texts() == ["load", "totals", "orders"]


def test_the_keyboard_is_enough(visit, page):
    seen = visit(page)
    at = seen.page
    at.keyboard.press("Tab")
    assert at.evaluate("document.activeElement.className") == "skip"
    at.keyboard.press("Enter")
    assert at.evaluate("document.activeElement.id") == "main"
    at.locator("#event-list").focus()
    at.keyboard.press("ArrowDown")
    assert at.locator("#event-detail h3").inner_text() == "run_started"
    at.keyboard.press("End")
    assert at.locator("#event-detail h3").inner_text() == "run_finished"
    chosen = at.get_attribute("#event-list", "aria-activedescendant")
    assert at.get_attribute(f"#{chosen}", "aria-selected") == "true"
    at.keyboard.press("PageUp")
    at.keyboard.press("Home")
    at.keyboard.press("ArrowUp")
    assert at.locator("#event-detail h3").inner_text() == "run_started"
    summary = at.locator("#steps summary").first
    summary.focus()
    at.keyboard.press("Enter")
    assert at.locator("#steps details").first.get_attribute("open") is not None


def test_light_and_dark_are_remembered(visit, page):
    seen = visit(page, color_scheme="dark")
    at = seen.page
    background = "getComputedStyle(document.body).backgroundColor"
    dark = at.evaluate(background)
    seen.picture("run-dark")
    at.click("#theme")
    light = at.evaluate(background)
    assert at.inner_text("#theme") == "Theme: light"
    assert light != dark
    for _ in range(20):  # a browser hands what it keeps to the next page when it has the time
        at.reload()
        if at.inner_text("#theme") == "Theme: light":
            break
    assert (at.inner_text("#theme"), at.evaluate(background)) == ("Theme: light", light)
    at.click("#theme")
    assert at.evaluate(background) == dark


def test_a_browser_that_keeps_nothing(visit, page):
    seen = visit(page)
    seen.page.add_init_script("Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})")
    seen.page.reload()
    seen.page.click("#theme")
    assert seen.page.inner_text("#theme") == "Theme: light"
    assert seen.page.locator("#event-list [role=option]").count() > 0


def test_a_failure_comes_first_with_its_remedy(visit, made):
    seen = visit(made["failed"])
    at = seen.page
    card = at.locator("#failure").inner_text()
    assert "orders failed" in card
    assert "OSR-MYSQL-004" in card
    assert "the server closed the connection" in card
    assert "see `connections doctor`" in card
    assert at.locator(".tiles").bounding_box()["y"] > at.locator("#failure").bounding_box()["y"]
    at.locator("#failure a").click()
    assert at.locator("#steps details[open] summary .id").all_inner_texts() == ["orders"]
    assert at.locator("#errors .finding").count() == 3
    assert at.locator(".waterfall .at.retried").count() == 1
    assert at.locator(".waterfall tbody tr", has_text="load").locator("rect").count() == 0
    seen.picture("failed")


def test_what_is_known_of_values(visit, made):
    at = visit(made["failed"]).page
    table = at.locator("#data table").first
    assert table.locator("th[scope=col]").all_inner_texts() == [
        "Column",
        "Type",
        "Nulls",
        "Least",
        "Greatest",
        "Change",
    ]
    assert [one.split("\t") for one in table.locator("tbody").inner_text().splitlines()] == [
        ["id", "Int64", "0", "1", "90", ""],
        ["sum", "Float64", "10 (25.0%)", "", "", ""],
    ]


def test_a_crash_says_what_is_known(visit, made):
    seen = visit(made["crashed"])
    text = seen.page.locator("#overview").inner_text()
    assert "The process ended while orders ran" in text
    assert "Run it again" in text
    assert "1 line of events.jsonl cannot be read" in text
    assert "the copy of the manifest is missing" in text
    assert seen.page.locator("rect.bar.open").count() == 1
    assert "unfinished" in seen.page.locator("#steps").inner_text()
    seen.picture("crashed")


@pytest.mark.slow
def test_a_hundred_thousand_events(visit, huge):
    seen = visit(huge)
    at = seen.page
    assert at.locator("#event-count").inner_text() == "100,000 events"
    assert 10 < at.locator("#event-list [role=option]").count() < 60
    at.evaluate("document.getElementById('event-list').scrollTop = 1e9")
    at.locator("#event-list [role=option]", has_text="run_finished").wait_for()
    assert at.locator("#event-list [role=option]").count() < 60
    at.locator("#event-list").focus()
    at.keyboard.press("End")
    assert "number 100000" in at.locator("#event-detail").inner_text()
    at.fill("#event-search", "rows 77777000")
    assert [line[:3] for line in lines(seen)] == [["+777.870 s", "step_progress", "step-17"]]
    at.fill("#event-search", "")
    at.select_option("#event-step", "step-03")
    assert at.locator("#event-count").inner_text() == "5,000 of 100,000 events"
    assert at.evaluate("document.querySelectorAll('*').length") < 3_000
    seen.picture("huge", whole=False)


def test_a_hostile_record_is_text(visit, made):
    seen = visit(made["hostile"])
    at = seen.page
    at.locator("#event-list").focus()
    for _ in range(12):
        at.keyboard.press("ArrowDown")
    at.evaluate(OPEN)
    at.fill("#event-search", "<img")
    at.select_option("#event-step", index=1)
    for link in at.locator("nav a, .graph a, .waterfall a").all():
        link.click()
    for button in at.locator(".sortable thead button, .columns button").all():
        button.click()
    assert at.locator("img, iframe, object, embed, form, link, base").count() == 0
    assert at.locator("script").count() == 2
    assert "{{7*7}}${7*7}" in at.locator("h1").inner_text()
    body = at.evaluate("document.body.innerText")
    assert not set("\x1b\x07\x9b\u202e\u2066\u200b\x00") & set(body)
    assert "escape\\x1b[2J" in body
    assert "right-to-left\\u202eevil" in body
    links = at.eval_on_selector_all("a", "all => all.map(one => one.getAttribute('href'))")
    assert all(link.startswith(("#", "artifacts/javascript%3Aalert%281%29/")) for link in links)
    seen.picture("hostile")


@pytest.mark.parametrize("name", ["hostile", "failed"])
def test_a_narrow_window(visit, made, name):
    seen = visit(made[name], viewport={"width": 360, "height": 740})
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    seen.picture(f"{name}-narrow")


def test_a_megabyte_in_every_place_is_cut(visit, tmp_path):
    path = write_report(records.hostile(tmp_path, records.LONG))
    assert path.stat().st_size < 400_000
    seen = visit(path)
    mark = f"[cut: {len(records.LONG):,} characters]"
    for place in ("h1", "#failure", "#steps", "#data", "#errors", "#metrics", "#environment"):
        assert mark in seen.page.locator(place).inner_text(), place
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_paper(visit, page):
    seen = visit(page)
    at = seen.page
    was_open = at.locator("details[open]").count()
    at.emulate_media(media="print")
    at.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert at.locator("details:not([open])").count() == 0
    assert at.locator("table.static").is_visible()
    assert not at.locator("nav").is_visible()
    assert not at.locator("#event-search").is_visible()
    seen.picture("print")
    at.evaluate("dispatchEvent(new Event('afterprint'))")
    assert at.locator("details[open]").count() == was_open
    assert at.pdf(format="A4").startswith(b"%PDF")


def test_without_scripts(visit, page):
    seen = visit(page, java_script_enabled=False)
    at = seen.page
    assert at.locator("h1").inner_text() == "orders"
    assert at.locator("table.static tbody tr").first.is_visible()
    assert not at.locator("#event-list").is_visible()
    assert not at.locator("#theme").is_visible()


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder of 450 sessions, and the page over them."""
    logs = tmp_path_factory.mktemp("many")
    for number in range(450):
        status = "failed" if number % 9 == 0 else "succeeded"
        opening = {"pipeline": ["orders", "customers"][number % 2], "started": records.at(number * 60_000)}
        document = {"status": status, "duration_ms": number * 7 % 1000, "rows": number}
        if status == "failed":
            document["error"] = {"code": "OSR-X-001", "message": records.MARKUP}
        records.write(logs, [], status=document, number=number, opening=opening)
    write_report(logs / records.session_name(number=7))
    return write_index(logs)


def rows(at):
    return [one.split("\t") for one in at.locator("#sessions tbody").inner_text().splitlines()]


def test_the_page_over_sessions(visit, many):
    seen = visit(many)
    at = seen.page
    assert at.locator("#count").inner_text() == "450 sessions"
    assert at.locator("#sessions tbody tr").count() == 200
    seen.picture("sessions", whole=False)
    at.click("#more")
    at.click("#more")
    assert at.locator("#sessions tbody tr").count() == 450
    assert not at.locator("#more").is_visible()
    at.select_option("#status", "failed")
    assert at.locator("#count").inner_text() == "50 of 450 sessions"
    assert {one.inner_text() for one in at.locator("#sessions .status").all()} == {"failed"}
    assert "<script>window.hit=1</script>" in at.locator("#sessions .error").first.inner_text()
    at.fill("#search", "customers osr-x")
    assert at.locator("#count").inner_text() == "25 of 450 sessions"
    at.select_option("#status", "")
    at.fill("#search", "")
    at.fill("#since", "2026-01-31")
    assert at.locator("#count").inner_text() == "450 sessions"
    at.fill("#since", "2026-02-01")
    assert at.locator("#count").inner_text() == "0 of 450 sessions"
    at.fill("#since", "")
    at.locator("#sessions th", has_text="Rows").locator("button").click()
    assert at.locator("#sessions tbody tr").first.locator("td").nth(5).inner_text() == "449"
    at.locator("#sessions th", has_text="Rows").locator("button").click()
    assert at.locator("#sessions tbody tr").first.locator("td").nth(5).inner_text() == "0"
    at.fill("#search", "_00000007")
    at.locator("#sessions tbody a").click()
    assert at.title() == "customers · succeeded · Osiris"


def test_the_page_over_sessions_in_a_narrow_window(visit, many):
    seen = visit(many, viewport={"width": 360, "height": 740})
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        *((name, "light") for name in ("sound", "failed", "crashed", "hostile", "sessions")),
        *((name, "dark") for name in ("sound", "failed", "sessions")),
    ],
)
def test_nothing_stands_in_the_way_of_assistive_technology(visit, page, made, many, name, scheme):
    seen = visit({"sound": page, "sessions": many, **made}[name], color_scheme=scheme)
    at = seen.page
    if name == "sessions":
        at.select_option("#status", "failed")
    else:
        at.evaluate(OPEN)
        at.locator("#event-list").focus()
        at.keyboard.press("ArrowDown")
    found = axe_playwright.Axe().run(at).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found if one["impact"] != "minor"] == []
