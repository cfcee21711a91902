"""The index: says what the folders say, whatever has become of it, and reads what is final once."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.project.paths import held
from osiris_core.report.index import FILE, Query, find
from osiris_core.report.reader import order_of, read_session, session_folders
from tests.report.records import record

HOSTILE = "\ud800\0'\";--\u202e"


def ids(logs, **query):
    return [one.id for one in find(logs, Query(**query))]


def kept(logs):
    """The sessions that the index holds."""
    with closing(sqlite3.connect(logs / FILE)) as db:
        return {name for (name,) in db.execute("SELECT name FROM session")}


@pytest.fixture
def logs(tmp_path):
    for day in range(6):
        record(tmp_path, days=day, rows=day, pipeline="ab"[day % 2])
    return tmp_path


def test_no_folder_no_index(tmp_path):
    assert find(tmp_path / "none", Query()) == []
    assert find(tmp_path, Query()) == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_final_is_read_once(logs):
    """Counted by the interpreter itself: the second list opens no file of a finished session."""
    record(logs, status="crashed", days=9)
    program = (
        "import sys\nfrom pathlib import Path\nfrom osiris_core.report.index import Query, find\n"
        "opened = []\n"
        "sys.addaudithook(lambda name, args: opened.append(str(args[0])) if name == 'open' else None)\n"
        "for _ in range(2):\n"
        "    opened.clear()\n"
        "    found = find(Path(sys.argv[1]), Query())\n"
        "    print(len(found), len({one for one in opened if '/run_' in one}), "
        "sum('status.json' in one for one in opened))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(logs)], capture_output=True, text=True, check=True)
    first, second = ([int(word) for word in line.split()] for line in done.stdout.splitlines())
    assert first == [7, 6 * 2 + 1 + 1, 7]
    assert second == [7, 2, 1], "the crashed one alone is looked at again"


def test_what_is_not_final_is_looked_at_each_time(logs):
    folder = record(logs, status="running", days=-1)
    assert find(logs, Query())[0].status == "running"
    assert folder.name not in kept(logs)
    (folder / "status.json").write_text('{"status": "failed", "rows": 3}')
    assert [(one.status, one.rows) for one in find(logs, Query(limit=1))] == [("failed", 3)]
    assert folder.name in kept(logs)


def test_a_session_that_is_removed_or_added(logs):
    before = ids(logs)
    shutil.rmtree(logs / before[2])
    new = record(logs, days=-1)
    assert ids(logs) == [new.name, *before[:2], *before[3:]]
    assert kept(logs) == {new.name, *before[:2], *before[3:]}


def test_sessions_that_go_while_they_are_listed(tmp_path):
    """Found by their names, and removed before they are read."""
    program = (
        "import shutil, sys\nfrom pathlib import Path\nfrom osiris_core.report.index import Query, find\n"
        "logs = Path(sys.argv[1])\n"
        "def remove(name, args):\n"
        "    if name == 'os.scandir' and str(args[0]) == str(logs):\n"
        "        listed.append(1)\n"
        "    elif name == 'open' and listed and 'run_' in str(args[0]) and going:\n"
        "        shutil.rmtree(going.pop())\n"
        "listed, going = [], sorted(logs.glob('run_*'))[:2]\n"
        "if sys.argv[2] == 'known':\n"
        "    find(logs, Query())\n"
        "    for folder in logs.glob('run_*'):\n"
        "        (folder / 'status.json').unlink()\n"
        "sys.addaudithook(remove)\n"
        "print(*(one.status for one in find(logs, Query())))"
    )
    for how in ("new", "known"):
        logs = tmp_path / how
        for day in range(4):
            record(logs, days=day)
        done = subprocess.run([sys.executable, "-c", program, str(logs), how], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        said = set(done.stdout.split())
        assert said == ({"succeeded"} if how == "new" else {"running"})
        assert len(session_folders(logs)) == 2


def test_an_outcome_that_somebody_changed_is_noticed_when_it_is_shown(logs):
    first = ids(logs)[0]
    path = logs / first / "status.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rows": 123_456}))
    assert find(logs, Query(limit=1))[0].rows == 123_456
    path.write_text("{")
    assert find(logs, Query(limit=1))[0].status == "damaged"
    assert first not in kept(logs)
    path.unlink()
    assert find(logs, Query(limit=1))[0].status == "running"


def _junk(path):
    path.write_bytes(b"\0junk" * 1000)


def _cut(path):
    path.write_bytes(path.read_bytes()[:5000])


def _scribble(path):
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(255 - byte for byte in data[4096:])
    path.write_bytes(bytes(data))


def _older(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")


def _foreign(path):
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE session (name TEXT)")


def _without_tables(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE document")


def _believed_by_nobody(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE document SET content = '[1]'")
        db.commit()


def _of_wrong_types(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE document SET content = json_set(content, '$.started', 5, '$.labels', 3)")
        db.commit()


def _of_another(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE document SET content = (SELECT content FROM document LIMIT 1)")
        db.commit()


def _pipe(path):
    path.unlink()
    os.mkfifo(path)


def _link(path):
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    "damage",
    [
        os.unlink,
        lambda path: path.write_bytes(b""),
        _junk,
        _cut,
        _scribble,
        _older,
        _foreign,
        _without_tables,
        _believed_by_nobody,
        _of_wrong_types,
        _of_another,
        _pipe,
        _link,
    ],
)
def test_an_index_that_is_of_no_use_is_made_anew(logs, damage):
    before = ids(logs)
    damage(logs / FILE)
    assert ids(logs) == before
    assert kept(logs) == set(before)
    assert ids(logs, pipeline="a", sort="rows") == before[4::-2]


def test_where_there_can_be_none_everything_is_read(logs):
    (logs / FILE).mkdir()
    (logs / FILE / "in the way").touch()
    assert len(ids(logs)) == 6
    assert ids(logs, limit=2, reverse=True) == ids(logs)[:3:-1]


def test_a_folder_that_somebody_holds_is_not_waited_for(logs):
    with held(logs):
        assert len(ids(logs)) == 6
        assert not (logs / FILE).exists()
    before = ids(logs)
    new = record(logs, days=-1)
    with held(logs):
        assert ids(logs) == [new.name, *before]
    assert new.name not in kept(logs)


def test_an_index_that_another_transaction_has_locked_stays(logs):
    """Busy is not broken: the answer is read from the folders, and nobody's file is taken away."""
    before = ids(logs)
    node = (logs / FILE).stat().st_ino
    with closing(sqlite3.connect(logs / FILE, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        assert ids(logs) == before
        db.execute("ROLLBACK")
    assert (logs / FILE).stat().st_ino == node


def test_several_list_at_once_while_runs_come_and_go(tmp_path):
    for day in range(300):
        record(tmp_path, days=day)
    program = (
        "import sys\nfrom pathlib import Path\nfrom osiris_core.report.index import Query, find\n"
        "print(*{len(find(Path(sys.argv[1]), Query(status='succeeded'))) for _ in range(5)})"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for number in range(20):
        record(tmp_path, days=-number, status="running")
    for process in started:
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        assert said.split() == ["300"]
    assert len(ids(tmp_path)) == 320


_texts = st.sampled_from(["a", "b", "é", HOSTILE])
_facts = st.fixed_dictionaries(
    {"days": st.floats(0, 3), "status": st.sampled_from(["succeeded", "failed", "running", "crashed", "odd"])},
    optional={
        "pipeline": _texts,
        "target": _texts,
        "kind": st.sampled_from(["run", "chat"]),
        "rows": st.one_of(st.integers(0, 3), st.just("many")),
        "duration_ms": st.one_of(st.integers(0, 3), st.just(1 << 70)),
        "labels": st.dictionaries(_texts, st.one_of(_texts, st.just(3)), max_size=2),
    },
)
_queries = st.builds(
    Query,
    kind=st.sampled_from([None, "run", "chat"]),
    pipeline=st.one_of(st.none(), _texts),
    target=st.one_of(st.none(), _texts),
    status=st.sampled_from([None, "succeeded", "crashed", "damaged"]),
    since=st.sampled_from([None, "2026-05-30"]),
    until=st.sampled_from([None, "2026-05-31T12:00:00.000Z"]),
    labels=st.lists(st.tuples(_texts, st.one_of(st.none(), _texts)), max_size=2).map(tuple),
    sort=st.sampled_from(["started", "duration", "rows"]),
    reverse=st.booleans(),
    limit=st.one_of(st.none(), st.integers(1, 3)),
)


@given(facts=st.lists(_facts, max_size=6), queries=st.lists(_queries, min_size=1, max_size=3))
def test_the_index_answers_as_the_folders_do(tmp_path_factory, facts, queries):
    logs = tmp_path_factory.mktemp("logs")
    for each in facts:
        record(logs, **each)
    for query in queries:
        assert find(logs, query) == naive(logs, query)


def naive(logs, query):
    """The same without an index, by reading every record."""
    found = [read_session(folder) for folder in session_folders(logs)]
    for name in ("kind", "pipeline", "target", "status"):
        wanted = getattr(query, name)
        found = [one for one in found if wanted in (None, getattr(one, name))]
    found = [
        one for one in found if (query.since or "") <= one.started and (not query.until or one.started < query.until)
    ]
    for key, value in query.labels:
        found = [one for one in found if key in one.labels and value in (None, one.labels[key])]
    if query.reverse:
        found.reverse()
    if query.sort != "started":
        name = {"duration": "duration_ms", "rows": "rows"}[query.sort]
        found.sort(key=lambda one: getattr(one, name) or 0, reverse=not query.reverse)
        found.sort(key=lambda one: getattr(one, name) is None)
    return found[: query.limit]


def test_the_order_is_that_of_time_and_not_of_kinds(tmp_path):
    old, new = record(tmp_path, kind="run", days=1), record(tmp_path, kind="chat")
    assert ids(tmp_path) == [new.name, old.name]
    assert order_of(old.name) < order_of(new.name)
