"""The reduction of a claim about two networks and words to one about a single network and a program.

`comparing_network` builds a network that has a positive output exactly where the two disagree.  The claim is
then that it equals the program that always says True, so that every backend, every proof and both checkers
take it as it is.  The reduced claim keeps the question that it stands for, and `EqualsNetwork.outputs_on`
reads a counterexample back.

The network is built with exact integers: nothing is rounded, and ties go as the decision has them.  Where
labels are compared, the networks disagree iff for some label the first decides for it and in the second some
rival wins.  Minima and maxima are ReLUs: max(x, y) = x + max(0, y - x).  Within epsilon, they disagree iff
some |a_i - b_i| - epsilon is positive.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from ..network.integers import integer_array
from ..network.network import Affine, Network, Node, Relu
from ..program.program import Program
from .decision import Decision, Label
from .question import EqualsNetwork
from .word_claim import WordClaim
from .words import Words

AGREE = "def agree(tokens):\n    return True\n"


def comparing_network(question: EqualsNetwork) -> Network:
    """A network whose output 0 is 0, and another output is positive iff the two networks disagree."""
    a, b = question.networks
    builder = _PairBuilder(a, b)
    if question.epsilon is not None:
        builder.differences(question.epsilon, (a.scale, b.scale))
    else:
        assert question.decision is not None
        builder.disagreements(question.decision)
    rounding = ("two networks are compared exactly", *a.rounding, *b.rounding)
    return Network(a.input_size, tuple(builder.nodes), name=f"{a.name} against {b.name}", rounding=rounding)


def compared_on_words(question: EqualsNetwork, words: Words, name: str = "claim") -> WordClaim:
    """The claim that two networks agree on all words, as one about a single network.

    Raises InputError where the networks do not take the words.
    """
    network = comparing_network(question)
    ways = range(network.output_size - 1)
    labels: tuple[Label, ...] = (True, *ways)  # they agree, or the number of a way to disagree
    program = Program(AGREE, "agree", "the claim")
    decision = Decision("argmax", labels)
    return WordClaim(network, program, words.domain, decision, name, question, words)


Term = tuple[int, np.ndarray]  # a node, and integer factors (rows, elements) of its elements


class _PairBuilder:
    """Nodes of both networks, then whatever is added to compare them.

    Every node holds its network's numerators, so all factors are integers and one unit is 1.  Networks of the
    same build are put into the same nodes, side by side, so that together they are no deeper than each alone.
    """

    def __init__(self, a: Network, b: Network) -> None:
        self.nodes: list[Node] = []
        self.inputs, self.width = a.input_size, a.output_size
        if [_build(node) for node in a.nodes] == [_build(node) for node in b.nodes]:
            shared = self._together(a, b)
            second = 0 if len(self.nodes) in shared else self.width
            self.outputs = [(len(self.nodes), 0), (len(self.nodes), second)]  # node, first element
        else:
            ends = [self._after(network) for network in (a, b)]
            self.outputs = [(end, 0) for end in ends]

    def _after(self, network: Network) -> int:
        before = len(self.nodes)
        for k, node in enumerate(network.nodes, start=1):
            if isinstance(node, Relu):
                self.nodes.append(Relu(node.source + before if node.source else 0))
            else:
                weights, bias = network.integer_form(k)
                self.nodes.append(Affine(tuple(s + before if s else 0 for s in node.sources), weights, bias))
        return len(self.nodes)

    def _together(self, a: Network, b: Network) -> set[int]:
        """Add both networks side by side; return the nodes that are the same in both and therefore there
        once: the input, and ReLUs of it.
        """
        shared = {0}
        for k, node in enumerate(a.nodes, start=1):
            if isinstance(node, Relu):
                self.nodes.append(node)
                if node.source in shared:
                    shared.add(k)
                continue
            (first, bias), (second, other) = a.integer_form(k), b.integer_form(k)
            weights = []
            for source, x, y in zip(node.sources, first, second, strict=True):
                if source in shared:
                    weights.append(integer_array(np.concatenate([x.astype(object), y.astype(object)])))
                    continue
                side = np.zeros((len(x) + len(y), x.shape[1] + y.shape[1]), dtype=object)
                side[: len(x), : x.shape[1]], side[len(x) :, x.shape[1] :] = x, y
                weights.append(integer_array(side))
            self.nodes.append(
                Affine(
                    node.sources,
                    tuple(weights),
                    integer_array(np.concatenate([bias.astype(object), other.astype(object)])),
                )
            )
        return shared

    def size(self, node: int) -> int:
        if node == 0:
            return self.inputs
        found = self.nodes[node - 1]
        return found.size if isinstance(found, Affine) else self.size(found.source)

    def affine(self, terms: list[Term], constant: list[int]) -> int:
        self.nodes.append(
            Affine(
                tuple(s for s, _ in terms), tuple(integer_array(w) for _, w in terms), integer_array(constant)
            )
        )
        return len(self.nodes)

    def relu(self, node: int) -> int:
        self.nodes.append(Relu(node))
        return len(self.nodes)

    def of_outputs(self, side: int, rows: np.ndarray) -> Term:
        """rows (rows, outputs) of one network's output."""
        node, start = self.outputs[side]
        wide = np.zeros((len(rows), self.size(node)), dtype=object)
        wide[:, start : start + self.width] = rows
        return node, wide

    def largest(self, node: int, width: int) -> int:
        """The largest element of a node, as a node of size 1; a tree of max(x, y) = x + max(0, y - x)."""
        while width > 1:
            half, odd = divmod(width, 2)
            firsts = np.eye(width, dtype=np.int64)[::2]
            seconds = np.eye(width, dtype=np.int64)[1::2]
            gap = self.relu(self.affine([(node, seconds - firsts[:half])], [0] * half))
            lifted = np.eye(half + odd, half, dtype=np.int64)
            node, width = self.affine([(node, firsts), (gap, lifted)], [0] * (half + odd)), half + odd
        return node

    def undecided(self, side: int, decision: Decision, label: int) -> int:
        """A node of size 1, an integer: at least 1 iff some rival of the label wins in this network."""
        rivals = decision.rivals(label)
        rows = np.array([r.coefficients for r in rivals], dtype=np.int64)
        return self.largest(
            self.affine([self.of_outputs(side, rows)], [1 - r.threshold for r in rivals]), len(rivals)
        )

    def disagreements(self, decision: Decision) -> None:
        """Add the outputs: 0, and for every label min(1 - first, second).

        That is at least 1 iff the first network decides for the label and the second does not.
        """
        one, found = np.ones((1, 1), dtype=np.int64), []
        count = len(decision.labels)
        if count < 2:  # one label: they always agree
            self.affine([self.of_outputs(0, np.zeros((1, self.width), dtype=np.int64))], [0])
            return
        for label in range(count):
            first, second = (self.undecided(side, decision, label) for side in (0, 1))
            found.append((second, self.relu(self.affine([(first, one), (second, one)], [-1]))))
        columns = np.eye(count + 1, count, -1, dtype=np.int64)
        terms = [
            (node, sign * columns[:, c : c + 1])
            for c, pair in enumerate(found)
            for node, sign in zip(pair, (1, -1), strict=True)
        ]
        self.affine(terms, [0] * (count + 1))

    def differences(self, epsilon: Fraction, scales: tuple[int, int]) -> None:
        """Add the outputs: 0, and for every output both ways the difference less epsilon, times a positive
        integer.
        """
        common = math.lcm(*scales, epsilon.denominator)
        eye = np.eye(self.width, dtype=object)
        both = np.concatenate([0 * eye[:1], eye, -eye])
        constant = -epsilon.numerator * (common // epsilon.denominator)
        terms = [
            self.of_outputs(side, both * ((1, -1)[side] * (common // scale)))
            for side, scale in enumerate(scales)
        ]
        self.affine(terms, [0, *[constant] * (2 * self.width)])


def _build(node: Node) -> tuple[int, ...]:
    return (node.source,) if isinstance(node, Relu) else (-1, *node.sources)
