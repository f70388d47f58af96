"""fit_surrogate: exact on every input, checked here by brute force in Python integers and in onnxruntime."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from clocks import calls
from hypothesis import given, settings
from hypothesis import strategies as st
from relucid.common.errors import InputError
from relucid.models.automata.labelled import Labelled
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.network.float32 import exact_in_float32
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network
from relucid.models.surrogates import compiled, fit
from relucid.models.surrogates.fit import fit_surrogate
from relucid.models.surrogates.surrogate import NoSurrogate, Surrogate, check_in_onnxruntime, wrong_rows


def words_of(domain: Domain) -> np.ndarray:
    parts = [
        domain.padded(sequence)
        for n in range(domain.min_length, domain.max_length + 1)
        for sequence in itertools.product(domain.tokens, repeat=n)
    ]
    return np.array(parts, dtype=np.int16).reshape(len(parts), domain.max_length)


def labelled_by(domain: Domain, decision: Decision, teacher: Callable[[tuple[str, ...]], object]) -> Labelled:
    words = words_of(domain)
    labels = [decision.index(teacher(domain.unpadded(w))) for w in words]
    assert None not in labels
    return Labelled(words, np.array(labels, dtype=np.int64))


def plain_label(network: Network, decision: Decision, vector: list[int]) -> int:
    """The decision in plain Python integers, independent of Network.evaluate."""
    values: list[list[int]] = [vector]
    for k, node in enumerate(network.nodes, start=1):
        if isinstance(node, Affine):
            weights, bias = network.integer_form(k)
            total = [int(b) for b in bias]
            for source, w in zip(node.sources, weights, strict=True):
                total = [
                    t + sum(int(c) * x for c, x in zip(row, values[source], strict=True))
                    for t, row in zip(total, w, strict=True)
                ]
            values.append(total)
        else:
            values.append([max(0, v) for v in values[node.source]])
    out = values[-1]
    return int(out[0] > 0) if decision.kind == "sign" else out.index(max(out))


def assert_exact(surrogate: Surrogate, labelled: Labelled, domain: Domain, decision: Decision) -> None:
    rows = range(0, len(labelled), max(1, len(labelled) // 300))
    for i in rows:
        vector = [int(v) for v in domain.one_hot(labelled.words[i : i + 1])[0]]
        assert plain_label(surrogate.network, decision, vector) == labelled.labels[i]
    assert len(wrong_rows(surrogate.network, labelled, domain, decision)) == 0
    assert exact_in_float32(surrogate.network, domain.positions).ok
    assert check_in_onnxruntime(surrogate, labelled, domain, decision) == len(labelled) == surrogate.inputs
    assert surrogate.neurons == surrogate.network.relu_count == sum(surrogate.hidden)


def last_quote(tokens: tuple[str, ...]) -> str:
    return next((t for t in reversed(tokens) if t != "x"), "none")


def open_quote(tokens: tuple[str, ...]) -> str:
    quote = "none"
    for token in tokens:
        if token == quote:
            quote = "none"
        elif quote == "none" and token in ("a", "b"):
            quote = token
    return quote


AB4, ABC4 = Domain(("a", "b"), 4, 4), Domain(("a", "b", "c"), 4, 4)
CASES = {
    "many": (ABC4, Decision("argmax", (False, True)), lambda t: t.count("a") >= 2),
    "many, sign": (ABC4, Decision("sign", (False, True)), lambda t: t.count("a") >= 2),
    "labels swapped": (ABC4, Decision("argmax", (True, False)), lambda t: t.count("a") >= 2),
    "three labels": (ABC4, Decision("argmax", (0, 1, 2)), lambda t: min(t.count("a"), 2)),
    "a label that never comes": (
        AB4,
        Decision("argmax", ("no", "never", "yes")),
        lambda t: "yes" if "a" in t else "no",
    ),
    "parity of five": (Domain(("a", "b"), 5, 5), Decision("argmax", (0, 1)), lambda t: t.count("a") % 2),
    "parity of five, sign": (Domain(("a", "b"), 5, 5), Decision("sign", (0, 1)), lambda t: t.count("a") % 2),
    "lengths": (
        Domain(("a", "b"), 0, 5, pad="_"),
        Decision("argmax", (False, True)),
        lambda t: t.count("a") >= 2,
    ),
    "empty is special": (
        Domain(("a", "b"), 0, 3, pad="_"),
        Decision("argmax", (False, True)),
        lambda t: len(t) == 0,
    ),
    "prefix and suffix": (
        Domain(("a", "b"), 4, 4, prefix=("<bos>",), suffix=("a", "<q>")),
        Decision("argmax", ("a", "b")),
        lambda t: "a" if t.count("a") > t.count("b") else "b",
    ),
    "last wins": (Domain(("a", "b", "x"), 4, 4), Decision("argmax", ("a", "b", "none")), last_quote),
    "two kinds of quotes": (
        Domain(("a", "b", "x"), 5, 5),
        Decision("argmax", ("none", "a", "b")),
        open_quote,
    ),
    "one place": (ABC4, Decision("argmax", ("a", "b", "c")), lambda t: t[2]),
    "one input": (Domain(("a",), 1, 1), Decision("argmax", ("a", "b")), lambda t: "b"),
}


@pytest.mark.parametrize("case", CASES)
def test_exact_on_every_input(case: str) -> None:
    domain, decision, teacher = CASES[case]
    labelled = labelled_by(domain, decision, teacher)
    assert_exact(fit_surrogate(labelled, domain, decision, budget_seconds=20), labelled, domain, decision)


SMALL = (
    Domain(("a", "b"), 4, 4),
    Domain(("a", "b", "c"), 0, 3, pad="_"),
    Domain(("a", "b"), 1, 4, pad="_", prefix=("<",), suffix=("a",)),
)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from(SMALL), st.integers(2, 4), st.booleans())
def test_any_labels_end_exact(data: st.DataObject, domain: Domain, count: int, sign: bool) -> None:
    """Whatever the labels, and without a second of training."""
    decision = Decision("sign", (0, 1)) if sign else Decision("argmax", tuple(range(count)))
    words = words_of(domain)
    drawn = data.draw(
        st.lists(st.integers(0, len(decision.labels) - 1), min_size=len(words), max_size=len(words))
    )
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words))))
    kept[0] = True
    labelled = Labelled(
        words[kept], np.array(drawn, dtype=np.int64)[kept]
    )  # a part of all words, as `where` makes it
    surrogate = fit_surrogate(labelled, domain, decision, budget_seconds=0)
    assert_exact(surrogate, labelled, domain, decision)


@pytest.mark.parametrize(
    "kind,labels,seed", [("argmax", (0, 1), 0), ("sign", (0, 1), 1), ("argmax", (0, 1, 2), 2)]
)
def test_corrections_where_nothing_else_is_small_enough(
    kind: str, labels: tuple[int, ...], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "LARGEST", 3)
    monkeypatch.setattr(compiled, "LARGEST", 3)
    monkeypatch.setattr(fit, "SHAPES", fit.SHAPES[:2])
    domain, decision = Domain(tuple("abcd"), 3, 3), Decision(kind, labels)  # type: ignore[arg-type]
    words = words_of(domain)
    labelled = Labelled(words, np.random.default_rng(seed).integers(0, len(labels), len(words)))
    surrogate = fit_surrogate(labelled, domain, decision, budget_seconds=20)
    assert surrogate.family == "dense" and 0 < surrogate.corrections <= surrogate.neurons
    assert_exact(surrogate, labelled, domain, decision)
    monkeypatch.setattr(fit, "MANY", 3)
    monkeypatch.setattr(fit, "FEW", 3)
    with pytest.raises(
        NoSurrogate, match="one-hot networks take over 3 neurons, and the best trained network is wrong on"
    ):
        fit_surrogate(labelled, domain, decision, budget_seconds=20)


def quoted(tokens: tuple[str, ...]) -> bool:
    return tokens.count("a") % 2 == 1


FAMILIES = {
    "majority": (Domain(("a", "b", "c"), 5, 5), lambda t: t.count("a") > t.count("b"), "linear", 0),
    "a place": (Domain(("a", "b", "c"), 4, 4), lambda t: t[2] == "b", "linear", 0),
    "lengths": (Domain(("a", "b"), 0, 6, pad="_"), lambda t: len(t) > 3, "linear", 0),
    "exactly two": (Domain(("a", "b"), 7, 7), lambda t: t.count("a") == 2, "dense", 2),
    "parity": (Domain(("a", "b", "c"), 7, 7), quoted, "cell", 6),
    "parity of any length": (Domain(("a", "b"), 0, 7, pad="_"), quoted, "cell", 6),
    "the token before the last": (
        Domain(("a", "b"), 1, 6, pad="_"),
        lambda t: t[-2:-1] == ("a",),
        "affine",
        6,
    ),
    "modulo five": (Domain(("a", "b"), 9, 9), lambda t: t.count("a") % 5 in (0, 2), "cell", 14),
}


@pytest.mark.parametrize("case", FAMILIES)
def test_the_smallest_family_wins(case: str) -> None:
    domain, teacher, family, neurons = FAMILIES[case]
    decision = Decision("argmax", (False, True))
    labelled = labelled_by(domain, decision, teacher)
    surrogate = fit_surrogate(labelled, domain, decision, budget_seconds=20)
    assert (surrogate.family, surrogate.corrections) == (family, 0) and surrogate.neurons <= neurons
    assert_exact(surrogate, labelled, domain, decision)


def test_one_label_takes_no_neurons() -> None:
    for kind in ("argmax", "sign"):
        for label in (0, 1):
            decision = Decision(kind, ("x", "y"))  # type: ignore[arg-type]
            labelled = labelled_by(AB4, decision, lambda t, y=label: "xy"[y])
            surrogate = fit_surrogate(labelled, AB4, decision)
            assert surrogate.neurons == 0
            assert_exact(surrogate, labelled, AB4, decision)


def test_toggles_are_built_when_training_is_hopeless() -> None:
    domain, decision = Domain(("a", "b", "x"), 8, 8), Decision("argmax", ("none", "a", "b"))
    labelled = labelled_by(domain, decision, open_quote)
    surrogate = fit_surrogate(labelled, domain, decision, budget_seconds=1)
    assert (
        surrogate.family == "cell"
        and surrogate.cell == 2
        and surrogate.weight_bits <= 3
        and surrogate.fractional_bits == 0
    )
    assert_exact(surrogate, labelled, domain, decision)


def test_quotes_at_size_take_seconds() -> None:
    """34,992 inputs of ten positions, exactly one quote each."""
    domain = Domain(("'", '"', ",", "a", "="), 8, 8, prefix=("<bos>",), suffix=("<q>",))
    words = words_of(domain)
    words = words[(words < 2).sum(axis=1) == 1]
    assert len(words) == 34_992
    labelled = Labelled(words, (words == 1).any(axis=1).astype(np.int64))
    decision = Decision("argmax", ("'", '"'))
    found = []
    assert calls(lambda: found.append(fit_surrogate(labelled, domain, decision))) < 50_000
    (surrogate,) = found
    assert surrogate.neurons <= 4 and surrogate.corrections == 0 and surrogate.weight_bits <= 4
    assert len(wrong_rows(surrogate.network, labelled, domain, decision)) == 0


def test_same_seed_same_network() -> None:
    domain, decision, teacher = CASES["parity of five"]
    labelled = labelled_by(domain, decision, teacher)
    digests = {fit_surrogate(labelled, domain, decision, seed=3).network.digest for _ in range(2)}
    assert len(digests) == 1


def test_a_wrong_network_is_caught() -> None:
    """Flip the decision by hand: the exact check and onnxruntime both say so."""
    from relucid.models.onnx.writer import with_source

    domain, decision, teacher = CASES["many"]
    labelled = labelled_by(domain, decision, teacher)
    surrogate = fit_surrogate(labelled, domain, decision)
    last = surrogate.network.nodes[-1]
    assert isinstance(last, Affine)
    bent = Affine(
        last.sources,
        last.weights,
        integer_array(last.bias + np.array([0, 5 * last.denominator])),
        last.denominator,
    )
    network = with_source(
        Network(surrogate.network.input_size, (*surrogate.network.nodes[:-1], bent), name="bent")
    )
    wrong = wrong_rows(network, labelled, domain, decision)
    by_hand = [
        i
        for i, w in enumerate(labelled.words)
        if plain_label(network, decision, [int(v) for v in domain.one_hot(w[None])[0]]) != labelled.labels[i]
    ]
    assert wrong.tolist() == by_hand and by_hand
    with pytest.raises(InputError, match="onnxruntime decides"):
        check_in_onnxruntime(replace(surrogate, network=network), labelled, domain, decision)


def test_an_input_with_two_labels_is_an_error() -> None:
    decision = Decision("argmax", (0, 1))
    words = words_of(AB4)
    twice = Labelled(np.concatenate([words, words[:1]]), np.array([0] * len(words) + [1]))
    with pytest.raises(InputError, match="label each input once"):
        fit_surrogate(twice, AB4, decision, budget_seconds=5)


@pytest.mark.parametrize(
    "labelled,message",
    [
        (Labelled(np.zeros((0, 4), dtype=np.int16), np.zeros(0, dtype=np.int64)), "no inputs"),
        (Labelled(np.zeros((1, 3), dtype=np.int16), np.zeros(1, dtype=np.int64)), "3 positions"),
        (Labelled(np.full((1, 4), 7, dtype=np.int16), np.zeros(1, dtype=np.int64)), "symbol"),
        (Labelled(np.zeros((1, 4), dtype=np.int16), np.full(1, 2)), "label index"),
    ],
)
def test_unusable_input_is_named(labelled: Labelled, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_surrogate(labelled, AB4, Decision("argmax", (0, 1)))
