"""Points that are replayed lie in the box as it is written, in the file's own numbers where it holds any."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from relucid.models.property import Case
from relucid.verifiers.boxes.replay import clamped, inside


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(st.integers(-(10**6), 10**6), st.integers(1, 10**6), st.floats(0, 1))
def test_a_point_is_moved_into_the_decimal_box(dtype, low, width, share):
    lower, upper = Fraction(low, 10**5), Fraction(low + width, 10**5)
    case = Case((lower,) * 3, (upper,) * 3, ())
    points = np.array([float(lower), float(lower + (upper - lower) * Fraction(share)), float(upper)])
    typed = inside(case, points, np.dtype(dtype))
    assert typed.dtype == dtype
    if width >= 10:  # the box holds such numbers
        assert case.contains([Fraction(float(v)) for v in typed])
    assert case.contains(clamped(case, [Fraction(float(v)) for v in typed]))


def test_where_the_box_holds_no_such_number_it_is_the_nearest():
    third = Fraction(1, 3)
    case = Case((third,), (third,), ())
    assert inside(case, np.array([1 / 3]), np.dtype(np.float32)) == np.float32(1 / 3)
    assert clamped(case, [Fraction(float(np.float32(1 / 3)))]) == [third]
