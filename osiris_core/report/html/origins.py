"""Where the columns of each step come from, in words: column lineage as a page shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from osiris_core.report.lineage import Influence, Source
    from osiris_core.report.session import Session

_MAX_SOURCES: Final = 12


@attrs.frozen(kw_only=True)
class Origin:
    """What a value, or which rows there are, depends on, and why others may be missing.

    Sources are ``step.column``, the step being the extract; its own columns come from ``dataset: column``.
    """

    made_of: tuple[str, ...] = ()
    decided_by: tuple[str, ...] = ()
    more: int = 0
    """Sources that are left out."""
    unknown: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Origins:
    """Of one step: the origin of each column, and of which rows there are."""

    columns: Mapping[str, Origin]
    rows: Origin


def origins(session: Session) -> dict[str, Origins]:
    """The origins of every step of which any are known; empty without a manifest."""
    if session.lineage is None:
        return {}
    return {
        step.step: Origins(
            columns={column.name: _origin(step.step, column.influence) for column in step.columns},
            rows=_origin(step.step, step.rows),
        )
        for step in session.lineage.steps
    }


def _origin(step: str, influence: Influence) -> Origin:
    direct = _named(step, (source for source, kind in influence.edges if kind.direct))
    indirect = _named(step, (source for source, kind in influence.edges if not kind.direct))
    indirect = [name for name in indirect if name not in direct]
    return Origin(
        made_of=tuple(direct[:_MAX_SOURCES]),
        decided_by=tuple(indirect[:_MAX_SOURCES]),
        more=max(0, len(direct) - _MAX_SOURCES) + max(0, len(indirect) - _MAX_SOURCES),
        unknown=tuple(sorted(influence.unknown)),
    )


def _named(step: str, sources: Iterable[Source]) -> list[str]:
    return sorted({_name(step, source) for source in sources})


def _name(step: str, source: Source) -> str:
    own = source.step == step and source.dataset
    return f"{source.dataset}: {source.column}" if own else f"{source.step}.{source.column}"
