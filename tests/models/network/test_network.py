"""Exact evaluation against Fractions, at the edges of float64 and int64 too; digests; what
`Network` refuses.
"""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relucid.models.network.head import Head, LogSoftmaxShare, Plain, SoftmaxShare
from relucid.models.network.integers import FLOAT64_EXACT, INT64_LIMIT, dyadic, integer_array
from relucid.models.network.network import Affine, Network, Relu, feed_forward


def fractions_of(net, x):
    """The network straight from its definition."""
    values = [[Fraction(int(v)) for v in x]]
    for node in net.nodes:
        if isinstance(node, Relu):
            values.append([max(Fraction(0), v) for v in values[node.source]])
            continue
        out = [Fraction(int(b)) for b in node.bias]
        for s, w in zip(node.sources, node.weights, strict=True):
            out = [
                o + sum((int(c) * v for c, v in zip(row, values[s], strict=True)), Fraction(0))
                for o, row in zip(out, w, strict=True)
            ]
        values.append([o / node.denominator for o in out])
    return values


def check_exact(net, inputs):
    got = net.values(np.array(inputs, dtype=object))
    for i, x in enumerate(inputs):
        for k, want in enumerate(fractions_of(net, x)):
            assert [Fraction(int(v), net.scales[k]) for v in got[k][i]] == want, (k, x)
    out = net.evaluate(np.array(inputs, dtype=object))
    assert out.dtype in (np.int64, object)
    assert [Fraction(int(v), net.scale) for v in out[0]] == fractions_of(net, inputs[0])[-1]


numbers = st.one_of(
    st.integers(-9, 9),
    st.sampled_from(
        [
            s * (b + d)
            for b in (2**24, 2**52, 2**53, 2**62, 2**63, 2**64, 2**80)
            for d in (-1, 0, 1)
            for s in (1, -1)
        ]
    ),
)


@st.composite
def networks(draw):
    sizes, nodes = [draw(st.integers(1, 4))], []
    for _ in range(draw(st.integers(1, 5))):
        if nodes and draw(st.booleans()):
            source = draw(st.integers(0, len(nodes)))
            nodes.append(Relu(source))
            sizes.append(sizes[source])
            continue
        sources = tuple(draw(st.lists(st.integers(0, len(nodes)), min_size=1, max_size=2, unique=True)))
        size = draw(st.integers(1, 3))
        weights = tuple(
            integer_array([[draw(numbers) for _ in range(sizes[s])] for _ in range(size)]) for s in sources
        )
        bias = integer_array([draw(numbers) for _ in range(size)])
        nodes.append(Affine(sources, weights, bias, draw(st.sampled_from([1, 2, 3, 8, 2**60, 7**30]))))
        sizes.append(size)
    return Network(sizes[0], tuple(nodes))


@settings(max_examples=150, deadline=None)
@given(networks(), st.data())
def test_values_equal_fractions(net, data):
    entry = data.draw(st.sampled_from([st.integers(0, 1), st.integers(-5, 5), numbers]))
    rows = data.draw(
        st.lists(st.lists(entry, min_size=net.input_size, max_size=net.input_size), min_size=1, max_size=3)
    )
    check_exact(net, rows)


