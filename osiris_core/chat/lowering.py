"""A plan becomes OML: the same plan over the same tables gives the same text.

The model names tables and writes queries; which steps there are, what they are called and what their config holds is
decided here. So required keys are always there, and keys that are forbidden cannot occur.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from osiris_core.chat.destinations import UPSERT
from osiris_core.diagnostics import Diagnostic, did_you_mean
from osiris_core.display import visible, visible_line
from osiris_core.ids import MAX_NAME, input_name, is_name
from osiris_core.model.yaml_write import dump

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from osiris_core.chat.catalog import Source, Sources
    from osiris_core.chat.destinations import Destination
    from osiris_core.chat.forms import Output, Plan, Transform

BAD_PLAN: Final = "OSR-CHAT-002"
BAD_SQL: Final = "OSR-CHAT-003"
NO_TABLE: Final = "OSR-CHAT-004"
NO_SUCH: Final = "OSR-CHAT-005"
NO_COLUMN: Final = "OSR-CHAT-007"

PROCESSOR: Final = "duckdb.processor"
_NO_NAME: Final = re.compile(r"[^a-z0-9]+")
_DIALECT: Final = "duckdb"
_PACKED: Final = (".gz", ".zst")


@attrs.frozen(kw_only=True)
class Lowered:
    """The OML text of a plan, or what is wrong with the plan (each finding's ``path`` says where in it)."""

    oml: str | None
    findings: tuple[Diagnostic, ...] = ()


def lower(plan: Plan, sources: Sources, destinations: Sequence[Destination], *, wish: str) -> Lowered:
    """``plan`` as OML; ``wish`` becomes its description."""
    return _Lowering(plan, sources, {one.label: one for one in destinations}, wish).lowered()


class _Lowering:
    def __init__(self, plan: Plan, sources: Sources, destinations: Mapping[str, Destination], wish: str) -> None:
        self._plan = plan
        self._sources = sources
        self._destinations = destinations
        self._wish = wish
        self._findings: list[Diagnostic] = []
        self._reads: dict[str, set[str] | None] = {}
        """The columns that are read of each table; None for all."""
        self._made: dict[str, str] = {}
        """The step of each transform by the name that the plan gave it."""

    def lowered(self) -> Lowered:
        plan = self._plan
        for text in (one.sql for one in plan.transforms):
            self._check_text(text)
        for output in plan.outputs:
            for text in (output.target, *output.key):
                self._check_text(text)
        if not plan.outputs:
            self._find(BAD_PLAN, "the plan stores nothing", ("outputs",), "say where the result goes")
        taken: set[str] = set(self._sources.names)
        transforms = [step for at, one in enumerate(plan.transforms) for step in self._transform(one, at, taken)]
        outputs = [step for at, one in enumerate(plan.outputs) for step in self._output(one, at, taken)]
        if self._findings:
            return Lowered(oml=None, findings=tuple(self._findings))
        reads = [self._read(source) for source in self._sources.described if source.name in self._reads]
        document = {
            "oml_version": "0.1.0",
            "name": plain_name(plan.name) or "pipeline",
            "description": visible(self._wish).replace("${", "$ {"),
            "steps": [*reads, *transforms, *outputs],
        }
        return Lowered(oml=dump(document))

    def _read(self, source: Source) -> dict[str, Any]:
        wanted = self._reads[source.name]
        columns = None if wanted is None else [name for name in source.columns if name.lower() in wanted]
        if columns is not None and len(columns) in (0, len(source.columns)):
            columns = None
        return {
            "id": source.name,
            "component": source.component.name,
            "mode": "extract",
            "config": source.config(columns),
        }

    def _transform(self, one: Transform, at: int, taken: set[str]) -> Iterator[dict[str, Any]]:
        path = ("transforms", at, "sql")
        try:
            tree = sqlglot.parse_one(one.sql, dialect=_DIALECT)
            needs = self._needs(tree, path)
            step = _free(plain_name(one.id) or "result", taken)
            self._made[one.id] = step
            query = self._written(one.sql, tree, step) if needs else ""
        except (SqlglotError, RecursionError) as error:  # what is nested too deep may first fail when it is written
            self._find(BAD_SQL, f"the query cannot be read: {str(error).splitlines()[0][:300]}", path)
            return
        if needs:
            yield {
                "id": step,
                "component": PROCESSOR,
                "mode": "transform",
                "needs": needs,
                "config": {"query": query},
            }

    def _needs(self, tree: exp.Expr, path: tuple[str | int, ...]) -> list[str]:
        """The steps whose rows the query reads."""
        own = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
        needs: list[str] = []
        # Every identifier, not only what sqlglot takes for a column: those of USING are none.
        columns = None if _takes_all(tree) else {one.name.lower() for one in tree.find_all(exp.Identifier)}
        for table in tree.find_all(exp.Table):
            name = table.name
            if name.lower() in own and not table.db:
                continue
            step = self._step_of(name, columns)
            if step is None:
                known = [*self._made, *self._sources.names]
                hint = did_you_mean(name, known) or f"the tables are {', '.join(known) or 'none'}"
                self._find(NO_TABLE, f"there is no table '{name}'", path, hint)
            elif step not in needs:
                needs.append(step)
        if not needs and not self._findings:
            self._find(BAD_SQL, "the query reads no table", path)
        self._check_columns(tree, path)
        return needs

    def _check_columns(self, tree: exp.Expr, path: tuple[str | int, ...]) -> None:
        """Report columns that their table does not have; whatever is in doubt is left to the binding."""
        tables: dict[str, list[Source]] = {}
        for table in tree.find_all(exp.Table):
            source = None if table.name in self._made else self._sources.get(table.name)
            if source is not None:
                tables.setdefault(table.alias_or_name.lower(), []).append(source)
        reported: set[tuple[str, str]] = set()
        for column in tree.find_all(exp.Column):
            at = tables.get(column.table.lower(), []) if column.table else []
            own = [one for source in at for one in source.columns]
            if not at or column.name.lower() in {one.lower() for one in own} or isinstance(column.this, exp.Star):
                continue
            if (at[0].name, column.name) not in reported:
                reported.add((at[0].name, column.name))
                hint = did_you_mean(column.name, own) or f"it has {', '.join(own)}"
                self._find(NO_COLUMN, f"table '{at[0].name}' has no column '{column.name}'", path, hint)

    def _step_of(self, name: str, columns: set[str] | None) -> str | None:
        """The step whose rows are called ``name``, which is asked for ``columns`` (None: all)."""
        made = {one.lower(): step for one, step in self._made.items()}
        if name.lower() in made:
            return made[name.lower()]
        source = self._sources.get(name)
        if source is None:
            return None
        known = self._reads.get(source.name, set())
        self._reads[source.name] = None if known is None or columns is None else known | columns
        return source.name

    def _written(self, sql: str, tree: exp.Expr, step: str) -> str:
        """The query over several lines, with the names of steps; as the model wrote it where that would not be the
        same query.
        """
        names = {one.lower(): input_name(self._made[one]) for one in self._made if self._made[one] != step}
        meant = tree.copy()
        for table in meant.find_all(exp.Table):
            table.set("db", None)
            table.set("catalog", None)
            if table.name.lower() in names:
                table.set("this", exp.to_identifier(names[table.name.lower()]))
        pretty = meant.sql(dialect=_DIALECT, pretty=True)
        if meant == tree and ("\n" in sql.strip() or sqlglot.parse_one(pretty, dialect=_DIALECT) != tree):
            pretty = sql.strip().rstrip(";").rstrip()
        return f"{pretty}\n"

    def _output(self, one: Output, at: int, taken: set[str]) -> Iterator[dict[str, Any]]:
        destination = self._destinations.get(one.destination)
        if destination is None:
            known = list(self._destinations)
            hint = did_you_mean(one.destination, known) or f"there is {', '.join(known)}"
            self._find(NO_SUCH, f"there is no destination '{one.destination}'", ("outputs", at, "destination"), hint)
            return
        if one.mode not in destination.modes:
            hint = f"it can {', '.join(destination.modes)}"
            message = f"{destination.label} cannot '{one.mode}'"
            self._find(NO_SUCH, message, ("outputs", at, "mode"), hint)
        if one.mode == UPSERT and not one.key:
            self._find(BAD_PLAN, "'upsert' needs a key", ("outputs", at, "key"), "name the columns that identify a row")
        step = self._step_of(one.source, None)
        if step is None:
            known = [*self._made, *self._sources.names]
            hint = did_you_mean(one.source, known) or f"there is {', '.join(known)}"
            self._find(NO_TABLE, f"there is no '{one.source}' to store", ("outputs", at, "source"), hint)
            return
        if not one.target.strip():
            self._find(BAD_PLAN, "the output has no target", ("outputs", at, "target"), "name a table or a path")
        elif not _ends_in(one.target, destination.ending):
            # So that rows take the place of rows at most: not of a pipeline, a script, a page.
            message = f"'{one.target}' is no file of {destination.component.name}"
            hint = f"let the path end in {destination.ending}"
            self._find(BAD_PLAN, message, ("outputs", at, "target"), hint)
        yield {
            "id": _free(f"store_{step}", taken),
            "component": destination.component.name,
            "mode": "write",
            "needs": [step],
            "config": destination.config(one.target, one.mode, one.key),
        }

    def _check_text(self, text: str) -> None:
        """A reference would be replaced by a parameter, a variable, a secret: nothing that a model may ask for."""
        if "${" in text:
            self._find(BAD_PLAN, "'${' stands in the plan, which refers to nothing", (), "write the value itself")
        if visible(text) != text:
            self._find(BAD_PLAN, f"the plan holds a control character: {visible_line(text)[:100]}")

    def _find(self, code: str, message: str, path: tuple[str | int, ...] = (), hint: str | None = None) -> None:
        self._findings.append(Diagnostic(code=code, message=message, path=path, hint=hint))


def _ends_in(target: str, ending: str) -> bool:
    """Whether a path has the writer's own ending, compressed or not; any table's name does."""
    endings = tuple(f"{ending}{packed}" for packed in ("", *_PACKED))
    return not ending or target.strip().lower().endswith(endings)


def _takes_all(tree: exp.Expr) -> bool:
    """Whether the query takes all columns of something: ``*`` outside ``count(*)``, or a whole row by its table."""
    if any(not isinstance(star.parent, exp.Count) for star in tree.find_all(exp.Star)):
        return True
    tables = {table.alias_or_name.lower() for table in tree.find_all(exp.Table)}
    outputs = {alias.alias.lower() for alias in tree.find_all(exp.Alias)}
    rows = (
        column.name.lower() in tables
        # An order by a name means the output of that name first.
        and not (column.name.lower() in outputs and isinstance(column.find_ancestor(exp.Order, exp.Select), exp.Order))
        for column in tree.find_all(exp.Column)
        if not column.table
    )
    return any(rows) or any(join.args.get("method") == "NATURAL" for join in tree.find_all(exp.Join))


def plain_name(text: str) -> str:
    """``text`` as a name of a step or pipeline: small letters, digits, single ``_``; empty when nothing is left."""
    plain = _NO_NAME.sub("_", text.lower()).strip("_")[:MAX_NAME].strip("_")
    if plain and not plain[0].isalpha():
        plain = f"p_{plain}"[:MAX_NAME].strip("_")
    return plain if is_name(plain) else ""


def _free(name: str, taken: set[str]) -> str:
    chosen = name
    number = 2
    while chosen in taken or chosen == "df":
        chosen = f"{name[: MAX_NAME - 4]}_{number}"
        number += 1
    taken.add(chosen)
    return chosen
