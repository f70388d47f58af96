"""The token benchmark: trains the networks of `families.py` and writes one claim folder each.

    python -m relucid.benchmarks.tokens --out DIR [--seeds tune|report] [--only REGEX]

A folder that was made from the same spec, seed and version is kept; a new one appears under its name only
when it is complete.  `suite.json` tells what each claim is.  No solver is asked anything here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..common.errors import InputError
from ..common.files import write
from ..common.text import decimal, parsed_json
from ..models.automata.automaton import Automaton
from ..models.claims.claim_file import load_word_claim
from ..models.claims.decision import Label
from ..models.claims.domain import Domain
from ..models.claims.language import build_language
from ..models.claims.task import Task, claim_toml
from ..models.claims.word_claim import WordClaim
from ..models.network.float32 import exact_in_float32
from ..models.network.network import Affine, Network
from ..models.onnx.writer import write_onnx
from ..models.program.program import Program
from .cells import FittedCell, Prefixes, fit_cell
from .families import TIED_LENGTHS, VERSION, Spec, specs
from .learning import Fitted, Recipe, TrainingProblem
from .training import ENOUGH, fit, fit_carelessly
from .words import Walks

Seeds = Literal["tune", "report"]
RANDOM_TESTS = 100_000
RESTARTS = 5
CELL_RESTARTS = 10
LONGEST_TAUGHT = 48  # prefixes that cells are looked at on
Progress = Callable[[str], None]


def write_suite(
    folder: Path,
    seeds: Seeds = "tune",
    progress: Progress = lambda text: None,
    *,
    only: str = "",
    chosen: Iterable[Spec] | None = None,
) -> list[dict[str, Any]]:
    """Write the claim folders that are missing, and suite.json.

    Returns its entries.  `only`: a regular expression for names.
    """
    wanted = [spec for spec in (specs() if chosen is None else chosen) if matches(only, spec.name)]
    if not wanted:
        raise InputError(
            "--only", f"{only!r} matches no claim of the suite", "leave it out to see all names in suite.json"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for k, spec in enumerate(wanted, start=1):
        if _made(folder / spec.name, spec, seeds) is None:
            progress(f"claim {k} of {len(wanted)}: training {spec.name}")
            _write_claim(folder, spec, seeds)
        else:
            progress(f"claim {k} of {len(wanted)}: {spec.name} is there")
        entries = _entries(folder, seeds)
        write(
            folder / "suite.json",
            json.dumps({"suite": "tokens", "version": VERSION, "seeds": seeds, "claims": entries}, indent=1),
        )
    return entries


def matches(only: str, name: str) -> bool:
    try:
        return re.search(only, name) is not None
    except re.error as error:
        raise InputError(
            "--only", f"{only!r} is no regular expression ({error})", "see Python's re"
        ) from None


def _entries(folder: Path, seeds: Seeds) -> list[dict[str, Any]]:
    """Return what the finished claim folders say about themselves, in the order of the suite."""
    order = {spec.name: k for k, spec in enumerate(specs())}
    found = []
    for path in folder.glob("*/made.json"):
        entry = parsed_json(path.read_text(encoding="utf-8"))
        if entry["seeds"] == seeds:
            found.append(entry)
    return sorted(found, key=lambda e: (order.get(e["name"], len(order)), e["name"]))


def _made(place: Path, spec: Spec, seeds: Seeds) -> dict[str, Any] | None:
    """Return the entry of a claim folder that was made from this spec and seed set, or None."""
    try:
        entry = parsed_json((place / "made.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return entry if entry.get("recipe") == recipe_digest(spec, seeds) else None


def recipe_digest(spec: Spec, seeds: Seeds) -> str:
    """Return a digest of all that the network depends on, but for the versions of torch and numpy."""
    # new fields change no old spec
    said = {f.name: getattr(spec, f.name) for f in fields(spec) if getattr(spec, f.name) != f.default}
    return hashlib.sha256(json.dumps([VERSION, seeds, said]).encode()).hexdigest()


def seed_of(spec: Spec, seeds: Seeds, restart: int = 0) -> int:
    """Return a claim's own seed; the two seed sets share none."""
    return int.from_bytes(hashlib.sha256(f"{seeds} {spec.name} {restart}".encode()).digest()[:6])


def _write_claim(folder: Path, spec: Spec, seeds: Seeds) -> None:
    started = time.monotonic()
    network, facts = train_spec(spec, seeds)
    domain = spec.domain()
    place = Path(tempfile.mkdtemp(prefix=f".{spec.name}.", dir=folder))
    try:
        write(place / "network.onnx", write_onnx(network))
        write(place / "program.py", spec.program_text)
        where = "program.py:inside" if domain.where else None
        write(
            place / "claim.toml",
            claim_toml(
                Task(domain, "one_hot", spec.decision, spec.name), "network.onnx", "program.py:label", where
            ),
        )
        claim = load_word_claim(place / "claim.toml")
        found = random_tests(claim, seed_of(spec, seeds, -1))
        entry = {
            **_entry(spec, seeds, claim),
            "random_tests_differ": found,
            **facts,
            "seconds": round(time.monotonic() - started, 1),
        }
        write(place / "made.json", json.dumps(entry, indent=1))
        place.chmod(0o755)
        shutil.rmtree(folder / spec.name, ignore_errors=True)
        place.rename(folder / spec.name)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _entry(spec: Spec, seeds: Seeds, claim: WordClaim) -> dict[str, Any]:
    widths = [node.size for node in claim.network.nodes if isinstance(node, Affine)]
    return {
        "name": spec.name,
        "family": spec.family,
        "length": list(spec.length),
        "tokens": len(spec.tokens),
        "hidden_layers": len(widths) - 1,
        "widths": widths[:-1],
        "cell": spec.cell,
        "flaw": spec.flaw,
        "domain_size": decimal(claim.domain_size),
        "seeds": seeds,
        "seed": seed_of(spec, seeds),
        "claim_digest": claim.digest,
        "network_digest": claim.network.digest,
        "recipe": recipe_digest(spec, seeds),
        "suite_version": VERSION,
        "versions": {"torch": version("torch"), "numpy": version("numpy")},
    }


