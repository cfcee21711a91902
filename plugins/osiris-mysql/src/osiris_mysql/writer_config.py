"""What a pipeline says about writing a table of a MySQL or MariaDB server."""

from __future__ import annotations

from collections.abc import Iterable

from osiris_core.api import Problem, TableWriter, check_table_name, config, field


@config
class Writer(TableWriter):
    """A table of the connection's database."""

    table: str = field(
        doc="The table to write, in the connection's database.",
        pattern=r"[^\x00-\x1f\x7f/\\.]{1,64}",
        examples=("orders",),
    )
    lock_timeout: float = field(
        default=300.0,
        doc="Seconds to wait for another load of the same table to end.",
        minimum=0,
        maximum=86_400,
    )

    def check(self) -> Iterable[Problem]:
        """The keys, and a name that is not Osiris's own."""
        yield from super().check()
        yield from check_table_name(self.table)
        if self.table.endswith(" "):
            yield Problem(field=("table",), message="a table's name cannot end with a space")
