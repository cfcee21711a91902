"""Dependencies: implicit and given, and everything that is no plan."""

from __future__ import annotations

import pytest

R = "component: sample.plain, mode: extract"
T = "component: sample.pass, mode: transform"
W = "component: sample.store, mode: write, config: {table: t}"


def steps(*lines):
    return "steps:\n" + "".join(f"  - {{{line}}}\n" for line in lines)


def edges(validation):
    return {step.id: list(step.needs) for step in validation.steps}


def test_a_transform_and_a_write_depend_on_the_step_before(bench):
    validation = bench.check(steps(f"id: a, {R}", f"id: b, {T}", f"id: c, {T}", f"id: d, {W}"))
    assert validation.ok
    assert edges(validation) == {"a": [], "b": ["a"], "c": ["b"], "d": ["c"]}


def test_pairs_of_extract_and_write_are_independent_chains(bench):
    lines = [line for n in range(5) for line in (f"id: r{n}, {R}", f"id: w{n}, {W}")]
    assert edges(bench.check(steps(*lines))) == {
        key: value for n in range(5) for key, value in ((f"r{n}", []), (f"w{n}", [f"r{n}"]))
    }


def test_given_needs_are_exactly_those(bench):
    validation = bench.check(steps(f"id: a, {R}", f"id: b, {R}", f"id: j, {T}, needs: [a, b]", f"id: w, {W}"))
    assert validation.ok
    assert edges(validation)["j"] == ["a", "b"]


def test_order_is_topological_and_ties_keep_document_order(bench):
    validation = bench.check(
        steps(f"id: late, {T}, needs: [z]", f"id: w, {W}", f"id: z, {R}", f"id: b, {R}", f"id: wb, {W}, needs: [b]")
    )
    assert validation.ok
    assert [step.id for step in validation.steps] == ["z", "late", "w", "b", "wb"]


def test_a_transform_may_say_that_it_has_no_input(bench):
    assert bench.check(steps(f"id: a, {T}, needs: []", f"id: w, {W}")).ok


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((f"id: a, {R}", f"id: w, {W}, needs: [b]"), ["OSR-OML-020 5:79 there is no step 'b'"]),
        (
            (f"id: a, {R}", f"id: b, {R}, needs: [a]", f"id: w, {W}"),
            ["OSR-OML-022 5:60 step 'b' extracts, so nothing can feed it"],
        ),
        ((f"id: w, {W}",), ["OSR-OML-023 4:5 step 'w' has no input: no step stands before it"]),
        ((f"id: w, {W}, needs: []",), ["OSR-OML-023 4:78 step 'w' writes, but `needs: []` leaves it without rows"]),
        ((f"id: t, {T}",), ["OSR-OML-023 4:5 step 't' has no input: no step stands before it"]),
        (
            (f"id: a, {R}", f"id: w, {W}", f"id: v, {W}"),
            ["OSR-OML-024 6:5 step 'v' takes its input from 'w', which writes and passes nothing on"],
        ),
        (
            (f"id: a, {R}", f"id: b, {R}", f"id: w, {W}, needs: [a, b]"),
            ["OSR-OML-025 6:78 step 'w' writes the rows of one step, not of 2"],
        ),
        (
            (f"id: a-b, {R}", f"id: a_b, {R}", f"id: t, {T}, needs: [a-b, a_b]", f"id: w, {W}"),
            ["OSR-OML-026 6:61 'a-b' and 'a_b' are the same SQL name, 'a_b', in step 't'"],
        ),
        (
            (f"id: a, {R}", f"id: b, {R}", f"id: w, {W}"),
            ["OSR-OML-027 4:5 no step reads the rows of 'a'"],
        ),
        (
            (f"id: a, {R}", f"id: t, {T}, needs: [a, a]", f"id: w, {W}"),
            ["OSR-OML-028 5:65 needs lists 'a' twice"],
        ),
        (
            (f"id: t, {T}, needs: [t]", f"id: w, {W}"),
            ["OSR-OML-021 4:61 step 't' needs itself"],
        ),
        (
            (f"id: a, {T}, needs: [b]", f"id: b, {T}, needs: [c]", f"id: c, {T}, needs: [a]", f"id: w, {W}"),
            ["OSR-OML-021 4:61 these steps need each other: 'a' → 'b' → 'c' → 'a'"],
        ),
        (
            (f"id: a, {T}, needs: [b]", f"id: b, {T}, needs: [a]", f"id: c, {T}, needs: [a, d]", f"id: d, {T}"),
            [
                "OSR-OML-021 4:61 these steps need each other: 'a' → 'b' → 'a'",
                "OSR-OML-021 6:61 these steps need each other: 'c' → 'd' → 'c'",
            ],
        ),
    ],
)
def test_what_is_no_plan(bench, found, lines, expected):
    assert found(bench.check(steps(*lines))) == expected


def test_a_pipeline_without_writers_may_end_anywhere(bench):
    assert bench.check(steps(f"id: a, {R}", f"id: b, {R}")).diagnostics == ()
