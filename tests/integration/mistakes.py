"""Mistakes a person can make, each as a project that has it and the command that meets it.

What the command must say stands in ``mistakes.json``, reviewed by hand: exit status, and code, place and message of
every finding. ``keeps`` names files that must be byte for byte what they were before the command.
"""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

import attrs
import duckdb

from tests.commands import osiris

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

GOOD = """\
oml_version: "0.1.0"
name: good
steps:
  - id: read
    component: filesystem.csv_extractor
    mode: read
    config: {path: data/orders.csv}
  - id: write
    component: filesystem.csv_writer
    mode: write
    config: {path: out/orders.csv}
"""

PASSWORD_URL = "postgres://me:hunter2hunter2@db/x"  # pragma: allowlist secret
TOKEN = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"  # pragma: allowlist secret

ORDERS = "id,customer,amount\n1,ann,10.50\n2,bob,20.00\n3,cyd,7.25\n"


def pipeline(*steps: str, head: str = "") -> str:
    """A pipeline document of ``steps`` (flow mappings)."""
    lines = "".join(f"  - {step}\n" for step in steps)
    return f'oml_version: "0.1.0"\nname: case\n{head}steps:\n{lines}'


READ = "{id: read, component: filesystem.csv_extractor, mode: read, config: {path: data/orders.csv}}"
WRITE = "{id: write, component: filesystem.csv_writer, mode: write, config: {path: out/orders.csv}}"


def processor(query: str) -> str:
    """A step that transforms the rows of the step before it."""
    return f'{{id: change, component: duckdb.processor, mode: transform, config: {{query: "{query}"}}}}'


def duck_writer(config: str) -> str:
    """A step that writes to the project's DuckDB file."""
    return f'{{id: load, component: duckdb.writer, mode: write, config: {{connection: "@duckdb.main", {config}}}}}'


CONNECTIONS = "connections:\n  duckdb:\n    main:\n      path: main.duckdb\n"


@attrs.frozen(kw_only=True)
class Mistake:
    """A project with one mistake in it, and the command that meets it."""

    name: str
    argv: tuple[str, ...] = ("run", "case.yaml")
    files: Mapping[str, str | bytes] = attrs.field(factory=dict)
    prepare: Callable[[Path], None] | None = None
    environ: Mapping[str, str] = attrs.field(factory=dict)
    keeps: tuple[str, ...] = ()


def case(text: str | bytes, **more: str | bytes) -> dict[str, str | bytes]:
    """The project files of a mistake in ``case.yaml``."""
    return {"case.yaml": text, "data/orders.csv": ORDERS, **more}


def oml(name: str, text: str | bytes, **extra: object) -> Mistake:
    """A mistake that compiling finds."""
    files = case(text)
    files.update(extra.pop("files", {}))  # type: ignore[call-overload]
    return Mistake(name=name, argv=("compile", "case.yaml"), files=files, **extra)  # type: ignore[arg-type]


def run(
    name: str, *steps: str, head: str = "", files: Mapping[str, str | bytes] | None = None, **extra: object
) -> Mistake:
    """A mistake that only running finds; the destination of the CSV writer is there before, and must stay."""
    all_files = case(
        pipeline(*steps, head=head), **{"osiris_connections.yaml": CONNECTIONS, "out/orders.csv": "id\nold\n"}
    )
    all_files.update(files or {})
    return Mistake(name=name, files=all_files, keeps=("out/orders.csv",), **extra)  # type: ignore[arg-type]


def orders_table(folder: Path) -> None:
    """A DuckDB file with a table that has rows and a NOT NULL column."""
    with duckdb.connect(str(folder / "main.duckdb")) as connection:
        connection.execute("CREATE TABLE orders (id BIGINT NOT NULL, customer VARCHAR NOT NULL, amount BIGINT)")
        connection.execute("INSERT INTO orders VALUES (9, 'old', 1)")


