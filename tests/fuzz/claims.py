"""Small claims about tokens as plain data, with the truth about them: CPython runs the programs,
`nets.outputs` the network.

{"question": {...}, "nodes": [...]}: many networks share a question (program, domain, decision), whose
automaton is then built once.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.claims.word_claim import WordClaim
from relucid.models.claims.words import Words
from relucid.models.program.program import Program

from . import nets

Plain = dict[str, Any]
Word = tuple[int, ...]
PROGRAMS = (
    "def f(tokens):\n    return tokens.count('a') > {k}\n",
    "def f(tokens):\n    return tokens.count({x!r}) > tokens.count({y!r})\n",
    "def f(tokens):\n    p = {start}\n    for t in tokens:\n        if t == {x!r}:\n            p = not p\n        elif t == {y!r}:\n"
    "            p = {reset}\n    return p\n",
    "def f(tokens):\n    seen = False\n    for t in tokens:\n        if t != {y!r}:\n            seen = t == {x!r}\n    return seen\n",
    "def f(tokens):\n    if tokens.count({x!r}) > {k}:\n        return {y!r} in tokens\n    seen = False\n    for t in tokens:\n"
    "        if t == {y!r}:\n            return len(tokens) > {k}\n        seen = seen or t == {x!r}\n    return seen\n",
    "def f(tokens):\n    n = 0\n    for t in tokens:\n        if t == {x!r}:\n            n += 2\n        elif t == {y!r}:\n            n -= 1\n"
    "    return n >= {k}\n",
    "def f(tokens):\n    return tokens[:1] == tokens[-1:]\n",
    "def f(tokens):\n    return {start}\n",
)
WHERE = (
    "def w(tokens):\n    return tokens.count('b') < 3\n",
    "def w(tokens):\n    return len(tokens) != 1\n",
    "def w(tokens):\n    last = ''\n    for t in tokens:\n        if t == last:\n            return False\n        last = t\n    return True\n",
)
DECISIONS = (
    ("sign", [False, True]),
    ("argmax", [False, True]),
    ("argmax", [True, False]),
    ("argmax", ["x", True, False]),
)
MOST_WORDS = 100


@dataclass(frozen=True, eq=False)
class Truth:
    """Every word (padded symbols) with the program's label, and what the network reads of it."""

    words: tuple[Word, ...]
    labels: np.ndarray
    inputs: np.ndarray
    domain: Domain
    program: Program
    decision: Decision


def recent(make: Callable[[Any], Any], kept: int = 8) -> Callable[[Any], Any]:
    """Remembers what was made of the last few objects, by identity."""
    made: dict[int, tuple[Any, Any]] = {}

    def look(key: Any) -> Any:
        found = made.get(id(key))
        if found is None:
            if len(made) >= kept:
                made.pop(next(iter(made)))
            found = made[id(key)] = (key, make(key))
        return found[1]

    return look


def random_question(rng: random.Random) -> Plain:
    while True:
        tokens, longest = list("abc"[: rng.choice((2, 2, 3))]), rng.choice((1, 2, 2, 3, 3, 4))
        shortest = rng.randint(0, longest) if rng.random() < 0.4 else longest
        if sum(len(tokens) ** n for n in range(shortest, longest + 1)) > MOST_WORDS:
            continue
        context = rng.choice((([], []), ([], []), (["<s>"], []), (["<s>"], ["<e>", "a"])))
        fill = {
            "x": rng.choice(tokens),
            "y": rng.choice(tokens),
            "k": rng.randint(-1, 2),
            "start": rng.random() < 0.5,
            "reset": rng.random() < 0.5,
        }
        kind, labels = rng.choice(DECISIONS)
        if longest + sum(map(len, context)) == 0:
            continue
        return {
            "tokens": tokens,
            "low": shortest,
            "high": longest,
            "pad": "_" if shortest < longest or rng.random() < 0.2 else None,
            "prefix": context[0],
            "suffix": context[1],
            "where": rng.choice(WHERE) if rng.random() < 0.25 else None,
            "program": rng.choice(PROGRAMS).format(**fill),
            "kind": kind,
            "labels": labels,
        }


def domain_of(question: Plain) -> Domain:
    where = None if question["where"] is None else Program(question["where"], "w")
    return Domain(
        tuple(question["tokens"]),
        question["low"],
        question["high"],
        question["pad"],
        where,
        tuple(question["prefix"]),
        tuple(question["suffix"]),
    )


def in_cpython(source: str, name: str) -> Callable[[tuple[str, ...]], Any]:
    space: dict[str, Any] = {}
    exec(source, space)
    return space[name]


def _truth(question: Plain) -> Truth:
    domain, decision = domain_of(question), Decision(question["kind"], tuple(question["labels"]))
    program = in_cpython(question["program"], "f")
    keep = None if question["where"] is None else in_cpython(question["where"], "w")
    alphabet = list(domain.alphabet)
    words, labels, inputs = [], [], []
    for n in range(domain.min_length, domain.max_length + 1):
        for word in itertools.product(range(len(domain.tokens)), repeat=n):
            tokens = tuple(domain.tokens[s] for s in word)
            if keep is not None and keep(tokens) is not True:
                continue
            padding = domain.max_length - n
            words.append((*word, *[len(domain.tokens)] * padding))
            label = program(tokens)
            labels.append(
                next(i for i, y in enumerate(decision.labels) if type(y) is type(label) and y == label)
            )
            seen = [*domain.prefix, *tokens, *[domain.pad] * padding, *domain.suffix]
            inputs.append([int(letter == place) for place in seen for letter in alphabet])
    return Truth(
        tuple(words),
        np.array(labels, dtype=np.int64),
        np.array(inputs, dtype=np.int64).reshape(len(words), domain.input_size),
        domain,
        Program(question["program"], "f"),
        decision,
    )


