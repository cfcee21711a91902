"""How ``mysql.writer`` is described."""

from __future__ import annotations

from typing import Final

from osiris_core.api import Capability, ComponentSpec, DriverSpec, Example, Role
from osiris_mysql.errors import CONNECTING, READING, WRITING
from osiris_mysql.writer_config import Writer

_SERVER: Final = tuple(one for one in READING if one.code in ("OSR-MYSQL-020", "OSR-MYSQL-022", "OSR-MYSQL-025"))
"""What a server says to readers and writers alike."""

WRITER: Final = ComponentSpec(
    name="mysql.writer",
    version="1.0.0",
    role=Role.WRITER,
    config=Writer,
    summary="Write a table of a MySQL or MariaDB server.",
    description="Rows are staged on the server and become visible at once, together with a commit row in"
    " `_osiris_loads`; readers see the table as it was or as it is. A value that the table would not keep as it is ends"
    " the load.",
    connection="mysql",
    examples=(
        Example(title="Compute a table anew", config={"table": "daily_totals", "mode": "replace"}),
        Example(
            title="Keep a table up to date",
            config={"table": "customers", "mode": "upsert", "primary_key": ["id"]},
        ),
        Example(
            title="Load a day again",
            config={"table": "sales", "mode": "delete_insert", "replace_keys": ["day"]},
        ),
    ),
    hints=(
        "Use 'replace' for a table that is computed anew each time, 'upsert' when rows have a key.",
        "'append' adds the rows again when the pipeline runs again.",
        "A timestamp with a time zone goes into a new table as a DATETIME(6) of UTC.",
    ),
    errors=(*CONNECTING, *_SERVER, *WRITING),
)

DRIVER: Final = DriverSpec(
    component=WRITER.name,
    ref="osiris_mysql.writer:WriterDriver",
    capabilities=frozenset({Capability.STAGED, Capability.BINDS, Capability.KEEPS_STATE}),
)
