"""Pages of a table in the order of a key: each begins after the last row of the one before.

Unlike an offset this neither skips nor repeats a row when others write the table, and every page costs the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from osiris_supabase.rest.names import column, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

Params = tuple[tuple[str, str], ...]

FIRST_ROWS: Final = 1_000
MOST_ROWS: Final = 10_000
_PAGE_BYTES: Final = 4 << 20


@attrs.frozen(kw_only=True)
class Walk:
    """Rows that meet ``filters``, in the order of ``keys``, which together are unique and never NULL."""

    filters: Params
    keys: tuple[str, ...]

    @property
    def order(self) -> Params:
        """The order of the rows."""
        return (("order", ",".join(f"{column(key)}.asc" for key in self.keys)),)

    def after(self, last: Sequence[str] | None) -> Params:
        """The filters for rows behind the one whose keys, as texts, are ``last``."""
        if last is None:
            return self.filters
        if len(self.keys) == 1:
            return (*self.filters, (column(self.keys[0]), f"gt.{last[0]}"))
        return (
            *self.filters,
            # The next line says it all; this one lets the server begin at the right place of an index.
            (column(self.keys[0]), f"gte.{last[0]}"),
            ("or", f"({','.join(self._behind(last))})"),
        )

    def _behind(self, last: Sequence[str]) -> list[str]:
        """One alternative for each key: equal in all keys before it, and greater in this one."""
        found = []
        for at, key in enumerate(self.keys):
            same = [f"{column(self.keys[i])}.eq.{quoted(last[i])}" for i in range(at)]
            parts = [*same, f"{column(key)}.gt.{quoted(last[at])}"]
            found.append(parts[0] if len(parts) == 1 else f"and({','.join(parts)})")
        return found


def next_size(rows: int, size: int) -> int:
    """Rows to ask for next, after ``rows`` took ``size`` bytes."""
    return max(1, min(MOST_ROWS, _PAGE_BYTES * rows // max(1, size)))