truth = recent(_truth)


def decided(question: Plain, numerators: np.ndarray) -> np.ndarray:
    """Label indices of outputs (words, outputs); ties go to the first."""
    if question["kind"] == "sign":
        return (numerators[:, 0] > 0).astype(np.int64)
    return numerators.argmax(axis=1)


def wrong_words(claim: Plain) -> frozenset[Word]:
    """On which network and program differ."""
    known = truth(claim["question"])
    answers = decided(claim["question"], nets.outputs(claim["nodes"], known.inputs)[0])
    return frozenset(known.words[i] for i in np.flatnonzero(answers != known.labels))


_shared: dict[tuple[Any, ...], Words] = {}


def _shared_words(domain: Domain, program: Program, labels: Any) -> Words:
    """One automaton for all claims of a question, whose parts are the same objects: Words keep them alive."""
    key = (id(domain), id(program), tuple(map(repr, labels)))
    found = _shared.get(key)
    if found is None:
        if len(_shared) >= 16:
            _shared.pop(next(iter(_shared)))
        found = _shared[key] = Words(domain, program, labels)
    return found


def _claim(claim: Plain) -> WordClaim:
    known = truth(claim["question"])
    network = nets.built(claim["nodes"], known.domain.input_size)
    words = _shared_words(known.domain, known.program, known.decision.labels)
    made = WordClaim(network, known.program, known.domain, known.decision, words=words)
    assert made.domain_size == len(known.words)
    return made


built = recent(_claim)


# -- networks that are right, or nearly
# ------------------------------------------------------------


def random_nodes(rng: random.Random, question: Plain) -> nets.Plain:
    """A network for the question: half of them right or nearly so."""
    known, outputs = truth(question), 1 if question["kind"] == "sign" else len(question["labels"])
    make = rng.choice((nets.layers, nets.layers, nets.graph, None, None, None, None))
    nodes = (
        fitted(rng, known, question, outputs) if make is None else make(rng, known.domain.input_size, outputs)
    )
    return nets.widened(rng, nodes) if rng.random() < 0.05 else nodes


def fitted(rng: random.Random, known: Truth, question: Plain, outputs: int) -> nets.Plain:
    """A random hidden layer, and an output layer that a perceptron learns until it is right; now and then it
    stops before.
    """
    size = rng.choice((2, 3, 4, 6, 8))
    inputs = known.domain.input_size
    nodes = [["affine", [0], [nets.matrix(rng, size, inputs, 3)], nets.numbers(rng, size, 3), 1], ["relu", 1]]
    hidden, _ = nets.outputs(nodes, known.inputs)
    seen = np.concatenate([hidden, np.ones((len(hidden), 1), dtype=np.int64)], axis=1)
    if rng.random() < 0.3:  # the input itself, too
        seen = np.concatenate([known.inputs, seen], axis=1)
    weights = np.zeros((outputs, seen.shape[1]), dtype=np.int64)
    for _ in range(rng.choice((10, 30, 80, 80))):
        told = decided(question, seen @ weights.T)
        off = np.flatnonzero(told != known.labels)
        if not len(off):
            break
        i = int(off[rng.randrange(len(off))])
        if question["kind"] == "sign":
            weights[0] += seen[i] * (1 if known.labels[i] else -1)
        else:
            weights[known.labels[i]] += seen[i]
            weights[told[i]] -= seen[i]
    split = seen.shape[1] - 1 - size
    sources, parts = (
        ([0, 2], [weights[:, :split], weights[:, split:-1]]) if split else ([2], [weights[:, :-1]])
    )
    return [
        *nodes,
        ["affine", sources, [p.tolist() for p in parts], weights[:, -1].tolist(), rng.choice((1, 1, 2, 8))],
    ]


def smaller(claim: Plain) -> Iterator[Plain]:
    question = claim["question"]
    for change in (
        {"where": None},
        {"high": question["high"] - 1, "low": min(question["low"], question["high"] - 1)},
        {"low": question["high"]},
        {"program": PROGRAMS[-1].format(start=True)},
        {"program": PROGRAMS[-1].format(start=False)},
    ):
        if any(question[k] != v for k, v in change.items()) and change.get("high", 1) >= 1:
            other = {**question, **change}
            nodes = _fewer_positions(claim["nodes"], question) if "high" in change else claim["nodes"]
            if nodes is not None:
                yield {"question": other, "nodes": nodes}
    yield from ({"question": question, "nodes": nodes} for nodes in nets.smaller(claim["nodes"]))


def _fewer_positions(nodes: nets.Plain, question: Plain) -> nets.Plain | None:
    """For words without their last place; None where a ReLU reads the input itself."""
    if any(n == ["relu", 0] for n in nodes):
        return None
    width = len(domain_of(question).alphabet)
    start = (len(question["prefix"]) + question["high"] - 1) * width
    return [
        n
        if n[0] == "relu"
        else [
            n[0],
            n[1],
            [
                [row[:start] + row[start + width :] for row in m] if s == 0 else m
                for s, m in zip(n[1], n[2], strict=True)
            ],
            *n[3:],
        ]
        for n in nodes
    ]
