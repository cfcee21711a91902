"""A bundle: the record, masked, the same bytes each time; and reading one that anybody may have made."""

from __future__ import annotations

import json
import os
import stat
import tracemalloc
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osiris_core.errors import InvalidInput, RunFailed
from osiris_core.redaction import MASK, Redactor
from osiris_core.report import bundle as bundles
from osiris_core.report.aiop.export import make
from osiris_core.report.aiop.package import Config
from osiris_core.report.bundle import HEAD, open_bundle, write_bundle
from osiris_core.report.html import write_report
from osiris_core.report.reader import read_lines, read_session
from osiris_core.report.session import Session
from tests.report.records import nested, record

SECRET = "n0w-known-s3cret-77"  # pragma: allowlist secret
KEY = "-----BEGIN KEY-----\nMIIabcdefghijklmnopqrstuvwx\nyz0123456789\n-----END KEY-----"  # pragma: allowlist secret


@pytest.fixture
def folder(tmp_path):
    """A record with a secret in every file, in the forms that files give it."""
    made = record(tmp_path / "logs", labels={"why": SECRET}, error={"code": "X", "message": f"at {SECRET}\n{KEY}"})
    events = [{"event": "run_started", "note": SECRET}, {"event": "step_started", "step": "s", "key": KEY}]
    (made / "events.jsonl").write_text("".join(json.dumps(one) + "\n" for one in events) + f'{{"cut": "{SECRET}')
    (made / "metrics.jsonl").write_bytes(b"\xff\xfe junk\n")
    (made / "osiris.log").write_text(f"{'x' * 70_000} {SECRET}\n{KEY}\n")
    (made / "manifest").mkdir()
    (made / "manifest" / "manifest.yaml").write_text(f"name: p # {SECRET}\n")
    (made / ".reserve").write_bytes(b"\0" * 100)
    artifacts = made / "artifacts" / "step"
    artifacts.mkdir(parents=True)
    (artifacts / "plan.txt").write_text(f"{SECRET}\n")
    (artifacts / "blob.bin").write_bytes(b"\x00\xff\x01")
    (artifacts / "leaky.bin").write_bytes(b"\x00\xff" + SECRET.encode())
    (artifacts / "large.txt").write_text("y" * 3_000_000)
    return made


def known():
    masks = Redactor()
    masks.register(SECRET)
    masks.register(KEY)
    return masks


def written(folder, path, **options):
    return write_bundle(read_session(folder), path, redactor=known(), **options)


