"""The ``osiris`` command as a process of its own, without the half of a second that Python takes to import it.

    done = osiris("run", "p.yaml", cwd=folder)   # as subprocess.run(): returncode, stdout, stderr

Most of what a short command costs is importing the core. A process that has imported it (and no plugin, and that has
no thread) forks one for each command: with its own process id, environment, folder and standard streams, signals as
they come, and the usual end of an interpreter. It begins like the console script, in ``osiris_core.cli.main``.

What Python itself reads when it starts (``PYTHON*``, the locale, the time zone) must be that of this process; where
it is not, and where a test is about how the command starts or what it imports, it starts an interpreter anew. So do
the tests of ``tests/cli/test_startup.py``, of terminals, of kills and of the examples.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMAND = [sys.executable, "-c", "from osiris_core.cli import main; main()"]
_STARTUP = ("PYTHON", "LC_", "LANG", "LD_", "TZ")
_REQUEST_BYTES = 200_000


def osiris(
    *arguments: object,
    cwd: Path | str,
    env: Mapping[str, str] | None = None,
    text: str | None = None,
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end. ``env`` is the whole environment, ``text`` what comes along standard input."""
    env = dict(os.environ if env is None else env)
    argv = [str(one) for one in arguments]
    if _startup(env) != _startup(os.environ):
        return subprocess.run(
            [*COMMAND, *argv], cwd=cwd, env=env, input=text, capture_output=True, text=True, timeout=timeout
        )
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8") as err,
        _input(text) as source,
    ):
        status = _Starter.get().run({"argv": argv, "env": env, "cwd": str(cwd)}, (source, out, err), timeout)
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess(["osiris", *argv], status, out.read(), err.read())


def _startup(env: Mapping[str, str]) -> dict[str, str]:
    # The path is no part of it: it is set in the new process.
    return {name: value for name, value in env.items() if value and name.startswith(_STARTUP) and name != "PYTHONPATH"}


@contextlib.contextmanager
def _input(text: str | None) -> Any:
    if text is None:
        yield 0
        return
    data = text.encode()
    assert len(data) <= 60_000, "more than a pipe holds"
    source, sink = os.pipe()
    try:
        os.write(sink, data)
        os.close(sink)
        yield source
    finally:
        os.close(source)


class _Starter:
    """The process that starts the others; one for each process that runs tests, and it ends with that one."""

    _one: _Starter | None = None

    @classmethod
    def get(cls) -> _Starter:
        if cls._one is None or cls._one._process.poll() is not None:
            cls._one = cls()
        return cls._one

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # Its standard streams were opened for pipes, as a command's; what they lead to is replaced below them.
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        atexit.register(self._end)

    def _end(self) -> None:
        self._socket.close()
        self._process.communicate()

    def run(self, request: dict[str, Any], streams: tuple[Any, ...], timeout: float) -> int:
        """The exit status, as of ``subprocess``: below zero for a signal."""
        message = json.dumps(request).encode()
        assert len(message) <= _REQUEST_BYTES, "the request is too long"
        source, sink = os.pipe()
        with open(source, encoding="utf-8") as told:
            try:
                files = [one if isinstance(one, int) else one.fileno() for one in streams]
                socket.send_fds(self._socket, [message], [*files, sink])
            finally:
                os.close(sink)
            child = told.readline()
            assert child, "the process that starts commands has ended"
            # The child is not waited for before its status was written: its number is not another's.
            killer = threading.Timer(timeout, os.kill, (int(child), signal.SIGKILL))
            killer.start()
            try:
                status = told.readline()
            finally:
                killer.cancel()
        assert status, "the process that starts commands has ended"
        return os.waitstatus_to_exitcode(int(status))


# --- the process that starts the others -----------------------------------------------------------------------------


def _serve(requests: socket.socket) -> None:
    """Start a command for each request, and tell each one's status; returns in the new process."""
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([requests, wake], [], [])
        if wake in ready:
            os.read(wake, 512)
            _tell_ended(running)
        if requests not in ready:
            continue
        message, files, _, _ = socket.recv_fds(requests, _REQUEST_BYTES, 4)
        if not message:
            os._exit(0)
        *streams, sink = files
        child = os.fork()
        if child == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for file in (wake, woken, sink, *running.values()):
                os.close(file)
            requests.close()
            _become(json.loads(message), streams)
            return
        running[child] = sink
        os.write(sink, f"{child}\n".encode())
        for file in streams:
            os.close(file)


def _tell_ended(running: dict[int, int]) -> None:
    for child, sink in list(running.items()):
        ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            continue
        status = ended.si_status if ended.si_code != os.CLD_EXITED else ended.si_status << 8
        del running[child]
        with contextlib.suppress(BrokenPipeError):
            os.write(sink, f"{status}\n".encode())
        os.close(sink)
        os.waitpid(child, 0)


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """Take on what the request says, as if the interpreter had started so. Nothing has gone through a stream yet."""
    for number, file in enumerate(streams):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv[:] = ["osiris", *request["argv"]]
    path = request["env"].get("PYTHONPATH", "")
    sys.path[:0] = ["", *filter(None, path.split(os.pathsep))]
    sys.path_importer_cache.clear()


def _import_the_core() -> None:
    """Everything of the core that a command may import, with what that imports; no plugin, no thread."""
    import osiris_core

    names = [one.name for one in pkgutil.walk_packages(osiris_core.__path__, "osiris_core.")]
    late = {name for name in names if name.startswith("osiris_core.builtin.")}
    for name in names:
        # What needs a distribution that is not installed is for the command to find.
        if name not in late and not name.endswith(".__main__"):
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    # What the plugins beside the core import of others, for whom it takes longest.
    for name in ("httpx", "openai", "psycopg", "pymysql"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # A command's end then passes over all this. DuckDB's module wants to see that nothing of it is left.
    gc.freeze()
    for name in late:
        importlib.import_module(name)
    assert len(os.listdir("/proc/self/task")) == 1, "a thread: it would be missing in a fork"


if __name__ == "__main__":
    # The folder of this file is not on a command's path.
    del sys.path[0]
    # Ctrl-C ends the tests, and with them this process.
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)
    _import_the_core()
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        os.set_inheritable(requests.fileno(), False)
        _serve(requests)
    signal.signal(signal.SIGINT, interrupted)
    from osiris_core.cli import main

    main()
