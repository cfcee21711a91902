"""After DuckDB has refused a JSON Lines file: which line, which key, and why."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, Final

from arro3.core import Array, DataType

from osiris_core.api import DriverError
from osiris_filesystem.cells import MARK, CellFormat
from osiris_filesystem.columns import did_you_mean
from osiris_filesystem.engine import connect, failure, hold, literal, only_row
from osiris_filesystem.jsonl_plan import file_lines, line_error, parse_line
from osiris_filesystem.jsonl_values import json_value, raw_numbers
from osiris_filesystem.roots import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_filesystem.jsonl_config import JsonlExtractor
    from osiris_filesystem.jsonl_plan import JsonlPlan
    from osiris_filesystem.listing import InputFile
    from osiris_filesystem.roots import Root

_AT_ONCE: Final = 5000
_LONGEST: Final = 80


def explain(
    error: BaseException,
    *,
    root: Root,
    plan: JsonlPlan,
    files: Sequence[InputFile],
    config: JsonlExtractor,
) -> DriverError:
    """The error to raise for what DuckDB raised while it read ``files``: the first fault in the first faulty file."""
    engine = connect()
    try:
        for file in files:
            with contextlib.closing(file_lines(root, file, config)) as lines:
                block: list[tuple[int, str]] = []
                for number, line in enumerate(lines, start=1):
                    text = line.strip(" \t\r\n")
                    if not text:
                        continue
                    block.append((number, text))
                    if len(block) == _AT_ONCE:
                        _look_at(engine, file, block, plan, config)
                        block = []
                _look_at(engine, file, block, plan, config)
    except DriverError as found:
        return found
    finally:
        engine.close()
    return failure(error, what=f"'{files[0].path}' could not be read", code="OSR-FS-034")  # type: ignore[return-value]


def _look_at(
    engine: Any, file: InputFile, block: Sequence[tuple[int, str]], plan: JsonlPlan, config: JsonlExtractor
) -> None:
    """Raise the first fault of a block of lines; the values are judged by the very SQL that reads them."""
    sound: list[tuple[int, str]] = []
    fault: DriverError | None = None
    for number, text in block:
        fault = line_error(file, number, text, config.max_line_bytes) or _key_error(file, number, text, plan, config)
        if fault is not None:
            break
        sound.append((number, text))
    if sound:
        numbers, texts = zip(*sound, strict=True)
        columns = {"number": Array(list(numbers), DataType.int64()), "json": Array(list(texts), DataType.utf8())}
        hold(engine, "osiris_lines", columns)
        wrong = [
            found
            for column in plan.columns
            if column.origin == "key" and (found := _value_error(engine, file, column, config)) is not None
        ]
        if wrong:
            raise min(wrong, key=lambda found: found[0])[1]
    if fault is not None:
        raise fault


def _key_error(file: InputFile, number: int, text: str, plan: JsonlPlan, config: JsonlExtractor) -> DriverError | None:
    if config.unknown_keys == "ignore":
        return None
    known = set(plan.keys)
    unknown = next((key for key in parse_line(text) if key not in known), None)
    if unknown is None:
        return None
    return DriverError(
        "OSR-FS-032",
        f"'{file.path}' line {number:,} has the key '{shown(unknown)}', which the sample lacks",
        hint=f"name it in 'types', or set unknown_keys: ignore ({did_you_mean(unknown, plan.keys)})",
    )


def _value_error(engine: Any, file: InputFile, column: Any, config: JsonlExtractor) -> tuple[int, DriverError] | None:
    """The first value of a column that its type does not take, found by halving."""
    pointer = literal("/" + column.name.replace("~", "~0").replace("/", "~1"))
    item = json_value(
        f"json_extract(json, {pointer})",
        f"json_type(json, {pointer})",
        f"json_extract_string(json, {pointer})",
        column.type,
        CellFormat(binary=config.binary),
        stated=column.stated,
        number=0,
        raw=raw_numbers("json", column.name, f"json_extract_string(json, {pointer})")
        if column.type.startswith("DECIMAL")
        else None,
    )
    item = item.replace(literal(f"{MARK}:0"), literal(MARK))
    numbers = [row[0] for row in engine.execute("SELECT number FROM osiris_lines ORDER BY number").fetchall()]

    def reads(low: int, high: int) -> bool:
        try:
            between = f"number BETWEEN {numbers[low]} AND {numbers[high]}"
            only_row(engine, f"SELECT count({item}) FROM osiris_lines WHERE {between}")
        except Exception:  # noqa: BLE001 - whatever it is, these lines cannot be read
            return False
        return True

    low, high = 0, len(numbers) - 1
    if reads(low, high):
        return None
    while low < high:
        middle = (low + high) // 2
        if reads(low, middle):
            low = middle + 1
        else:
            high = middle
    number = numbers[low]
    extracted = f"CAST(json_extract(json, {pointer}) AS VARCHAR)"
    text = only_row(engine, f"SELECT {extracted} FROM osiris_lines WHERE number = {number}")[0]
    why = "" if column.stated else ", which was inferred from a sample"
    return number, DriverError(
        "OSR-FS-022",
        f"'{file.path}' line {number:,}: the key '{shown(column.name)}' is {column.type}{why},"
        f" and {_short(text)} is not",
        hint=None if column.stated else f"state its type: types: {{{json.dumps(column.name)}: VARCHAR}}",
    )


def _short(text: str | None) -> str:
    clean = shown(text or "null")
    return clean if len(clean) <= _LONGEST else f"{clean[:_LONGEST]}…"
