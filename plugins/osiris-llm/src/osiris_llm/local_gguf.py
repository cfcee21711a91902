"""A model in a GGUF file, computed in this process by llama.cpp and asked like a server: over the loopback, behind a
key of the process's own, so that nobody else on the machine is answered.
"""

from __future__ import annotations

import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import llm
from osiris_llm import chat
from osiris_llm.checkup import checkup
from osiris_llm.exchange import asked, exchanged
from osiris_llm.package import package, require
from osiris_llm.route import Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_llm.config import LocalConfig

_EXTRA: Final = "local"
_PACKAGES: Final = ("xllamacpp", "openai")
_KEY: Final = "OSIRIS_LOCAL_MODEL"
_MAGIC: Final = b"GGUF"


class LocalProvider:
    """The provider ``local``. The first call loads the model; :meth:`close`, or the process's end, gives it back."""

    def __init__(self, config: LocalConfig, context: llm.ProviderContext) -> None:
        self._config = config
        self._path = Path(config.path)
        self._name = self._path.stem
        self._variables = {_KEY: secrets.token_hex(16)}
        self._lock = threading.Lock()
        self._server: Any = None  # the one reference: llama.cpp's server ends when it goes

    def default_model(self) -> str:
        """The file's name: there is one model."""
        return self._name

    def price(self, model: str) -> llm.Price:
        """Nothing."""
        return llm.Price(input=0.0, output=0.0)

    def secrets(self) -> tuple[str, ...]:
        """The key of this process."""
        return tuple(self._variables.values())

    def stream(self, request: llm.Request) -> Iterator[llm.Event]:
        """The reply, whose form the grammar enforces while it is computed."""
        self._require()
        if self._server is None:
            # Said before and not meanwhile: llama.cpp holds the interpreter's lock while it loads.
            yield llm.Notice(f"loading the model {self._name}")
        route = self._route()
        tokens = min(request.max_output_tokens, self._config.max_output_tokens or request.max_output_tokens)
        patience = max(self._config.patience, request.timeouts.first)
        timeouts = attrs.evolve(request.timeouts, first=patience)
        mine = attrs.evolve(request, model=self._name)
        yield from exchanged(route, timeouts, lambda exchange: chat.events(exchange, mine, chat.Dialect(), tokens))

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
            self._server = None

    def _require(self) -> None:
        for name in _PACKAGES:
            require(name, _EXTRA)

    def _route(self) -> Route:
        return Route(
            provider="local",
            base_url=f"{self._started().listening_address}/v1",
            key_names=(_KEY,),
            allow_insecure=False,
            variables=self._variables,
        )

    def _started(self) -> Any:
        with self._lock:
            if self._server is None:
                self._server = self._start()
            return self._server

    def _start(self) -> Any:
        self._check_file()
        xllamacpp = package("xllamacpp", _EXTRA)
        params = xllamacpp.CommonParams()
        params.model.path = str(self._path)
        params.model_alias = {self._name}  # replies would name the file's whole path
        params.hostnames, params.port = ["127.0.0.1"], 0
        params.api_keys = list(self._variables.values())
        params.cors_origins = ""
        params.ui = params.endpoint_slots = False
        params.offline = True
        params.verbosity = 0
        params.n_ctx, params.n_parallel = self._config.n_ctx, 1
        for cpu in (params.cpuparams, params.cpuparams_batch):
            # Without polling: a thread that waits leaves the processor to others.
            cpu.n_threads, cpu.poll = self._config.n_threads, 0
        try:
            return xllamacpp.Server(params)
        except RuntimeError as error:
            message = f"llama.cpp cannot load the model '{self._path}' with {self._config.n_ctx:,} tokens of context"
            raise llm.LLMError(llm.LLMCode.LOCAL_MODEL, message) from error

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