def content(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_every_file_is_masked_and_the_record_stays(folder, tmp_path):
    made = written(folder, tmp_path / "b.zip")
    files = content(made.path)
    assert [name.removeprefix(f"{folder.name}/") for name in files] == [*made.files, HEAD]
    assert made.files == tuple(sorted(made.files))
    assert not any(name.startswith(("artifacts", ".")) for name in made.files)
    for name, data in files.items():
        assert SECRET.encode() not in data, name
        assert b"abcdefghijklmnop" not in data, name
    assert MASK.encode() in files[f"{folder.name}/osiris.log"]
    assert SECRET in (folder / "osiris.log").read_text()
    assert len(files[f"{folder.name}/events.jsonl"].splitlines()) == 3
    assert files[f"{folder.name}/metrics.jsonl"] == b"\xff\xfe junk\n"


def test_the_same_record_gives_the_same_bytes(folder, tmp_path):
    one = written(folder, tmp_path / "one.zip", artifacts=True)
    for path in folder.rglob("*"):
        os.utime(path, (5, 5))
    two = written(folder, tmp_path / "two.zip", artifacts=True)
    assert one.path.read_bytes() == two.path.read_bytes()


def test_artifacts_on_request_within_limits(folder, tmp_path):
    (folder / "artifacts" / "away").symlink_to("/etc")
    (folder / "artifacts" / "step" / "passwd").symlink_to("/etc/passwd")
    os.mkfifo(folder / "artifacts" / "step" / "pipe")
    (folder / "artifacts" / "step" / f"{SECRET}.txt").write_text("named so")
    (folder / "artifacts" / "step" / os.fsdecode(b"\xff.txt")).write_text("named so")
    made = written(folder, tmp_path / "b.zip", artifacts=True, max_artifact=1 << 20)
    kept = {name: data for name, data in content(made.path).items() if "/artifacts/" in name}
    assert kept == {
        f"{folder.name}/artifacts/step/blob.bin": b"\x00\xff\x01",
        f"{folder.name}/artifacts/step/plan.txt": b"***\n",
    }
    why = {one.name.rpartition("/")[2]: one.why for one in made.left_out}
    assert why == {
        "away": "it is a symbolic link",
        "passwd": "it is a symbolic link",  # pragma: allowlist secret
        "pipe": "it cannot be read: pipe is no regular file",
        "leaky.bin": "it is no text, and something in it looks like a secret",
        "large.txt": "it is larger than 1 MB",
        "***.txt": "its name is no text, or looks like a secret",
        "\\udcff.txt": "its name is no text, or looks like a secret",
    }
    assert json.loads(content(made.path)[HEAD])["left_out"] == [
        {"name": one.name, "why": one.why} for one in made.left_out
    ]


def test_a_bundle_reads_as_the_record(folder, tmp_path):
    original = read_session(folder)
    with open_bundle(written(folder, tmp_path / "b.zip").path) as found:
        assert (found.id, found.status, found.pipeline, found.started) == (
            original.id,
            original.status,
            original.pipeline,
            original.started,
        )
        assert found.labels == {"why": MASK}
        assert read_lines(found.path / "events.jsonl").damaged == 1
        inside = found.path
    assert not inside.exists()


@pytest.mark.parametrize("status", ["running", "crashed", "damaged"])
def test_what_a_session_was_when_it_was_bundled(tmp_path, status):
    folder = record(tmp_path, status=status)
    with open_bundle(written(folder, tmp_path / "b.zip").path) as found:
        assert found.status == status


def test_what_was_made_of_the_record_is_left_out(folder, tmp_path):
    """It was cut when the secret was not known: half of one is not found."""
    (folder / "status.json").write_text(
        json.dumps({"status": "failed", "error": {"code": "X", "message": "x" * 1985 + SECRET + "y" * 3000}})
    )
    write_report(folder)
    session = Session(folder)
    for form in ("json", "md"):
        config = Config(policy="annex", max_core_bytes=8000)
        make(session, config, form=form, redactor=Redactor(), path=folder / f"aiop.{form}")
    made = written(folder, tmp_path / "b.zip")
    assert {one.name for one in made.left_out} >= {
        "report.html",
        "aiop.json",
        "aiop.md",
        "aiop.json.annex/events-0001.ndjson",
    }
    assert {one.why for one in made.left_out} == {"it is made of the record, and can be made of it again"}
    assert SECRET[:12] in (folder / "report.html").read_text()
    assert not [name for name, data in content(made.path).items() if SECRET[:12].encode() in data]


def test_folders_nested_deeply(folder, tmp_path):
    with nested(folder / "manifest", 1500):
        (name,) = (name for name in written(folder, tmp_path / "b.zip").files if name.endswith("/file"))
    assert name.count("/") == 1501


def test_an_interrupt_leaves_nothing_beside(folder, tmp_path):
    class Stopped(Redactor):
        def data(self, value, **_):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_bundle(read_session(folder), tmp_path / "b.zip", redactor=Stopped())
    assert os.listdir(tmp_path) == ["logs"]


def test_a_bundle_that_cannot_be_written(folder, tmp_path):
    with pytest.raises(RunFailed, match="OSR-LOG-007"):
        written(folder, tmp_path / "none" / "b.zip")
    (tmp_path / "taken").mkdir()
    with pytest.raises(RunFailed, match="OSR-LOG-007"):
        written(folder, tmp_path / "taken")
    assert sorted(os.listdir(tmp_path)) == ["logs", "taken"]


# What anybody may have made.

SESSION = "run_20260101T000000000000Z_0123abcd"


def zipped(path, members, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(bundles, "MAX_UNPACKED", 20 << 20)
    bomb = {HEAD: json.dumps({"session": SESSION}), f"{SESSION}/events.jsonl": b"0" * (50 << 20)}
    path = zipped(tmp_path / "bomb.zip", bomb)
    tracemalloc.start()
    with pytest.raises(InvalidInput, match="OSR-LOG-006"), open_bundle(path):
        pass
    assert tracemalloc.get_traced_memory()[1] < 10 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("line", [b"{}", b'{"a": 1, "b": [[], [], []]}'])
def test_small_values_are_counted(tmp_path, monkeypatch, line):
    """A few kilobytes of zip hold millions of them, and each takes far more in memory than in the file."""
    monkeypatch.setattr(bundles, "MAX_VALUES", 100_000)
    head = {HEAD: json.dumps({"session": SESSION})}
    with open_bundle(zipped(tmp_path / "b.zip", {**head, f"{SESSION}/events.jsonl": (line + b"\n") * 10_000})) as found:
        assert len(read_lines(found.path / "events.jsonl").lines) == 10_000
    many = {f"{SESSION}/{name}.jsonl": (line + b"\n") * 60_000 for name in ("events", "metrics")}
    with pytest.raises(InvalidInput, match="OSR-LOG-006"), open_bundle(zipped(tmp_path / "b.zip", head | many)):
        pass


def test_names_lead_nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    evil = {
        HEAD: json.dumps({"session": SESSION}),
        f"{SESSION}/../../evil": "x",
        "../evil": "x",
        str(tmp_path / "evil"): "x",
        f"{SESSION}\\..\\evil": "x",
    }
    link = zipfile.ZipInfo(f"{SESSION}/status.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(zipped(tmp_path / "b.zip", evil), "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with open_bundle(tmp_path / "b.zip") as found:
        assert found.status == "damaged"
        assert sorted(os.listdir(found.path)) == ["manifest", "status.json"]
        assert not (found.path / "status.json").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["b.zip", "scratch"]
    assert os.listdir(tmp_path / "scratch") == []


@pytest.mark.parametrize(
    "head", ["", "{", "[]", "{}", '{"session": 5}', '{"session": "../../x"}', f'{{"session": "{SESSION}/../x"}}']
)
def test_a_zip_that_names_no_session(tmp_path, head):
    with pytest.raises(InvalidInput, match="OSR-LOG-005"), open_bundle(zipped(tmp_path / "b.zip", {HEAD: head})):
        pass


def test_another_kind_of_zip(tmp_path):
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(HEAD, json.dumps({"session": SESSION}))
    with pytest.raises(InvalidInput, match="compressed in another way"), open_bundle(path):
        pass


@settings(max_examples=60)
@given(keep=st.floats(0, 1), at=st.floats(0, 1), junk=st.binary(max_size=40))
def test_a_damaged_bundle_is_read_or_refused(tmp_path_factory, keep, at, junk):
    folder = record(tmp_path_factory.mktemp("logs"), labels={"a": "b"})
    path = written(folder, folder.parent / "b.zip").path
    data = path.read_bytes()
    start = int(len(data) * at)
    path.write_bytes((data[:start] + junk + data[start + len(junk) :])[: int(len(data) * keep) or 1])
    try:
        with open_bundle(path) as found:
            assert found.to_json()
    except InvalidInput as error:
        assert error.code in ("OSR-LOG-005", "OSR-LOG-006")
