"""Who goes first in the race: a small table from what a claim looks like to an order of backends.

Between `choose.py` and the runs.  `policy.toml` is fitted from the benchmark (docs/theory/performance.md says
how).  It decides about time only, never about answers: backends that it does not name run after the others.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from ...models.claims.word_claim import WordClaim
from ...models.network.network import Relu
from .backend import Backend

TABLE = Path(__file__).with_name("policy.toml")
SMALL = 10**7  # inputs up to which an in-process backend that the table does not name leads
Fit = tuple[Backend, str]  # with its version


@dataclass(frozen=True)
class Features:
    """What the table looks at: inputs of the domain, ReLUs, layers of them, edges of the automaton."""

    inputs: int
    relus: int
    layers: int
    edges: int

    @classmethod
    def of(cls, claim: WordClaim) -> Features:
        """Measure a claim."""
        layers = sum(isinstance(node, Relu) for node in claim.network.nodes)
        return cls(claim.domain_size, claim.network.relu_count, layers, claim.language.edge_count)


@dataclass(frozen=True)
class Rule:
    """A line of the table: bounds on features, (backend, seconds) to run in this process, and the order of
    the others.
    """

    name: str
    least: Mapping[str, float]
    most: Mapping[str, float]
    here: tuple[tuple[str, float], ...]
    then: tuple[str, ...]

    def fits(self, features: Features) -> bool:
        """Whether the features are within the rule's bounds."""
        return all(getattr(features, k) >= v for k, v in self.least.items()) and all(
            getattr(features, k) <= v for k, v in self.most.items()
        )


@dataclass(frozen=True)
class RacePlan:
    """Who runs when.

    `here`: backends for this process, one after the other, each with its seconds (None: half of what is
    left).  `then`: the order of the race.
    """

    rule: str
    here: tuple[tuple[Fit, float | None], ...]
    then: tuple[Fit, ...]


def plan(claim: WordClaim, fit: Sequence[Fit], rules: Iterable[Rule] | None = None) -> RacePlan:
    """Return the order of the backends that fit the claim."""
    features = Features.of(claim)
    rule = next(
        (r for r in (table() if rules is None else rules) if r.fits(features)), Rule("none", {}, {}, (), ())
    )
    known = {backend.name: (backend, version) for backend, version in fit}
    planned = {name for name, _ in rule.here} | set(rule.then)
    here: list[tuple[Fit, float | None]] = []
    if features.inputs <= SMALL:
        here += [
            (entry, None)
            for name, entry in known.items()
            if entry[0].capabilities.in_process and name not in planned
        ]
    here += [
        (known[name], seconds)
        for name, seconds in rule.here
        if name in known and known[name][0].capabilities.in_process
    ]
    ran = {entry[0].name for entry, _ in here}
    then = [known[name] for name in rule.then if name in known]
    rest = [entry for name, entry in known.items() if name not in ran and name not in rule.then]
    # what is cheap on small domains comes last on big ones
    then += sorted(rest, key=lambda entry: entry[0].capabilities.in_process)
    return RacePlan(rule.name, tuple(here), tuple(then))


@cache
def table() -> tuple[Rule, ...]:
    """Return the rules of `policy.toml`, in order."""
    return tuple(map(_rule, tomllib.loads(TABLE.read_text(encoding="utf-8"))["rule"]))


def _rule(entry: Mapping[str, Any]) -> Rule:
    names = [f.name for f in fields(Features)]
    least = {n: entry[f"{n}_at_least"] for n in names if f"{n}_at_least" in entry}
    most = {n: entry[f"{n}_at_most"] for n in names if f"{n}_at_most" in entry}
    unknown = (
        set(entry)
        - {"name", "here", "then"}
        - {f"{n}_at_least" for n in least}
        - {f"{n}_at_most" for n in most}
    )
    if unknown:
        raise ValueError(f"policy.toml: unknown key {min(unknown)!r} in rule {entry['name']!r}")
    here = tuple((stage["backend"], float(stage["seconds"])) for stage in entry["here"])
    return Rule(entry["name"], least, most, here, tuple(entry["then"]))
