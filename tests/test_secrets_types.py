from __future__ import annotations

import copy
import json
import pickle
import re
from collections.abc import Mapping
from typing import Any, Optional

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.secrets import REFERENCE, Secret, SecretRef, SecretStr, is_secret_type

VALUE = "correct horse battery"  # pragma: allowlist secret

LEAKS = {
    "str": str,
    "repr": repr,
    "format": "{}".format,
    "format with a width": "{:>40}".format,
    "percent": lambda secret: "%s %r" % (secret, secret),  # noqa: UP031
    "f-string": lambda secret: f"{secret!r} {secret!s} {secret!a} {secret}",
    "in a list": lambda secret: str([secret]),
    "in a mapping": lambda secret: str({"k": secret}),
    "as attrs": lambda secret: str(attrs.make_class("C", ["s"])(secret)),
    "json with default=str": lambda secret: json.dumps({"k": secret}, default=str),
    "an exception": lambda secret: str(ValueError(secret)) + repr(ValueError("x", secret)),
    "exception group": lambda secret: repr(ExceptionGroup("x", [ValueError(secret)])),
    "dir": lambda secret: str(dir(secret)),
}
REFUSALS = {
    "pickle": pickle.dumps,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "json": json.dumps,
    "join": lambda secret: ",".join(part for part in [secret]),
    "plus": lambda secret: "x" + secret,
    "bytes": bytes,
    "len": len,
    "iterate": list,
    "index": lambda secret: secret[0],
    "in": lambda secret: "correct" in secret,  # pragma: allowlist secret
    "vars": vars,
    "encode": str.encode,
    "regular expression": lambda secret: re.search("x", secret),
    "less": lambda secret: secret < SecretStr("z"),
}


@pytest.mark.parametrize("way", LEAKS)
def test_a_secret_does_not_show_itself(way):
    shown = LEAKS[way](SecretStr(VALUE))
    assert "correct" not in shown
    assert "horse" not in shown


@pytest.mark.parametrize("way", REFUSALS)
def test_a_secret_is_not_text(way):
    with pytest.raises(TypeError):
        REFUSALS[way](SecretStr(VALUE))


def test_reveal_is_the_way_out():
    assert SecretStr(VALUE).reveal() == VALUE


def test_a_secret_holds_text_only():
    with pytest.raises(TypeError, match="holds text, not int"):
        SecretStr(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not SecretStr"):
        SecretStr(SecretStr("x"))  # type: ignore[arg-type]


@given(st.text(alphabet=st.characters()), st.text(alphabet=st.characters()))
def test_secrets_are_equal_as_their_texts_are(one, other):
    assert (SecretStr(one) == SecretStr(other)) == (one == other)
    assert SecretStr(one) == SecretStr(one)
    assert hash(SecretStr(one)) == hash(SecretStr(one))
    assert SecretStr(one) != one
    assert bool(SecretStr(one)) == bool(one)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("${PASSWORD}", SecretRef("env", "PASSWORD")),
        ("${_x9}", SecretRef("env", "_x9")),
        ("${vault:team/db#password}", SecretRef("vault", "team/db#password")),
        ("${aws-sm.v2+x:a:b:c}", SecretRef("aws-sm.v2+x", "a:b:c")),
        ("${env:PASSWORD}", SecretRef("env", "PASSWORD")),
        ("${env:odd-name}", SecretRef("env", "odd-name")),
        ("hunter2", None),
        ("", None),
        ("$PASSWORD", None),
        ("${}", None),
        ("${PASSWORD", None),
        ("${PASS WORD}", None),
        ("${params.password}", None),
        ("${9X}", None),
        ("${Vault:x}", None),
        ("${vault:}", None),
        ("${${X}}", None),
        ("${A}${B}", None),
        (" ${A}", None),
        ("${A}\n", None),
        ("x${A}", None),
        ("${A-default}", None),
    ],
)
def test_a_reference_is_a_whole_text(text, reference):
    assert SecretRef.parse(text) == reference


schemes = st.from_regex(r"[a-z][a-z0-9+.-]{0,8}", fullmatch=True)
secret_names = st.from_regex(r"[^${}\s]{1,20}", fullmatch=True)


@given(schemes, secret_names)
def test_a_reference_reads_back_from_its_text(scheme, name):
    assert SecretRef.parse(str(SecretRef(scheme, name))) == SecretRef(scheme, name)


@given(st.text(alphabet="${}:aA0 ._-", max_size=20))
def test_what_parses_is_what_the_expression_matches(text):
    assert (SecretRef.parse(text) is not None) == (REFERENCE.fullmatch(text) is not None)


def test_references_are_found_inside_a_text():
    text = "mysql://${USER}:${vault:db/pw}@host/${params.db}?${}"
    assert [match.group() for match in REFERENCE.finditer(text)] == ["${USER}", "${vault:db/pw}"]


@pytest.mark.parametrize(
    ("annotation", "secret"),
    [
        (Secret, True),
        (Secret | None, True),
        (Optional[SecretStr], True),  # noqa: UP045
        (SecretRef, True),
        (SecretStr, True),
        (str, False),
        (str | None, False),
        (tuple[SecretStr, ...], False),
        (Mapping[str, SecretStr], False),
        (Any, False),
        (None, False),
    ],
)
def test_annotations_that_mark_a_secret(annotation, secret):
    assert is_secret_type(annotation) is secret
