"""A folder that `relucid distill` wrote, read back without trusting it: the claim, and `result.json`.

The report on a distillation starts here; `distillation_page.py` and `distillation_text.py` show it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.errors import InputError
from ..common.files import decoded, read_file
from ..common.text import parsed_json
from ..models.automata.moore import MooreMachine, read_machine
from ..models.circuits.circuit import CircuitSummary
from ..models.circuits.picture.graph import CircuitGraph, read_graph
from ..models.claims.claim_file import load_word_claim
from ..models.claims.word_claim import WordClaim
from ..pipeline.histogram import Histogram, read_histogram

RESULT, CLAIM = "result.json", "claim.toml"
LARGEST = 1 << 28  # bytes of a result.json
AGAIN = "distil again"


@dataclass(frozen=True)
class Optional:
    """A shape that may be null or, in results of earlier versions, absent."""

    shape: Any


_LABEL = (str, int, bool)
_NUMBER = (int, float)
_NONE = type(None)
_FOUND = {"tokens": [str], "network_label": _LABEL, "program_label": _LABEL, "circuit_label": _LABEL}
_RACE = {
    "backend": str,
    "version": str,
    "outcome": str,
    "seconds": _NUMBER,
    "peak_mb": (*_NUMBER, _NONE),
    "detail": str,
    "spans": [[_NUMBER]],
}
_CIRCUIT = {
    "name": str,
    "layers": int,
    "nodes_kept": int,
    "nodes_total": int,
    "edges_kept": int,
    "edges_total": int,
    "weights_nonzero": int,
    "weights_total": int,
    "origin": str,
    "kind": str,
}
_FINDINGS = {"inputs": int, "whole": bool, "basis": str, "sentences": [str]}
_FRONT = {
    "program": str,
    "description_length": int,
    "exceptions": int,
    "of": int,
    "examples": [{"tokens": [str], "circuit_label": _LABEL, "program_label": (*_LABEL, _NONE)}],
}
_MACHINE = {"states": int, "step": (list, _NONE), "labels": (list, _NONE)}
_FACTS = {
    "circuit": _CIRCUIT,
    "inputs_executed": int,
    "executed_everywhere": bool,
    "sampling": (dict, _NONE),
    "smallest_margin": _NUMBER,
    "surrogate": {
        "family": str,
        "hidden": [int],
        "neurons": int,
        "unstable": (int, _NONE),
        "weight_bits": int,
        "fractional_bits": int,
        "nonzeros": int,
        "corrections": int,
    },
    "program": str,
    "found_by": str,
    "template": str,
    "description_length": int,
    "claim_digest": str,
    "seconds": _NUMBER,
    "version": str,
    "findings": Optional(_FINDINGS),
    "front": Optional([_FRONT]),
    "machine": Optional(_MACHINE),
    "refutations": [
        {"against": str, "program": str, "backend": (str, _NONE), "found": int, "counterexamples": [_FOUND]}
    ],
    "margins": (dict, _NONE),
    "graph": (dict, _NONE),
}
_SHAPE = {
    "verdict": str,
    "trust": (str, _NONE),
    "reason": (str, _NONE),
    "backend": (str, _NONE),
    "seconds": _NUMBER,
    "domain_size": str,
    "attempts": [_RACE],
    "warnings": [str],
    "exact_in_float32": (bool, _NONE),
    "distillation": _FACTS,
}


@dataclass(frozen=True, eq=False)
class Run:
    """A distillation: `verdict` is the object of `result.json`, `facts` its part under `distillation`."""

    folder: Path
    claim: WordClaim
    verdict: Mapping[str, Any]
    facts: Mapping[str, Any]
    circuit: CircuitSummary
    graph: CircuitGraph | None
    margins: Histogram | None
    machine: MooreMachine | None = None  # where no short program was found, unless it is very large

    @property
    def proved(self) -> bool:
        result: bool = self.verdict["verdict"] == "proved"
        return result

    @property
    def everywhere(self) -> bool:
        """Whether the circuit was run on every input of the domain."""
        return bool(self.facts["executed_everywhere"])

    @property
    def executed(self) -> int:
        return int(self.facts["inputs_executed"])


def is_run(path: Path) -> bool:
    """Return whether this is the folder of a distillation, and not one of a benchmark."""
    return (path / RESULT).is_file() and (path / CLAIM).is_file()


def read_run(folder: Path) -> Run:
    """Read the folder.  Raises InputError if it is no such folder, or its files do not belong together."""
    path = folder / RESULT
    try:
        verdict = parsed_json(decoded(read_file(path, LARGEST)), parse_constant=_no_number)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            str(path), f"cannot be read ({error})", "give a folder that `relucid distill` has written"
        ) from None
    if (where := _misfit(verdict, _SHAPE, "")) is not None:
        raise InputError(str(path), f"{where or 'it'} is not what `relucid distill` writes", AGAIN)
    facts = verdict["distillation"]
    claim = load_word_claim(folder / CLAIM)
    if claim.digest != facts["claim_digest"]:
        raise InputError(
            str(folder / CLAIM), f"states another claim than {RESULT}: a file was changed", AGAIN
        )
    labels = len(claim.decision.labels)
    return Run(
        folder,
        claim,
        verdict,
        facts,
        CircuitSummary(**{key: facts["circuit"][key] for key in _CIRCUIT}),
        None if facts["graph"] is None else read_graph(facts["graph"], f"{path}: graph"),
        read_histogram(facts["margins"], labels, f"{path}: margins"),
        _machine(facts.get("machine"), claim, f"{path}: machine"),
    )


def _machine(stated: Mapping[str, Any] | None, claim: WordClaim, where: str) -> MooreMachine | None:
    if stated is None or stated["step"] is None:
        return None
    tokens, labels = len(claim.domain.tokens), len(claim.decision.labels)
    try:
        machine = read_machine(stated)
    except ValueError:
        machine = None
    if machine is None or machine.step.shape[1] != tokens or machine.labels.max() >= labels:
        raise InputError(where, "is no machine over the claim's tokens and labels", AGAIN)
    return machine


def _no_number(text: str) -> float:
    if text == "Infinity":  # the margin of a circuit with a single label
        return math.inf
    raise ValueError(f"{text} is no number")


def _misfit(value: Any, shape: Any, where: str) -> str | None:
    """Return the first place where `value` is not of `shape`, or None.

    A shape is a dict of keys with shapes, a list with the shape of its entries, an `Optional` one, or one or
    several types.
    """
    if isinstance(shape, Optional):
        return None if value in (None, ...) else _misfit(value, shape.shape, where)
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return where
        return next(
            (
                bad
                for key, inner in shape.items()
                if (bad := _misfit(value.get(key, ...), inner, f"{where}.{key}".lstrip("."))) is not None
            ),
            None,
        )
    if isinstance(shape, list):
        if not isinstance(value, list):
            return where
        return next(
            (
                bad
                for i, entry in enumerate(value)
                if (bad := _misfit(entry, shape[0], f"{where}[{i}]")) is not None
            ),
            None,
        )
    types = shape if isinstance(shape, tuple) else (shape,)
    return None if type(value) in types else where
