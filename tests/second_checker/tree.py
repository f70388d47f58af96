"""Header, trees and leaves of proofs of both kinds: docs/reference/proof-format.md, "Lines" and "Trees"."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from .claim import Rejected

Phases = tuple[int, ...]
LIMIT = 1 << 128  # of beta and of factors


def text_of(proof: Path) -> str:
    data = Path(proof).read_bytes()
    return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()


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

    def next(self, *keys: Any) -> dict:
        """The next line, with these keys; or with one of several sets of keys."""
        line = next(self.lines, None)
        need(line is not None, "the proof ends too early")
        pairs = json.loads(line, object_pairs_hook=tuple)  # type: ignore[arg-type]
        need(isinstance(pairs, tuple), "a line is no object")
        allowed = [set(k) for k in keys] if isinstance(keys[0], tuple) else [set(keys)]
        names = [k for k, _ in pairs]
        need(len(names) == len(set(names)) and set(names) in allowed, f"a line has other keys than {keys}")
        return dict(pairs)


def header(lines: Lines, kind: str) -> dict:
    head = lines.next("format", "kind", "digests", "exact_in_float32")
    need(head["format"] == "relucid proof 3" and head["kind"] == kind, "another format or kind")
    return head


def end(lines: Lines) -> None:
    need(lines.next("end")["end"] is True, "the end is no end")
    need(next(lines.lines, None) is None, "something follows the end")


def multipliers(changes: Any, default: list[int], limit: int) -> list[int]:
    changes, values = a_list(changes), list(default)
    need(len(changes) % 2 == 0, "a multiplier is missing")
    for j, v in zip(changes[::2], changes[1::2], strict=True):
        need(is_int(j) and 0 <= j < len(values), "a multiplier of nothing")
        need(is_int(v) and 0 <= v <= limit, "a multiplier out of range")
        values[j] = v
    return values


def walk(lines: Lines, root: Any, subdomain: Any, settled: list[set[Phases]]) -> None:
    """One node and all below it.  `root` knows the arithmetic; a subdomain has `bounds` [(l, u), ...] and
    `empty`.

    `settled`: per target, lists of phases under which it is known to be out of reach here.
    """
    settled = [set(known) for known in settled]
    while True:
        line = lines.next("tighten", "bounds", "leaves", "split")
        need(type(line["tighten"]) is bool, "tighten is no bool")
        if line["tighten"] and not subdomain.empty:
            root.tighten(subdomain)
        k = len(subdomain.bounds)
        for j, sign, below, above in a_list(line["bounds"]):
            need(is_int(j) and 0 <= j < k and is_int(sign) and sign in (1, -1), "a bound of no ReLU")
            usual = root.defaults(subdomain.bounds)
            slopes = [multipliers(m, u, root.ONE) for m, u in zip((below, above), usual, strict=True)]
            if not subdomain.empty:
                root.bound(subdomain, j, sign, *slopes)
        for target, phases, evidence in a_list(line["leaves"]):
            need(is_int(target) and 0 <= target < len(settled), "a leaf of no target")
            need(all(is_int(p) and 1 <= abs(p) <= k for p in a_list(phases)), "a phase of no ReLU")
            leaf(root, subdomain, target, phases, evidence)
            settled[target].add(tuple(phases))
        if line["split"] != "again":
            break
    if line["split"] is None:
        need(subdomain.empty or all(covered(known) for known in settled), "a subdomain is left open")
    elif line["split"] == "run":
        root.run(subdomain)
    else:
        for half in root.split(subdomain, *a_list(line["split"])):
            walk(lines, root, half, settled)


def leaf(root: Any, subdomain: Any, target: int, phases: list[int], evidence: Any) -> None:
    bounds = subdomain.bounds
    if evidence is None:
        against = any(bounds[p - 1][1] < 0 if p > 0 else bounds[-p - 1][0] > 0 for p in phases)
        need(subdomain.empty or against, "a subdomain is not as empty as a leaf says")
        return
    factors, below, above, beta = a_list(evidence)
    usual, rows = root.defaults(bounds), root.row_count(target)
    factors = multipliers(factors, [int(rows == 1)] * rows, LIMIT)
    below, above = multipliers(below, usual[0], root.ONE), multipliers(above, usual[1], root.ONE)
    beta = multipliers(beta, [0] * len(bounds), LIMIT)
    if not subdomain.empty:
        need(root.holds(subdomain, target, phases, factors, below, above, beta), "a leaf does not hold")


def covered(leaves: set[Phases], given: Phases = ()) -> bool:
    if given in leaves:
        return True
    longer = {p[len(given)] for p in leaves if len(p) > len(given) and p[: len(given)] == given}
    return any(
        -p in longer and covered(leaves, (*given, p)) and covered(leaves, (*given, -p))
        for p in longer
        if p > 0
    )
