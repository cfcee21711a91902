"""A stand-in for the services of models: four protocols over HTTP, with replies and faults as a test scripts them.

    with ModelServer() as server:
        server.say("Hello", {"a": 1})                    # the next replies, in turn
        server.on(r"cut up", Reply("half", fault="cut")) # replies to requests whose body the pattern is found in
        server.openai, server.anthropic, server.gemini   # base URLs

It speaks OpenAI's Chat Completions and Responses, Anthropic's Messages and Gemini's generateContent, all as streams of
server-sent events, and lists models. It is our reading of these protocols and as strict as they are where that shows
mistakes: a parameter that it does not know, ``temperature`` to a model that takes none, a schema outside the strict
subset, a wrong key or an unknown model are refused. Every request that came is in ``calls``.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import sys
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, NamedTuple, Self
from urllib.parse import urlsplit

import attrs

Fault = Literal[
    "truncated",  # ends cleanly after the text, without the protocol's terminal marker
    "cut",  # the connection is reset in the middle of the text
    "silent",  # headers come, and nothing after them
    "mute",  # not even headers come
    "stall",  # stops in the middle of the text, the connection open
    "hollow",  # after the text, pieces without any, for ever
    "garbage",  # an event that is no JSON
    "error",  # an error of the protocol's in the middle of the text
    "page",  # a web page of another program's
]


@attrs.frozen
class Reply:
    """What the model says: ``text``, or a mapping that is sent as JSON, in ``pieces``.

    ``usage`` is input (cached included), cached, output (reasoning included), reasoning.
    """

    text: Any = ""
    stop: Literal["end", "max_tokens", "refusal", "tool"] = attrs.field(default="end", kw_only=True)
    usage: tuple[int, int, int, int] = attrs.field(default=(100, 20, 30, 5), kw_only=True)
    pieces: int = attrs.field(default=3, kw_only=True)
    fault: Fault | None = attrs.field(default=None, kw_only=True)

    def parts(self) -> list[str]:
        """The text in pieces, none of them empty but the last one of what goes on without a word."""
        if self.fault == "hollow":
            return [self.text, ""] if self.text else [""]
        whole = self.text if isinstance(self.text, str) else json.dumps(self.text)
        size = max(1, -(-len(whole) // self.pieces))
        return [whole[at : at + size] for at in range(0, len(whole), size)]


@attrs.frozen
class Status:
    """A refusal with an HTTP status: ``message`` and ``code`` in the protocol's own form, ``headers`` beside it."""

    status: int
    message: str = "scripted"
    code: str = attrs.field(default="scripted", kw_only=True)
    headers: dict[str, str] = attrs.field(factory=dict, kw_only=True)
    body: Any = attrs.field(default=None, kw_only=True)


class Call(NamedTuple):
    """A request that came."""

    protocol: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """The body as one text, for patterns."""
        return json.dumps(self.body, ensure_ascii=False)

    @property
    def schema(self) -> Any:
        """The schema, from where the protocol has it."""
        form = self.body.get("response_format", {})
        places = (
            form.get("json_schema", {}).get("schema"),
            form.get("schema"),
            self.body.get("text", {}).get("format", {}).get("schema"),
            self.body.get("output_config", {}).get("format", {}).get("schema"),
            self.body.get("generationConfig", {}).get("responseJsonSchema"),
        )
        return next((place for place in places if place is not None), None)


_KNOWN = {
    "chat": {
        "model",
        "messages",
        "stream",
        "stream_options",
        "response_format",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
    },
    "responses": {
        "model",
        "input",
        "instructions",
        "stream",
        "store",
        "max_output_tokens",
        "text",
        "reasoning",
        "include",
    },
    "messages": {"model", "messages", "stream", "max_tokens", "system", "output_config"},
    "gemini": {"contents", "systemInstruction", "generationConfig"},
}
_KNOWN_IN_GENERATION = {"maxOutputTokens", "responseMimeType", "responseJsonSchema"}
_TYPES = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}


