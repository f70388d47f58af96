"""Activation Pattern Tree Proofs ("Generating and Checking DNN Verification Proofs"): written for what
`relu_split.py` proves, and checked.

The verifier-independent proof format of github.com/dynaroars/aptpchecker: the property in VNN-LIB 1.0, the
network's ReLUs as N_1, N_2, ... in the order of the layers, and the leaves of a tree of their phases.  It
names no multipliers, so whoever checks a file bounds every leaf anew: the project's own checker by
mixed-integer programs (Gurobi), ours by `box_bounds.py`.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import product
from pathlib import Path

import numpy as np

from ....common.clock import now
from ....common.errors import InputError, Unsupported
from ....common.files import read_file
from ....models.claims.property import Case, Polyhedron, Property, Row
from ....models.claims.vnnlib import read_vnnlib
from ....models.network.network import Network, Relu
from ...bounds.descend import NeuronStates, descend
from ...bounds.floats import FloatNetwork, float_network
from ...bounds.presolve import optimise_neurons
from ...bounds.refuted_leaves import RefutedLeaves
from ...bounds.relaxation import first_lower_slopes
from ...bounds.subdomains import BoxSubdomains
from ...bounds.tighten import tightened
from ...bounds.unsafe_rows import UnsafeRows
from ...engines.boxes import relu_split
from ...engines.boxes.request import SearchRequest
from ...engines.boxes.tree import Tree
from ..format import LimitReached, Rejected
from ..writing import write_pieces

Pattern = tuple[int, ...]  # j: N_j >= 0, -j: N_j < 0
Progress = Callable[[str], None]
MOST = 200_000  # leaves
MAX_BYTES = 1 << 28
STEPS = 400  # of improving the multipliers of a leaf
BATCH = 64
RELUS = {"Relu"}
OTHERS = {
    "LeakyRelu",
    "PRelu",
    "Clip",
    "Max",
    "Min",
    "Abs",
    "Sign",
    "MaxPool",
    "GlobalMaxPool",
    "HardSigmoid",
    "Sigmoid",
    "Tanh",
}
LEAF = re.compile(r"\(\s*and\b((?:\s*\(\s*(?:<|>=)\s+N_[0-9]+\s+0(?:\.0*)?\s*\))*)\s*\)")
ATOM = re.compile(r"\(\s*(<|>=)\s+N_([0-9]{1,9})\s+0(?:\.0*)?\s*\)")
DECLARED = re.compile(r"\(\s*declare-pwl\s+((?:N_[0-9]{1,9}\s+)+)ReLU\s*\)")
HIDDEN = re.compile(rf"\(\s*assert\s+\(\s*or\b((?:\s*{LEAF.pattern.replace('((', '(?:(')})+)\s*\)\s*\)")


@dataclass(frozen=True)
class Checked:
    """`leaves` of the tree, each shown for all unsafe polyhedra of the property."""

    leaves: int
    seconds: float


# -- writing
# -----------------------------------------------------------------------------------------------------------


def check_plain(network: Network, operators: Iterable[str]) -> None:
    """Raises Unsupported where the file's ReLUs are not the network's: the format numbers those of plain ReLU
    networks.
    """
    names = list(operators)
    relus = sum(isinstance(node, Relu) for node in network.nodes)
    if others := sorted(OTHERS & set(names)):
        raise Unsupported(f"APTP knows ReLU networks only, and this one has {others[0]}")
    if sum(name in RELUS for name in names) != relus:
        raise Unsupported("APTP numbers the ReLUs of the file, and not all of them take part here")
    if not relus:
        raise Unsupported("the network has no ReLU to split on, and APTP has no tree without one")


def patterns(
    network: Network,
    stated: Property,
    deadline: float,
    threads: int = 1,
    progress: Progress = lambda text: None,
) -> list[Pattern]:
    """Leaves of a tree of phases in each of which every unsafe polyhedron is refuted.

    Raises TimeoutError, Unsupported where the format cannot say it, ValueError where the property is false.
    """
    case = _case_of(stated)
    net = float_network(network, case.lower, case.upper)
    trees = [_tree(net, polyhedron, deadline, threads, progress) for polyhedron in case.unsafe]
    out: list[Pattern] = [()]
    for tree in trees:  # a common refinement: every way to be in a leaf of each
        merged = (tuple(sorted({*a, *b}, key=abs)) for a, b in product(out, tree))
        out = [p for p in merged if not any(-j in p for j in p)]
        if len(out) > MOST:
            raise Unsupported(f"the polyhedra's trees have over {MOST:,} leaves together")
    return out if out != [()] else [(1,), (-1,)]  # the format's readers expect at least one split


def _case_of(stated: Property) -> Case:
    if len(stated.cases) != 1:
        raise Unsupported(f"APTP speaks of one box, and the property has {len(stated.cases)}")
    case = stated.cases[0]
    if any(not polyhedron for polyhedron in case.unsafe):
        raise Unsupported("every input is unsafe")
    return case


def _tree(
    net: FloatNetwork, polyhedron: Polyhedron, deadline: float, threads: int, progress: Progress
) -> list[Pattern]:
    # APTP has no strict comparisons of outputs, so what is proved is the closed polyhedron
    closed = tuple(map(_scaled, polyhedron))
    found: list[Pattern] = []

    def settled(leaves: RefutedLeaves) -> None:
        found.extend(tuple(int(p) * (j + 1) for j, p in enumerate(row) if p) for row in leaves.phase)

    def refuted(points: np.ndarray) -> bool:
        return False  # points in floats prove nothing; the property was proved before

    tree = Tree(1)
    rows = UnsafeRows.of(net, [closed])
    result = relu_split.search(SearchRequest(net, rows, refuted, deadline, progress, threads, settled), tree)
    if result.status == "timeout":
        raise TimeoutError("out of time while splitting ReLUs")
    if tree.tiling() is None:
        raise Unsupported("splits of ReLUs alone do not show it in float64")
    return found


def pieces(stated: Property, neurons: int, leaves: Sequence[Pattern]) -> Iterator[bytes]:
    """The file's text."""
    case = _case_of(stated)
    yield b"; Activation Pattern Tree Proof, written by relucid\n"
    for kind, count in (("X", stated.inputs), ("Y", stated.outputs)):
        yield from (f"(declare-const {kind}_{i} Real)\n".encode() for i in range(count))
    yield from (f"(declare-pwl N_{j} ReLU)\n".encode() for j in range(1, neurons + 1))
    for i, (low, high) in enumerate(zip(case.lower, case.upper, strict=True)):
        yield f"(assert (>= X_{i} {_decimal(low)}))\n(assert (<= X_{i} {_decimal(high)}))\n".encode()
    yield b"(assert (or\n"
    for leaf in leaves:
        atoms = " ".join(f"(>= N_{j} 0)" if j > 0 else f"(< N_{-j} 0)" for j in leaf)
        yield f"    (and {atoms})\n".encode()
    yield b"))\n"
    if len(case.unsafe) == 1:
        yield from (f"(assert {_comparison(row)})\n".encode() for row in case.unsafe[0])
    else:
        ands = "\n".join(f"    (and {' '.join(map(_comparison, polyhedron))})" for polyhedron in case.unsafe)
        yield f"(assert (or\n{ands}\n))\n".encode()


