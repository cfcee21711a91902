"""What becomes of every type of every source in every destination: the result of ``tests/fidelity``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from generators.markdown import code, table

MATRIX: Final = Path(__file__).resolve().parents[2] / "tests" / "fidelity" / "matrix.json"
_NAMES: Final = {
    "duckdb": "DuckDB",
    "mysql": "MySQL and MariaDB",
    "postgres": "PostgreSQL (Supabase)",
    "data_api": "the Data API (Supabase)",
    "parquet": "Parquet",
    "csv": "CSV",
}
_HEADS: Final = {
    **{name: f"in {shown.partition(' ')[0]}" for name, shown in _NAMES.items()},
    "data_api": "by the Data API",
    "own": "by the Data API into its own type",
}


def page() -> str:
    """The page."""
    parts = [
        "# Types",
        "What becomes of each type of a source: the Arrow type in which its values travel, and the type in which they "
        "come back from each destination. Every cell is a test that writes extreme values and compares what is read "
        "back: equal, or refused with the code shown. A value that a destination keeps in another form (a time with a "
        "zone in a column without one is the moment in UTC; a UUID is its text) is equal in that form. CSV is read "
        "with stated types. What goes in by Supabase's Data API (`upsert`) is read back by the database; its table is "
        "made by the statement that the writer's refusal holds. A `numeric` comes out of the Data API as text, since "
        "it does not tell how many digits there are. Into its own type is a copy from one table into another of the "
        "same types, compared by the server. The servers were MariaDB and PostgreSQL, before it a stand-in for "
        "PostgREST; no test ran on MySQL 8 or against a hosted project.",
    ]
    matrix = json.loads(MATRIX.read_text(encoding="utf-8"))
    for source in sorted(matrix, key=list(_NAMES).index):
        destinations = [name for name in _HEADS if name in next(iter(matrix[source].values()))]
        head = ("type", "travels as", *(_HEADS[name] for name in destinations))
        rows = (
            (code(kind), _cell(cells["arrow"]), *(_cell(cells[name]) for name in destinations))
            for kind, cells in matrix[source].items()
        )
        parts += [f"## From {_NAMES[source]}", table(head, rows)]
    return "\n\n".join(parts)


def _cell(text: str) -> str:
    return text if text.startswith("refused") or text == "equal" else code(text)
