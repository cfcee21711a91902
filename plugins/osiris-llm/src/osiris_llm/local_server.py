"""llama.cpp's server in a process that does nothing else: ``python -m osiris_llm.local_server``.

It is told on its standard input what to load, one JSON object in a line, and answers on its standard output with one:
``{"address": ...}`` or ``{"error": ...}``. It ends when its standard input does, which is when whoever started it dies.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import Any, Final

KEY: Final = "key"
"""The member of the line that carries the key; the others are ``path``, ``name``, ``n_ctx`` and ``n_threads``."""


def main() -> None:
    """Serve until the end of standard input."""
    wanted = json.loads(sys.stdin.buffer.readline())
    try:
        # Kept to the end: the server ends with the one reference to it.
        server = _server(wanted)
        answer = {"address": server.listening_address}
    except (ImportError, RuntimeError) as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    # Not by the server's own end: one that comes before its loop has begun waits for it for ever.
    os._exit(0)


def _server(wanted: dict[str, Any]) -> Any:
    xllamacpp: Any = import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = wanted["path"]
    params.model_alias = {wanted["name"]}  # replies would name the file's whole path
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.api_keys = [wanted[KEY]]
    params.cors_origins = ""
    params.ui = params.endpoint_slots = False
    params.offline = True
    params.verbosity = 0
    params.n_ctx, params.n_parallel = wanted["n_ctx"], 1
    for cpu in (params.cpuparams, params.cpuparams_batch):
        # Without polling: a thread that waits leaves the processor to others.
        cpu.n_threads, cpu.poll = wanted["n_threads"], 0
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