def _comparison(row: Row) -> str:
    """An output against an output or a number, which is all that the format's readers take."""
    if row.x:
        raise Unsupported("APTP compares outputs only, and the property compares inputs with them")
    factors = dict(row.y)
    if len(factors) == 1:
        ((j, factor),) = factors.items()
        limit = _decimal(-row.constant / factor)
        return f"(>= Y_{j} {limit})" if factor > 0 else f"(<= Y_{j} {limit})"
    if len(factors) == 2 and sum(factors.values()) == 0 and row.constant == 0:
        (larger,), (smaller,) = (
            [j for j, f in factors.items() if (f > 0) == positive] for positive in (True, False)
        )
        return f"(<= Y_{smaller} Y_{larger})"
    raise Unsupported("APTP compares an output with a number or another output, and the property does more")


def _decimal(value: Fraction) -> str:
    """All of it.  Raises Unsupported where it has no end."""
    places, rest = 0, value.denominator
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest, power = rest // prime, power + 1
        places = max(places, power)
    if rest != 1:
        raise Unsupported(f"{value} has no end as a decimal number, which APTP needs")
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[: len(digits) - places]}.{digits[len(digits) - places :] or '0'}"


def write(
    path: Path,
    network: Network,
    stated: Property,
    deadline: float,
    threads: int,
    progress: Progress,
    confirm: Callable[[Path], None],
) -> None:
    """Write the proof of a property that was proved, all or nothing; `confirm` gets the file before it has
    its name.

    Raises TimeoutError, Unsupported, OSError, and what `confirm` raises.
    """
    import onnx

    check_plain(network, [node.op_type for node in onnx.load_model_from_string(network.source).graph.node])
    leaves = patterns(network, stated, deadline, threads, progress)
    neurons = sum(network.sizes[node.source] for node in network.nodes if isinstance(node, Relu))
    write_pieces(path, pieces(stated, neurons, leaves), confirm)