def parquet_cut(folder: Path) -> None:
    """A Parquet file without its second half."""
    path = folder / "data" / "cut.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT range AS id FROM range(100000)) TO '{path}' (FORMAT parquet)")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def drifted(folder: Path) -> None:
    """Two Parquet files whose columns differ."""
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 1 AS id, 'x' AS name) TO '{folder / 'data' / 'a.parquet'}' (FORMAT parquet)")
        connection.execute(f"COPY (SELECT 1 AS id, 2 AS amount) TO '{folder / 'data' / 'b.parquet'}' (FORMAT parquet)")


def escape(folder: Path) -> None:
    """A link in the project that leads out of it."""
    (folder.parent / "secret.csv").write_text("id\n1\n")
    (folder / "data" / "link.csv").symlink_to(folder.parent / "secret.csv")


def fifo(folder: Path) -> None:
    """A named pipe where a file should be."""
    os.mkfifo(folder / "data" / "pipe.csv")


def compiled(folder: Path) -> None:
    """A build of the good pipeline."""
    (folder / "good.yaml").write_text(GOOD)
    osiris("compile", "good.yaml", cwd=folder).check_returncode()


def tampered(folder: Path) -> None:
    """A build of which one byte was changed."""
    compiled(folder)
    (manifest,) = (folder / "build").glob("good/*/manifest.yaml")
    manifest.write_text(manifest.read_text().replace("data/orders.csv", "data/others.csv"))
    manifest.rename(folder / "manifest.yaml")


def stale(folder: Path) -> None:
    """A build of an earlier text."""
    compiled(folder)
    (folder / "good.yaml").write_text(GOOD.replace("out/orders.csv", "out/elsewhere.csv"))


def unreadable(folder: Path) -> None:
    """A folder where the pipeline should be."""
    (folder / "case.yaml").unlink(missing_ok=True)
    (folder / "case.yaml").mkdir()


def target_is_folder(folder: Path) -> None:
    """A folder, with something in it, where the file should go."""
    (folder / "out" / "taken.csv").mkdir(parents=True)
    (folder / "out" / "taken.csv" / "keep").write_text("x")