@pytest.mark.parametrize("edge", [FLOAT64_EXACT, INT64_LIMIT, 2**63, 2**64])
@pytest.mark.parametrize("delta", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("sign", [1, -1])
def test_sums_at_the_edges(edge, delta, sign):
    """Sums that reach the edge exactly: 1 + (edge + delta - 1), and their difference, which a rounded sum
    would lose.
    """
    big = sign * (edge + delta - 1)
    first = Affine((0,), (integer_array([[big, sign], [big, -sign]]),), integer_array([0, 0]))
    second = Affine((1,), (integer_array([[1, -1]]),), integer_array([0]))
    net = Network(2, (first, second))
    check_exact(net, [[1, 1], [1, 0], [0, 1], [0, 0]])
    assert int(net.evaluate(np.array([[1, 1]]))[0, 0]) == 2 * sign


@pytest.mark.parametrize(
    ("bound", "kind"), [(2**53 - 1, np.float64), (2**53, np.int64), (2**63 - 1, np.int64), (2**63, object)]
)
def test_arithmetic_is_chosen_by_the_bound(bound, kind):
    net = Network(1, (Affine((0,), (integer_array([[bound - 1]]),), integer_array([1])),))
    assert net.magnitudes()[-1] == bound
    assert net.values(np.array([[1]]))[-1].dtype == kind


def test_bounds_go_through_relu():
    layers = [(np.array([[2.0**40 + 1]]), np.array([0])), (np.array([[2.0**40 + 1]]), np.array([0]))]
    assert int(feed_forward(layers).evaluate(np.array([[1]]))[0, 0]) == (2**40 + 1) ** 2


@pytest.mark.parametrize("low", [-52, -61, -62, -63, -64, -1074])
def test_dyadic_at_the_edge_of_int64(low):
    numerators, denominator = dyadic(np.array([1.0, 2.0**low, -1.0]))
    assert (numerators.tolist(), denominator) == ([2**-low, 1, -(2**-low)], 2**-low)


def test_a_bound_covers_partial_sums_that_cancel():
    net = Network(2, (Affine((0,), (integer_array([[2**62, -(2**62)]]),), integer_array([2**62])),))
    assert net.magnitudes()[-1] == 3 * 2**62
    assert int(net.evaluate(np.array([[1, 1]]))[0, 0]) == 2**62


@settings(max_examples=300, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5))
def test_dyadic_is_exact_and_in_lowest_terms(floats):
    numerators, denominator = dyadic(np.array(floats, dtype=np.float64))
    assert [Fraction(int(n), denominator) for n in numerators] == [Fraction(f) for f in floats]
    assert denominator == max((Fraction(f).denominator for f in floats), default=1)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_dyadic_of_float32(floats):
    numerators, denominator = dyadic(np.array(floats, dtype=np.float32))
    assert [Fraction(int(n), denominator) for n in numerators] == [Fraction(f) for f in floats]


