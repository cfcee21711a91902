"""A whole plan of one query: where the rows go, and what happens to those there, follows from the wish's words.

A model that is too small for the form of a plan need not fill it in. What was decided where the wish says nothing is
among the assumptions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from osiris_core.chat.destinations import UPSERT
from osiris_core.chat.forms import RESULT, Output, Plan, Transform
from osiris_core.chat.hints import keys_in, likely, mode_in, path_in, table_in
from osiris_core.chat.lowering import plain_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_core.chat.destinations import Destination

FOLDER = "output"


def plan_of(sql: str, wish: str, destinations: Sequence[Destination], notes: Sequence[str] = ()) -> Plan:
    """The plan that stores what ``sql`` gives as ``wish`` says; ``notes`` are assumptions made before."""
    offered = likely(wish, destinations)
    chosen = offered[0]
    assumptions = list(notes)
    target = path_in(wish, chosen) if chosen.path_field else table_in(wish)
    if target is None:
        target = f"{FOLDER}/{RESULT}{chosen.ending}" if chosen.path_field else RESULT
        assumptions.append(f"The rows go to {target}: the wish names no other place.")
    mode = mode_in(wish, chosen.modes)
    keys = _keys(sql, wish) if mode == UPSERT else ()
    if keys:
        assumptions.append(f"Rows with the same {', '.join(keys)} are the same row.")
    name = plain_name(target.rsplit("/", 1)[-1].rsplit(".", 1)[0] if chosen.path_field else target)
    return Plan(
        name=name or RESULT,
        transforms=(Transform(id=RESULT, sql=sql),),
        outputs=(Output(source=RESULT, destination=chosen.label, target=target, mode=mode, key=keys),),
        assumptions=tuple(assumptions),
        more_tables=(),
        impossible="",
    )


def _keys(sql: str, wish: str) -> tuple[str, ...]:
    """What identifies a row of the result: the columns that the wish calls its key, else what is grouped by."""
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
    except (SqlglotError, RecursionError):
        return ()
    select = tree.find(exp.Select)
    if select is None:
        return ()
    named = keys_in(wish, [one.alias_or_name for one in select.expressions])
    if named or select.args.get("group") is None:
        return named
    return tuple(one.alias_or_name for one in select.expressions if not any(one.find_all(exp.AggFunc)))
