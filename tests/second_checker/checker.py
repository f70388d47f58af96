"""The proof itself: docs/reference/proof-format.md, 2 and 4 to 6."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from . import claim as claims
from . import onnx_file, rows, runs, words
from .claim import Claim, Rejected
from .onnx_file import Network
from .rows import ACTIVE, INACTIVE, Bounds
from .words import Part

Phases = tuple[int, ...]


def check(claim: Path, proof: Path) -> None:
    """None if the proof proves the claim; raises Rejected or Unsupported."""
    data = Path(proof).read_bytes()
    try:
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
        Checker(claims.read(claim)).run(text)
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


def need(condition: bool, message: str) -> None:
    if not condition:
        raise Rejected(message)


def is_int(value: Any) -> bool:
    return type(value) is int


def a_list(value: Any) -> list:
    need(isinstance(value, list), "no list")
    return value


class Lines:
    def __init__(self, text: str) -> None:
        need(text.endswith("\n"), "the last line has no end")
        self.lines = iter(text[:-1].split("\n"))

    def next(self, *keys: str) -> dict:
        line = next(self.lines, None)
        need(line is not None, "the proof ends too early")
        pairs = json.loads(line, object_pairs_hook=tuple)  # type: ignore[arg-type]
        need(isinstance(pairs, tuple), "a line is no object")
        need(
            len(pairs) == len(keys) and {k for k, _ in pairs} == set(keys),
            f"a line has other keys than {keys}",
        )
        return dict(pairs)


class Checker:
    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.network: Network = onnx_file.read(claim)
        self.runs = runs.Runs(claim, self.network)

    def run(self, text: str) -> None:
        self.lines = Lines(text)
        head = self.lines.next("format", "claim", "network", "program", "domain", "exact_in_float32")
        need(head["format"] == "relucid proof 2", "another format")
        need(type(head["exact_in_float32"]) is bool, "exact_in_float32 is no bool")
        parts = [Part.whole(language) for language in words.languages(self.claim)]
        need(not all(p.empty for p in parts), "the domain is empty")
        for c, part in enumerate(parts):
            if not part.empty and self.claim.rivals(c):
                self.label(c, part)
        need(self.lines.next("end")["end"] is True, "the end is no end")
        need(next(self.lines.lines, None) is None, "something follows the end")

    def label(self, c: int, part: Part) -> None:
        head = self.lines.next("label", "by", "bounds")
        need(is_int(head["label"]) and head["label"] == c, f"label {c} is missing")
        if head["by"] == "run":
            need(head["bounds"] == [], "words that are run need no bounds")
            need(self.runs.right(c, part), "the network errs on a word")
            return
        need(head["by"] == "parts", "a label is proved by running it or by parts")
        Label(self, c, part).run(head["bounds"])


class Label:
    """A label's tree of parts."""

    def __init__(self, checker: Checker, c: int, part: Part) -> None:
        self.checker, self.c, self.part = checker, c, part
        self.lines = checker.lines
        self.states = part.states
        self.rows = rows.of_label(checker.claim, checker.network, part, c)
        self.k = len(self.rows.relus)

    def multipliers(self, changes: Any, default: list[int], limit: int | None) -> list[int]:
        changes, values = a_list(changes), list(default)
        need(len(changes) % 2 == 0, "a ReLU without a multiplier")
        for j, v in zip(changes[::2], changes[1::2], strict=True):
            need(is_int(j) and 0 <= j < self.k, "a multiplier of no ReLU")
            need(is_int(v) and v >= 0 and (limit is None or v <= limit), "a multiplier out of range")
            values[j] = v
        return values

    def run(self, entries: Any) -> None:
        bounds = list(self.rows.bounds)
        for j, sign, below, above in a_list(entries):
            need(is_int(j) and 0 <= j < self.k and is_int(sign) and sign in (1, -1), "bounds of no row")
            default = rows.default_multipliers(bounds)
            below, above = self.multipliers(below, default[0], 256), self.multipliers(above, default[1], 256)
            row = self.rows.relus[j].times(sign)
            found = rows.by_multipliers(
                row, self.rows.relus, bounds, rows.phases_by(bounds), below, above, [0] * self.k, self.part
            )
            new, (l, u) = int(found.floor()), bounds[j]
            bounds[j] = (l, min(u, new)) if sign == 1 else (max(l, -new), u)
        settled = [rows.by_default(row, self.rows.relus, bounds, self.part) < 0 for row in self.rows.rivals]
        self.tree(self.part, bounds, [{()} if s else set() for s in settled])

    def tree(self, part: Part, bounds: Bounds, leaves: list[set[Phases]]) -> None:
        """leaves: per rival, lists of phases under which it is known to lose on this part."""
        line = self.lines.next("closed", "cut")
        leaves = [set(known) for known in leaves]
        for rival, phases, evidence in a_list(line["closed"]):
            need(is_int(rival) and 0 <= rival < len(leaves), "a leaf for no rival")
            need(all(is_int(p) and 1 <= abs(p) <= self.k for p in a_list(phases)), "a phase of no ReLU")
            self.leaf(part, bounds, rival, phases, evidence)
            leaves[rival].add(tuple(phases))
        if line["cut"] is None:
            need(part.empty or all(covered(known) for known in leaves), "the leaves do not cover a part")
            return
        if line["cut"] == "run":
            need(self.checker.runs.right(self.c, part), "the network errs on a word that was run")
            return
        kind, place, values = a_list(line["cut"])
        places = range(self.part_length) if kind == "symbol" else range(self.part_length + 1)
        need(kind in ("symbol", "state") and is_int(place) and place in places, "a cut at no place")
        symbols = len(self.checker.claim.tokens) + (self.checker.claim.pad is not None)
        limit = symbols if kind == "symbol" else self.states[place]
        need(
            isinstance(values, list) and all(is_int(v) and 0 <= v < limit for v in values),
            "a cut by no values",
        )
        for half in part.cut(kind, place, set(values)):
            self.tree(half, self.refined(half, bounds), leaves)

    @property
    def part_length(self) -> int:
        return self.checker.claim.longest

    def refined(self, part: Part, bounds: Bounds) -> Bounds:
        bounds, relus = list(bounds), self.rows.relus
        if part.empty:
            return bounds
        for layer in self.rows.layers:
            still_open = [j for j in layer if bounds[j][0] < 0 < bounds[j][1]]
            new = {
                j: rows.both(relus[j], relus, bounds, part, rows.by_default_multipliers) for j in still_open
            }
            for j, (l, u) in new.items():
                bounds[j] = (max(bounds[j][0], l), min(bounds[j][1], u))
        return bounds

    def leaf(self, part: Part, bounds: Bounds, rival: int, phases: list[int], evidence: Any) -> None:
        if evidence is None:
            against = any(bounds[p - 1][1] < 0 if p > 0 else bounds[-p - 1][0] > 0 for p in phases)
            need(part.empty or against, "a part is not as empty as a leaf says")
        else:
            below, above, beta = a_list(evidence)
            default = rows.default_multipliers(bounds)
            below, above = self.multipliers(below, default[0], 256), self.multipliers(above, default[1], 256)
            beta = self.multipliers(beta, [0] * self.k, None)
            assumed = rows.phases_by(bounds)
            for p in phases:
                assumed[abs(p) - 1] = ACTIVE if p > 0 else INACTIVE
            if not part.empty:
                bound = rows.by_multipliers(
                    self.rows.rivals[rival], self.rows.relus, bounds, assumed, below, above, beta, part
                )
                need(bound < 0, "a leaf's bound is not negative")


def covered(leaves: set[Phases], given: Phases = ()) -> bool:
    if given in leaves:
        return True
    longer = {p[len(given)] for p in leaves if len(p) > len(given) and p[: len(given)] == given}
    return any(
        -p in longer and covered(leaves, (*given, p)) and covered(leaves, (*given, -p))
        for p in longer
        if p > 0
    )
