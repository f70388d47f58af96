"""Labelling a domain: what the circuit is shown, how ties go, what is refused.  And pruning on a model small
enough to check.
"""

import numpy as np
import pytest
from relucid.common.errors import InputError
from relucid.models.circuits.circuit import CircuitSummary
from relucid.models.circuits.examples import Examples
from relucid.models.circuits.pruning.greedy import GreedySettings, prune
from relucid.models.circuits.pruning.judge import margins
from relucid.models.circuits.pruning.means import activation_means
from relucid.models.circuits.sparse_gpt.model import read_sparse_gpt
from relucid.models.circuits.teacher import check_repeatable, label_domain
from relucid.models.claims.domain import Domain
from relucid.models.program.program import Program


class Scripted:
    """A circuit whose logits are a function of the token sequence; it remembers what it was shown."""

    name = "scripted"
    vocabulary = ("<bos>", "a", "b", "<q>", "x", "y", "z")

    def __init__(self, score):
        self.score, self.shown = score, []

    def logits(self, ids):
        out = np.full((len(ids), 7), 100.0, dtype=np.float32)  # everything but the labels is far ahead
        for row, sequence in enumerate(ids):
            words = tuple(self.vocabulary[i] for i in sequence)
            self.shown.append(words)
            out[row, 4:] = self.score(words)
        return out

    def summary(self):
        return CircuitSummary("scripted", 1, 1, 1, 1, 1, 1, 1, "here", "scripted")


def test_the_circuit_sees_prefix_sequence_suffix_without_padding():
    circuit = Scripted(lambda words: (words.count("a"), words.count("b"), 0.25))
    domain = Domain(("b", "a"), 0, 3, pad="<pad>", prefix=("<bos>", "a"), suffix=("<q>",))
    calls = []
    teaching = label_domain(circuit, domain, ("x", "y"), lambda done, size: calls.append((done, size)))
    assert calls[-1] == (15, 15)
    assert len(circuit.shown) == len(set(circuit.shown)) == 15 == len(teaching.labelled)
    assert all(
        words[:2] == ("<bos>", "a") and words[-1] == "<q>" and "<pad>" not in words for words in circuit.shown
    )
    assert {len(words) - 3 for words in circuit.shown} == {0, 1, 2, 3}
    for word, label in zip(teaching.labelled.words, teaching.labelled.labels, strict=True):
        body = domain.unpadded(word)
        assert label == (1 if body.count("b") > body.count("a") + 1 else 0)


def test_equal_logits_go_to_the_first_label_in_the_given_order():
    circuit = Scripted(lambda words: (1.0, 1.0, 0.0))
    domain = Domain(("a",), 2, 2)
    for labels in (("x", "y"), ("y", "x"), ("z", "y", "x")):
        teaching = label_domain(circuit, domain, labels)
        expected = 0 if len(labels) == 2 else 1
        assert teaching.labelled.labels.tolist() == [expected] and teaching.smallest_margin == 0.0


def test_margin_and_closest_sequence_and_where():
    circuit = Scripted(
        lambda words: (0.0, 1.0 + 2 * words.count("a") - (0.75 if words == ("b", "a", "b") else 2.0), 5.0)
    )
    where = Program.from_source("def some_a(tokens):\n    return 'a' in tokens\n")
    teaching = label_domain(circuit, Domain(("a", "b"), 3, 3, where=where), ("x", "y"))
    assert len(teaching.labelled) == 7 and teaching.smallest_margin == 1.0
    assert teaching.closest.count("a") == 1 and teaching.closest != ("b", "a", "b")
    assert label_domain(circuit, Domain(("a", "b"), 3, 3), ("y",)).smallest_margin == float("inf")


@pytest.mark.parametrize(
    ("domain", "labels", "says"),
    [
        (Domain(("a", "c"), 2, 2), ("x", "y"), "tokens: 'c' is not in the vocabulary"),
        (Domain(("a",), 2, 2, prefix=("<s>",)), ("x", "y"), "prefix: '<s>'"),
        (Domain(("a",), 2, 2, suffix=("?",)), ("x", "y"), "suffix: '?'"),
        (Domain(("a",), 2, 2), ("x", "w"), "labels: 'w'"),
        (Domain(("a",), 2, 2), ("x", 1), "labels: 1 is not a string"),
        (Domain(("a",), 2, 2), (True, False), "labels: True is not a string"),
        (Domain(("a", "b"), 24, 24), ("x", "y"), "16777216 inputs are too many"),
        (
            Domain(("a",), 1, 1, where=Program.from_source("def no(tokens):\n    return 'b' in tokens\n")),
            ("x", "y"),
            "empty",
        ),
    ],
)
def test_what_is_refused(domain, labels, says):
    circuit = Scripted(lambda words: (0.0, 1.0, 2.0))
    with pytest.raises(InputError) as caught:
        label_domain(circuit, domain, labels)
    assert says in str(caught.value) and "\n" not in str(caught.value)
    assert not circuit.shown


def test_logits_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="not finite"):
        label_domain(Scripted(lambda words: (float("nan"), 1.0, 2.0)), Domain(("a",), 2, 2), ("x", "y"))


