"""Proofs about words: docs/reference/proof-format.md, 3 to 7 and 11."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import claim as claims
from . import onnx_file, rows, runs, words
from .claim import Claim, Rejected
from .machine import WholeWords
from .onnx_file import Network
from .rows import ACTIVE, INACTIVE, Bounds
from .tree import Lines, a_list, end, header, is_int, need, text_of, walk
from .words import Part


def check(claim: Path, proof: Path) -> None:
    """None if the proof proves the claim; raises Rejected or Unsupported."""
    try:
        read, lines = claims.read(claim), Lines(text_of(proof))
        (check_positions if read.every else check_one)(read, lines)
        end(lines)
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        EOFError,
        OSError,
        RecursionError,
        OverflowError,
    ) as e:
        raise Rejected(f"not a proof: {e!r}") from e


def check_one(claim: Claim, lines: Lines) -> None:
    Checker(claim).run(lines, [Part.whole(language) for language in words.languages(claim)])


def check_positions(claim: Claim, lines: Lines) -> None:
    """Proofs about every position: docs/reference/proof-format.md, 11."""
    head = lines.next("format", "kind", "digests")
    need(head["format"] == "relucid proof 3" and head["kind"] == "positions", "another format or kind")
    if claim.shortest == 0 and not claim.per_prefix:
        inside = claim.where is None or WholeWords(*claim.where).finish(())
        need(not inside or WholeWords(*claim.program).labels(()) == (), "labels of no token")
    for i in range(claim.longest):
        part = claim.at(i)
        parts = [Part.whole(language) for language in words.languages(part)]
        if not all(p.empty for p in parts):
            number = lines.next("position")["position"]
            need(is_int(number) and number == i, f"position {i} is missing")
            Checker(part).run(lines, parts)
            need(lines.next("end")["end"] is True, "the end of a position is no end")


class Checker:
    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.network: Network = onnx_file.read(claim)
        self.runs = runs.Runs(claim, self.network)

    def run(self, lines: Lines, parts: list[Part]) -> None:
        need(type(header(lines, "words")["exact_in_float32"]) is bool, "exact_in_float32 is no bool")
        need(not all(p.empty for p in parts), "the domain is empty")
        for c, part in enumerate(parts):
            if not part.empty and self.claim.rivals(c):
                ((how, number),) = lines.next(("tree",), ("run",)).items()
                need(is_int(number) and number == c, f"label {c} is missing")
                if how == "run":
                    need(self.runs.right(c, part), "the network errs on a word")
                else:
                    label = Label(self, c, part)
                    walk(lines, label, label.root, [set() for _ in label.rows.rivals])


@dataclass
class Subdomain:
    part: Part
    bounds: Bounds

    @property
    def empty(self) -> bool:
        return self.part.empty


class Label:
    """The arithmetic of one label's words; its targets are the rivals, of one row each."""

    ONE = 256

    def __init__(self, checker: Checker, c: int, part: Part) -> None:
        self.checker, self.c = checker, c
        self.states = part.states
        self.rows = rows.of_label(checker.claim, checker.network, part, c)
        self.k = len(self.rows.relus)
        self.root = Subdomain(part, list(self.rows.bounds))

    def defaults(self, bounds: Bounds) -> Any:
        return rows.default_multipliers(bounds)

    def row_count(self, target: int) -> int:
        return 1

    def bound(self, at: Subdomain, j: int, sign: int, below: list[int], above: list[int]) -> None:
        row, phase = self.rows.relus[j].times(sign), rows.phases_by(at.bounds)
        found = rows.by_multipliers(
            row, self.rows.relus, at.bounds, phase, below, above, [0] * self.k, at.part
        )
        new, (l, u) = int(found.floor()), at.bounds[j]
        at.bounds[j] = (l, min(u, new)) if sign == 1 else (max(l, -new), u)

    def tighten(self, at: Subdomain) -> None:
        bounds, relus = at.bounds, self.rows.relus
        for layer in self.rows.layers:
            still_open = [j for j in layer if bounds[j][0] < 0 < bounds[j][1]]
            new = {
                j: rows.both(relus[j], relus, bounds, at.part, rows.by_default_multipliers)
                for j in still_open
            }
            for j, (l, u) in new.items():
                bounds[j] = (max(bounds[j][0], l), min(bounds[j][1], u))

    def split(self, at: Subdomain, kind: Any, place: Any, values: Any) -> list[Subdomain]:
        length, symbols = (
            self.checker.claim.longest,
            len(self.checker.claim.tokens) + (self.checker.claim.pad is not None),
        )
        places = range(length) if kind == "symbol" else range(length + 1)
        need(kind in ("symbol", "state") and is_int(place) and place in places, "a split at no place")
        limit = symbols if kind == "symbol" else self.states[place]
        need(all(is_int(v) and 0 <= v < limit for v in a_list(values)), "a split by no values")
        return [Subdomain(half, list(at.bounds)) for half in at.part.cut(kind, place, set(values))]

    def run(self, at: Subdomain) -> None:
        need(self.checker.runs.right(self.c, at.part), "the network errs on a word that was run")

    def holds(
        self,
        at: Subdomain,
        rival: int,
        phases: list[int],
        factors: list[int],
        below: list[int],
        above: list[int],
        beta: list[int],
    ) -> bool:
        assumed = rows.phases_by(at.bounds)
        for p in phases:
            assumed[abs(p) - 1] = ACTIVE if p > 0 else INACTIVE
        row = self.rows.rivals[rival].times(factors[0])
        return rows.by_multipliers(row, self.rows.relus, at.bounds, assumed, below, above, beta, at.part) < 0
