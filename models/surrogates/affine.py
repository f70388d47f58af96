"""Affine surrogates: a label's number as a sum over tokens, with other weights for each length.

A step of `fit.py` and `compiled.py`.  With padding at the right, "the sum of the last three tokens" or "the
token before the last" is no linear function of the input, because the end moves.  Among sequences of one
length it is.  So one ReLU for each length gives that length's sum where the sequence has it, and 0 otherwise.
The labels' scores are read off the total (`cell.read_out`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..automata.automaton import Automaton, trimmed
from ..automata.labelled import Labelled
from ..automata.sampling import Sampler
from ..claims.domain import Domain
from ..network.network import Network
from .cell import read_out
from .unroll import Unroller

PER_WEIGHT = 4  # words from which the weights of a length are computed at first, for each weight
ROUNDS = 4  # times that they are computed, with some of the words that they were wrong on
DRAWN = 2048  # words of an automaton that may take part
COLUMNS = 400  # weights of a length, at most


@dataclass(frozen=True, eq=False)
class LengthSum:
    """The number of the label of sequences of one length: bias + sum over t of weights[t, token].

    Args:
        length: how many tokens.
        weights: integers (length, tokens).
        bias: an integer.
    """

    length: int
    weights: np.ndarray
    bias: int

    def numbers(self, words: np.ndarray) -> np.ndarray:
        """Return the number for each word (n, positions); only the first `length` positions are read."""
        total = np.full(len(words), self.bias)
        for t, row in enumerate(self.weights):
            total += row[words[:, t]]
        return total


def length_sum(words: np.ndarray, labels: np.ndarray, length: int, tokens: int) -> LengthSum | None:
    """Find integers with which a sum gives every label's number.

    Least squares find the weights, which are rounded; whether they are right is then counted.

    Args:
        words: words of one length, (n, positions).
        labels: their label indices, (n,).
        length: how many tokens they have.
        tokens: how many tokens there are.
    """
    count = 1 + length * tokens
    if count > COLUMNS:
        return None
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(words))[: PER_WEIGHT * count]
    for _ in range(ROUNDS):
        found = _least_squares(words[rows], labels[rows], length, tokens)
        wrong = np.flatnonzero(found.numbers(words) != labels)
        if not len(wrong):
            return found
        rows = np.concatenate([rows, rng.permutation(wrong)[:count]])
    return None


def _least_squares(words: np.ndarray, labels: np.ndarray, length: int, tokens: int) -> LengthSum:
    """Return the sum that is closest to the labels' numbers, with its weights rounded."""
    ones = words[:, :length, None] == np.arange(1, tokens)  # the first token has weight 0
    matrix = np.concatenate([np.ones((len(words), 1)), ones.reshape(len(words), -1)], axis=1)
    found: np.ndarray = np.linalg.lstsq(matrix, labels.astype(np.float64), rcond=None)[0]
    whole = np.round(found).astype(np.int64)
    weights = np.zeros((length, tokens), dtype=np.int64)
    weights[:, 1:] = whole[1:].reshape(length, tokens - 1)
    return LengthSum(length, weights, int(whole[0]))


def sums_of_words(labelled: Labelled, domain: Domain) -> list[LengthSum] | None:
    """Return a sum for each length of the labelled words; None if some length has none."""
    tokens = len(domain.tokens)
    lengths = (labelled.words < tokens).sum(axis=1)
    out = []
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        found = length_sum(labelled.words[rows], labelled.labels[rows], length, tokens)
        if found is None:
            return None
        out.append(found)
    return out


def sums_of_automaton(automaton: Automaton, domain: Domain, seed: int) -> list[LengthSum] | None:
    """Return a sum for each length of an automaton's words, right on every one; None if there is none.

    The weights come from random words.  That they are right follows from the automaton: each state has one
    sum of what was read so far.
    """
    rng, out = np.random.default_rng(seed), []
    for length in range(domain.min_length, domain.max_length + 1):
        part = _of_length(automaton, length, len(domain.tokens))
        if part.empty:
            continue
        words = np.unique(Sampler(part).words(DRAWN, rng), axis=0)
        found = length_sum(words, _labels(part, words), length, len(domain.tokens))
        if found is None or not _right(found, part):
            return None
        out.append(found)
    return out


def _of_length(automaton: Automaton, length: int, pad: int) -> Automaton:
    """Return the words that have this many tokens before their padding."""
    edges = tuple(
        tuple(edge for edge in layer if (edge[1] == pad) == (t >= length))
        for t, layer in enumerate(automaton.edges)
    )
    return trimmed(automaton.symbol_count, automaton.layer_sizes, edges, automaton.labels)


def _labels(automaton: Automaton, words: np.ndarray) -> np.ndarray:
    """Return the label indices of words of an automaton, (n,): each word has one path to the end."""
    here = np.ones((automaton.layer_sizes[0], len(words)), dtype=bool)
    for t, layer in enumerate(automaton.edges):
        reads = words[:, t] == np.arange(automaton.symbol_count)[:, None]
        following = np.zeros((automaton.layer_sizes[t + 1], len(words)), dtype=bool)
        for source, symbol, target in layer:
            following[target] |= here[source] & reads[symbol]
        here = following
    found: np.ndarray = np.array(automaton.labels)[here.argmax(axis=0)]
    return found


def _right(found: LengthSum, part: Automaton) -> bool:
    """Tell whether the sum is right on every word of an automaton, all of which have its length."""
    sums = {state: found.bias for state in range(part.layer_sizes[0])}
    for t, layer in enumerate(part.edges):
        following: dict[int, int] = {}
        for source, symbol, target in layer:
            here = sums[source] + (int(found.weights[t, symbol]) if t < found.length else 0)
            if following.setdefault(target, here) != here:
                return False
        sums = following
    return all(sums[state] == label for state, label in enumerate(part.labels))


def affine_network(sums: list[LengthSum], domain: Domain, columns: np.ndarray) -> Network:
    """Build the network: a ReLU for each length; none if there is one length.

    Args:
        sums: one for each length that sequences have.
        domain: how words enter the network.
        columns: the network's outputs for each label, integers (outputs, labels).
    """
    net, count = Unroller(domain), len(domain.tokens)
    weights = np.zeros((len(sums), net.domain.positions, len(domain.alphabet)), dtype=np.int64)
    bias, first = np.zeros(len(sums), dtype=np.int64), len(domain.prefix)
    for row, each in enumerate(sums):
        weights[row, first : first + each.length, :count] = each.weights
        bias[row] = each.bias
        if len(sums) == 1:
            break
        # a sequence has at least so many tokens if a token stands there: let the sum through only if it has
        # exactly that many
        most = each.bias + int(np.maximum(each.weights.max(axis=1), 0).sum()) if each.length else each.bias
        most = max(most, 1)
        if each.length:
            weights[row, first + each.length - 1, :count] += most
            bias[row] -= most
        if each.length < domain.max_length:
            weights[row, first + each.length, :count] -= most
    number = net.affine({0: weights.reshape(len(sums), -1)}, bias)
    if len(sums) > 1:
        number = net.affine({net.relu(number): np.ones((1, len(sums)))}, np.zeros(1, dtype=np.int64))
    read_out(net, number, np.arange(columns.shape[1]), columns)
    return net.network()
