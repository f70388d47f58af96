"""The proofs that floating point is exact, at their limits; and tables of numbers of any size."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from relucid.models.network.integers import integer_array
from relucid.verifiers.engines.enumerate.composed import ComposedLayer
from relucid.verifiers.engines.enumerate.precision import precision
from relucid.verifiers.engines.enumerate.tables import Tables

NOTHING = np.zeros(1)


def read(rows: int = 1) -> ComposedLayer:
    return ComposedLayer(np.zeros((rows, 1, 1), dtype=np.int64), {}, np.zeros(rows, dtype=np.int64))


def after(weight: int, constant: int = 0) -> ComposedLayer:
    return ComposedLayer(None, {0: integer_array([[weight]])}, integer_array([constant]))


@pytest.mark.parametrize(
    ("power", "dtype", "exact"),
    [(23, "float32", True), (24, "float64", True), (52, "float64", True), (53, "float64", False)],
)
def test_every_number_counts(power: int, dtype: str, exact: bool) -> None:
    """Sums over heads, over tails, products, constants."""
    large, one = np.array([2.0**power]), np.array([1.0])
    cases = [
        precision((read(),), large, NOTHING),
        precision((read(),), NOTHING, large),
        precision((read(), after(2**power)), one, NOTHING),
        precision((read(), after(2**power)), NOTHING, one),
        precision((read(), after(1, 2**power)), NOTHING, NOTHING),
        precision((read(), after(-(2 ** (power // 2)))), NOTHING, np.array([2.0 ** (power - power // 2)])),
        precision(
            (
                read(),
                after(1),
                ComposedLayer(
                    None, {1: integer_array([[1]]), 0: integer_array([[2**power]])}, integer_array([0])
                ),
            ),
            one,
            NOTHING,
        ),
    ]
    for found in cases:
        assert (str(found.dtype), found.slack == 0) == (dtype, exact)


def test_weights_that_meet_only_zeros_must_fit_too() -> None:
    """Infinity times zero is not zero."""
    assert str(precision((read(), after(2**200)), NOTHING, NOTHING).dtype) == "float64"


def test_below_the_limit_everything_may_add_up_to_it() -> None:
    half = np.array([2.0**23])
    assert str(precision((read(), after(1)), half - 1, half - 1).dtype) == "float32"
    assert str(precision((read(), after(1, 2**23)), half, NOTHING).dtype) == "float64"
    apart = (
        np.array([0.6, 0.0]) * 2**24
    )  # one ReLU takes its largest value from the head, the other from the tail
    both = ComposedLayer(None, {0: integer_array([[1, 1]])}, integer_array([0]))
    assert str(precision((read(2), both), apart, apart[::-1]).dtype) == "float64"


@pytest.mark.parametrize("size", [2.0**901, np.inf])
def test_what_may_overflow_is_not_computed(size: float) -> None:
    for before, behind in itertools.permutations((np.array([size]), NOTHING)):
        assert precision((read(),), before, behind).slack == np.inf
        assert precision((read(), after(0), after(1)), before, behind).slack == np.inf
    assert precision((read(), after(2**901)), NOTHING, NOTHING).slack == np.inf
    assert precision((read(), after(2**2000)), NOTHING, NOTHING).slack == np.inf


@pytest.mark.parametrize("power", [3, 50, 58, 59, 60, 61, 62, 63, 64, 2000])
@pytest.mark.parametrize("at", [0, 1, 3])
def test_tables_are_exact(power: int, at: int) -> None:
    numbers = np.random.default_rng(power)
    whole = [
        [[int(v) * (2**power - 1) // 9 for v in row] for row in block]
        for block in numbers.integers(-9, 10, size=(4, 3, 2))
    ]
    constant = [int(v) * (2**power - 1) // 9 for v in numbers.integers(-9, 10, size=4)]
    present = np.array([[True, True], [True, False], [True, True]])
    layers = (
        ComposedLayer(integer_array(whole[:3]), {}, integer_array(constant[:3])),
        ComposedLayer(integer_array(whole[3:]), {}, integer_array(constant[3:])),
    )
    tables = Tables.of(layers, present, at)
    for word in itertools.product((0, 1), (0,), (0, 1)):
        head = [sum(int(tables.symbols[r, t, word[t]]) for t in range(at)) for r in range(4)]
        tail = tables.sums(np.array([word[at:]], dtype=np.int64).reshape(1, 3 - at), at)[0]
        assert [h + int(a) for h, a in zip(head, tail, strict=True)] == [
            sum(whole[r][t][word[t]] for t in range(3)) + constant[r] for r in range(4)
        ]
        if power < 1000:
            # bounds are rounded; whoever uses them allows for that
            assert all(abs(h) <= bound * (1 + 2.0**-40) for h, bound in zip(head, tables.before, strict=True))
            assert all(
                abs(int(a)) <= bound * (1 + 2.0**-40) for a, bound in zip(tail, tables.behind, strict=True)
            )
    assert (power >= 1000) == bool(np.isinf(tables.behind).any())


def test_symbols_that_no_word_has_do_not_count() -> None:
    layer = ComposedLayer(integer_array([[[1, 2**2000], [2**2000, 1]]]), {}, integer_array([0]))
    tables = Tables.of((layer,), np.array([[True, False], [False, True]]), 1)
    assert tables.before.tolist() == [0.0] and tables.behind.tolist() == [2.0]
    assert tables.symbols.astype(np.float32).tolist() == [[[0.0, 0.0], [0.0, 1.0]]]
