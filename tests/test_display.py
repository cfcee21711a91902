from __future__ import annotations

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.display import visible, visible_line

# Format characters (category Cf) that are drawn: they mark the digits or letters after them.
DRAWN = {
    *range(0x600, 0x606),
    0x6DD,
    0x70F,
    0x890,
    0x891,
    0x8E2,
    0x110BD,
    0x110CD,
    *range(0x13430, 0x13440),
}
FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"


def acting(character: str) -> bool:
    if character in "\n\t" or ord(character) in DRAWN:
        return False
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} or character in FILLERS


def test_no_acting_character_passes():
    missed = [hex(code) for code in range(sys.maxunicode + 1) if acting(chr(code)) and visible(chr(code)) == chr(code)]
    assert missed == []


def test_characters_that_only_show_are_left_alone():
    kept = "".join(c for c in map(chr, range(0x20, 0x3000)) if unicodedata.category(c)[0] in "LNPSM" and not acting(c))
    assert visible(kept) == kept
    assert visible("naïve ☕️ 日本 🚀 a\tb\nc") == "naïve ☕️ 日本 🚀 a\tb\nc"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\rb", "a\\x0db"),
        ("\x9b1m", "\\x9b1m"),
        ("safe\u202egpj.exe", "safe\\u202egpj.exe"),
        ("\u200bx", "\\u200bx"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("\ufeffid", "\\ufeffid"),
        ("\x00", "\\x00"),
    ],
)
def test_an_acting_character_becomes_its_escape(text, shown):
    assert visible(text) == shown


@given(st.text(alphabet=st.characters()))
def test_what_is_shown_acts_no_more(text):
    shown = visible(text)
    assert visible(shown) == shown
    assert not any(acting(character) for character in shown)
    line = visible_line(text)
    assert "\n" not in line
    assert "\t" not in line
    assert len(line.splitlines()) <= 1


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_an_escape_names_the_character_it_stands_for(text):
    shown = visible_line(text.replace("\\", "/"))
    back = re.sub(
        r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(n)|(t))",
        lambda m: {"n": "\n", "t": "\t"}.get(m[4] or m[5] or "") or chr(int(m[1] or m[2] or m[3], 16)),
        shown,
    )
    assert back == text.replace("\\", "/")
