"""A project with a small shop in files, a scripted model behind the genuine client, and conversations about it."""

from __future__ import annotations

import json
from contextlib import ExitStack

import duckdb
import pytest

from osiris_core.chat.calling import Caller, Candidate, Limits
from osiris_core.chat.session import ChatSession, Choices, World
from osiris_core.chat.templates import load_templates
from osiris_core.cli.workspace import open_workspace
from osiris_core.project.connections import load_connections
from osiris_core.redaction import Redactor
from osiris_core.spec.llm import ProviderContext, Timeouts
from osiris_llm.compatible import CompatibleProvider
from osiris_llm.config import CompatibleConfig
from tests.bench import sound
from tests.servers.models import ModelServer

PASSWORD = "sesame-opens-7"  # pragma: allowlist secret


class Forgetful:
    """A memory that keeps what it is told for as long as it lives."""

    def __init__(self):
        self.kept = {}

    def get(self, key):
        return self.kept.get(key)

    def put(self, key, value):
        self.kept[key] = value


class Watching:
    """A front that remembers what it was shown."""

    def __init__(self):
        self.said, self.done, self.states = [], [], []

    def say(self, text):
        self.said.append(text)

    def progress(self, text):
        self.done.append(text)

    def moved(self, before, signal, after):
        self.states.append(after.value)


def intent(goal="the goal", *, connections=("@filesystem.data",), question="", **changes):
    return {
        "kind": "pipeline", "goal": goal, "connections": list(connections), "destination": "unsaid",
        "question": question, "answer": "", **changes,
    }  # fmt: skip


def plan(sql="SELECT city, count(*) AS n FROM customers GROUP BY city ORDER BY city", **changes):
    output = {
        "source": "result", "destination": "filesystem.csv_writer", "target": "output/result.csv",
        "mode": "replace", "key": [],
    }  # fmt: skip
    made = {
        "impossible": "", "more_tables": [], "name": "cities", "transforms": [{"id": "result", "sql": sql}],
        "outputs": [output], "assumptions": ["Every customer counts."],
    }  # fmt: skip
    return made | changes


def impossible(why="There is no such data."):
    return plan(impossible=why, transforms=[], outputs=[], assumptions=[])


class Shop:
    """The project's folder and the model that is scripted for it."""

    def __init__(self, path, server, stack):
        self.path, self.server, self._stack = path, server, stack
        self.front = Watching()
        self.redactor = Redactor()
        self.waited = []
        self.price = None

    def chat(self, *, max_cost=None, tries=None, extra=(), **choices):
        """A conversation; ``extra`` are further base URLs to fall back to."""
        workspace = open_workspace(start=self.path)
        registry = workspace.registry()
        world = World(
            loaded=workspace.loaded,
            environment=workspace.environment,
            registry=registry,
            connections=load_connections(workspace.project, registry),
            redactor=self.redactor,
        )
        templates = choices.pop("templates", None) or load_templates()
        timeouts = Timeouts(connect=5, first=5, between=5)

        def caller(listen):
            return Caller(
                [self._candidate(url) for url in (self.server.openai, *extra)],
                redactor=self.redactor,
                limits=Limits(timeouts=timeouts, cost=max_cost),
                listen=listen,
                show=self.front.progress,
                wait=self.waited.append,
            )

        session = ChatSession(world, Choices(templates=templates, **choices), self.front, caller)
        self._stack.callback(session.close)
        return session

    def _candidate(self, url):
        provider = CompatibleProvider(
            CompatibleConfig(base_url=url, model="test-model"), ProviderContext(variables={}, memory=Forgetful())
        )
        self._stack.callback(provider.close)
        return Candidate(provider_name="openai_compatible", provider=provider, model="test-model", price=self.price)

    @property
    def sent(self):
        """Everything that was sent to the model, as one text."""
        return "\n".join(call.text for call in self.server.calls)

    def events(self):
        """The events of all records of conversations, without what varies."""
        lines = []
        for folder in sorted(self.path.glob("logs/chat_*")):
            lines += [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
        assert all(map(sound().is_valid, lines)), "an event does not fit the published schema"
        return lines


@pytest.fixture
def shop(tmp_path):
    with ExitStack() as stack:
        server = stack.enter_context(ModelServer())
        folder = tmp_path / "shop"
        (folder / "data").mkdir(parents=True)
        (folder / "osiris.yaml").write_text("run: {jobs: 1}\n")
        (folder / ".env").write_text(f"DB_PASSWORD={PASSWORD}\n")
        (folder / "osiris_connections.yaml").write_text(
            "connections:\n  filesystem:\n    data: {root: data, writable: false}\n"
            "  duckdb:\n    main: {path: shop.duckdb}\n"
        )
        duckdb.sql(
            f"COPY (SELECT * FROM (VALUES (1, 'Ann', 'Oslo'), (2, 'Bob', 'Rome'), (3, 'Zoë', 'Oslo')) t(id, name, city)) "
            f"TO '{folder}/data/customers.parquet'"
        )
        duckdb.sql(
            f"COPY (SELECT * FROM (VALUES (1, 1, 10.5), (2, 1, 2.25), (3, 2, 7.0)) t(id, customer_id, total)) "
            f"TO '{folder}/data/orders.parquet'"
        )
        yield Shop(folder, server, stack)