# -- checking
# ----------------------------------------------------------------------------------------------------------


def check(
    network: Network, stated: Property, text: str, deadline: float, progress: Progress = lambda text: None
) -> Checked:
    """Accept a file that proves the property.  Raises Rejected, or LimitReached where bounds do not show a
    leaf or time is up.

    LimitReached is no rejection: an LP or MILP might still show the leaf.
    """
    started = now()
    leaves, told, neurons = parsed(text)
    if _normal(told) != _normal(stated):
        raise Rejected("the file proves another property")
    case = _case_of(stated)
    net = float_network(network, case.lower, case.upper)
    if neurons != net.count or any(abs(j) > net.count for leaf in leaves for j in leaf):
        raise Rejected(f"it speaks of {neurons} ReLUs, the network has {net.count}")
    if not covers(leaves):
        raise Rejected("its leaves do not cover all phases")
    box = BoxSubdomains.whole(net)
    with np.errstate(all="ignore"):
        tightened(net, box)
        optimise_neurons(net, box, deadline, progress)
        for polyhedron in _closed(case).unsafe:
            rows = UnsafeRows.of(net, [polyhedron])
            for start in range(0, len(leaves), BATCH):
                if now() > deadline:
                    raise LimitReached("out of time")
                progress(f"{start} of {len(leaves)} leaves checked")
                _shown(net, box, rows, leaves[start : start + BATCH])
    return Checked(len(leaves), now() - started)


def check_path(
    network: Network, stated: Property, proof: Path, deadline: float, progress: Progress = lambda text: None
) -> Checked:
    """Of an APTP file, .gz or not.  Raises OSError, Rejected, LimitReached."""
    data = read_file(proof, MAX_BYTES)
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.open(BytesIO(data)) as unpacked:
                data = unpacked.read(MAX_BYTES + 1)
        except (OSError, EOFError, zlib.error):
            raise Rejected("the file is damaged or cut off") from None
    if len(data) > MAX_BYTES:
        raise LimitReached(f"the file is larger than {MAX_BYTES >> 20} MB")
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise Rejected("it is no text") from None
    try:
        return check(network, stated, text, deadline, progress)
    except Unsupported as error:
        raise LimitReached(str(error)) from None


def _normal(stated: Property) -> Property:
    return Property(stated.inputs, stated.outputs, tuple(map(_closed, stated.cases)))


def _closed(case: Case) -> Case:
    """Drop strictness, which the format cannot say; scale every row so that its first factor is 1 or -1."""
    return Case(case.lower, case.upper, tuple(tuple(map(_scaled, polyhedron)) for polyhedron in case.unsafe))


def _scaled(row: Row) -> Row:
    by = abs((row.y or row.x)[0][1]) if row.y or row.x else Fraction(1)
    x, y = (tuple((i, factor / by) for i, factor in sorted(terms)) for terms in (row.x, row.y))
    return Row(x, y, row.constant / by)


