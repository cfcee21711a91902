"""A model in a GGUF file, computed by llama.cpp and asked like a server: over the loopback, behind a key made for it,
so that nobody else on the machine is answered.

It has a process of its own (``local_server.py``): in this one it would keep the interpreter's lock while it loads, so
that nothing could stop it, and what kills it, as a machine without memory for it does, would end Osiris.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import llm
from osiris_llm import chat, local_server
from osiris_llm.checkup import checkup
from osiris_llm.exchange import asked, exchanged
from osiris_llm.package import require
from osiris_llm.route import Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_llm.config import LocalConfig

_EXTRA: Final = "local"
_PACKAGES: Final = ("xllamacpp", "openai")
_KEY: Final = "OSIRIS_LOCAL_MODEL"
_MAGIC: Final = b"GGUF"
_NO_NAME: Final = "model"


@attrs.frozen
class _Server:
    """The process that computes, and where it listens."""

    process: subprocess.Popen[bytes]
    address: str


class LocalProvider:
    """The provider ``local``. The first call loads the model; :meth:`close`, or the process's end, gives it back."""

    def __init__(self, config: LocalConfig, context: llm.ProviderContext) -> None:
        self._config = config
        self._found: Path | None = None if config.path is None else Path(config.path)
        self._variables = {_KEY: secrets.token_hex(16)}
        self._lock = threading.Lock()
        self._server: _Server | None = None

    def default_model(self) -> str:
        """The file's name: there is one model. Where none is found, the first call or ``health`` says why."""
        try:
            return self._name
        except llm.LLMError:
            return _NO_NAME

    def price(self, model: str) -> llm.Price:
        """Nothing."""
        return llm.Price(input=0.0, output=0.0)

    def secrets(self) -> tuple[str, ...]:
        """The key of this process."""
        return tuple(self._variables.values())

    def stream(self, request: llm.Request) -> Iterator[llm.Event]:
        """The reply, whose form the grammar enforces while it is computed."""
        self._require()
        if not self._runs():
            yield llm.Notice(f"loading the model {self._name}")
        route = self._route()
        patience = max(self._config.patience, request.timeouts.first)
        timeouts = attrs.evolve(request.timeouts, first=patience)
        mine = attrs.evolve(request, model=self._name, timeouts=timeouts)
        yield from exchanged(
            route,
            mine,
            self._config.max_output_tokens,
            lambda exchange, tokens: chat.events(exchange, mine, chat.Dialect(), tokens),
        )

    def models(self) -> tuple[str, ...]:
        """The one model; it is loaded for the answer."""
        self._require()
        return asked(self._route(), chat.models)

    def health(self, model: str) -> llm.ProviderHealth:
        """The packages, the file, and a reply of the model."""
        return checkup(self, model, packages=_PACKAGES, extra=_EXTRA, key=self._check_file)

    def close(self) -> None:
        """End the server and give its memory back."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            _end(server.process)

    @property
    def _path(self) -> Path:
        if self._found is None:
            self._found = kept_model()
        return self._found

    @property
    def _name(self) -> str:
        return self._path.stem

    def _require(self) -> None:
        for name in _PACKAGES:
            require(name, _EXTRA)

    def _route(self) -> Route:
        return Route(
            provider="local",
            base_url=f"{self._started().address}/v1",
            key_names=(_KEY,),
            allow_insecure=False,
            variables=self._variables,
        )

    def _runs(self) -> bool:
        return self._server is not None and self._server.process.poll() is None

    def _started(self) -> _Server:
        with self._lock:
            if self._server is not None and not self._runs():
                _end(self._server.process)
                self._server = None
            if self._server is None:
                self._server = self._start()
            return self._server

    def _start(self) -> _Server:
        self._check_file()
        wanted = {
            "path": str(self._path),
            "name": self._name,
            "n_ctx": self._config.n_ctx,
            "n_threads": self._config.n_threads,
            local_server.KEY: self._variables[_KEY],
        }
        # A session of its own: Ctrl-C ends what is asked for, and the model stays loaded for the next question.
        process = subprocess.Popen(  # noqa: S603 - this interpreter, a fixed module
            [sys.executable, "-P", "-m", local_server.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return _Server(process, self._address(process, wanted))
        except BaseException:
            _end(process)
            raise

    def _address(self, process: subprocess.Popen[bytes], wanted: dict[str, Any]) -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(wanted).encode() + b"\n")
            process.stdin.flush()
        line = process.stdout.readline()
        if line:
            answer = json.loads(line)
            if "address" in answer:
                return str(answer["address"])
            why = answer["error"]
        else:
            why = f"its process ended with {process.wait()}; is there memory enough?"
        what = f"the model '{self._path}' with {self._config.n_ctx:,} tokens of context"
        message = f"llama.cpp cannot load {what}: {why}"
        raise llm.LLMError(llm.LLMCode.LOCAL_MODEL, message)

    def _check_file(self) -> None:
        """LLMError when there is no such file, or it is none of a model: llama.cpp would not say which."""
        try:
            with self._path.open("rb") as file:
                found = file.read(len(_MAGIC))
        except OSError as error:
            message = f"the model '{self._path}' cannot be read: {error.strerror or error}"
            raise llm.LLMError(llm.LLMCode.LOCAL_MODEL, message) from error
        if found != _MAGIC:
            raise llm.LLMError(llm.LLMCode.LOCAL_MODEL, f"'{self._path}' is no GGUF file")


def kept_model() -> Path:
    """The one model in the user's cache; LLMError when there is none, or several to choose from."""
    # A relative XDG_CACHE_HOME counts as unset, as its specification says.
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    folder = (base if base.is_absolute() else Path.home() / ".cache") / "osiris" / "models"
    found = sorted(folder.glob("*.gguf"))
    if len(found) == 1:
        return found[0]
    what = "there is no model" if not found else f"there are several models, {', '.join(one.name for one in found)},"
    raise llm.LLMError(
        llm.LLMCode.LOCAL_MODEL, f"{what} in {folder}", hint="name a GGUF file in llm.providers.local.path"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    # Closes the pipes and waits.
    with process:
        pass