class ModelServer:
    """The server, on an ephemeral port of the loopback.

    ``key`` is the one it wants (None: it wants none), ``models`` those it has, ``json_modes`` what a
    ``response_format`` of Chat Completions may be (a mode that is not among them is refused with ``json_refusal``).
    """

    def __init__(self, *, key: str | None = None, models: tuple[str, ...] = ("test-model",)) -> None:
        self.key, self.models = key, models
        self.json_modes = {"json_schema", "json_object_schema", "json_object"}
        self.json_refusal = Status(400, "'response_format' of type 'json_schema' is not supported")
        self.calls: list[Call] = []
        self.counts_tokens = True  # a chat server may send no usage
        self.tokens_parameters = {"max_tokens", "max_completion_tokens"}
        self.takes_temperature = True  # models that reason take none
        self._queue: deque[Reply | Status] = deque()
        self._rules: list[tuple[re.Pattern[str], deque[Reply | Status]]] = []
        self._lock = threading.Lock()
        self._released = threading.Event()
        self.came = threading.Semaphore(0)
        """Released once for each request to a model."""
        self.gone = threading.Semaphore(0)
        """Released once for each reply whose reader went away before its end."""
        self._http = _Http(("127.0.0.1", 0), type("Handler", (_Handler,), {"server_of_models": self}))
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        """Without a path."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def openai(self) -> str:
        """The base URL of Chat Completions and Responses."""
        return f"{self.url}/v1"

    @property
    def anthropic(self) -> str:
        """The base URL of Messages."""
        return self.url

    @property
    def gemini(self) -> str:
        """The base URL of generateContent."""
        return f"{self.url}/gemini"

    def say(self, *replies: Any) -> None:
        """Queue replies: each a Reply, a Status, a text, or a mapping that becomes JSON."""
        self._queue.extend(_reply(one) for one in replies)

    def on(self, pattern: str, *replies: Any) -> None:
        """Replies to requests whose body (as JSON text) ``pattern`` is found in; the last one is given again and again.

        Rules are tried in the order they were made, before the queue.
        """
        self._rules.append((re.compile(pattern, re.DOTALL), deque(_reply(one) for one in replies)))

    def next_reply(self, call: Call) -> Reply | Status:
        """What is said to ``call``."""
        with self._lock:
            for pattern, replies in self._rules:
                if pattern.search(call.text):
                    return replies.popleft() if len(replies) > 1 else replies[0]
            if self._queue:
                return self._queue.popleft()
        return Status(400, f"no reply is scripted for: {call.text[:400]}")

    def release(self) -> None:
        """End whatever stalls."""
        self._released.set()

    def wait_for_release(self, seconds: float = 60) -> bool:
        """Stall; whether it was released."""
        return self._released.wait(seconds)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(10)


def _reply(one: Any) -> Reply | Status:
    return one if isinstance(one, Reply | Status) else Reply(one)


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of what fails here, but not that a reader went away: that is what many tests make it do."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of_models: ModelServer
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """List the models."""
        if self.path.split("?")[0].endswith("/models"):
            protocol = self._protocol_of_list()
            self.server_of_models.calls.append(Call(protocol, self.path, self._headers(), {}))
            wrong = self._key_problem(protocol)
            self._refuse(protocol, wrong) if wrong else self._json(
                200, _listing(protocol, self.server_of_models.models)
            )
        else:
            self._refuse("chat", Status(404, f"no such path: {self.path}"))

    def do_POST(self) -> None:
        """Answer as a model."""
        server = self.server_of_models
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        protocol = self._protocol()
        if protocol is None:
            self._refuse("chat", Status(404, f"no such path: {self.path}", code="unknown_url"))
            return
        call = Call(protocol, self.path, self._headers(), body)
        server.calls.append(call)
        server.came.release()
        answer = self._key_problem(protocol) or _body_problem(server, call) or server.next_reply(call)
        if isinstance(answer, Status):
            self._refuse(protocol, answer)
            return
        if answer.fault == "mute":
            server.wait_for_release()
            self.close_connection = True
            return
        if answer.fault == "page":
            self._send(200, b"<html>Welcome to our router</html>", "text/html")
            return
        with contextlib.suppress(ConnectionError):
            self._stream(call, answer)

    def _protocol(self) -> str | None:
        path = urlsplit(self.path).path  # a proxy is asked with the whole address
        if path.startswith("/gemini/") and path.endswith(":streamGenerateContent") and "alt=sse" in self.path:
            return "gemini"
        return {"/v1/chat/completions": "chat", "/v1/responses": "responses", "/v1/messages": "messages"}.get(path)

    def _protocol_of_list(self) -> str:
        if self.path.startswith("/gemini/"):
            return "gemini"
        return "messages" if self.headers.get("anthropic-version") else "chat"

    def _headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _key_problem(self, protocol: str) -> Status | None:
        wanted = self.server_of_models.key
        if wanted is None:
            return None
        given = self.headers.get("authorization", "").removeprefix("Bearer ") or self.headers.get("x-api-key")
        if protocol == "gemini":
            given = self.headers.get("x-goog-api-key")
            if given != wanted:
                return Status(400, "API key not valid. Please pass a valid API key.", code="INVALID_ARGUMENT")
        return None if given == wanted else Status(401, f"Incorrect API key provided: {given}", code="invalid_api_key")

    def _refuse(self, protocol: str, answer: Status) -> None:
        if answer.body is not None:
            body = answer.body
        elif protocol == "messages":
            kind = _TYPES.get(answer.status, "api_error") if answer.code == "scripted" else answer.code
            body = {"type": "error", "error": {"type": kind, "message": answer.message}, "request_id": "req_scripted"}
        elif protocol == "gemini":
            body = {"error": {"code": answer.status, "message": answer.message, "status": answer.code}}
        else:
            body = {"error": {"message": answer.message, "type": answer.code, "code": answer.code, "param": None}}
        self._json(answer.status, body, answer.headers)

    def _json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self._send(status, text.encode(), "application/json", headers)

    def _send(self, status: int, data: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, call: Call, reply: Reply) -> None:
        server = self.server_of_models
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.send_header("x-request-id", "req_scripted")
        self.send_header("request-id", "req_scripted")
        self.end_headers()
        if reply.fault == "silent":
            server.wait_for_release()
            self.close_connection = True
            return
        opening, pieces, closing = _EVENTS[call.protocol](server, call, reply)
        try:
            for event in opening:
                self._event(event)
            for number, event in enumerate(pieces):
                if number == 1 and reply.fault in ("cut", "stall", "garbage", "error"):
                    self._fail(call.protocol, reply.fault)
                    return
                self._event(event)
            while reply.fault == "hollow" and not server.wait_for_release(0.01):
                self._event(event)
            if reply.fault != "truncated":
                for event in closing:
                    self._event(event)
            self.wfile.write(b"0\r\n\r\n")
        except ConnectionError:
            self.close_connection = True
            server.gone.release()

    def _event(self, event: Any, name: str | None = None) -> None:
        data = event if isinstance(event, str) else json.dumps(event)
        name = event.get("type") if isinstance(event, dict) else name
        text = (f"event: {name}\n" if isinstance(name, str) else "") + f"data: {data}\n\n"
        self.wfile.write(f"{len(text.encode()):x}\r\n{text}\r\n".encode())
        self.wfile.flush()

    def _fail(self, protocol: str, fault: str) -> None:
        if fault == "garbage":
            self._event("{no json", "content_block_delta" if protocol == "messages" else None)
            self.wfile.write(b"0\r\n\r\n")
        elif fault == "error":
            self._event(_ERRORS[protocol])
            self.wfile.write(b"0\r\n\r\n")
        elif fault == "cut":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            # What is buffered cannot be flushed any more.
            self.wfile = self.rfile = open("/dev/null", "r+b", buffering=0)  # noqa: SIM115
        else:
            # The reader's going away is what ends a stall: it sends nothing more.
            self.connection.settimeout(60)
            with contextlib.suppress(OSError):
                if not self.connection.recv(1):
                    self.server_of_models.gone.release()
            self.close_connection = True


_ERRORS: dict[str, Any] = {
    "chat": {"error": {"message": "The engine is overloaded", "type": "server_error", "code": "overloaded"}},
    "responses": {
        "type": "response.failed",
        "sequence_number": 9,
        "response": {"id": "r", "error": {"code": "server_error", "message": "The engine is overloaded"}},
    },
    "messages": {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    "gemini": {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}},
}


def _body_problem(server: ModelServer, call: Call) -> Status | None:
    body = call.body
    unknown = set(body) - _KNOWN[call.protocol]
    if call.protocol == "gemini":
        model = call.path.rsplit("/", 1)[1].partition(":")[0]
        unknown |= set(body.get("generationConfig", {})) - _KNOWN_IN_GENERATION
    else:
        model = body.get("model")
        if body.get("stream") is not True:
            return Status(400, "this server only streams")
    if unknown:
        return Status(400, f"Unsupported parameter: {sorted(unknown)}", code="unsupported_parameter")
    if model not in server.models:
        return Status(404, f"The model `{model}` does not exist", code="model_not_found")
    if call.protocol == "chat":
        problem = _chat_problem(server, body)
        if problem:
            return problem
    problem = loose(call.schema) if call.schema is not None else None
    return Status(400, f"Invalid schema for response_format: {problem}") if problem else None


def _chat_problem(server: ModelServer, body: dict[str, Any]) -> Status | None:
    wrong = {"max_tokens", "max_completion_tokens"} & set(body) - server.tokens_parameters
    if wrong:
        other = next(iter(server.tokens_parameters))
        return Status(400, f"Unsupported parameter: '{wrong.pop()}' is not supported. Use '{other}' instead.")
    if not server.takes_temperature and "temperature" in body:
        return Status(400, "Unsupported value: 'temperature' does not support 0.5 with this model.")
    if not server.counts_tokens and "stream_options" in body:
        return Status(422, "extra_forbidden: stream_options")
    form = body.get("response_format")
    if form is None:
        return None
    mode = form["type"] if form["type"] != "json_object" or "schema" not in form else "json_object_schema"
    return None if mode in server.json_modes else server.json_refusal


def loose(schema: Any, at: str = "$") -> str | None:
    """What puts a schema outside the strict subsets of all services, or None."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            if schema.get("additionalProperties") is not False:
                return f"{at}: additionalProperties must be false"
            if set(schema.get("required", ())) != set(schema.get("properties", {})):
                return f"{at}: every property must be required"
        if at == "$" and ("anyOf" in schema or schema.get("type") != "object"):
            return "$: the root must be an object"
        if "default" in schema and not at.endswith("properties"):
            return f"{at}: default is not permitted"
        if "$ref" in schema:
            return f"{at}: recursion is not permitted"
        found = (loose(value, f"{at}.{key}") for key, value in schema.items())
        return next((problem for problem in found if problem), None)
    if isinstance(schema, list):
        found = (loose(value, f"{at}[{index}]") for index, value in enumerate(schema))
        return next((problem for problem in found if problem), None)
    return None