def train_spec(spec: Spec, seeds: Seeds) -> tuple[Network, Mapping[str, Any]]:
    """Train the network of a spec.  Returns it with facts about its training."""
    if spec.cell:
        cell, facts = _trained_cell(spec.source, spec.tokens, spec.labels, spec.cell, spec.states, seeds)
        return cell.unrolled(spec.length[1]), facts
    language = build_language(spec.domain(), spec.taught, spec.labels)
    problem = TrainingProblem(language, len(spec.labels), spec.sign)
    recipe = Recipe(spec.hidden, spec.bits, spec.steps, spec.noise)
    best: Fitted | None = None
    for restart in range(RESTARTS):
        rng = np.random.default_rng(seed_of(spec, seeds, restart))
        if spec.flaw == "early":
            best = fit_carelessly(problem, recipe, rng)
            if best.worst < 0 and not random_tests(
                WordClaim(best.network, spec.taught, spec.domain(), spec.decision), seed_of(spec, seeds, -1)
            ):
                break
            continue
        fitted = fit(problem, recipe, rng)
        if best is None or fitted.worst > best.worst:
            best = fitted
        if best.worst >= ENOUGH:
            break
    assert best is not None
    return best.network, {"restarts": restart, "smallest_margin_found": round(best.worst, 4)}


@cache
def _trained_cell(
    source: str, tokens: tuple[str, ...], labels: tuple[Label, ...], width: int, states: int, seeds: Seeds
) -> tuple[FittedCell, dict[str, Any]]:
    """Train the cell of a tied family: the first that is right on long words and exact in float32."""
    program = Program(source, "label", "program.py")
    prefixes = Prefixes(
        lambda n: build_language(Domain(tokens, n, n), program, labels), LONGEST_TAUGHT, len(tokens)
    )
    best: tuple[bool, float, FittedCell] | None = None
    for restart in range(CELL_RESTARTS):
        seed = hashlib.sha256(f"{seeds} cell {width} {states} {restart} {source}".encode()).digest()[:6]
        cell, margin = fit_cell(prefixes, width, states, np.random.default_rng(int.from_bytes(seed)))
        exact = exact_in_float32(cell.unrolled(TIED_LENGTHS[-1]), TIED_LENGTHS[-1]).ok
        if best is None or (exact, margin) > best[:2]:
            best = exact, margin, cell
        if exact and margin >= 2 * ENOUGH:
            break
    assert best is not None
    return best[2], {"restarts": restart, "smallest_margin_found": round(best[1], 4)}


def random_tests(claim: WordClaim, seed: int, count: int = RANDOM_TESTS) -> bool:
    """Whether network and program differ on one of `count` inputs, each equally likely."""
    rng = np.random.default_rng(seed)
    language: Automaton = claim.language
    sizes = np.array([float(n) for n in language.count_by_label(len(claim.decision.labels))])
    wanted = rng.multinomial(count, sizes / sizes.sum())
    for label, many in enumerate(wanted):
        if not many:
            continue
        walks = Walks(language.restricted(label))
        for start in range(0, many, 4096):
            words = walks.uniform(rng, min(4096, many - start))
            if (_labels(claim, words) != label).any():
                return True
    return False


def _labels(claim: WordClaim, words: np.ndarray) -> np.ndarray:
    """Return the network's labels: in float64, and exactly where that is close to a tie."""
    network, inputs = claim.network, claim.domain.one_hot(words)
    values = [inputs.astype(np.float64)]
    for node in network.nodes:
        if not isinstance(node, Affine):
            values.append(np.maximum(values[node.source], 0))
            continue
        total = np.broadcast_to(node.bias.astype(np.float64), (len(words), node.size))
        for source, weight in zip(node.sources, node.weights, strict=True):
            # an unrolled cell reads one position of the input
            used = np.flatnonzero((weight != 0).any(axis=0))
            total = total + values[source][:, used] @ weight[:, used].T.astype(np.float64)
        values.append(total / node.denominator)
    out = values[-1]
    labels = claim.decision.decide(out)
    ordered = np.sort(
        np.concatenate([out, np.zeros_like(out)] if claim.decision.kind == "sign" else [out], axis=1), axis=1
    )
    close = np.flatnonzero((np.diff(ordered, axis=1) < 1e-6).any(axis=1))
    if len(close):
        labels[close] = claim.network_labels(words[close])
    return labels


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Write the claims of the token benchmark.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", choices=("tune", "report"), default="tune")
    parser.add_argument("--only", default="", help="regular expression for names")
    options = parser.parse_args(arguments)
    write_suite(
        options.out, options.seeds, lambda text: print(text, file=sys.stderr, flush=True), only=options.only
    )


if __name__ == "__main__":
    main()
