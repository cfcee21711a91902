"""A query of the person's, over what the draft computes and the tables that are known: asked as a pipeline is run.

The query becomes the last step of a pipeline that stores nothing (:mod:`osiris_core.chat.trying`): tables are read by
their components and the query runs in the locked DuckDB, which reads its inputs and nothing else. So it can do what a
model's query can do, and no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from osiris_core.chat.lowering import PROCESSOR
from osiris_core.diagnostics import did_you_mean
from osiris_core.errors import InvalidInput
from osiris_core.ids import input_name
from osiris_core.model import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osiris_core.chat.catalog import Sources

BAD_QUERY: Final = "OSR-CHAT-035"
_QUERY: Final = "sql"
_DIALECT: Final = "duckdb"

Step = dict[str, Any]


def pipeline_of(query: str, draft: str | None, sources: Sources) -> dict[str, Any]:
    """The pipeline that answers ``query``, an OML document as data; ``draft`` is an OML text whose steps can be read.

    A name means a transform of the draft, else a known table, else an extract of the draft. Raises InvalidInput for a
    text that is no query, and for a table that there is not.
    """
    steps = {} if draft is None else _steps(draft)
    used: dict[str, Step] = {}
    needs: list[str] = []
    for name in _tables(query):
        step = _step_of(name, steps, sources)
        if step is None:
            known = [*steps, *sources.names]
            hint = did_you_mean(name, known) or f"there is {', '.join(known) or 'none'}"
            raise InvalidInput(BAD_QUERY, f"there is no table '{name}'", hint=hint)
        _use(step, steps, used)
        if step["id"] not in needs:
            needs.append(step["id"])
    own = _QUERY
    while own in used:
        own += "_"
    answer = {"id": own, "component": PROCESSOR, "mode": "transform", "needs": needs, "config": {"query": query}}
    # Where it is stored is for whoever tries the pipeline out; a document without a write step is none.
    store = {
        "id": f"{own}_rows",
        "component": "duckdb.writer",
        "mode": "write",
        "needs": [own],
        "config": {"table": own, "mode": "replace"},
    }
    return {"oml_version": "0.1.0", "name": "query", "steps": [*used.values(), answer, store]}


def _tables(query: str) -> list[str]:
    """The names of the tables that a query reads; none of a text that does something else, which is refused later by
    those who know why.
    """
    if "${" in query:
        raise InvalidInput(BAD_QUERY, "'${' refers to nothing here", hint="write the value itself")
    try:
        trees = [tree for tree in sqlglot.parse(query, dialect=_DIALECT) if tree is not None]
    except (SqlglotError, RecursionError) as error:
        message = f"the query cannot be read: {str(error).splitlines()[0][:300]}"
        raise InvalidInput(BAD_QUERY, message, hint="it is DuckDB's dialect") from error
    if len(trees) != 1:
        message = f"{len(trees)} statements were given" if trees else "there is no query"
        raise InvalidInput(BAD_QUERY, message, hint="write one SELECT")
    tree = trees[0]
    if not isinstance(tree, exp.Query):
        what = _kind(tree)
        raise InvalidInput(
            BAD_QUERY, f"{what} is not run here: a query reads, and changes nothing", hint="write one SELECT"
        )
    own = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    found = (table.name for table in tree.find_all(exp.Table) if table.name.lower() not in own or table.db)
    return list(dict.fromkeys(name for name in found if name))


def _kind(tree: exp.Expr) -> str:
    """What kind of statement it is, as a word of SQL."""
    word = tree.this if isinstance(tree, exp.Command) else tree.key
    return str(word).upper()[:40]


def _steps(draft: str) -> dict[str, Step]:
    """The steps of a draft that give rows, by the name that SQL has for them; none of a text that is not valid."""
    try:
        data = yaml.load(draft, file="draft").data
        steps = [dict(step) for step in data["steps"]]
        return {input_name(step["id"]): step for step in steps if step["mode"] in ("extract", "transform")}
    except (InvalidInput, LookupError, TypeError, ValueError):
        return {}


def _step_of(name: str, steps: Mapping[str, Step], sources: Sources) -> Step | None:
    """The step whose rows are called ``name``."""
    drafted = next((step for known, step in steps.items() if known.lower() == name.lower()), None)
    source = sources.get(name)
    if source is None or (drafted is not None and drafted["mode"] == "transform"):
        return drafted
    return {"id": source.name, "component": source.component.name, "mode": "extract", "config": source.config(None)}


def _use(step: Step, steps: Mapping[str, Step], used: dict[str, Step]) -> None:
    """Take ``step`` and what it needs, in the order in which they run."""
    known = used.get(step["id"])
    if known is not None and known != step and not _reads_more(step, known):
        return
    for needed in _needs(step):
        if needed not in used and (found := steps.get(input_name(needed))) is not None:
            _use(found, steps, used)
    used[step["id"]] = step


def _reads_more(step: Step, known: Step) -> bool:
    """Whether ``step`` reads the same table as ``known``, and all its columns."""
    bare = {name: value for name, value in known["config"].items() if name != "columns"}
    return bool(step["config"] == bare)


def _needs(step: Step) -> Sequence[str]:
    return tuple(step.get("needs") or ())
