"""Claims about real inputs: small networks on boxes of one or two inputs, every way to decide them, against
exact polygons.

Many rows touch zero exactly, or miss it by a hair: that is where floats go wrong.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from unittest.mock import patch

from relucid.models.network.exact_point import exact_outputs
from relucid.verifiers.boxes import decide as deciding
from relucid.verifiers.boxes.decide import decide
from relucid.verifiers.boxes.options import BoxOptions
from relucid.verifiers.engines.boxes import searches

from . import claims, nets, polygons
from .budgets import Fired, ample, is_starved, kept_by, starved
from .registry import Case, Counts

ENGINES = {"race": "race", "split-inputs": "split", "split-relus": "split", "lp": "lp", "milp": "milp"}
HAIRS = (
    Fraction(0),
    Fraction(0),
    Fraction(1, 2**50),
    Fraction(1, 2**24),
    Fraction(1, 10**6),
    Fraction(1, 64),
)
EDGES = (
    2**40,
    2**61 - 1,
    2**62,
    2**62 + 1,
    2**63 - 1,
    2**64 + 1,
)  # where numbers stop to fit 64 bits, or nearly do
SECONDS_OPEN = 0.3  # for one answer: unknown is no mistake here
LIMITS = (0.0, 1e-5, 1e-3, 5e-3)
CALLS = 200


def cases(rng: random.Random) -> Iterator[Case]:
    while True:
        box = random_box(rng)
        for engine in ENGINES:
            for hungry in (False, True):
                if rng.random() < (0.25 if hungry else 0.8):
                    limits = starved(rng, LIMITS, SECONDS_OPEN, CALLS) if hungry else ample(SECONDS_OPEN)
                    yield {
                        "box": box,
                        "engine": engine,
                        "attack": rng.random() < 0.4,
                        "threads": rng.choice((1, 2)),
                        **limits,
                    }


def random_box(rng: random.Random) -> polygons.Plain:
    inputs, outputs = rng.choice((1, 2, 2)), rng.randint(1, 3)
    nodes = rng.choice((nets.layers, nets.layers, nets.graph))(rng, inputs, outputs)
    if rng.random() < 0.05:
        nodes = nets.widened(rng, nodes)
    box = {**polygons.random_box(rng, inputs), "nodes": nodes}
    unsafe = [
        [random_row(rng, inputs, outputs) for _ in range(rng.choice((1, 1, 2, 3)))]
        for _ in range(rng.choice((1, 1, 2)))
    ]
    box["unsafe"] = unsafe
    if rng.random() < 0.6:  # the last row of each polyhedron alone just touches zero, or misses it
        network, case = nets.built(nodes, inputs, "real"), polygons.case_of(box)
        for rows in unsafe:
            top = polygons.largest(network, case, polygons.row_of(rows[-1]))
            by = rng.choice(HAIRS) * rng.choice((-1, 1))
            rows[-1]["constant"] = str(Fraction(rows[-1]["constant"]) - top + by)
    if rng.random() < 0.15:
        rows = rng.choice(unsafe)
        k = rng.randrange(len(rows))
        rows[k] = times(rows[k], rng.choice(EDGES))
    return box


def times(row: polygons.Plain, factor: int) -> polygons.Plain:
    """The same row in larger numbers."""
    x, y = ([[i, str(Fraction(c) * factor)] for i, c in row[side]] for side in ("x", "y"))
    return {**row, "x": x, "y": y, "constant": str(Fraction(row["constant"]) * factor)}


def random_row(rng: random.Random, inputs: int, outputs: int) -> polygons.Plain:
    y = [[j, str(c)] for j in range(outputs) if (c := rng.randint(-2, 2))]
    x = [[rng.randrange(inputs), str(rng.randint(1, 2))]] if rng.random() < 0.2 else []
    return {"x": x, "y": y, "constant": str(Fraction(rng.randint(-40, 24), 8)), "strict": rng.random() < 0.4}


def _truth(box: polygons.Plain) -> polygons.Point | None:
    return polygons.unsafe_point(nets.built(box["nodes"], box["inputs"], "real"), polygons.case_of(box))


truth = claims.recent(_truth)


def problem(case: Case, counts: Counts) -> str | None:
    box, engine = case["box"], case["engine"]
    network = nets.built(box["nodes"], box["inputs"], "real")
    stated, unsafe = polygons.property_of(box, network.output_size), truth(box)
    row = f"{engine}, {'starved' if is_starved(case, SECONDS_OPEN) else 'open'}"
    with ExitStack() as stack:
        if engine == "split-relus":
            stack.enter_context(patch.object(searches, "FEW_INPUTS", -1))
        if not case["attack"]:
            stack.enter_context(patch.object(deciding, "attack", lambda *a, **k: False))
        try:
            with kept_by(case):
                found = decide(
                    network,
                    stated,
                    BoxOptions(
                        deadline=time.monotonic() + case["seconds"],
                        threads=case["threads"],
                        backend=ENGINES[engine],
                    ),
                )
        except Fired:
            counts[row, "raised"] += 1
            return None
    counts[row, found.outcome] += 1
    if found.outcome == "proved":
        return (
            None if unsafe is None else f"{engine} says proved, and ({', '.join(map(str, unsafe))}) is unsafe"
        )
    if found.outcome == "refuted":
        point = tuple(map(Fraction, found.counterexample.input))  # type: ignore[union-attr]
        shown = stated.witnesses(point, exact_outputs(network, point))
        return (
            None
            if shown and unsafe is not None
            else f"{engine} says refuted by {found.counterexample.input}, which is not unsafe"
        )  # type: ignore[union-attr]
    return None


def smaller(case: Case) -> Iterator[Case]:
    for change in ({"threads": 1}, {"attack": False}):
        if any(case[k] != v for k, v in change.items()):
            yield {**case, **change}
    yield from ({**case, "box": box} for box in polygons.smaller_box(case["box"]))
    yield from (
        {**case, "box": {**case["box"], "nodes": nodes}} for nodes in nets.smaller(case["box"]["nodes"])
    )