MISTAKES: tuple[Mistake, ...] = (
    # The text of a document.
    oml("yaml tab", 'oml_version: "0.1.0"\nname: case\nsteps:\n\t- id: a\n'),
    oml("yaml unclosed quote", 'oml_version: "0.1.0\nname: case\nsteps: []\n'),
    oml("yaml unclosed bracket", 'oml_version: "0.1.0"\nname: [case\nsteps: []\n'),
    oml("yaml bad indentation", 'oml_version: "0.1.0"\nname: case\n steps: []\n'),
    oml("yaml duplicate key", 'oml_version: "0.1.0"\nname: case\nname: other\nsteps: []\n'),
    oml("yaml anchor", 'oml_version: "0.1.0"\nname: &n case\ndescription: *n\nsteps: []\n'),
    oml("yaml tag", 'oml_version: "0.1.0"\nname: !!python/object/apply:os.system [id]\nsteps: []\n'),
    oml("yaml NUL byte", b'oml_version: "0.1.0"\nname: ca\x00se\nsteps: []\n'),
    oml("yaml not UTF-8", b'oml_version: "0.1.0"\nname: caf\xe9\nsteps: []\n'),
    oml("yaml empty", ""),
    oml("yaml a list at the top", "- a\n- b\n"),
    oml("yaml two documents", GOOD + "---\n" + GOOD),
    oml("yaml too deep", "a: " + "[" * 200 + "]" * 200 + "\n"),
    oml("yaml too large", "# " + "x" * 2_000_000 + "\n" + GOOD),
    oml("yaml not a number", GOOD + "metadata: {size: .nan}\n"),
    oml("yaml number as key", GOOD + "metadata: {1: one}\n"),
    # The pipeline.
    oml("no oml_version", "name: case\nsteps: []\n"),
    oml(
        "another oml_version",
        'oml_version: "9.0.0"\nname: case\nsteps: [{id: a, component: duckdb.processor, mode: transform, config: {query: select 1}}]\n',
    ),
    oml("two steps write one file", pipeline(READ, WRITE, WRITE.replace("id: write", "id: again, needs: [read]"))),
    oml("no name", 'oml_version: "0.1.0"\nsteps: []\n'),
    oml("a name with spaces", GOOD.replace("name: good", "name: My Pipeline")),
    oml("no steps", 'oml_version: "0.1.0"\nname: case\n'),
    oml("empty steps", 'oml_version: "0.1.0"\nname: case\nsteps: []\n'),
    oml("forbidden version", GOOD + "version: 1\n"),
    oml("forbidden connectors", GOOD + "connectors: {}\n"),
    oml("forbidden tasks", GOOD + "tasks: []\n"),
    oml("forbidden outputs", GOOD + "outputs: []\n"),
    oml("unknown key at the top", GOOD + "descripton: x\n"),
    oml("unknown key in a step", pipeline(READ.replace("config:", "confg: {}, config:"), WRITE)),
    oml("duplicate step id", pipeline(READ, WRITE, WRITE)),
    oml("step id in capitals", pipeline(READ.replace("id: read", "id: Read"), WRITE)),
    oml("step without component", pipeline("{id: read, mode: read, config: {}}", WRITE)),
    oml("step without mode", pipeline(READ.replace(" mode: read,", ""), WRITE)),
    oml("misspelt component", pipeline(READ.replace("csv_extractor", "csv_extracter"), WRITE)),
    oml(
        "component of a plugin not installed",
        pipeline("{id: a, component: nosuch.extractor, mode: read, config: {}}", WRITE),
    ),
    oml("mode that does not fit", pipeline(READ.replace("mode: read", "mode: write"), WRITE)),
    oml("unknown mode", pipeline(READ.replace("mode: read", "mode: fetch"), WRITE)),
    oml("needs a step that is not there", pipeline(READ, WRITE.replace("config:", "needs: [raed], config:"))),
    oml("needs itself", pipeline(READ, WRITE.replace("config:", "needs: [write], config:"))),
    oml(
        "cycle",
        pipeline(
            "{id: a, component: duckdb.processor, mode: transform, needs: [b], config: {query: select * from df}}",
            "{id: b, component: duckdb.processor, mode: transform, needs: [a], config: {query: select * from df}}",
        ),
    ),
    oml("write that nobody feeds", pipeline(WRITE)),
    oml(
        "extract that is fed",
        pipeline(READ, READ.replace("id: read", "id: again").replace("config:", "needs: [read], config:")),
    ),
    oml(
        "inputs that collide in SQL",
        pipeline(
            READ.replace("id: read", "id: a-b"),
            READ.replace("id: read", "id: a_b"),
            "{id: c, component: duckdb.processor, mode: transform, needs: [a-b, a_b], config: {query: select 1}}",
        ),
    ),
    oml("needs is not a list", pipeline(READ, WRITE.replace("config:", "needs: read, config:"))),
    # A step's config.
    oml("unknown config key", pipeline(READ.replace("{path:", "{pth: x, path:"), WRITE)),
    oml("number as text", pipeline(READ, processor("select 1").replace("{query:", '{threads: "5", query:'), WRITE)),
    oml("boolean as text", pipeline(READ, WRITE.replace("{path:", '{header: "false", path:'))),
    oml("missing config field", pipeline(READ.replace("path: data/orders.csv", ""), WRITE)),
    oml("delimiter of two characters", pipeline(READ.replace("{path:", "{delimiter: '||', path:"), WRITE)),
    oml("newline that is none", pipeline(READ, WRITE.replace("{path:", "{newline: crcr, path:"))),
    oml("config is a list", pipeline("{id: read, component: filesystem.csv_extractor, mode: read, config: []}", WRITE)),
    oml("config is missing", pipeline("{id: read, component: filesystem.csv_extractor, mode: read}", WRITE)),
    oml(
        "upsert without a key",
        pipeline(READ, duck_writer("table: orders, mode: upsert")),
        files={"osiris_connections.yaml": CONNECTIONS},
    ),
    oml("five mistakes at once", pipeline("{id: R, component: x, mode: y, config: 3, zzz: 1}")),
    # Parameters.
    Mistake(name="unknown parameter", argv=("compile", "good.yaml", "--param", "day=1"), files={"good.yaml": GOOD}),
    Mistake(
        name="parameter of another type",
        argv=("compile", "case.yaml", "--param", "n=many"),
        files=case(pipeline(READ, WRITE, head="params: {n: {type: int, default: 1}}\n")),
    ),
    Mistake(
        name="parameter outside its enum",
        argv=("compile", "case.yaml", "--param", "n=c"),
        files=case(pipeline(READ, WRITE, head="params: {n: {type: string, default: a, enum: [a, b]}}\n")),
    ),
    Mistake(
        name="parameter without a value", argv=("compile", "good.yaml", "--param", "day"), files={"good.yaml": GOOD}
    ),
    oml(
        "required parameter not given",
        pipeline(READ.replace("data/orders.csv", '"${params.file}"'), WRITE, head="params: {file: {type: string}}\n"),
    ),
    oml(
        "unknown placeholder",
        pipeline(
            READ.replace("data/orders.csv", '"${params.fiel}"'),
            WRITE,
            head="params: {file: {type: string, default: x}}\n",
        ),
    ),
    Mistake(name="unknown profile", argv=("compile", "good.yaml", "--profile", "prod"), files={"good.yaml": GOOD}),
    oml(
        "parameter pasted into SQL",
        pipeline(
            READ,
            processor("select * from df where id = ${params.n}"),
            WRITE,
            head="params: {n: {type: int, default: 1}}\n",
        ),
    ),
    oml("bound name without a value", pipeline(READ, processor("select * from df where id = :n"), WRITE)),
    oml("environment variable in OML", pipeline(READ.replace("data/orders.csv", '"${HOME}/orders.csv"'), WRITE)),
    oml("password in a URL", pipeline(READ.replace("data/orders.csv", PASSWORD_URL), WRITE)),
    oml("token in a value", GOOD + f"description: {TOKEN}\n"),
    # Connections, settings, environment.
    oml(
        "connection that is not there",
        pipeline(READ, duck_writer("table: orders, mode: append")),
        files={"osiris_connections.yaml": "connections: {duckdb: {other: {path: x.duckdb}}}\n"},
    ),
    oml("no connections file", pipeline(READ, duck_writer("table: orders, mode: append"))),
    oml(
        "connection of another family",
        pipeline(READ, duck_writer("table: orders, mode: append").replace("@duckdb.main", "@filesystem.main")),
        files={"osiris_connections.yaml": CONNECTIONS},
    ),
    oml(
        "connection that is no reference",
        pipeline(READ, duck_writer("table: orders, mode: append").replace("@duckdb.main", "main")),
        files={"osiris_connections.yaml": CONNECTIONS},
    ),
    Mistake(
        name="two default connections",
        argv=("connections", "list"),
        files={
            "osiris_connections.yaml": "connections:\n  duckdb:\n    a: {path: a.duckdb, default: true}\n    b: {path: b.duckdb, default: true}\n"
        },
    ),
    Mistake(
        name="connection with an unknown field",
        argv=("validate",),
        files={"osiris_connections.yaml": "connections:\n  duckdb:\n    a: {pth: a.duckdb}\n"},
    ),
    run(
        "environment variable not set",
        READ,
        duck_writer("table: orders, mode: append"),
        files={"osiris_connections.yaml": CONNECTIONS.replace("main.duckdb", "${OSIRIS_TEST_NO_SUCH_VARIABLE}")},
    ),
    Mistake(name="unknown setting", argv=("validate",), files={"osiris.yaml": "runn: {jobs: 2}\n"}),
    Mistake(name="setting of another type", argv=("validate",), files={"osiris.yaml": "run: {jobs: many}\n"}),
    Mistake(
        name="environment setting of another type",
        argv=("validate",),
        files={"osiris.yaml": "{}\n"},
        environ={"OSIRIS_RUN_JOBS": "many"},
    ),
    Mistake(
        name="broken .env",
        argv=("run", "good.yaml"),
        files={"good.yaml": GOOD, "data/orders.csv": ORDERS, ".env": "A=1\nthis is not a setting\n"},
    ),
    # Commands.
    Mistake(name="unknown command", argv=("rnu", "good.yaml")),
    Mistake(name="unknown option", argv=("run", "good.yaml", "--verbsoe"), files={"good.yaml": GOOD}),
    Mistake(name="pipeline that is not there", argv=("run", "nowhere.yaml")),
    Mistake(name="pipeline that is a folder", argv=("run", "case.yaml"), prepare=unreadable),
    Mistake(name="pipeline that is a CSV", argv=("run", "data.csv"), files={"data.csv": ORDERS}),
    Mistake(name="manifest changed by hand", argv=("run", "manifest.yaml"), prepare=tampered),
    Mistake(name="stale build", argv=("compile", "good.yaml", "--check"), prepare=stale),
    Mistake(name="no build to check", argv=("compile", "good.yaml", "--check"), files={"good.yaml": GOOD}),
    Mistake(name="no last compile", argv=("run", "--last-compile")),
    Mistake(name="no last run", argv=("logs", "last")),
    Mistake(name="session that is not there", argv=("logs", "show", "run_x")),
    Mistake(
        name="unknown target",
        argv=("run", "good.yaml", "--target", "moon"),
        files={"good.yaml": GOOD, "data/orders.csv": ORDERS},
    ),
    Mistake(name="component that is not there", argv=("components", "show", "filesystem.cvs_writer")),
    # Files to read.
    run("input not there", READ.replace("orders.csv", "order.csv"), WRITE),
    run("glob without a match", READ.replace("orders.csv", "*.tsv"), WRITE),
    run("input is a pipe", READ.replace("orders.csv", "pipe.csv"), WRITE, prepare=fifo),
    run("input outside the project", READ.replace("data/orders.csv", "../secret.csv"), WRITE, prepare=escape),
    run("input absolute", READ.replace("data/orders.csv", "/etc/passwd"), WRITE),
    run("input by a link that leads out", READ.replace("orders.csv", "link.csv"), WRITE, prepare=escape),
    run(
        "CSV value of another type",
        READ.replace("{path:", "{types: {amount: INTEGER}, path:"),
        WRITE,
        files={"data/orders.csv": "id,amount\n1,2\n2,many\n"},
    ),
    run("CSV row too short", READ, WRITE, files={"data/orders.csv": "id,customer,amount\n1,ann,10\n2,bob\n"}),
    run("CSV row too long", READ, WRITE, files={"data/orders.csv": "id,customer\n1,ann\n2,bob,20,9\n"}),
    run("CSV quote not closed", READ, WRITE, files={"data/orders.csv": 'id,customer\n1,"ann\n2,bob\n'}),
    run("CSV not UTF-8", READ, WRITE, files={"data/orders.csv": b"id,customer\n1,caf\xe9\n"}),
    run("CSV with a NUL byte", READ, WRITE, files={"data/orders.csv": b"id,customer\n1,an\x00n\n"}),
    run("CSV empty", READ, WRITE, files={"data/orders.csv": ""}),
    run("CSV column not there", READ.replace("{path:", "{columns: [id, custmer], path:"), WRITE),
    run(
        "CSV last line too long",
        READ,
        WRITE,
        files={"data/orders.csv": ORDERS + "4,dan," + "9" * (40 << 20)},
    ),
    run(
        "gzip cut short",
        READ.replace("orders.csv", "orders.csv.gz"),
        WRITE,
        files={"data/orders.csv.gz": gzip.compress(ORDERS.encode() * 1000)[:-30]},
    ),
    run(
        "Parquet cut short",
        READ.replace("csv_extractor", "parquet_extractor").replace("orders.csv", "cut.parquet"),
        WRITE,
        prepare=parquet_cut,
    ),
    run("Parquet that is CSV", READ.replace("csv_extractor", "parquet_extractor"), WRITE),
    run(
        "Parquet files that differ",
        READ.replace("csv_extractor", "parquet_extractor").replace("orders.csv", "*.parquet"),
        WRITE,
        prepare=drifted,
    ),
    run(
        "JSONL line that is no JSON",
        READ.replace("csv_extractor", "jsonl_extractor").replace("orders.csv", "x.jsonl"),
        WRITE,
        files={"data/x.jsonl": '{"a": 1}\n{"a": \n{"a": 3}\n'},
    ),
    # SQL.
    run("SQL syntax", READ, processor("selec * from df"), WRITE),
    run("SQL unknown column", READ, processor("select custmer from df"), WRITE),
    run("SQL unknown input", READ, processor("select * from raed"), WRITE),
    run("SQL two statements", READ, processor("select 1; drop table df"), WRITE),
    run("SQL that writes", READ, processor("copy df to 'x.csv'"), WRITE),
    run("SQL that reads a file", READ, processor("select * from read_text('/etc/passwd')"), WRITE),
    run("SQL file as a table", READ, processor("select * from 'data/orders.csv'"), WRITE),
    run("SQL that sets", READ, processor("set memory_limit='1TB'"), WRITE),
    run("SQL conversion fails late", READ, processor("select cast(customer as integer) as c from df"), WRITE),
    run("SQL same column twice", READ, processor("select id, id from df"), WRITE),
    run("SQL empty", READ, processor(""), WRITE),
    # Destinations.
    run("output outside the project", READ, WRITE.replace("out/orders.csv", "../orders.csv")),
    run("output is a folder", READ, WRITE.replace("orders.csv", "taken.csv"), prepare=target_is_folder),
    run("output below a file", READ, WRITE.replace("out/orders.csv", "data/orders.csv/x.csv")),
    run(
        "DuckDB file that is none",
        READ,
        duck_writer("table: orders, mode: append"),
        files={"main.duckdb": b"not a database" * 1000},
    ),
    run("DuckDB table not there", READ, duck_writer("table: orders, mode: append, create_if_missing: false")),
    run(
        "DuckDB column of another type",
        READ,
        duck_writer("table: orders, mode: append"),
        files={"data/orders.csv": "id,customer,amount\nx,ann,1\n"},
        prepare=orders_table,
    ),
    run(
        "DuckDB column more than the table has",
        READ,
        duck_writer("table: orders, mode: append"),
        files={"data/orders.csv": "id,customer,amount,extra\n1,ann,1,1\n"},
        prepare=orders_table,
    ),
    run(
        "DuckDB NULL where none may be",
        READ,
        duck_writer("table: orders, mode: append"),
        files={"data/orders.csv": "id,customer,amount\n1,,1\n"},
        prepare=orders_table,
    ),
    run(
        "DuckDB key twice in a load",
        READ,
        duck_writer("table: orders, mode: upsert, primary_key: [id]"),
        files={"data/orders.csv": "id,customer,amount\n1,a,1\n1,b,2\n"},
        prepare=orders_table,
    ),
    run(
        "DuckDB key that is no column",
        READ,
        duck_writer("table: orders, mode: upsert, primary_key: [idd]"),
        prepare=orders_table,
    ),
)
