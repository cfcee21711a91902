"""The bytes of rows, however a network cuts them up: every cell found, and nothing taken for a row that is none."""

from __future__ import annotations

import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_mysql import wire
from osiris_mysql.wire import Broken, NotUTF8, read_rows
from osiris_sql.views import view_schema

END = b"\xfe\x00\x00\x02\x00"
LONGEST = 0xFFFFFF


def cell(value):
    if value is None:
        return b"\xfb"
    size = len(value)
    if size < 251:
        return bytes([size]) + value
    if size < 1 << 16:
        return b"\xfc" + struct.pack("<H", size) + value
    if size < 1 << 24:
        return b"\xfd" + struct.pack("<I", size)[:3] + value
    return b"\xfe" + struct.pack("<Q", size) + value


def packets(contents, *, end=END, number=1):
    data = bytearray()
    for content in (*contents, end):
        at = 0
        while True:
            part = content[at : at + LONGEST]
            data += struct.pack("<I", len(part))[:3] + bytes([number % 256]) + part
            number += 1
            at += LONGEST
            if len(part) < LONGEST:
                break
    return bytes(data)


class Network:
    """Gives ``data`` in pieces of the sizes of ``cuts``, over and over."""

    def __init__(self, data, cuts=(1 << 20,)):
        self.data = data
        self.cuts = cuts
        self.at = 0
        self.times = 0

    def readinto(self, view):
        size = min(len(view), self.cuts[self.times % len(self.cuts)], len(self.data) - self.at)
        view[:size] = self.data[self.at : self.at + size]
        self.at += size
        self.times += 1
        return size


def read(data, columns, *, cuts=(1 << 20,), size=1 << 16, texts=()):
    """The rows, and the packet that ended them; ``texts`` are the numbers of the columns that hold text."""
    schema = view_schema((f"c{at}", at in texts) for at in range(columns))
    ended = []
    rows = []
    for batch in read_rows(Network(data, cuts).readinto, schema, ended.append, size):
        table = pa.record_batch(batch)
        table.validate(full=True)
        rows += list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return rows, ended


CELLS = (
    st.none()
    | st.binary(max_size=20)
    | st.sampled_from([b"x" * size for size in (250, 251, 252, 253, 254, 255, 256, 3000)])
)


@given(
    st.integers(1, 4).flatmap(lambda columns: st.lists(st.tuples(*[CELLS] * columns), min_size=1, max_size=60)),
    st.lists(st.integers(1, 300), min_size=1, max_size=5),
    st.sampled_from([64, 300, 4096, 1 << 16]),
    st.integers(0, 300),
    st.sampled_from([0, 100, 1 << 30]),
)
def test_every_cell_is_found(rows, cuts, size, number, many):
    data = packets([b"".join(map(cell, row)) for row in rows], number=number)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire, "_MANY", many)  # guess always, sometimes, never
        assert read(data, len(rows[0]), cuts=cuts, size=size) == (rows, [END])


@given(st.lists(st.binary(min_size=1, max_size=9) | st.binary(min_size=250, max_size=260), min_size=1, max_size=9))
def test_a_guess_is_right_as_far_as_it_goes(kinds):
    """Rows full of zeros, or of what looks like a packet, shorten a guess and never mislead it."""
    some = [*kinds, b"\0" * 9, b"\1\0\0\1\0\1\0\0\2\0", b"", b"\5\0\0\0" * 7]
    contents = [b"".join(map(cell, (kind, other))) for kind in some for other in some] * 4
    data = packets(contents)
    buffer = np.frombuffer(data + bytes(16), dtype=np.uint8)
    truth = []
    at = 0
    for content in contents:
        truth.append(at + 4)
        at += 4 + len(content)
    starts, end = wire._guessed(buffer, 0, len(data))
    assert starts.tolist() == truth[: len(starts)]
    assert end == (truth[len(starts) - 1] + len(contents[len(starts) - 1]) if len(starts) else 0)
    assert wire._guessed(buffer, 0, 3)[1] == 0


