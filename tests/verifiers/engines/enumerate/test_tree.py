"""`tree` against plain loops: every count and every word, at block sizes where each limit bites, with one
thread and with two.
"""

from __future__ import annotations

import functools
import itertools
import math
import random
import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from random_claims import random_claim, words_of
from relucid.models.automata.automaton import Automaton
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network, Relu, feed_forward
from relucid.models.program.program import Program
from relucid.verifiers.backends.exhaustive import BACKEND
from relucid.verifiers.engines.enumerate import blocks, tree
from relucid.verifiers.engines.enumerate.blocks import Blocks, Kernel
from relucid.verifiers.engines.enumerate.composed import composed
from relucid.verifiers.engines.enumerate.split import Split, SplitSizes
from relucid.verifiers.engines.enumerate.tree import search
from relucid.verifiers.race.backend import Budget

TINY = (
    SplitSizes(),
    SplitSizes(1, 1, 1, 1, 1),
    SplitSizes(tails=4, heads=3, cells=20, across=2),
    SplitSizes(tails=100, heads=2, cells=1, across=7, labels=9),
)
OVER_AB = Domain(("a", "b"), 3, 3)
PLENTY = Program("def f(tokens):\n    return tokens.count('a') > 1\n", "f")
SIGN = Decision("sign", (False, True))


def answer(claim: WordClaim, word: tuple[int, ...]) -> int:
    """The network's label index for a word: Python integers over one denominator, node by node."""
    hot = [k for k, v in enumerate(claim.domain.one_hot(np.array([word], dtype=np.int64))[0]) if v]
    values: list[list[int]] = [[int(k in hot) for k in range(claim.domain.input_size)]]
    for node, numerators in _plain(claim.network):
        if isinstance(node, Relu):
            values.append([max(0, v) for v in values[node.source]])
            continue
        rows = list(numerators[-1])
        for s, weights in zip(node.sources, numerators, strict=False):
            if s == 0:
                rows = [r + sum(row[k] for k in hot) for r, row in zip(rows, weights, strict=True)]
            else:
                rows = [
                    r + sum(w * v for w, v in zip(row, values[s], strict=True))
                    for r, row in zip(rows, weights, strict=True)
                ]
        values.append(rows)
    outputs = values[-1]
    return int(outputs[0] > 0) if claim.decision.kind == "sign" else outputs.index(max(outputs))


