"""Plugin code may do what it likes to standard output, to exceptions and at the same time; the process stays whole."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.plugins.containment import contained, describe, shortened


def failing():
    raise LookupError("lost")


def test_a_value_comes_through():
    outcome = contained(lambda: 7)
    assert (outcome.get(), outcome.failure, outcome.printed) == (7, None, False)
    assert outcome.seconds >= 0


def test_a_failure_is_described_with_its_traceback():
    outcome = contained(failing)
    assert outcome.failure.message == "LookupError: lost"
    assert "in failing" in outcome.failure.detail
    assert isinstance(outcome.failure.error, LookupError)


@pytest.mark.parametrize(
    "end", [SystemExit(2), GeneratorExit(), BaseException("panic"), MemoryError(), RecursionError("x")]
)
def test_everything_but_an_interrupt_is_contained(end):
    def action():
        raise end

    assert contained(action).failure.error is end


def test_an_interrupt_passes_and_leaves_standard_output_in_place():
    def action():
        raise KeyboardInterrupt

    before = sys.stdout, os.fstat(1)
    with pytest.raises(KeyboardInterrupt):
        contained(action)
    assert (sys.stdout, os.fstat(1)) == before


def test_output_goes_to_standard_error_and_comes_back(capfd):
    def action():
        print("inside")
        sys.stdout.buffer.write(b"bytes\n")
        sys.stdout.flush()
        os.write(1, b"descriptor\n")

    print("before")
    assert contained(action).printed
    print("after")
    out, err = capfd.readouterr()
    assert out == "before\nafter\n"
    assert sorted(err.splitlines()) == ["bytes", "descriptor", "inside"]


def test_contained_code_may_contain(capfd):
    inner = []

    def action():
        inner.append(contained(lambda: print("inner")))
        print("outer")

    assert contained(action).printed
    assert inner[0].printed
    print("after")
    assert capfd.readouterr().out == "after\n"


def test_an_action_that_replaces_standard_output_does_not_keep_it():
    before = sys.stdout

    def action():
        sys.stdout = None

    contained(action)
    assert sys.stdout is before


@pytest.mark.skipif(os.name == "nt", reason="closes descriptors with a POSIX shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_do_no_harm(closed, tmp_path):
    code = (
        "import sys; from osiris_core.plugins.containment import contained; "
        "ok = contained(lambda: print('x')).failure is None; sys.exit(7 if ok else 1)"
    )
    done = subprocess.run(["sh", "-c", f'"$0" -c "$1" {closed}', sys.executable, code], timeout=60)
    assert done.returncode == 7


def test_imports_from_many_threads_leave_standard_output_whole(site):
    sources = {
        f"osiris_noisy{n}.py": f"import os, time\nos.write(1, b'SPOILED\\n')\ntime.sleep(0.01)\nprint('SPOILED')\nN = {n}\n"
        for n in range(8)
    }
    site.install("osiris-noisy", {}, sources=sources)
    result = site.evaluate(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "registry = load_registry(entries=())\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    result = list(pool.map(lambda n: registry.load(f'osiris_noisy{n}:N'), range(8)))\n"
    )
    assert result == list(range(8))


def test_a_thread_may_print_while_others_are_contained():
    """CPython 3.11 crashes when the object in ``sys.stdout`` ends while a thread prints to it."""
    code = (
        "import sys, threading\n"
        "from osiris_core.plugins.containment import contained\n"
        "done = []\n"
        "def chatter():\n"
        "    while not done: print(*range(50))\n"
        "threading.Thread(target=chatter).start()\n"
        "sys.setswitchinterval(1e-6)\n"
        "for _ in range(2000): contained(int)\n"
        "done.append(True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60
    )
    assert done.returncode == 0


class SilentError(Exception):
    pass


class RudeError(Exception):
    def __str__(self):
        raise KeyboardInterrupt


def test_an_exception_without_a_message_is_its_name():
    assert describe(SilentError()) == "SilentError"


def test_an_interrupt_while_describing_passes():
    with pytest.raises(KeyboardInterrupt):
        describe(RudeError())


@given(st.text(max_size=700))
def test_a_description_is_one_bounded_printable_line(text):
    shown = describe(ValueError(text))
    assert len(shown) <= 300
    assert "\n" not in shown
    shown.encode()
    assert not set(shown) & set("\x00\x07\x1b\x7f\x9b\u202e\u200b")


@given(st.text(max_size=50))
def test_a_short_plain_text_is_left_alone(text):
    if text.isprintable():
        assert shortened(text, 50) == text
