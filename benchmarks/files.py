"""What does the pipeline cost over DuckDB alone? CSV to Parquet and back, side by side."""

from __future__ import annotations

import filecmp
import sys
from pathlib import Path

import data
import project
from measure import Command, Series, rounds

HERE = Path(__file__).resolve().parent


def measure(scale: float, count: int) -> str:
    """The section of the report."""
    parquet, csv = data.lineitem(scale)
    to_parquet = [
        project.step("read", "filesystem.csv_extractor", "extract", {"path": "lineitem.csv", "types": TYPES}),
        project.step("store", "filesystem.parquet_writer", "write", {"path": "out/lineitem.parquet"}),
    ]
    to_csv = [
        project.step("read", "filesystem.parquet_extractor", "extract", {"path": "lineitem.parquet"}),
        project.step("store", "filesystem.csv_writer", "write", {"path": "out/lineitem.csv"}),
    ]
    folder = project.project(data.DATA / "files", {"to-parquet": to_parquet, "to-csv": to_csv})
    for source in (parquet, csv):
        (folder / source.name).hardlink_to(source)
    alone = folder / "alone"
    alone.mkdir()
    lines = [
        "## Files: beside DuckDB alone",
        "",
        f"TPC-H lineitem at scale {scale:g}, files as tpchgen-cli writes them. *osiris* is `osiris run` as a whole:",
        "start, validation, compile, run record, checksum, fsync. *duckdb* is `benchmarks/duckdb_alone.py`: one `COPY`",
        "with the same format options, as a whole process too. With several threads it cuts Parquet row groups where",
        "its threads happen to meet, so the bytes of one run are not those of the next; with one thread they are, as",
        "osiris's always are. It rounds what does not fit a type; osiris refuses it (docs/adr/0016-file-bytes.md).",
        f"{count} interleaved rounds; minimum (median).",
        "",
        "| job | | wall s | CPU s | peak MB | bytes out |",
        "|---|---|---|---|---|---|",
    ]
    ratios = []
    for name, result, reproducible in (("to-parquet", "lineitem.parquet", True), ("to-csv", "lineitem.csv", False)):
        peers = {"duckdb": _peer(folder, name, alone / result)}
        if reproducible:
            peers["duckdb, 1 thread"] = _peer(folder, name, alone / f"reproducible-{result}", "1")
        series = rounds([project.run(folder, name), *peers.values()], count)
        ours = series[name]
        lines.append(_row(name, "osiris", ours, folder / "out" / result))
        for who, peer in peers.items():
            theirs, made = series[peer.name], Path(peer.argv[3])
            lines.append(_row(name, who, theirs, made))
            # Not read whole: the peak that Linux reports of a child begins with the size of the process that forked it.
            same = filecmp.cmp(folder / "out" / result, made, shallow=False)
            ratios.append(
                f"- {name}, beside {who}: **{ours.best('wall') / theirs.best('wall'):.2f}×** wall "
                f"({ours.median('wall') / theirs.median('wall'):.2f}× by medians), "
                f"{ours.best('cpu') / theirs.best('cpu'):.2f}× CPU; bytes {'equal' if same else 'differ'}"
            )
    return "\n".join([*lines, "", *ratios])


def _peer(folder: Path, name: str, target: Path, *threads: str) -> Command:
    """The same job by DuckDB alone."""
    return Command(
        name=" ".join(("duckdb", name, *threads)),
        argv=(sys.executable, HERE / "duckdb_alone.py", name, target, *threads),
        cwd=folder,
    )


def _row(job: str, who: str, series: Series, result: Path) -> str:
    wall, cpu = (f"{series.best(what):.2f} ({series.median(what):.2f})" for what in ("wall", "cpu"))
    return f"| {job} | {who} | {wall} | {cpu} | {series.best('peak_mb'):.0f} | {result.stat().st_size:,} |"


TYPES = {
    "l_orderkey": "BIGINT",
    "l_partkey": "BIGINT",
    "l_suppkey": "BIGINT",
    "l_linenumber": "INTEGER",
    "l_quantity": "DECIMAL(15,2)",
    "l_extendedprice": "DECIMAL(15,2)",
    "l_discount": "DECIMAL(15,2)",
    "l_tax": "DECIMAL(15,2)",
    "l_returnflag": "VARCHAR",
    "l_linestatus": "VARCHAR",
    "l_shipdate": "DATE",
    "l_commitdate": "DATE",
    "l_receiptdate": "DATE",
    "l_shipinstruct": "VARCHAR",
    "l_shipmode": "VARCHAR",
    "l_comment": "VARCHAR",
}