def test_a_guess_goes_through_plain_rows():
    """Else it would be slow and nobody would know."""
    contents = [cell(b"%d" % n) + cell(b"text of some length"[: n % 19]) + cell(None) for n in range(1, 9000)]
    data = packets(contents)
    starts, _ = wire._guessed(np.frombuffer(data + bytes(16), dtype=np.uint8), 0, len(data))
    assert len(starts) == len(contents)


def test_a_row_that_is_missing_among_many():
    whole = packets([cell(b"%d" % n) for n in range(10_000)])
    lost = whole.find(cell(b"7777")) - 4
    with pytest.raises(Broken, match="a packet is missing"):
        read(whole[:lost] + whole[lost + 9 :], 1, size=1 << 20)


@pytest.mark.parametrize("length", [65535, 65536, LONGEST - 5, LONGEST - 4, LONGEST - 3, LONGEST, 2 * LONGEST - 9])
def test_rows_longer_than_a_packet(length):
    rows = [(b"a", b"y" * length, None), (b"b", b"", b"z")]
    data = packets([b"".join(map(cell, row)) for row in rows])
    assert read(data, 3, cuts=(1 << 20, 7), size=1 << 20) == (rows, [END])


def test_no_rows():
    assert read(packets([]), 2) == ([], [END])


def test_an_error_instead_of_more_rows():
    error = b"\xff\x15\x04#28000gone wrong"
    assert read(packets([cell(b"a")], end=error), 1) == ([(b"a",)], [error])


ROW = cell(b"one") + cell(b"two")
BROKEN = {
    "ends early": packets([ROW])[:-3],
    "ends within a row": packets([ROW])[:7],
    "ends before all": b"",
    "a cell too few": packets([cell(b"one")]),
    "a cell too many": packets([ROW + cell(b"three")]),
    "a cell beyond its row": packets([cell(b"one") + b"\x09two"]),
    "a length beyond everything": packets([cell(b"one") + b"\xfe" + b"\xff" * 8]),
    "a length that no cell has": packets([cell(b"one") + b"\xff"]),
    "a length cut off": packets([cell(b"one") + b"\xfd\x01"]),
    "an empty row": packets([ROW, b"", ROW]),
    "a row is missing": packets([ROW], end=ROW) + packets([], number=4),
    "the end is missing": packets([ROW], end=ROW) + packets([], number=9),
    "a row twice": packets([ROW], end=ROW) + packets([ROW], number=2),
    "more after the last row": packets([ROW]) + packets([ROW]),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_is_no_row_is_refused(data):
    with pytest.raises(Broken):
        read(data, 2)


@given(st.binary(max_size=200), st.integers(1, 3))
def test_noise_is_rows_or_refused(noise, columns):
    """Whatever comes: batches that are valid Arrow, and an end or a refusal."""
    try:
        _, ended = read(noise, columns, size=256)
    except Broken:
        return
    assert len(ended) == 1


TEXTS = st.text(max_size=8).map(str.encode) | st.sampled_from(["é" * count for count in (63, 64, 125, 126, 200)]).map(
    str.encode
)
WORDS = TEXTS | st.sampled_from([b"\xff", b"a\xc3", b"\xa9b", b"\xed\xa0\xbd", b"x" * 300 + b"\x80"])


@given(
    st.lists(st.tuples(st.none() | WORDS, st.none() | st.binary(max_size=9), st.none() | TEXTS), max_size=80),
    st.sampled_from([1 << 9, 1 << 16]),
)
def test_text_is_utf8_cell_by_cell(sent, size):
    """Neither the bytes of another column nor two cells in a row make text of what is none."""
    data = packets([b"".join(map(cell, row)) for row in sent])

    def is_text(word):
        return word is None or word.decode("utf-8", "ignore").encode() == word

    wrong = [row[0] for row in sent if not is_text(row[0])]
    if not wrong:
        rows, _ = read(data, 3, size=size, texts={0, 2})
        assert [tuple(None if word is None else word.encode() for word in (a, c)) for a, _, c in rows] == [
            (a, c) for a, _, c in sent
        ]
        assert [b for _, b, _ in rows] == [b for _, b, _ in sent]
        return
    with pytest.raises(NotUTF8) as caught:
        read(data, 3, size=size, texts={0, 2})
    assert (caught.value.column, caught.value.cell) == (0, wrong[0])
