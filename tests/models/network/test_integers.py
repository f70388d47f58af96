"""Exact products and sums of integers of any size, nothing among them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from relucid.models.network.integers import exact_matmul, exact_product, exact_sum, integer_array

SIZES = st.sampled_from([0, 1, 2**26, 2**31, 2**53, 2**62, 2**64, 10**400])
NUMBERS = st.builds(
    lambda size, sign, less: sign * max(size - less, 0), SIZES, st.sampled_from([-1, 1]), st.integers(0, 2)
)


def matrix(numbers: list[int], rows: int) -> np.ndarray:
    return integer_array(np.array(numbers, dtype=object).reshape(rows, -1))


@given(
    st.lists(NUMBERS, min_size=6, max_size=6),
    st.one_of(st.lists(NUMBERS, min_size=6, max_size=6), st.just([0] * 6)),
)
def test_products_and_sums_are_those_of_python(left: list[int], right: list[int]) -> None:
    a, b = matrix(left, 2), matrix(right, 3)
    assert exact_matmul(a, b).tolist() == [
        [sum(left[3 * i + k] * right[2 * k + j] for k in range(3)) for j in range(2)] for i in range(2)
    ]
    same = matrix(right, 2)
    assert exact_product(a, same).reshape(-1).tolist() == [x * y for x, y in zip(left, right, strict=True)]
    assert exact_sum(a, same).reshape(-1).tolist() == [x + y for x, y in zip(left, right, strict=True)]
