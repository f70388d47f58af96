"""Small networks on wide boxes, made here: a folder of instances where nearly every neuron may be on or off.

`python -m relucid.experiments.wide FOLDER`, then `relucid bench vnncomp FOLDER`, or `experiments/rivals.py`
for the table of docs/theory/performance.md.  Random networks of 12 to 50 inputs.  The unsafe set lies a
little above the most that a random climb reached, so that most instances are unsat and all are close.
"""

from __future__ import annotations

import csv
import io
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..common.files import write
from ..models.network.network import feed_forward
from ..models.onnx.writer import write_onnx

# neurons of the layers, inputs first; half of the box's width
NETWORKS: tuple[tuple[tuple[int, ...], float], ...] = (
    ((12, 24, 24, 3), 0.5),
    ((16, 24, 24, 3), 0.5),
    ((20, 40, 3), 2.0),
    ((20, 16, 16, 3), 1.0),
    ((20, 32, 32, 3), 0.5),
    ((50, 24, 24, 3), 0.25),
)
ROWS = (1, 3)  # outputs that have to be large together
CLOSE = 0.05  # how much more than what was reached, relative to it
GRID = 256  # all numbers are multiples of 1 / GRID: exact in float32 and in VNN-LIB
SECONDS = 60


def layers_of(rng: np.random.Generator, sizes: tuple[int, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
    return [
        (
            np.rint(GRID * rng.normal(0, (2 / a) ** 0.5, (b, a))) / GRID,
            np.rint(GRID * rng.normal(0, 0.1, b)) / GRID,
        )
        for a, b in pairwise(sizes)
    ]


def outputs(layers: list[tuple[np.ndarray, np.ndarray]], x: np.ndarray) -> np.ndarray:
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight.T + bias, 0)
    result: np.ndarray = x @ layers[-1][0].T + layers[-1][1]
    return result


def reached(
    rng: np.random.Generator,
    layers: list[tuple[np.ndarray, np.ndarray]],
    count: int,
    low: np.ndarray,
    high: np.ndarray,
) -> float:
    """Return the smallest of the first `count` outputs, as large as 500 random climbs make it."""
    x = rng.uniform(low, high, (500, len(low)))
    best = outputs(layers, x)[:, :count].min(axis=1)
    for step in range(200):
        moved = np.clip(
            x + rng.normal(0, 0.3 * 0.98**step, x.shape) * (high - low) * (rng.random(x.shape) < 0.3),
            low,
            high,
        )
        value = outputs(layers, moved)[:, :count].min(axis=1)
        better = value > best
        x[better], best[better] = moved[better], value[better]
    return float(best.max())


def stated(low: np.ndarray, high: np.ndarray, count: int, outputs: int, limit: float) -> str:
    """Write the property as VNN-LIB."""
    lines = [f"(declare-const X_{i} Real)" for i in range(len(low))] + [
        f"(declare-const Y_{j} Real)" for j in range(outputs)
    ]
    for i, (a, b) in enumerate(zip(low, high, strict=True)):
        lines += [f"(assert (>= X_{i} {a:.8f}))", f"(assert (<= X_{i} {b:.8f}))"]
    return "\n".join([*lines, *(f"(assert (>= Y_{j} {limit:.8f}))" for j in range(count)), ""])


def make(folder: Path) -> int:
    """Write the networks, the properties and instances.csv.  Returns how many instances."""
    written = []
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    (folder / "vnnlib").mkdir(exist_ok=True)
    for number, (sizes, radius) in enumerate(NETWORKS):
        rng = np.random.default_rng(number)
        layers = layers_of(rng, sizes)
        name = f"onnx/{'-'.join(map(str, sizes))}.onnx"
        write(folder / name, write_onnx(feed_forward(layers, encoding="real")))
        for count in ROWS:
            middle = np.rint(GRID * rng.normal(0, 1, sizes[0])) / GRID
            low, high = middle - radius, middle + radius
            most = reached(rng, layers, count, low, high)
            limit = np.rint(GRID * (most + CLOSE * max(abs(most), 0.5))) / GRID
            spec = f"vnnlib/{'-'.join(map(str, sizes))}_{count}.vnnlib"
            write(folder / spec, stated(low, high, count, sizes[-1], float(limit)))
            written.append((name, spec, SECONDS))
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(written)
    write(folder / "instances.csv", text.getvalue())
    return len(written)


if __name__ == "__main__":
    print(f"{make(Path(sys.argv[1]))} instances")
