"""Column lineage of a pipeline: which source columns can change each column that a step gives or writes.

A pure function of the compiled manifest and of the columns that steps were seen to give (``step_schema`` events; any of
them may be missing). What cannot be derived is ``unknown`` with a reason and never guessed: without ``unknown``, a
column outside of its sources cannot change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.ids import input_name
from osiris_core.report.influence import Influence, Kind, Source
from osiris_core.report.relation import Hole, Named, Relation, closed, not_known
from osiris_core.report.sql_reads import Budget, Reads, TooMuch
from osiris_core.sqltext import quote_identifier, rewrite

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from osiris_core.compile.manifest import Manifest, ManifestStep

__all__ = ["ColumnLineage", "Influence", "Kind", "Lineage", "Source", "StepLineage", "lineage_of"]

MAX_TOKENS: Final = 60_000
"""Tokens of one SQL text that are looked at; sqlglot takes some seconds for as many."""
_MAX_TEXT: Final = 16 * MAX_TOKENS
_TOO_LONG: Final = "its SQL is too long to be followed"

_READ: Final = "extract"
_WRITE: Final = "write"
_LOCAL: Final = "duckdb"
_POSTGRES: Final = "postgres"


@attrs.frozen(kw_only=True)
class ColumnLineage:
    """A column of a step, and what its value is made of."""

    name: str
    influence: Influence

    def to_json(self) -> dict[str, Any]:
        """The column as plain data."""
        return {"name": self.name, **self.influence.to_json()}


@attrs.frozen(kw_only=True)
class StepLineage:
    """The columns a step gives, or writes, and what influences which rows there are: that holds for every column.

    ``unknown`` says why the columns are not all known; None when they are.
    """

    step: str
    columns: tuple[ColumnLineage, ...]
    rows: Influence
    unknown: str | None = None

    def column(self, name: str) -> Influence:
        """All that can change the column called ``name``, its value or its rows; KeyError when it is not known."""
        for column in self.columns:
            if column.name == name:
                return column.influence | self.rows
        raise KeyError(name)

    def to_json(self) -> dict[str, Any]:
        """The step as plain data, every key present."""
        return {
            "step": self.step,
            "columns": [column.to_json() for column in self.columns],
            "rows": self.rows.to_json(),
            "unknown": self.unknown,
        }


@attrs.frozen(kw_only=True)
class Lineage:
    """The lineage of every step, in execution order; ``destinations`` are the steps that write."""

    steps: tuple[StepLineage, ...]
    destinations: tuple[str, ...]

    def step(self, step_id: str) -> StepLineage:
        """The lineage of the step ``step_id``; KeyError when there is none."""
        for step in self.steps:
            if step.step == step_id:
                return step
        raise KeyError(step_id)

    def to_json(self) -> dict[str, Any]:
        """The lineage as plain data, the same for the same manifest and schemas."""
        return {"steps": [step.to_json() for step in self.steps], "destinations": list(self.destinations)}


def lineage_of(
    manifest: Manifest,
    schemas: Mapping[str, Sequence[str]],
    dialects: Mapping[str, str] | None = None,
    *,
    budget: Budget | None = None,
) -> Lineage:
    """The lineage of ``manifest``.

    ``schemas`` are the names of the columns that steps were seen to give, by step; ``dialects`` sqlglot's names of the
    dialects of the steps' SQL, by step (event ``step_started``). SQL without a dialect is not followed, except that of
    the core's own DuckDB components.
    """
    left = budget or Budget()
    made: dict[str, Relation] = {}
    steps = []
    for step in manifest.steps:
        dialect = (dialects or {}).get(step.id) or (_LOCAL if step.component.startswith(f"{_LOCAL}.") else None)
        try:
            relation = _relation(step, made, dialect, schemas.get(step.id), left)
        except TooMuch:
            relation = not_known("the pipeline's SQL is too large to be followed")
        except RecursionError:
            relation = not_known("its SQL is nested too deep to be followed")
        seen = schemas.get(step.id)
        if seen is not None and relation.holes:
            relation = relation.called(seen, _exact) or relation
        made[step.id] = relation
        steps.append(_step(step, relation))
    return Lineage(steps=tuple(steps), destinations=tuple(step.id for step in manifest.steps if step.mode == _WRITE))


def _step(step: ManifestStep, relation: Relation) -> StepLineage:
    named = [item for item in relation.named if item.name is not None]
    missing = relation.holes or len(named) < len(relation.items)
    return StepLineage(
        step=step.id,
        columns=tuple(ColumnLineage(name=item.name or "", influence=item.influence) for item in named),
        rows=relation.rows,
        unknown="the columns it gives were not recorded, and they do not follow from the pipeline" if missing else None,
    )


def _relation(
    step: ManifestStep,
    made: Mapping[str, Relation],
    dialect: str | None,
    seen: Sequence[str] | None,
    budget: Budget,
) -> Relation:
    if step.mode == _WRITE:
        return _written(step, made)
    query = step.config.get("query")
    if isinstance(query, str):
        return _of_query(step, query, made, dialect, seen, budget)
    if step.mode == _READ:
        return _of_table(step, dialect, seen, budget)
    reason = f"how {step.component} makes its columns is not known"
    return not_known(reason) if seen is None else _all_unknown(seen, reason)


def _written(step: ManifestStep, made: Mapping[str, Relation]) -> Relation:
    """What a writer takes: its one input, or the columns of it that its config names."""
    if len(step.needs) != 1:
        return not_known(f"{step.component} writes the rows of several steps")
    taken = made[step.needs[0]]
    columns = step.config.get("columns")
    if not isinstance(columns, list | tuple):
        return taken
    found = []
    for name in map(str, columns):
        column = taken.find(name, _exact)
        missing = Influence.not_known(f"the rows have no column '{name}'")
        found.append((name, missing if column is None else column.influence))
    return closed(found, taken.rows)


# SQL.


def _of_query(
    step: ManifestStep,
    query: str,
    made: Mapping[str, Relation],
    dialect: str | None,
    seen: Sequence[str] | None,
    budget: Budget,
) -> Relation:
    inputs = {input_name(needed).casefold(): made[needed] for needed in step.needs}
    if len(step.needs) == 1:
        inputs["df"] = made[step.needs[0]]
    if step.mode == _READ:
        sources = _Sources(step, dialect)
        reads = Reads(table=sources.table, fold=sources.fold, local=False, aliases=dialect == _LOCAL)
    else:
        reads = Reads(
            table=lambda parts: inputs.get(parts[0].casefold()) if len(parts) == 1 else None,
            fold=str.casefold,
            local=step.component.startswith(f"{_LOCAL}."),
            aliases=dialect == _LOCAL,
        )
    found = _parsed(query, dialect, reads, budget)
    if step.mode == _READ:
        found = found.with_rows(_cursor(step, found, reads.fold))
    if seen is None:
        return found
    named = found.called(seen, reads.fold)
    return named if named is not None else _all_unknown(seen, "its SQL gives other columns than were recorded")


def _parsed(text: str, dialect: str | None, reads: Reads, budget: Budget) -> Relation:
    """The relation that SQL gives; one that says why, when the text cannot be followed."""
    if dialect is None:
        return not_known("the dialect of its SQL is not known")
    if len(text) > _MAX_TEXT:
        return not_known(_TOO_LONG)
    import sqlglot
    from sqlglot.errors import SqlglotError

    if dialect == _LOCAL:  # whose `a: b` is an alias to sqlglot
        text = rewrite(text, lambda name: f"${name}", dialect=dialect)
    try:
        tokens = sqlglot.tokenize(text, dialect=dialect)
        trees = sqlglot.parse(text, dialect=dialect) if len(tokens) <= MAX_TOKENS else []
    except (SqlglotError, ValueError) as error:
        return not_known(f"its SQL cannot be read: {str(error).partition(chr(10))[0]}")
    if len(trees) != 1 or trees[0] is None:
        return not_known("its SQL is not one statement" if trees else _TOO_LONG)
    lambdas = {after.start for word, after in pairwise(tokens) if word.text.lower() == "lambda"}
    return _followed(trees[0], dialect, attrs.evolve(reads, lambdas=lambdas), budget)


def _followed(tree: Any, dialect: str, reads: Reads, budget: Budget) -> Relation:
    from sqlglot import exp

    from osiris_core.report.sql_lineage import relation_of

    if dialect == _POSTGRES:
        for identifier in tree.find_all(exp.Identifier):
            if not identifier.quoted:
                identifier.set("this", identifier.name.lower())
    return relation_of(tree, reads, budget)


def _fold_of(dialect: str | None) -> Callable[[Any], str]:
    """What makes one text of the names that mean one column in a dialect."""
    # What was not quoted has been folded already for PostgreSQL, where case tells names apart; see _parsed.
    return _exact if dialect == _POSTGRES else str.casefold


# What stands outside of the pipeline.


class _Sources:
    """The tables and files that an extract reads, whose columns are those that somebody names."""

    def __init__(self, step: ManifestStep, dialect: str | None) -> None:
        self._step = step
        self.fold = _fold_of(dialect)
        self._spelled: dict[tuple[str, str], str] = {}

    def table(self, parts: Sequence[str]) -> Relation:
        """The table called ``parts``."""
        dataset = ".".join(parts)
        return Relation((Hole(lambda name: self.column(dataset, name)),))

    def column(self, dataset: str, name: str) -> Influence:
        """The column called ``name``, spelled as where it was named first."""
        spelled = self._spelled.setdefault((self.fold(dataset), self.fold(name)), name)
        step = self._step
        source = Source(
            step=step.id,
            component=step.component,
            connection=step.connection.ref if step.connection is not None else "",
            dataset=dataset,
            column=spelled,
        )
        return Influence.of(source)


def _of_table(step: ManifestStep, dialect: str | None, seen: Sequence[str] | None, budget: Budget) -> Relation:
    """A table or file as a whole, or the columns of it that the config names."""
    config = step.config
    sources = _Sources(step, dialect)
    dataset = _dataset(config)
    listed = seen if seen is not None else config.get("columns")
    names = [str(name) for name in listed] if isinstance(listed, list | tuple) else None
    added = config.get("filename_column")
    if names is None:
        items = sources.table((dataset,)).items
    else:
        items = tuple(Named(name, Influence() if name == added else sources.column(dataset, name)) for name in names)
    found = Relation(items)
    where = config.get("where")
    if isinstance(where, str):
        table = quote_identifier(dataset, dialect=dialect or "")
        text = f"SELECT 1 FROM {table} WHERE (\n{where}\n)"  # noqa: S608 - only read, never run
        reads = Reads(table=sources.table, fold=sources.fold, local=False, aliases=dialect == _LOCAL)
        found = found.with_rows(_parsed(text, dialect, reads, budget).rows)
    return found.with_rows(_cursor(step, found, sources.fold))


def _dataset(config: Mapping[str, Any]) -> str:
    """How the config of an extract names what it reads; empty when it names nothing."""
    table = config.get("table")
    if isinstance(table, str):
        schema = config.get("schema") or config.get("database")
        return f"{schema}.{table}" if isinstance(schema, str) else table
    path = config.get("path")
    return path if isinstance(path, str) else ""


def _cursor(step: ManifestStep, relation: Relation, fold: Callable[[str], str]) -> Influence:
    """What an incremental extract goes by: its cursor decides which rows are read."""
    incremental = step.config.get("incremental")
    cursor = incremental.get("cursor") if isinstance(incremental, Mapping) else None
    if not isinstance(cursor, str):
        return Influence()
    column = relation.find(cursor, fold)
    found = Influence.not_known(f"the cursor '{cursor}' is not known") if column is None else column.influence
    return found.through(Kind.FILTER)


def _all_unknown(names: Sequence[str], reason: str) -> Relation:
    unknown = Influence.not_known(reason)
    return closed([(name, unknown) for name in names], unknown)


def _exact(name: str) -> str:
    return name
