"""Leaves in memory and in a file are the same leaves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relucid.verifiers.bounds.multipliers import STEP, Multipliers
from relucid.verifiers.engines.bab.cells import SettledNode
from relucid.verifiers.engines.bab.leaves import Leaves, Spooled


def leaf(rng: np.random.Generator, k: int) -> SettledNode:
    phases = tuple((int(j), int(rng.choice([1, -1]))) for j in rng.permutation(k)[: rng.integers(0, k + 1)])
    kind = rng.integers(3)
    if kind < 2:
        return SettledNode(int(rng.integers(k, k + 3)), phases, None, looked=bool(kind))
    below, above = rng.integers(0, 257, size=(2, k)) * STEP
    return SettledNode(
        int(rng.integers(k, k + 3)), phases, Multipliers(below, above, rng.integers(0, 2**40, size=k) * STEP)
    )


def plain(found: SettledNode) -> tuple:
    m = found.multipliers
    return (
        found.target,
        found.phases,
        found.looked,
        m and (m.below.tolist(), m.above.tolist(), m.beta.tolist()),
    )


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 6))
def test_what_goes_in_comes_out(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    kept, spooled = Leaves(), Spooled()
    for _ in range(rng.integers(0, 12)):
        cell, leaves = int(rng.integers(5)), [leaf(rng, k) for _ in range(rng.integers(0, 4))]
        kept.add(cell, iter(leaves))
        spooled.add(cell, iter(leaves))
        asked = int(rng.integers(5))  # reading between writing
        assert list(map(plain, kept.of(asked))) == list(map(plain, spooled.of(asked)))
    assert list(kept.cells()) == list(spooled.cells())
    for cell in range(6):
        assert list(map(plain, kept.of(cell))) == list(map(plain, spooled.of(cell)))


def test_the_file_is_gone_with_it() -> None:
    spooled = Spooled()
    spooled.add(0, [SettledNode(1, (), None)])
    file = spooled.file
    file.close()
    with pytest.raises(ValueError, match="closed file"):
        spooled.of(0)
