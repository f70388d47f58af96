"""Every registered task from training to proof, next to a dense model of the same size.

    python -m relucid.experiments.circuits [--out DIR] [--only REGEX] [--models sparse dense]

Writes one line of sparse.jsonl or dense.jsonl per task, and a table of all in the end; what has a line is not
run again.  The label rule of a task is used to train, never to search.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..models.circuits.pruning.settings import PruningSettings
from ..models.circuits.training.recipe import TrainingRecipe
from ..models.circuits.training.registry import NAMES
from ..pipeline.distillation import CircuitRequest, NoProgram, distill
from ..pipeline.pruning import PruningRequest, prune_model
from ..pipeline.trained import PruningResult
from ..pipeline.training import train_task
from ..verifiers.verdict import Proved


def road(name: str, out: Path) -> dict[str, Any]:
    """Take one task from training to proof.  Returns its line."""
    clock = Clock()
    trained = train_task(name, out / name, TrainingRecipe())
    clock.lap("train")
    row: dict[str, Any] = {
        "task": name,
        "inputs": trained.inputs,
        "right": trained.right,
        "seed": trained.seed,
        "recipe": asdict(TrainingRecipe()),
    }
    if trained.right < trained.inputs:
        return {**row, "verdict": "not learnt", **clock.times}
    pruned = prune_model(PruningRequest(str(out / name), name, PruningSettings()))
    clock.lap("prune")
    row |= {"settings": asdict(PruningSettings()), **_sizes(pruned)}
    try:
        result = distill(
            CircuitRequest(out / name, mask=pruned.out),
            out / name / f"{name}.toml",
            out=out / name / "distilled",
        )
        row |= {
            "verdict": "proved" if isinstance(result.verdict, Proved) else "unknown",
            "program": result.claim.program.text,
        }
    except NoProgram as error:
        row |= {"verdict": f"no program: {error}"}
    clock.lap("distil")
    return {**row, **clock.times}


def dense(name: str, out: Path) -> dict[str, Any]:
    """Prune a dense model of the same size to the same target loss, as the paper does for comparison."""
    clock = Clock()
    trained = train_task(name, out / f"{name}-dense", TrainingRecipe(density=1.0))
    clock.lap("train")
    row: dict[str, Any] = {
        "task": name,
        "inputs": trained.inputs,
        "right": trained.right,
        "seed": trained.seed,
    }
    if trained.right == trained.inputs:
        row |= _sizes(prune_model(PruningRequest(str(out / f"{name}-dense"), name, PruningSettings())))
        clock.lap("prune")
    return {**row, **clock.times}


class Clock:
    """Seconds of each step, wall and processor; on a shared machine only the latter can be compared."""

    def __init__(self) -> None:
        self.times: dict[str, dict[str, float]] = {"seconds": {}, "cpu_seconds": {}}
        self._last = (time.monotonic(), time.process_time())

    def lap(self, step: str) -> None:
        now = (time.monotonic(), time.process_time())
        for kind, before, after in zip(self.times, self._last, now, strict=True):
            self.times[kind][step] = round(after - before, 1)
        self._last = now


def _sizes(pruned: PruningResult) -> dict[str, Any]:
    """Return the sizes of a model and of the circuit that was cut out of it."""
    summary = pruned.summary
    return {
        "model_edges": summary.edges_total,
        "nodes": summary.nodes_kept,
        "edges": summary.edges_kept,
        **pruned.pruning.mask.report,
    }


COLUMNS = (
    "| task | inputs | edges of model, dense | nodes of circuit, dense | edges, dense | task loss, dense | "
    "program | train + prune + distil, s "
    "| CPU, s | dense: train + prune, CPU s | verdict |"
)


def table(sparse: list[dict[str, Any]], denses: list[dict[str, Any]]) -> str:
    """Return the results in Markdown: what was cut out of the sparse model, and out of the dense one."""
    lines, others = [COLUMNS, "|---" + "|---:" * 9 + "|---|"], {row["task"]: row for row in denses}
    for row in sparse:
        other = others.get(row["task"], {})
        pairs = [
            f"{_cell(row.get(key))}, {_cell(other.get(key))}"
            for key in ("model_edges", "nodes", "edges", "loss")
        ]
        body = row.get("program", "").rpartition('"""')[2].strip()
        told = [
            f"`{row['task']}`",
            f"{row['inputs']:,}",
            *pairs,
            f"{len(body)} characters" if body else "none",
        ]
        told += [
            " + ".join(f"{v:.0f}" for v in row["seconds"].values()),
            f"{sum(row['cpu_seconds'].values()):.0f}",
        ]
        lines.append(
            "| "
            + " | ".join(
                [*told, f"{sum(other['cpu_seconds'].values()):.0f}" if other else "?", row["verdict"]]
            )
            + " |"
        )
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    return "?" if value is None else f"{value:.3f}" if isinstance(value, float) else f"{value:,}"


KINDS: dict[str, Callable[[str, Path], dict[str, Any]]] = {"sparse": road, "dense": dense}


def main() -> None:
    parser = argparse.ArgumentParser(description="Train, prune, distil and prove every registered task.")
    parser.add_argument("--out", type=Path, default=Path("out/circuits"))
    parser.add_argument("--only", default="", help="only tasks that match this regular expression")
    parser.add_argument(
        "--models",
        choices=KINDS,
        nargs="+",
        default=list(KINDS),
        help="sparse: the road; dense: what to compare it with",
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for kind in options.models:
        results = options.out / f"{kind}.jsonl"
        done = {row["task"] for row in _read(results)}
        for name in NAMES:
            if name not in done and re.search(options.only, name):
                row = KINDS[kind](name, options.out)
                with results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                sizes = f"{row.get('nodes')} nodes, {row.get('edges')} edges"
                print(
                    kind, name, row.get("verdict", ""), row["seconds"], row["cpu_seconds"], sizes, flush=True
                )
    print(table(*(_read(options.out / f"{kind}.jsonl") for kind in KINDS)))


def _read(results: Path) -> list[dict[str, Any]]:
    return (
        [json.loads(line) for line in results.read_text(encoding="utf-8").split("\n") if line]
        if results.exists()
        else []
    )


if __name__ == "__main__":
    main()