def _listing(protocol: str, models: tuple[str, ...]) -> Any:
    if protocol == "gemini":
        actions = ["generateContent", "countTokens"]
        return {"models": [{"name": f"models/{name}", "supportedGenerationMethods": actions} for name in models]}
    if protocol == "messages":
        data = [{"id": m, "type": "model", "display_name": m, "created_at": "2026-01-01T00:00:00Z"} for m in models]
        return {"data": data, "has_more": False, "first_id": models[0], "last_id": models[-1]}
    return {"object": "list", "data": [{"id": m, "object": "model", "created": 0, "owned_by": "test"} for m in models]}


Events = tuple[list[Any], list[Any], list[Any]]


def _chat(server: ModelServer, call: Call, reply: Reply) -> Events:
    def chunk(delta: Any, finish: str | None = None) -> Any:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        return {
            "id": "c",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": call.body["model"],
            "choices": choices,
        }

    finish = {"end": "stop", "max_tokens": "length", "refusal": "content_filter", "tool": "tool_calls"}[reply.stop]
    pieces = [chunk({"content": part}) for part in reply.parts()]
    if reply.stop == "tool":
        function = {"name": "run_sql", "arguments": "{}"}
        pieces = [chunk({"tool_calls": [{"index": 0, "id": "t", "type": "function", "function": function}]})]
    closing = [chunk({}, finish)]
    if call.body.get("stream_options", {}).get("include_usage"):
        total, cached, output, reasoning = reply.usage
        usage = {
            "prompt_tokens": total,
            "completion_tokens": output,
            "total_tokens": total + output,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        }
        closing.append({**chunk({}), "choices": [], "usage": usage})
    return [chunk({"role": "assistant", "content": ""})], pieces, [*closing, "[DONE]"]