def test_a_domain_longer_than_the_model(checkpoint):
    circuit = read_sparse_gpt(checkpoint()[0])
    with pytest.raises(InputError, match="block_size"):
        label_domain(circuit, Domain(("t1",), 7, 7), ("t1", "t2"))


def test_pruning_keeps_every_decision(checkpoint):
    folder, _, state = checkpoint(seed=3, sink=True, rms_norm=True)
    model = read_sparse_gpt(folder)
    ids = np.array([[a, b, c] for a in range(7) for b in range(7) for c in range(7)])
    logits = model.logits(ids)
    columns = np.argsort(-np.bincount(logits.argmax(axis=1), minlength=7))[
        :2
    ]  # two tokens that the model does tell apart
    right = logits[:, columns].argmax(axis=1)
    examples = Examples(ids, right, columns)
    examples = examples.take(np.flatnonzero(margins(model, examples) > 1.0))
    ids, right = examples.ids, examples.right
    assert len(set(right.tolist())) == 2
    mask = prune(model, examples, GreedySettings(0.5, sample=20))
    mask.write(folder / "p.mask.json")
    circuit = read_sparse_gpt(folder, folder / "p.mask.json")
    assert margins(circuit, examples).min() >= 0.499
    assert 0 < mask.nodes_kept < mask.nodes_total == circuit.summary().nodes_total
    means = activation_means(model, [ids])
    x = (state["transformer.wte.weight"][ids] + state["transformer.wpe.weight"][:3]).astype(np.float64)
    read = x / np.sqrt((x * x).mean(axis=-1, keepdims=True)) * state["transformer.h.0.ln_1.weight"]
    assert np.allclose(means[0, "attn_in"], read.mean(axis=(0, 1)), atol=1e-5), "over inputs and positions"
    for place, kept in mask.kept.items():
        assert (
            np.allclose(mask.means[place][~kept], means[place][~kept]) and not mask.means[place][kept].any()
        )
    with pytest.raises(ValueError, match="whole model"):
        prune(model, Examples(ids, 1 - right, columns), GreedySettings(0.5))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda out: out[:1],  # numpy would give the whole batch the first sequence's label
        lambda out: out[:-1],
        lambda out: out[:, 0],
        lambda out: out[:, :3],
        lambda out: np.repeat(out[:, None], 3, axis=1),
        lambda out: out * 1j,
        lambda out: out.astype(object),
        lambda out: None,
    ],
    ids=[
        "one row",
        "a row less",
        "no columns",
        "too few columns",
        "every position",
        "complex",
        "objects",
        "none",
    ],
)
def test_logits_of_another_form_are_refused(spoil):
    circuit = Scripted(lambda words: (words.count("a"), 1, 0))
    right = circuit.logits
    circuit.logits = lambda ids: spoil(right(ids))
    with pytest.raises(InputError, match=r"scripted: gives logits of shape .*; return float32 \(8, 7\)"):
        label_domain(circuit, Domain(("a", "b"), 3, 3), ("x", "y"))


def test_lists_of_logits_will_do_and_ragged_ones_will_not():
    circuit = Scripted(lambda words: (words.count("a"), 1, 0))
    right = circuit.logits
    circuit.logits = lambda ids: right(ids).tolist()
    assert label_domain(circuit, Domain(("a", "b"), 1, 1), ("x", "y")).labelled.labels.tolist() == [0, 1]
    circuit.logits = lambda ids: [[1.0], [1.0, 2.0]]
    with pytest.raises(InputError, match="not an array"):
        label_domain(circuit, Domain(("a", "b"), 1, 1), ("x", "y"))


def test_a_word_with_two_ids_is_refused_where_it_is_used():
    circuit = Scripted(lambda words: (1, 0, 0))
    circuit.vocabulary = ("<bos>", "a", "b", "a", "x", "y", "z")
    assert len(label_domain(circuit, Domain(("b",), 1, 1), ("x", "y")).labelled) == 1
    with pytest.raises(InputError, match=r"\[domain\] tokens: 'a' is in the vocabulary of scripted twice"):
        label_domain(circuit, Domain(("a", "b"), 1, 1), ("x", "y"))


def test_a_circuit_that_changes_its_mind():
    """Dropout left on: labels that were drawn by chance must not be proved."""
    chance = np.random.default_rng(0)
    domain, labels = Domain(("a", "b"), 0, 4, pad="_", prefix=("<bos>",)), ("x", "y")
    for circuit, steady in (
        (Scripted(lambda words: (words.count("a"), 1, 0)), True),
        (Scripted(lambda words: (words.count("a") + chance.normal(0, 1e-6), 1, 0)), True),
        (Scripted(lambda words: (words.count("a") + chance.normal(5), 1, 0)), False),
    ):
        teaching = label_domain(circuit, domain, labels)
        if steady:
            check_repeatable(circuit, teaching, domain, labels)
        else:
            with pytest.raises(InputError, match="different logits for the same inputs"):
                check_repeatable(circuit, teaching, domain, labels)
