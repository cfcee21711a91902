"""Following a session: whole lines only, all of them, until it is over. Nothing here waits: the test is the waiting."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from osiris_core.report.reader import MAX_LINE
from osiris_core.report.tail import Growing, follow, last_events
from tests.report.records import DEAD, record


class Writing:
    """Does the next thing each time the follower would wait."""

    def __init__(self, *steps):
        self._steps = list(steps)

    def __call__(self):
        self._steps.pop(0)()  # IndexError when it waits longer than anything happens


def appender(folder):
    def append(data):
        with (folder / "events.jsonl").open("ab") as file:
            file.write(data)

    return append


def test_until_the_session_ends(tmp_path):
    folder = record(tmp_path, status="running")
    append = appender(folder)
    line = b'{"event": "step_started", "step": "s"}\n'
    lines = Growing(folder / "events.jsonl")
    steps = Writing(
        lambda: append(line[:10]),
        lambda: append(line[10:] + line[:3]),
        lambda: append(line[3:]),
        lambda: (append(b'{"event": "run_finished"}\n'), (folder / "status.json").write_text('{"status": "failed"}')),
    )
    names = [event["event"] for event in follow(folder, lines, steps)]
    assert names == ["run_started", "step_started", "step_started", "run_finished"]
    assert lines.damaged == 0


def test_until_the_process_is_gone(tmp_path):
    folder = record(tmp_path, status="running")
    opening = json.loads((folder / "session.json").read_text())
    dies = Writing(lambda: (folder / "session.json").write_text(json.dumps({**opening, "process": DEAD})))
    assert len(list(follow(folder, Growing(folder / "events.jsonl"), dies))) == 1


def test_until_the_record_is_removed(tmp_path):
    folder = record(tmp_path, status="running")
    goes = Writing(lambda: folder.rename(tmp_path / "gone"))
    assert len(list(follow(folder, Growing(folder / "events.jsonl"), goes))) == 1


def test_a_line_without_an_end_is_not_kept(tmp_path):
    folder = record(tmp_path, status="running")
    append = appender(folder)
    lines = Growing(folder / "events.jsonl")
    assert len(list(lines.read())) == 1
    append(b'"' + b"x" * (2 * MAX_LINE))
    assert list(lines.read()) == []
    assert len(lines._half) <= MAX_LINE + (1 << 20)
    append(b'"}\n{"event": "next"}\n')
    assert list(lines.read()) == [{"event": "next"}]
    assert lines.damaged == 1


def test_the_last_ones(tmp_path):
    folder = record(tmp_path)
    appender(folder)(b'{"n": 1}\n{"n": 2}\n{"n": 3}\n{"half')
    lines = Growing(folder / "events.jsonl")
    assert [event["n"] for event in last_events(lines, 2)] == [2, 3]
    assert list(lines.read()) == []


_lines = st.lists(
    st.one_of(
        st.builds(lambda n, text: json.dumps({"n": n, "text": text}).encode(), st.integers(), st.text(max_size=5)),
        st.binary(max_size=5).map(lambda data: data.replace(b"\n", b"")),
    ),
    max_size=8,
)


@given(lines=_lines, cuts=st.lists(st.integers(0, 400), max_size=8))
def test_however_the_file_grows(tmp_path_factory, lines, cuts):
    path = tmp_path_factory.mktemp("grows") / "events.jsonl"
    data = b"".join(line + b"\n" for line in lines)
    wanted = [value for line in lines if isinstance(value := _value(line), dict)]
    growing, found, at = Growing(path), [], 0
    for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        with path.open("ab") as file:
            file.write(data[at:cut])
        at = cut
        found += growing.read()
    assert found == wanted
    assert growing.damaged == sum(bool(line.strip()) for line in lines) - len(wanted)


def _value(line):
    try:
        return json.loads(line)
    except ValueError:
        return None
