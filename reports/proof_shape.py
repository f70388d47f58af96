"""The shape of a proof for people: its tree of cuts and splits, how many leaves it has, and how deep they
are.

The proof is in the folder of a distillation (`proof.jsonl`), or is made for the report.  Either way its lines
come here only after the checker in `verifiers/proof/` has accepted them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..common.errors import Unsupported
from ..common.scratch import scratch
from ..models.claims.word_claim import WordClaim
from ..verifiers.proof.certificate import check_file
from ..verifiers.proof.format import LimitReached, Rejected, read_lines
from ..verifiers.proof.words.producer import Unproved, proof_lines
from ..verifiers.proof.words.subject import WordSubject
from ..verifiers.proof.writing import write_lines
from ..verifiers.verdict import Contradiction
from .run import Run

NAMES = ("proof.jsonl", "proof.jsonl.gz")
SECONDS = 20.0  # for making a proof, and again for checking it
BOUNDS = 0.4  # of them for a proof without words that are run
DRAWN = 400  # nodes of the tree that are drawn
LISTED = 6  # symbols that a cut's text names


@dataclass(frozen=True)
class Node:
    """One node of the tree.

    kind: claim, label, cut, split (these have children), leaf, run, or settled (by bounds, or on a region
        around it).
    """

    id: int
    parent: int | None
    kind: str
    text: str


@dataclass
class LabelShape:
    """The part of a proof about one label.

    depth: cuts and splits above its deepest leaf.
    relu_splits: how many different ReLUs are split.
    """

    label: str
    parts: int = 0
    leaves: int = 0
    depth: int = 0
    symbol_cuts: int = 0
    state_cuts: int = 0
    relu_splits: int = 0
    run: int = 0  # the label, or parts of it, whose words are run


@dataclass(frozen=True)
class Shape:
    """The shape of a whole proof.

    nodes: the first nodes of the tree, in the order of the proof.
    size: how many nodes there are.
    """

    labels: tuple[LabelShape, ...]
    nodes: tuple[Node, ...]
    size: int

    def total(self, what: str) -> int:
        return sum(getattr(shape, what) for shape in self.labels)

    @property
    def leaves(self) -> int:
        """Add the leaves of one region below its node, those of one rival as a tree of phases."""
        return self.total("leaves")

    @property
    def depth(self) -> int:
        return max((shape.depth for shape in self.labels), default=0)


@dataclass(frozen=True)
class Proof:
    """A proof and what the checker says about it.

    state: accepted, rejected, or none.
    said: the same in words.
    made: it was made for this report, so that there is no file of it.
    """

    state: str
    said: str
    made: bool
    size: int = 0
    shape: Shape | None = None


def proof_of(
    run: Run, progress: Callable[[str], None] = lambda text: None, seconds: float = SECONDS
) -> Proof:
    """Return the proof in the folder, or one that is made now; the checker reads it first."""
    there = next((run.folder / name for name in NAMES if (run.folder / name).is_file()), None)
    if there is not None:
        return _checked(run.claim, there, False, progress, seconds)
    if not run.proved:
        return Proof("none", "nothing is proved", False)
    with scratch() as folder:
        place = folder / "proof"
        try:
            progress("making a proof for the report")
            try:  # by bounds and splits: a proof that runs every word is sooner there, but has no tree
                write_lines(place, proof_lines(run.claim, seconds * BOUNDS, progress, run=False))
            except TimeoutError:
                write_lines(place, proof_lines(run.claim, seconds * (1 - BOUNDS), progress))
        except (TimeoutError, Unsupported) as error:
            return Proof("none", f"{error}: none was made within {seconds:g} s", True)
        except Unproved as error:
            raise Contradiction(f"{run.verdict['backend']} says proved, but {error}") from None
        return _checked(run.claim, place, True, progress, seconds)


def _checked(
    claim: WordClaim, path: Path, made: bool, progress: Callable[[str], None], seconds: float
) -> Proof:
    progress("checking the proof")
    try:
        certificate = check_file(WordSubject(claim), path, seconds, progress)
    except Rejected as error:
        return Proof("rejected", f"{path.name}: {error}", made)
    except LimitReached as error:
        return Proof("none", f"{path.name} was not checked within {seconds:g} s ({error})", made)
    if certificate.accepted is None:
        what = (
            f"in another format: {certificate.convinced}"
            if certificate.convinced
            else "a witness of a refutation"
        )
        return Proof("accepted", f"{path.name} is {what}", made, certificate.size)
    shape = shape_of(claim, read_lines(path))
    return Proof("accepted", "", made, certificate.size, shape)


def shape_of(claim: WordClaim, lines: Iterable[dict[str, Any]]) -> Shape:
    """Return the shape of a proof in our own format, line by line."""
    return _Reader(claim, iter(lines)).read()


@dataclass
class _Reader:
    claim: WordClaim
    lines: Iterator[dict[str, Any]]
    nodes: list[Node] = field(default_factory=list)
    size: int = 0
    splits: set[tuple[int, ...]] = field(default_factory=set)  # of one label: rival, phases above, ReLU

    def read(self) -> Shape:
        next(self.lines)
        root = self.node(None, "claim", "network = program")
        labels = []
        for line in self.lines:
            if line.keys() & {"tree", "run"}:
                labels.append(self.label(root, line))
        return Shape(tuple(labels), tuple(self.nodes), self.size)

    def node(self, parent: int | None, kind: str, text: str) -> int:
        self.size += 1
        if self.size <= DRAWN:
            self.nodes.append(Node(self.size - 1, parent, kind, text))
        return self.size - 1

    def label(self, root: int, line: dict[str, Any]) -> LabelShape:
        ((how, number),) = line.items()
        shape = LabelShape(repr(self.claim.decision.labels[number]))
        top = self.node(root, "label", f"label {shape.label}")
        if how == "run":
            shape.run = 1
            self.node(top, "run", "every word is run")
            return shape
        stack, self.splits = [(top, "", 0)], set()
        while stack:
            parent, words, depth = stack.pop()
            leaves, split = self.subdomain()
            shape.parts += 1
            here = self.node(parent, "cut", words) if words else parent
            found = self.leaves(shape, here, number, depth, leaves)
            if split == "run":
                shape.run += 1
                self.node(here, "run", "its words are run")
            elif split is None:
                if not found:
                    self.node(here, "settled", "bounds alone" if depth == 0 else "settled above, or no words")
            else:
                kind, place, values = split
                chosen = self.values(kind, place, values)
                if kind == "state":
                    shape.state_cuts += 1
                else:
                    shape.symbol_cuts += 1
                stack += [(here, f"not {chosen}", depth + 1), (here, chosen, depth + 1)]
            shape.depth = max(shape.depth, depth)
        shape.relu_splits = len(self.splits)
        return shape

    def subdomain(self) -> tuple[list[Any], Any]:
        """All leaves of the next subdomain, which may take several lines, and how it is split."""
        leaves: list[Any] = []
        while True:
            line = next(self.lines)
            leaves += line["leaves"]
            if line["split"] != "again":
                return leaves, line["split"]

    def values(self, kind: str, place: int, values: list[int]) -> str:
        if kind == "state":
            return f"in {len(values)} state{'s' * (len(values) != 1)} after {place} tokens"
        words = [repr(self.claim.domain.symbols[v]) for v in values]
        return f"tokens[{place}] in {' '.join(words[:LISTED])}{' ...' * (len(words) > LISTED)}"

    def leaves(self, shape: LabelShape, here: int, label: int, depth: int, given: list[Any]) -> bool:
        """Add the leaves of one region below its node, those of one rival as a tree of phases."""
        places: dict[tuple[int, ...], int] = {(): here}
        for rival, phases, evidence in given:
            shape.leaves += 1
            shape.depth = max(shape.depth, depth + len(phases))
            above = here
            for n in range(1, len(phases) + 1):
                key = (rival, *phases[:n])
                self.splits.add((*key[:-1], abs(key[-1])))
                if key not in places:
                    places[key] = self.node(
                        above,
                        "split",
                        f"ReLU {abs(phases[n - 1]) - 1} {'active' if phases[n - 1] > 0 else 'inactive'}",
                    )
                above = places[key]
            self.node(above, "leaf", self.against(label, rival) if evidence is not None else "no words")
        return bool(given)

    def against(self, label: int, rival: int) -> str:
        labels = self.claim.decision.labels
        others = [y for i, y in enumerate(labels) if i != label]
        return f"{others[rival]!r} loses" if self.claim.decision.kind == "argmax" else f"{others[0]!r} loses"
