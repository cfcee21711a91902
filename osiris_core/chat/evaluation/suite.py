"""A suite: wishes in plain words, and for each what has to come of it.

    name: shop
    description: What a shop's analyst asks for.
    tables: {orders: data/orders.parquet}
    intents:
      - id: orders-per-day
        utterance: How many orders were there on each day? As a CSV file, please.
        expect: approved
        gold:
          - sql: SELECT day, count(*) FROM orders GROUP BY day
        destination: {component: filesystem.csv_writer}

The gold is SQL in DuckDB's dialect over ``tables``, whose files stand relative to the suite's. What is at the
destination after the run has to be what one of the queries gives: which columns and rows that is, is said by
:mod:`osiris_core.chat.evaluation.compare`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal

from osiris_core.diagnostics import Diagnostic, Position
from osiris_core.errors import InvalidInput
from osiris_core.model import yaml
from osiris_core.model.fields import Problem, config, field
from osiris_core.model.structure import structure

REFUSED: Final = "OSR-EVL-001"
TWICE: Final = "OSR-EVL-002"
NO_FILE: Final = "OSR-EVL-003"

_NAME: Final = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"


@config
class Gold:
    """A right answer."""

    sql: str = field(doc="A query in DuckDB's dialect that gives the wanted rows.", min_length=1, sql=True)
    ordered: bool = field(default=False, doc="Whether the rows have to be in this order.")
    extra_columns: bool = field(default=False, doc="Whether there may be columns beside those of the query.")
    reading: str | None = field(default=None, doc="Of a wish that can be read in several ways: which one it answers.")


@config
class Destination:
    """Where the rows have to go, as far as the wish says so."""

    component: str | None = field(
        default=None, doc="The component that writes; any when omitted.", pattern=r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*"
    )
    target: str | None = field(default=None, doc="The path or table; any when omitted.", min_length=1)
    mode: Literal["append", "replace", "upsert"] | None = field(
        default=None, doc="What has to happen to rows that are there already; any when omitted."
    )
    key: tuple[str, ...] = field(default=(), doc="Of `upsert`: the columns that tell rows apart.")
    before: str | None = field(
        default=None,
        doc="A query that gives the rows that are in the target table before the run; none are there when omitted.",
        min_length=1,
        sql=True,
    )

    def check(self) -> Iterable[Problem]:
        """A key goes with an upsert, and rows from before with a table that is named."""
        if (self.mode == "upsert") != bool(self.key):
            yield Problem(field=("key",), message="'mode: upsert' and 'key' go together")
        if self.before is not None and self.target is None:
            yield Problem(field=("before",), message="'before' needs a 'target' that holds the rows")


@config
class Intent:
    """A wish, and what has to come of it."""

    id: str = field(doc="Its name in reports.", pattern=_NAME)
    utterance: str = field(doc="What the person says.", min_length=1)
    expect: Literal["approved", "refused"] = field(
        doc="Whether a pipeline can be approved, or the wish is declined in plain words and no pipeline is made."
    )
    gold: tuple[Gold, ...] = field(default=(), doc="The right answers; one of them has to be met.")
    destination: Destination | None = field(default=None, doc="Where the rows have to go.")
    tags: tuple[str, ...] = field(default=(), doc="What it tries.", pattern=_NAME)
    note: str | None = field(default=None, doc="Why the answer is what it is.")

    def check(self) -> Iterable[Problem]:
        """What is approved has an answer, and what is refused has none."""
        if self.expect == "approved" and not self.gold:
            yield Problem(message=f"'{self.id}' is to be approved and has no 'gold'")
        if self.expect == "refused" and (self.gold or self.destination is not None):
            name = "gold" if self.gold else "destination"
            yield Problem(field=(name,), message=f"'{self.id}' is to be refused: it has no '{name}'")


@config
class Suite:
    """Wishes over a set of tables."""

    name: str = field(doc="Its name in reports.", pattern=_NAME)
    description: str = field(default="", doc="What it is about.")
    tables: Mapping[str, str] = field(
        doc="The tables: each one's name, and its Parquet file relative to the suite.", min_length=1
    )
    intents: tuple[Intent, ...] = field(doc="The wishes.", min_length=1)


def read_suite(path: Path, *, file: str | None = None) -> Suite:
    """The suite in a file, which messages call ``file``; InvalidInput with every finding at its line."""
    document = yaml.load_file(path, file=file)
    suite, findings = structure(Suite, document.data, position=document.position)
    if suite is not None:
        findings = [*_twice(suite, document), *_missing(suite, path.parent, document)]
    if suite is None or findings:
        raise InvalidInput(REFUSED, f"the suite {document.file} cannot be used", diagnostics=findings)
    return suite


def table_files(suite: Suite, path: Path) -> Mapping[str, Path]:
    """The files of the tables of the suite at ``path``, by the tables' names."""
    return {name: path.parent / file for name, file in suite.tables.items()}


def _twice(suite: Suite, document: yaml.Document) -> Iterable[Diagnostic]:
    seen: dict[str, Position] = {}
    for number, intent in enumerate(suite.intents):
        path = ("intents", number, "id")
        place = document.position(path)
        if intent.id in seen:
            message = f"the id '{intent.id}' is already that of the intent in line {seen[intent.id].line}"
            yield Diagnostic(code=TWICE, message=message, path=path, position=place)
        seen.setdefault(intent.id, place)


def _missing(suite: Suite, folder: Path, document: yaml.Document) -> Iterable[Diagnostic]:
    for name, file in suite.tables.items():
        if not (folder / file).is_file():
            path = ("tables", name)
            message = f"the table '{name}' has no file: {file} is not there"
            yield Diagnostic(code=NO_FILE, message=message, path=path, position=document.position(path))