def _responses(_: ModelServer, call: Call, reply: Reply) -> Events:
    total, cached, output, reasoning = reply.usage
    response: dict[str, Any] = {
        "id": "resp_1",
        "object": "response",
        "created_at": 0,
        "model": call.body["model"],
        "status": "in_progress",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    numbers = iter(range(10_000))

    def event(kind: str, **fields: Any) -> Any:
        return {"type": kind, "sequence_number": next(numbers), **fields}

    place = {"item_id": "m", "output_index": 0, "content_index": 0}
    item = {"id": "m", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    opening = [event("response.created", response=response)]
    pieces = [event("response.output_text.delta", delta=part, logprobs=[], **place) for part in reply.parts()]
    if reply.stop == "refusal":
        pieces = [event("response.refusal.delta", delta="I cannot", **place)]
    if reply.stop == "tool":
        item = {"id": "f", "type": "function_call", "call_id": "c", "name": "run_sql", "arguments": ""}
    opening.append(event("response.output_item.added", item=item, output_index=0))
    done = {
        **response,
        "status": "incomplete" if reply.stop == "max_tokens" else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if reply.stop == "max_tokens" else None,
        "usage": {
            "input_tokens": total,
            "input_tokens_details": {"cached_tokens": cached},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": total + output,
        },
    }
    return opening, pieces, [event(f"response.{done['status']}", response=done)]


def _messages(_: ModelServer, call: Call, reply: Reply) -> Events:
    total, cached, output, reasoning = reply.usage
    stop = {"end": "end_turn", "tool": "tool_use"}.get(reply.stop, reply.stop)
    started = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": call.body["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": total - cached,
            "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": 0,
            "output_tokens": 1,
        },
    }
    block: Any = {"type": "text", "text": ""}
    if reply.stop == "tool":
        block = {"type": "tool_use", "id": "toolu_1", "name": "run_sql", "input": {}}
    opening = [
        {"type": "message_start", "message": started},
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": block},
    ]
    pieces = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": part}}
        for part in reply.parts()
    ]
    details = {"output_tokens_details": {"thinking_tokens": reasoning}}
    closing = [
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": None},
            "usage": {"output_tokens": output, **details},
        },
        {"type": "message_stop"},
    ]
    return opening, pieces, closing


def _gemini(_: ModelServer, call: Call, reply: Reply) -> Events:
    total, cached, output, reasoning = reply.usage

    def chunk(part: Any, **more: Any) -> Any:
        content = {"role": "model", "parts": [part] if part else []}
        return {
            "candidates": [{"content": content, "index": 0, **more}],
            "modelVersion": "test-model-001",
            "responseId": "g",
        }

    finish = {"end": "STOP", "max_tokens": "MAX_TOKENS", "refusal": "SAFETY", "tool": "STOP"}[reply.stop]
    pieces = [chunk({"text": part}) for part in reply.parts()]
    if reply.stop == "tool":
        pieces = [chunk({"functionCall": {"name": "run_sql", "args": {}}})]
    usage = {
        "promptTokenCount": total,
        "cachedContentTokenCount": cached,
        "candidatesTokenCount": output - reasoning,
        "thoughtsTokenCount": reasoning,
        "totalTokenCount": total + output,
    }
    return [], pieces, [{**chunk(None, finishReason=finish), "usageMetadata": usage}]


_EVENTS = {"chat": _chat, "responses": _responses, "messages": _messages, "gemini": _gemini}
