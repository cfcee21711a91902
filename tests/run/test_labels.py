"""``osiris run --label``: recorded, shown, redacted; what cannot be one is refused before anything runs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.errors import InvalidInput
from osiris_core.redaction import Redactor
from osiris_core.run.labels import MAX_LABELS, MAX_VALUE, read_labels
from osiris_core.run.session import Session
from tests.run.workshop import numbers, remote_shop, store

__all__ = ["remote_shop"]

SECRET = "t0p-s3cret-value-91"  # pragma: allowlist secret


def test_labels_are_recorded(remote_shop):
    shop = remote_shop
    shop.write(numbers(rows=1), store())
    for extra in ([], ["--isolate"]):
        done = shop.osiris("run", "p.yaml", "--label", "team=sales", "--label", "ticket=A=1", *extra)
        assert done.returncode == 0, done.stderr
        record = shop.records()[-1]
        for name in ("session.json", "status.json"):
            assert json.loads((record / name).read_text())["labels"] == {"team": "sales", "ticket": "A=1"}
    plan = json.loads(shop.osiris("run", "p.yaml", "--label", "team=sales", "--dry-run", "--json").stdout)
    assert plan["labels"] == {"team": "sales"}
    assert "labels: team=sales" in shop.osiris("run", "p.yaml", "--label", "team=sales", "--dry-run").stdout


def test_a_label_that_is_none_stops_before_the_run(remote_shop):
    remote_shop.write(numbers(rows=1), store())
    done = remote_shop.osiris("run", "p.yaml", "--label", "team", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "OSR-RUN-074")
    assert remote_shop.records() == []


@pytest.mark.parametrize(
    "texts",
    [
        ["x"],
        ["=x"],
        ["x="],
        ["-x=1"],
        ["x y=1"],
        ["x=a\nb"],
        ["x=\x1b[2J"],
        ["x=\u202eb"],
        ["x=\udc80"],
        ["x=1", "x=2"],
        [f"x={'a' * (MAX_VALUE + 1)}"],
        [f"{'k' * 64}=1"],
        [f"k{number}=1" for number in range(MAX_LABELS + 1)],
    ],
)
def test_what_cannot_be_a_label(texts):
    with pytest.raises(InvalidInput, match="OSR-RUN-074"):
        read_labels(texts)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z0-9]([a-z0-9._/-]{0,10}[a-z0-9])?", fullmatch=True), st.text("äb=c 1", min_size=1)
    )
)
def test_what_is_one_comes_back(labels):
    wanted = dict(list(labels.items())[:MAX_LABELS])
    assert read_labels(f"{key}={value}" for key, value in wanted.items()) == wanted


def test_a_secret_in_a_label_is_masked_also_when_it_becomes_known_later(tmp_path):
    masks = Redactor()
    made_up = "hunter2-hunter2"
    details = {"pipeline": "p", "labels": {"why": f"uses {SECRET}", "password": made_up}}
    session = Session.create("run", tmp_path, details=details, redactor=masks)
    assert "hunter2" not in (session.path / "session.json").read_text()
    masks.register(SECRET)
    session.mask_opening()
    opening = json.loads((session.path / "session.json").read_text())
    assert opening["labels"] == {"why": "uses ***", "password": "***"}
    assert opening["process"]["pid"] > 0
    session.close({"status": "succeeded"})
