from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import osiris_core
from osiris_core.catalogue import ENTRIES, remedy

CODE = re.compile(r"OSR-[A-Z]+-\d{3}")
EXAMPLE = "OSR-AREA-000"  # how a message shows what a code looks like
SOURCE = Path(osiris_core.__file__).parent
TESTS = Path(__file__).parent
MODELS = TESTS.parent / "plugins" / "osiris-llm" / "tests"
BUILTIN = SOURCE / "builtin"  # its components bring codes of their own, through ComponentSpec.errors


def test_codes_are_unique_and_well_formed():
    counted = Counter(entry.code for entry in ENTRIES)
    assert [code for code, count in counted.items() if count > 1] == []
    assert [code for code in counted if not CODE.fullmatch(code)] == []


def test_every_code_that_the_core_raises_is_listed():
    used = {
        code
        for path in SOURCE.rglob("*.py")
        if path.parent.name != "catalogue" and BUILTIN not in path.parents
        for code in CODE.findall(path.read_text(encoding="utf-8"))
    }
    listed = {entry.code for entry in ENTRIES}
    assert used - listed - {EXAMPLE} == set()


def test_every_code_that_is_listed_can_be_met_and_is_asserted():
    source = _codes(path for path in SOURCE.rglob("*.py") if path.parent.name != "catalogue")
    # why a call of a model failed is for the providers to say, whose tests are their plugin's
    tests = _codes([*TESTS.rglob("*.py"), *TESTS.rglob("*.json"), *MODELS.rglob("*.py")])
    # the tests of YAML and of structuring write the code's number alone
    for area, file in (("YAML", "test_yaml.py"), ("CFG", "test_structure.py")):
        numbers = re.findall(r'"(\d{3})"', (TESTS / "model" / file).read_text(encoding="utf-8"))
        tests |= {f"OSR-{area}-{number}" for number in numbers}
    listed = {entry.code for entry in ENTRIES}
    assert listed - source == set()
    assert {code for code in listed - tests if not code.startswith("OSR-RUN-")} == set()


def _codes(paths):
    return {code for path in paths for code in CODE.findall(path.read_text(encoding="utf-8"))}


def test_every_entry_says_what_happened_and_what_to_do():
    for entry in ENTRIES:
        assert entry.title
        assert entry.remedy
        assert not entry.title.endswith(".")
        assert remedy(entry.code) == entry.remedy
    assert remedy("OSR-NONE-000") is None
