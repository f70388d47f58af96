"""Automata against their words one by one: sizes, batches, restriction, and how small `trimmed`
makes them.
"""

import itertools
import random

import numpy as np
import pytest
from relucid.models.automata.automaton import Automaton, trimmed


def from_words(words, symbols, length):
    """The plainest automaton there is: one path per word."""
    n = len(words)
    edges = tuple(tuple((i, word[t], i) for i, word in enumerate(words)) for t in range(length))
    return trimmed(symbols, (n,) * (length + 1), edges, tuple(words.values()))


def listed(automaton, batch=1 << 14):
    return [
        (tuple(map(int, w)), int(y))
        for words, labels in automaton.words(batch)
        for w, y in zip(words, labels, strict=True)
    ]


def some_language(seed):
    rng = random.Random(seed)
    symbols, length = rng.randint(1, 3), rng.randint(1, 5)
    every = list(itertools.product(range(symbols), repeat=length))
    return {w: rng.randrange(3) for w in rng.sample(every, rng.randint(1, len(every)))}, symbols, length


def deterministic(words, symbols, length):
    """A deterministic automaton of the same words: a state per prefix."""
    prefixes = [sorted({w[:t] for w in words}) for t in range(length + 1)]
    edges = tuple(
        tuple((prefixes[t].index(p[:-1]), p[-1], prefixes[t + 1].index(p)) for p in prefixes[t + 1])
        for t in range(length)
    )
    return trimmed(symbols, tuple(map(len, prefixes)), edges, tuple(words[w] for w in prefixes[-1]))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("make", [from_words, deterministic])
def test_words_sizes_and_labels(seed, make):
    words, symbols, length = some_language(seed)
    automaton = make(words, symbols, length)
    assert automaton.size == len(words) == sum(automaton.completions()[0])
    for batch in (1, 2, 7, 1 << 14):
        found = listed(automaton, batch)
        assert len(found) == len(words) and dict(found) == words
        assert all(len(y) <= 2 * batch for _, y in automaton.words(batch))
    assert automaton.count_by_label(4) == (*(sum(y == c for y in words.values()) for c in range(3)), 0)
    for word in itertools.product(range(symbols), repeat=length):
        assert automaton.label_of(word) == words.get(word)
    for label in range(4):
        part = automaton.restricted(label)
        assert dict(listed(part)) == {w: y for w, y in words.items() if y == label}
        assert part.empty == (label not in words.values())


@pytest.mark.parametrize("seed", range(20))
def test_trimmed_deterministic_automata_are_the_smallest(seed):
    words, symbols, length = some_language(seed)
    automaton = deterministic(words, symbols, length)
    for t, size in enumerate(automaton.layer_sizes):  # Myhill and Nerode: one state per set of labelled rests
        rests = {
            frozenset((w[t:], y) for w, y in words.items() if w[:t] == prefix)
            for prefix in {w[:t] for w in words}
        }
        assert size == len(rests)


def test_trimmed_drops_what_leads_nowhere():
    edges = (((0, 0, 0), (0, 1, 1), (0, 2, 2)), ((0, 0, 0), (1, 0, 1), (3, 0, 0)))
    automaton = trimmed(3, (1, 4, 2), edges, (5, None))
    assert automaton == Automaton(3, (1, 1, 1), (((0, 0, 0),), ((0, 0, 0),)), (5,))
    nothing = trimmed(3, (1, 4, 2), edges, (None, None))
    assert nothing.empty and nothing.size == 0 and listed(nothing) == [] and nothing.label_of((0, 0)) is None


def test_long_languages_are_counted_exactly_and_listed_lazily():
    layer = ((0, 0, 0), (0, 1, 0))
    automaton = Automaton(2, (1,) * 201, (layer,) * 200, (0,))
    assert automaton.size == 2**200
    words, labels = next(automaton.words(batch=64))
    assert words.shape == (64, 200) and words.dtype == np.int16 and labels.dtype == np.int64
    assert len({tuple(w) for w in words}) == 64


def test_deterministic():
    assert from_words({(0, 1): 0, (1, 1): 1}, 2, 2).deterministic is False
    assert deterministic({(0, 1): 0, (1, 1): 1}, 2, 2).deterministic is True
    assert not Automaton(1, (1, 2), (((0, 0, 0), (0, 0, 1)),), (0, 1)).deterministic


def test_trimmed_drops_what_nothing_leads_to():
    automaton = trimmed(2, (1, 2, 2), (((0, 0, 0),), ((0, 0, 0), (1, 1, 1))), (4, 5))
    assert automaton == Automaton(2, (1, 1, 1), (((0, 0, 0),), ((0, 0, 0),)), (4,))


def test_the_empty_word():
    automaton = Automaton(1, (1,), (), (3,))
    assert automaton.size == 1 and automaton.label_of(()) == 3 and listed(automaton) == [((), 3)]


@pytest.mark.parametrize(
    "sizes, edges, labels",
    [
        ((1,), (((0, 0, 0),),), (0,)),
        ((1, 1), (((0, 0, 0),),), (0, 1)),
        ((1, 1), (((0, 0, 1),),), (0,)),
        ((1, 1), (((1, 0, 0),),), (0,)),
        ((1, 1), (((0, 2, 0),),), (0,)),
    ],
)
def test_parts_that_do_not_fit_are_refused(sizes, edges, labels):
    with pytest.raises(ValueError, match=r"automaton|edge"):
        Automaton(2, sizes, edges, labels)