@functools.lru_cache(maxsize=4)
def _plain(network: Network) -> list[tuple[Affine | Relu, list]]:
    """Nodes with their weights and bias as lists, all whole numbers over one denominator per node."""
    denominators, out = [1], []
    for node in network.nodes:
        if isinstance(node, Relu):
            out.append((node, []))
            denominators.append(denominators[node.source])
        else:
            common = math.lcm(1, *(denominators[s] for s in node.sources))
            parts = [
                [[int(w) * (common // denominators[s]) for w in row] for row in ws]
                for s, ws in zip(node.sources, node.weights, strict=True)
            ]
            out.append((node, [*parts, [int(b) * common for b in node.bias]]))
            denominators.append(node.denominator * common)
    return out


@functools.cache
def disagreeing(claim: WordClaim) -> set[tuple[int, ...]]:
    return {word for word, label in words_of(claim).items() if answer(claim, word) != label}


def run(
    claim: WordClaim, wanted: int | None = None, workers: int = 1, sizes: SplitSizes | None = None
) -> tree.Found:
    return search(claim, 60.0, lambda text: None, workers=workers, wanted=wanted, sizes=sizes)


def agrees(claim: WordClaim, sizes: SplitSizes | None = None) -> int:
    """Asserts that count and words are those of plain loops; returns the count."""
    wrong = disagreeing(claim)
    counted, listed = run(claim, sizes=sizes), run(claim, wanted=10**6, sizes=sizes)
    assert counted == tree.Found(claim.domain_size, claim.domain_size, len(wrong), ())
    assert listed.finished and len(listed.words) == len(wrong) and set(listed.words) == wrong
    assert all(type(s) is int for word in listed.words for s in word)
    return len(wrong)


@pytest.mark.parametrize("sizes", TINY)
def test_counts_and_words_of_random_claims(sizes: SplitSizes) -> None:
    counts = [agrees(random_claim(seed), sizes) for seed in range(100)]
    assert 0 in counts and max(counts) > 10


def random_network(seed: int, inputs: int, outputs: int) -> Network:
    """Any graph of affine and ReLU nodes: skips, shared and unused nodes, ReLUs of the input and of ReLUs,
    denominators, no sources at all.
    """
    rng, numbers = random.Random(seed), np.random.default_rng(seed)
    sizes, nodes = [inputs], []
    for k in range(rng.randint(0, 8)):
        if rng.random() < 0.45:
            nodes.append(Relu(rng.randint(0, k)))
            sizes.append(sizes[nodes[-1].source])
        else:
            nodes.append(_affine(rng, numbers, sizes, rng.randint(1, 4)))
            sizes.append(nodes[-1].size)
    nodes.append(_affine(rng, numbers, sizes, outputs))
    if rng.random() < 0.2:
        nodes.append(Relu(len(nodes)))
    return Network(inputs, tuple(nodes))


def _affine(rng: random.Random, numbers: np.random.Generator, sizes: list[int], size: int) -> Affine:
    sources = tuple(
        rng.choices(range(len(sizes)), [i + 1 for i in range(len(sizes))], k=rng.choice([0, 1, 1, 1, 2, 3]))
    )
    weights = tuple(integer_array(numbers.integers(-4, 5, size=(size, sizes[s]))) for s in sources)
    return Affine(
        sources, weights, integer_array(numbers.integers(-4, 5, size=size)), rng.choice([1, 1, 2, 3, 8])
    )


@pytest.mark.parametrize("sizes", TINY[::2])
def test_any_graph(sizes: SplitSizes) -> None:
    counts = []
    for seed in range(150):
        claim = random_claim(seed)
        counts.append(
            agrees(
                replace(claim, network=random_network(seed, claim.domain.input_size, claim.decision.outputs)),
                sizes,
            )
        )
    assert 0 in counts and max(counts) > 10


def test_the_network_may_be_its_input() -> None:
    """And a ReLU of it, and an output that no word moves."""
    domain, labels = Domain(("a", "b"), 1, 1), Decision("argmax", ("a", "b"))
    itself = Program("def f(tokens):\n    return tokens[0]\n", "f")
    agree = [
        Network(2, (Relu(0), Relu(1))),
        Network(2, (Affine((0,), (integer_array(np.eye(2)),), integer_array([0, 0])),)),
    ]
    for network in agree:
        assert agrees(WordClaim(network, itself, domain, labels)) == 0
    constant = Network(2, (Affine((), (), integer_array([0, 1])),))
    assert agrees(WordClaim(constant, itself, domain, labels)) == 1


def test_empty_sequences_and_one_label() -> None:
    for network in (
        feed_forward([(np.array([[1.0, -1.0]]), np.array([-1.0]))]),
        feed_forward([(np.array([[-1.0, 1.0]]), np.array([2.0]))]),
    ):
        claim = WordClaim(network, PLENTY, Domain(("a", "b"), 0, 0, suffix=("b",)), SIGN)
        assert agrees(claim) == int(answer(claim, ()) != 0)
    one = Program("def f(tokens):\n    return 'x'\n", "f")
    for layers in (
        [(np.ones((1, 6)), np.zeros(1))],
        [(np.ones((2, 6)), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))],
    ):
        assert agrees(WordClaim(feed_forward(layers), one, OVER_AB, Decision("argmax", ("x",)))) == 0


@pytest.mark.parametrize("labels", [2, 3, 300])
def test_ties_go_to_the_first_label(labels: int) -> None:
    """Outputs of 0 and 1 only, so that nearly every decision is a tie; more labels than a byte can tell
    apart.
    """
    numbers = np.random.default_rng(labels)
    decision = Decision("argmax", tuple(range(labels)))
    program = Program(
        f"def f(tokens):\n    return min({labels - 1}, 40 * tokens.count('a') + tokens.count('b'))\n", "f"
    )
    for _ in range(8 if labels < 300 else 2):
        layers = [
            (numbers.integers(0, 2, size=(3, 20)) * 1.0, np.zeros(3)),
            (numbers.integers(0, 2, size=(labels, 3)) * 1.0, np.zeros(labels)),
        ]
        agrees(
            WordClaim(feed_forward(layers), program, Domain(("a", "b", "c", "d"), 5, 5), decision),
            SplitSizes(tails=16, cells=4000),
        )


# Numbers of any size


def scaled_claim(seed: int, power: int) -> WordClaim:
    """A random claim whose first layer holds numbers up to 2**power: sums of large ones that cancel, so that
    small ones decide.
    """
    claim, numbers = random_claim(seed), np.random.default_rng(seed)
    size = claim.domain.input_size
    large = [
        [(int(v) << power) + int(w) for v, w in zip(row, small, strict=True)]
        for row, small in zip(
            numbers.integers(-2, 3, size=(4, size)), numbers.integers(-2, 3, size=(4, size)), strict=True
        )
    ]
    first = Affine((0,), (integer_array(large),), integer_array(numbers.integers(-3, 4, size=4)))
    # rows and their negatives meet again in the second layer
    second = numbers.integers(-1, 2, size=(claim.decision.outputs, 4))
    last = Affine(
        (2, 1),
        (integer_array(second), integer_array(-second)),
        integer_array(numbers.integers(-2, 3, size=claim.decision.outputs)),
    )
    return replace(claim, network=Network(size, (first, Relu(1), last)))


@pytest.mark.parametrize(
    "power", [18, 20, 21, 22, 23, 24, 45, 49, 50, 51, 52, 61, 62, 63, 64, 100, 890, 900, 1100]
)
def test_numbers_of_any_size(power: int) -> None:
    assert sum(agrees(scaled_claim(seed, power)) for seed in range(12)) > 0


def test_floating_point_is_exact_or_as_near_as_promised() -> None:
    """The margins of every block, against exact integers."""
    seen = set()
    for power, seed in itertools.product([0, 10, 20, 23, 30, 48, 51, 60, 200], range(15)):
        claim = scaled_claim(seed, power) if seed % 2 else replace(random_claim(seed), name="plain")
        made = Blocks(claim, SplitSizes(tails=8, cells=50, across=5), np.inf)
        kernel, last = Kernel(made), composed(claim)[-1]
        seen.add((str(made.dtype), made.slack > 0))
        for block in made:
            margins = kernel._margins(block) + block.chunk.inner[-1]
            outputs = claim.network.evaluate(
                claim.domain.one_hot(block.symbols(np.arange(np.prod(block.shape))))
            ).astype(object)
            right = outputs if claim.decision.kind == "sign" else outputs[:, 1:] - outputs[:, :1]
            for row in range(len(last)):
                for got, exact in zip(margins[:, row].flat, right[:, row], strict=True):
                    assert abs(Fraction(float(got)) - int(exact)) <= Fraction(made.slack)
    assert seen == {("float32", False), ("float64", False), ("float64", True)}


def test_what_is_beyond_floating_point_is_decided_in_integers() -> None:
    claim = scaled_claim(3, 1100)
    assert not Blocks(claim, SplitSizes(), np.inf).steps
    assert agrees(claim, SplitSizes(tails=4, heads=3, cells=7, across=2)) == len(disagreeing(claim))


# Languages


def split_words(language: Automaton, sizes: SplitSizes) -> list[tuple[tuple[int, ...], int]]:
    split = Split.of(language, sizes, np.dtype(np.int64))
    out = []
    for heads in split.heads(np.zeros((language.length, language.symbol_count, 0)), sizes.heads):
        assert len(heads) <= max(sizes.heads, language.symbol_count * max(language.layer_sizes))
        for state, head in zip(heads.states, heads.words, strict=True):
            tails = split.tails[split.kind[state]]
            out += [
                (tuple(map(int, (*head, *tail))), int(y))
                for tail, y in zip(tails.words, tails.labels[:, split.column[state]], strict=True)
            ]
    return out


@pytest.mark.parametrize("sizes", TINY)
def test_heads_and_tails_are_the_words(sizes: SplitSizes) -> None:
    for seed in range(100):
        language = random_claim(seed).language
        words = split_words(language, sizes)
        assert sorted(words) == sorted(
            (tuple(map(int, w)), int(y)) for ws, ys in language.words() for w, y in zip(ws, ys, strict=True)
        )


def test_languages_with_several_first_states_and_the_same_symbol_twice() -> None:
    """Unambiguous, not deterministic: guesses of a second pass look like this."""
    first = tuple((int(s == 2), s, guess) for s in (0, 1, 2) for guess in (0, 1, 2))
    middle = tuple((guess, s, guess) for guess in (0, 1, 2) for s in (0, 1, 2))
    language = Automaton(
        3, (2, 3, 3, 2), (first, middle, ((0, 0, 0), (1, 1, 1), (2, 2, 0))), (1, 0)
    )  # guesses the last symbol
    expected = sorted(
        (tuple(map(int, w)), int(y)) for ws, ys in language.words() for w, y in zip(ws, ys, strict=True)
    )
    assert len({w for w, _ in expected}) == len(expected) == language.size
    for sizes in TINY:
        assert sorted(split_words(language, sizes)) == expected


@pytest.mark.parametrize(
    "where",
    [
        "for i in range(4):\n        if tokens[i] != tokens[7 - i]:\n            return False\n    return True",  # palindromes
        "return tokens.count('a') == 4",
        "return tokens[0] == 'a' and tokens[7] == 'b'",
    ],
)
@pytest.mark.parametrize("sizes", TINY[::2])
def test_domains_that_are_no_product(where: str, sizes: SplitSizes) -> None:
    numbers = np.random.default_rng(5)
    domain = Domain(("a", "b"), 8, 8, where=Program(f"def w(tokens):\n    {where}\n", "w"))
    network = feed_forward(
        [
            (numbers.normal(size=(4, 16)).round(2), np.zeros(4)),
            (numbers.normal(size=(1, 4)).round(2), np.zeros(1)),
        ]
    )
    assert agrees(WordClaim(network, PLENTY, domain, SIGN), sizes) > 0


def test_an_alphabet_larger_than_any_limit() -> None:
    tokens = tuple(f"t{i}" for i in range(60))
    program = Program("def f(tokens):\n    return tokens[0] == tokens[1]\n", "f")
    numbers = np.random.default_rng(1)
    network = feed_forward(
        [(numbers.integers(-3, 4, size=(3, 120)) * 1.0, np.ones(3)), (np.ones((1, 3)), np.array([-4.0]))]
    )
    claim = WordClaim(network, program, Domain(tokens, 2, 2), SIGN)
    expected = sum(
        int(np.count_nonzero(claim.network_labels(words) != labels))
        for words, labels in claim.language.words()
    )
    for sizes in (SplitSizes(), SplitSizes(tails=10, heads=20, cells=1, across=30)):
        assert run(claim, sizes=sizes).wrong == expected


# Threads, time, and what is reported

FALSE = WordClaim(
    feed_forward(
        [
            (np.random.default_rng(2).integers(-9, 10, size=(4, 24)) / 4, np.zeros(4)),
            (np.array([[1.0, -1, 1, -1]]), np.zeros(1)),
        ]
    ),
    PLENTY,
    Domain(("a", "b", "c"), 8, 8),
    SIGN,
)
MANY = SplitSizes(tails=27, heads=50, cells=600, across=20)


def test_the_claim_of_these_tests_is_decided_in_floating_point() -> None:
    assert Blocks(FALSE, MANY, np.inf).slack == 0


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that small claims use threads, and small blocks are small."""
    monkeypatch.setattr(tree, "THREADS_FROM", 0)
    monkeypatch.setattr(blocks, "FEW_CELLS", 1)


@pytest.mark.usefixtures("threads")
def test_the_answer_does_not_depend_on_threads() -> None:
    everything = run(FALSE, wanted=10**6, sizes=MANY)
    assert everything.wrong == len(everything.words) > 1000
    for workers, wanted in itertools.product((1, 2, 5), (1, 2, 999, 10**6)):
        found = run(FALSE, wanted=wanted, workers=workers, sizes=MANY)
        assert found.words == everything.words[:wanted]
        assert found.finished == (wanted == 10**6) and found.done <= found.total
        assert run(FALSE, workers=workers, sizes=MANY).wrong == everything.wrong
    assert threading.active_count() == 1


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("workers", [1, 2])
def test_out_of_time_counts_what_is_done(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert search(FALSE, -1.0, print, workers=workers) == tree.Found(0, 3**8, 0, ())
    ticks = itertools.count()
    monkeypatch.setattr(tree.time, "monotonic", lambda: float(next(ticks)))
    found = search(FALSE, 40.0, lambda text: None, workers=workers, wanted=10**6, sizes=MANY)
    assert 0 < found.done < found.total and found.wrong == len(found.words) > 0
    assert set(found.words) <= disagreeing(FALSE)


def test_out_of_time_among_doubtful_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "SETTLED_AT_ONCE", 1)
    claim = next(c for c in (scaled_claim(seed, 1100) for seed in range(100)) if c.domain_size > 20)
    ticks = itertools.count()
    monkeypatch.setattr(blocks.time, "monotonic", lambda: float(next(ticks)))
    found = search(claim, 8.0, print)
    assert not found.finished and found.done == 0


@pytest.mark.usefixtures("threads")
def test_progress_is_told_by_the_caller_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "REPORT_SECONDS", -1.0)
    told: list[tuple[str, int]] = []
    for workers in (1, 2):  # of two, the other one may be so fast that the caller has nothing to tell
        search(
            FALSE, 60.0, lambda text: told.append((text, threading.get_ident())), workers=workers, sizes=MANY
        )
        assert {who for _, who in told} == {threading.get_ident()}
    assert all(text.endswith(" of 6561 inputs") for text, _ in told)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_error_in_a_thread_is_raised_and_no_thread_is_left(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = threading.get_ident()

    def wrong(self: Kernel, block: blocks.Block) -> np.ndarray:
        if threading.get_ident() != here:
            raise error
        return np.zeros(block.shape, dtype=bool)

    monkeypatch.setattr(Kernel, "wrong", wrong)
    waits = threading.Event()
    original = tree._EnumerationRun._record
    monkeypatch.setattr(tree._EnumerationRun, "_record", lambda *args: (waits.wait(0.05), original(*args)))
    with pytest.raises(error):
        search(FALSE, 60.0, print, workers=2, sizes=MANY)
    assert threading.active_count() == 1


def test_blas_threads_are_given_back() -> None:
    from relucid.verifiers.bounds.blas import _openblas, one_blas_thread

    library = _openblas()
    if library is None:  # another BLAS: nothing to hold back, and nothing happens
        with one_blas_thread():
            return
    count = library.scipy_openblas_get_num_threads64_
    library.scipy_openblas_set_num_threads64_(2)
    with pytest.raises(KeyError), one_blas_thread():
        assert count() == 1
        raise KeyError
    assert count() == 2


# The backend


def test_the_backend_counts() -> None:
    budget = Budget(seconds=20.0, workers=2)
    assert BACKEND.count(FALSE, budget, print) == len(disagreeing(FALSE))
    assert BACKEND.count(FALSE, replace(budget, seconds=-1.0), print) is None
    large = WordClaim(
        feed_forward([(np.ones((1, 80)), np.zeros(1))]), PLENTY, Domain(("a", "b"), 40, 40), SIGN
    )
    assert BACKEND.count(large, budget, print) is None


def test_a_timeout_says_how_many_inputs_are_proved() -> None:
    attempt = BACKEND.solve(FALSE, Budget(seconds=-1.0), print)
    assert (attempt.outcome, attempt.proved_inputs, attempt.detail) == ("timeout", 0, "0 of 6561 inputs done")