def test_dyadic_of_other_types():
    assert dyadic(np.array([2**63 + 1], dtype=np.uint64)) == (2**63 + 1, 1)
    numerators, denominator = dyadic(np.array([Fraction(10**400), Fraction(1, 3), 0.5], dtype=object))
    assert (list(numerators), denominator) == ([6 * 10**400, 2, 3], 6)
    wide = np.longdouble(1) + np.longdouble(2) ** -60
    assert Fraction(int(dyadic(np.array([wide]))[0][0]), dyadic(np.array([wide]))[1]) == Fraction(
        *wide.as_integer_ratio()
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("kind", [np.float32, np.float64, object])
def test_dyadic_refuses_what_is_not_finite(bad, kind):
    with pytest.raises(ValueError, match="parameters must be finite"):
        dyadic(np.array([1.0, bad], dtype=kind))


def test_integer_array():
    assert integer_array([1, -2]).dtype == np.int64
    assert integer_array([INT64_LIMIT]).dtype == np.int64
    assert integer_array([2**63]).dtype == object
    assert (
        integer_array(np.array([-(2**63)], dtype=np.int64)).dtype == object
    )  # its absolute value is no int64
    assert integer_array(np.array([2**64 - 1], dtype=np.uint64)).tolist() == [2**64 - 1]
    assert integer_array(np.array([np.int64(3)], dtype=object)).dtype == np.int64
    assert integer_array(np.zeros((0, 3), dtype=object)).shape == (0, 3)
    assert integer_array([2.0]).tolist() == [2]
    with pytest.raises(ValueError, match="is not an integer"):
        integer_array([0.5])
    with pytest.raises(ValueError):
        integer_array([1])[0] = 2  # read-only


def test_integer_array_does_not_freeze_its_argument():
    mine = np.array([1, 2], dtype=np.int64)
    integer_array(mine)
    mine[0] = 5


def two_layers():
    return feed_forward(
        [(np.array([[0.5, -1], [2, 0.25]]), np.array([0, 1.5])), (np.array([[1, -1]]), np.array([0.125]))]
    )


def test_feed_forward():
    net = two_layers()
    assert net.sizes == (2, 2, 2, 1) and net.relu_count == 2
    assert Fraction(int(net.evaluate(np.array([[1, 1]]))[0, 0]), net.scale) == 0 - Fraction(15, 4) + Fraction(
        1, 8
    )
    with pytest.raises(ValueError, match="at least one layer"):
        feed_forward([])


def test_digest_is_stable():
    assert two_layers().digest == two_layers().digest
    # Written down once: a change of the digest's definition breaks stored certificates and must be
    # deliberate.
    assert two_layers().digest == "9e370c89535384293929a571a375bb3acfbfa27e1519c1c48f9ce73c2fc593a7"


def test_digest_sees_every_change():
    net = two_layers()
    first, relu, last = net.nodes
    weights = first.weights[0].copy()
    weights[1, 1] += 1
    variants = [
        net,
        replace(net, encoding="ids"),
        replace(net, nodes=(replace(first, matrices=(integer_array(weights),)), relu, last)),
        replace(net, nodes=(replace(first, bias=integer_array(first.bias + np.array([0, 1]))), relu, last)),
        replace(net, nodes=(replace(first, denominator=first.denominator * 2), relu, last)),
        replace(net, nodes=(first, relu, replace(last, sources=(1,)))),
        replace(net, nodes=(first, relu)),
        replace(net, nodes=(first, relu, Relu(2), replace(last, sources=(3,)))),
    ]
    assert len({n.digest for n in variants}) == len(variants)
    assert replace(net, name="other", source=b"bytes").digest == net.digest


def test_empty_batch_and_wrong_inputs():
    net = two_layers()
    assert net.evaluate(np.zeros((0, 2), dtype=np.int8)).shape == (0, 1)
    assert (
        net.evaluate(np.array([[1.0, 0.0]], dtype=np.float32)).tolist()
        == net.evaluate(np.array([[1, 0]])).tolist()
    )
    with pytest.raises(ValueError, match="expected"):
        net.evaluate(np.zeros((1, 3)))
    for bad in (0.5, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="inputs must be integers"):
            net.evaluate(np.array([[1.0, bad]]))


def test_constant_node_without_sources():
    net = Network(2, (Affine((), (), integer_array([7, -1]), 2),))
    assert net.evaluate(np.zeros((3, 2), dtype=np.int64)).tolist() == [[7, -1]] * 3


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Network(1, ()), "at least one input and one node"),
        (lambda: Network(0, (Relu(0),)), "at least one input and one node"),
        (lambda: Network(1, (Relu(1),)), "does not come before it"),
        (
            lambda: Network(2, (Affine((0,), (integer_array([[1]]),), integer_array([0])),)),
            "do not fit the sizes of its sources",
        ),
        (lambda: Affine((0,), (integer_array([[1]]),), integer_array([0]), 0), "positive integer"),
        (lambda: Affine((0,), (), integer_array([0])), "one weight matrix per source"),
        (lambda: Affine((0,), (integer_array([1]),), integer_array([0])), "shapes do not fit"),
        (lambda: Affine((0,), (np.array([[0.5]]),), integer_array([0])), "parameters are integers"),
    ],
)
def test_malformed_networks_raise(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_digests_of_heads_do_not_depend_on_names_of_classes():
    """Proof files hold digests: what a head contributes to them stays the same text."""
    one = "factor=Fraction(1, 1), offset=Fraction(0, 1)"
    head = Head((SoftmaxShare((0, 1), 0), LogSoftmaxShare((0, 1), 1), Plain(1)))
    shares = f"Share(group=(0, 1), member=0, {one}), LogShare(group=(0, 1), member=1)"
    assert head.canonical() == f"({shares}, Plain(index=1))"
