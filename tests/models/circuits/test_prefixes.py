"""Circuits that are read at every position: what they say of prefixes, and what looks ahead."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relucid.common.errors import InputError
from relucid.models.circuits.black_box import BlackBox
from relucid.models.circuits.circuit import AnswersEverywhere, CircuitSummary
from relucid.models.circuits.prefixes import check_prefixes, label_prefixes, prefix_domain
from relucid.models.circuits.sparse_gpt.model import read_sparse_gpt
from relucid.models.claims.domain import Domain
from relucid.models.program.program import Program

LABELS = ("a", "b")
Score = Callable[[np.ndarray], np.ndarray]


class Everywhere:
    """A circuit whose logits of b are a function of ids (batch, positions); those of a are 0."""

    name = "everywhere"
    vocabulary = ("a", "b", "<bos>", "<q>")

    def __init__(self, score: Score) -> None:
        self.score, self.shown = score, []

    def all_logits(self, ids: np.ndarray) -> np.ndarray:
        self.shown += [tuple(row) for row in ids.tolist()]
        out = np.full((*ids.shape, 4), 50.0)
        out[..., 0], out[..., 1] = 0, self.score(ids)
        return out

    def logits(self, ids: np.ndarray) -> np.ndarray:
        return self.all_logits(ids)[:, -1]

    def summary(self) -> CircuitSummary:
        return CircuitSummary(self.name, 1, 1, 1, 1, 1, 1, 1, "here", "scripted")


def odd(ids: np.ndarray) -> np.ndarray:
    return np.cumsum(ids == 1, axis=1) % 2 - 0.25


def told(circuit: Everywhere, domain: Domain) -> dict[tuple[str, ...], str]:
    prefixes = prefix_domain(domain)
    found = label_prefixes(circuit, domain, prefixes, LABELS)
    words = map(prefixes.unpadded, found.labelled.words)
    return {word: LABELS[y] for word, y in zip(words, found.labelled.labels, strict=True)}


def test_each_sequence_is_run_once_and_read_at_every_position() -> None:
    circuit = Everywhere(odd)
    domain = Domain(("b", "a"), 2, 4, "<pad>", None, ("<bos>", "a"), ("<q>",))
    found = told(circuit, domain)
    words = [w for n in range(1, 5) for w in itertools.product("ab", repeat=n)]
    assert found == {w: LABELS[w.count("b") % 2] for w in words}
    again = 28 + 28  # a few are run twice more, to see that nothing is drawn by lot
    assert len(set(circuit.shown)) == 28 and len(circuit.shown) <= 28 + again
    assert all(row[:2] == (2, 0) and row[-1] == 3 for row in circuit.shown)


def test_the_smallest_margin_is_that_of_any_sequence() -> None:
    def score(ids: np.ndarray) -> np.ndarray:
        return np.where(ids[:, -1:] == 1, 0.125, 0.5) * np.ones(ids.shape)

    prefixes = prefix_domain(Domain(("a", "b"), 2, 2))
    found = label_prefixes(Everywhere(score), Domain(("a", "b"), 2, 2), prefixes, LABELS)
    assert found.smallest_margin == 0.125
    margins = {prefixes.unpadded(w): m for w, m in zip(found.labelled.words, found.margins, strict=True)}
    assert margins == {("a",): 0.125, ("b",): 0.125, ("a", "a"): 0.5, ("b", "a"): 0.5, ("a", "b"): 0.125, ("b", "b"): 0.125}  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.booleans())
def test_what_looks_ahead_is_found(seed: int, length: int, causal: bool) -> None:
    """A random table of labels, by prefix or by the whole sequence: the truth is brute force."""
    rng = np.random.default_rng(seed)
    tables: dict[tuple, float] = {}

    def score(ids: np.ndarray) -> np.ndarray:
        out = np.zeros(ids.shape)
        for r, row in enumerate(ids.tolist()):
            for i in range(len(row)):
                key = tuple(row[: i + 1]) if causal else (i, *row)
                out[r, i] = tables.setdefault(key, float(rng.choice([-1, 1])))
        return out

    circuit, domain = Everywhere(score), Domain(("a", "b"), length, length)
    words = np.array(list(itertools.product((0, 1), repeat=length)))
    says = score(words)
    seen: dict[tuple, set] = {}
    for word, row in zip(words.tolist(), says.tolist(), strict=True):
        for i, y in enumerate(row):
            seen.setdefault(tuple(word[: i + 1]), set()).add(y > 0)
    if all(len(found) == 1 for found in seen.values()):
        assert told(circuit, domain) == {
            tuple("ab"[s] for s in word): "ab"[found.pop()] for word, found in seen.items()
        }
    else:
        with pytest.raises(InputError, match="its label is no function of the prefix"):
            told(circuit, domain)


def test_what_looks_ahead_is_named() -> None:
    circuit = Everywhere(lambda ids: np.sum(ids == 1, axis=1, keepdims=True) % 2 - np.full(ids.shape, 0.5))
    with pytest.raises(InputError) as error:
        told(circuit, Domain(("a", "b"), 2, 2))
    assert str(error.value) == (
        "everywhere: gives 'a' at position 0 of ('a', 'a') and 'b' there of ('a', 'b'): its label is no "
        'function of the prefix; state a task about its last position only: leave out position = "every"'
    )
    domain = Domain(("a", "b"), 2, 2)
    with pytest.raises(
        InputError, match=r"gives 'b' at the end of \('a',\) where more follows, and 'a' where"
    ):
        check_prefixes(circuit, domain, prefix_domain(domain), LABELS, np.array([[0, 1]], dtype=np.int16))
    check_prefixes(Everywhere(odd), domain, prefix_domain(domain), LABELS, np.array([[0, 1], [1, 1]]))


def test_the_domain_of_prefixes() -> None:
    assert prefix_domain(Domain(("a",), 3, 3, None, None, ("<pad>",), ("<q>",))) == Domain(
        ("a",), 1, 3, "<pad>_", None, ("<pad>",)
    )
    assert prefix_domain(Domain(("a", "b"), 1, 1)) == Domain(("a", "b"), 1, 1)
    with pytest.raises(InputError, match="the empty sequence has no position"):
        prefix_domain(Domain(("a",), 0, 0, None, None, ("<bos>",)))


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("len(tokens) == 0 or tokens[0] == 'a'", None),
        ("tokens.count('b') == 1", r"where: f is false on \('a',\), which is a prefix of a sequence that it"),
        ("len(tokens) < 3 or tokens[1] == 'a'", r"where: f is true on \('a', 'b'\), which is no prefix of a"),
    ],
)
def test_a_predicate_has_to_hold_of_prefixes(where: str, says: str | None) -> None:
    domain = Domain(("a", "b"), 3, 3, None, Program.from_source(f"def f(tokens):\n    return {where}\n"))
    if says is not None:
        with pytest.raises(InputError, match=says):
            prefix_domain(domain)
        return
    found = told(Everywhere(odd), domain)
    words = [w for n in range(1, 4) for w in itertools.product("ab", repeat=n) if w[0] == "a"]
    assert found == {w: LABELS[w.count("b") % 2] for w in words}


def test_circuits_that_do_not_answer_everywhere() -> None:
    domain = Domain(("a", "b"), 2, 2)

    class Last:
        name, vocabulary = "last", ("a", "b")

        def logits(self, ids: np.ndarray) -> np.ndarray:
            return np.zeros((len(ids), 2))

        def summary(self) -> CircuitSummary:
            raise NotImplementedError

    with pytest.raises(InputError, match=r"last: gives logits at the last position only \(no all_logits\)"):
        label_prefixes(Last(), domain, prefix_domain(domain), LABELS)
    box = BlackBox("box", ("a", "b"), lambda ids: ids[:, -1], "function")
    with pytest.raises(
        InputError, match=r"box: gives shape \(4,\) .* and no logits at every position; return"
    ):
        label_prefixes(box, domain, prefix_domain(domain), LABELS)
    good = BlackBox("good", ("a", "b"), lambda ids: np.eye(2)[ids], "function")
    assert isinstance(good, AnswersEverywhere)
    assert set(label_prefixes(good, domain, prefix_domain(domain), LABELS).labelled.labels) == {0, 1}
    for spoil in (lambda x: x[:, :1], lambda x: x[..., :3], lambda x: x.astype(str), lambda x: x + np.inf):
        circuit = Everywhere(odd)
        right = circuit.all_logits
        circuit.all_logits = lambda ids, spoil=spoil, right=right: spoil(right(ids))  # type: ignore[method-assign]
        with pytest.raises(InputError, match=r"everywhere: gives (all_logits of|logits that are not finite)"):
            told(circuit, domain)


def test_sparse_transformers_answer_everywhere(checkpoint) -> None:  # type: ignore[no-untyped-def]
    """Causal ones: the logits at a position are those at the end of the prefix."""
    circuit = read_sparse_gpt(checkpoint(seed=3, sink=True, rms_norm=True)[0])
    assert isinstance(circuit, AnswersEverywhere)
    ids = np.array(list(itertools.product(range(3), repeat=4)))
    everywhere = circuit.all_logits(ids)
    for i in range(4):
        assert np.abs(everywhere[:, i] - circuit.logits(ids[:, : i + 1])).max() < 1e-4