def _shown(net: FloatNetwork, box: BoxSubdomains, rows: UnsafeRows, leaves: Sequence[Pattern]) -> None:
    """Some row of the polyhedron is negative on each leaf, or the leaf is empty."""
    count = len(leaves)
    lower, upper = (np.repeat(v, count, axis=0) for v in (box.lower, box.upper))
    phase = np.zeros((count, net.count), dtype=np.int8)
    for i, leaf in enumerate(leaves):
        for j in leaf:
            if j > 0:
                lower[i, j - 1] = max(lower[i, j - 1], 0.0)
            else:
                upper[i, -j - 1] = min(upper[i, -j - 1], 0.0)
            phase[i, abs(j) - 1] = 1 if j > 0 else -1
    open_ = np.flatnonzero(~(lower > upper).any(axis=1))  # bounds that cross: there is no input
    for r in range(len(rows)):
        if not len(open_):
            return
        l, u = lower[open_], upper[open_]
        functions = NeuronStates(l, u, phase[open_], first_lower_slopes(l, u), np.zeros(l.shape))
        found, _ = descend(net, rows.objectives(np.full(len(open_), r)), box, functions, STEPS)
        open_ = open_[~(found.bound < 0)]
    if len(open_):
        raise LimitReached(f"bounds alone do not show the leaf {_pattern_text(leaves[int(open_[0])])}")


def _pattern_text(leaf: Pattern) -> str:
    return " ".join(f"N_{j} >= 0" if j > 0 else f"N_{-j} < 0" for j in leaf[:6]) + (
        " ..." if len(leaf) > 6 else ""
    )


def parsed(text: str) -> tuple[list[Pattern], Property, int]:
    """Leaves, the property, and how many ReLUs are declared.  Raises Rejected."""
    bare = re.sub(r";[^\n]*", "", text)
    declared = [name for found in DECLARED.finditer(bare) for name in found[1].split()]
    if sorted(int(name[2:]) for name in declared) != list(range(1, len(declared) + 1)):
        raise Rejected("its ReLUs are not N_1, N_2, ..., each declared once")
    trees = list(HIDDEN.finditer(bare))
    if len(trees) != 1:
        raise Rejected(f"it has {len(trees)} trees of phases, not one")
    leaves = [
        tuple(int(a[2]) if a[1] == ">=" else -int(a[2]) for a in ATOM.finditer(leaf[1]))
        for leaf in LEAF.finditer(trees[0][1])
    ]
    if len(leaves) > MOST:
        raise LimitReached(f"it has over {MOST:,} leaves")
    if any(not 1 <= abs(j) <= len(declared) for leaf in leaves for j in leaf):
        raise Rejected("a leaf speaks of a ReLU that is not declared")
    rest = DECLARED.sub("", bare[: trees[0].start()] + bare[trees[0].end() :])
    try:
        return leaves, read_vnnlib(rest, origin="the proof"), len(declared)
    except (InputError, Unsupported) as error:
        raise Rejected(f"its property is not understood: {error}") from None


def covers(leaves: Sequence[Pattern]) -> bool:
    """Whether every assignment of phases lies in a leaf."""
    stack: list[list[frozenset[int]]] = [[frozenset(leaf) for leaf in leaves]]
    steps = 0
    while stack:
        here = [leaf for leaf in stack.pop() if not any(-j in leaf for j in leaf)]
        steps += 1 + len(here)
        if steps > 100 * MOST:
            raise LimitReached("its leaves overlap too much to see whether they cover everything")
        if not here:
            return False
        if frozenset() in here:
            continue
        counts: dict[int, int] = {}
        for leaf in here:
            for j in leaf:
                counts[abs(j)] = counts.get(abs(j), 0) + 1
        split = max(counts, key=lambda j: counts[j])  # the root of a tree is in all of its leaves
        stack += [[leaf - {sign * split} for leaf in here if -sign * split not in leaf] for sign in (1, -1)]
    return True
