"""The whole road for every registered task: train, prune, distil, prove; next to a dense model of the same size.

    python -m relucid.benchmarks.circuits [--out DIR] [--only REGEX]

One line of results.jsonl per task; a task that has one is not run again.  The label rule of a task is used to train, never to search.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..distillation import NoProgram, distill
from ..models.circuits.node_masks import Settings
from ..models.circuits.tasks.registry import NAMES
from ..models.circuits.train import Recipe
from ..training import prune_model, train_task
from ..verifiers.verdict import Proved


def road(name: str, out: Path) -> dict[str, Any]:
    """What came out for one task."""
    times, started = {}, time.monotonic()

    def lap(step: str) -> None:
        nonlocal started
        times[step] = round(time.monotonic() - started, 1)
        started = time.monotonic()

    trained = train_task(name, out / name, Recipe())
    lap("train")
    dense = train_task(name, out / f"{name}-dense", Recipe(density=1.0))
    lap("train_dense")
    row: dict[str, Any] = {
        "task": name,
        "inputs": trained.inputs,
        "right": trained.right,
        "model_loss": trained.loss,
        "dense_loss": dense.loss,
    }
    row |= {"model_edges": trained.summary.edges_total, "dense_edges": dense.summary.edges_total}
    if trained.right < trained.inputs:
        return {**row, "verdict": "not learnt", "seconds": times}
    pruned = prune_model(str(out / name), name, Settings())
    lap("prune")
    row |= {"nodes": pruned.summary.nodes_kept, "edges": pruned.summary.edges_kept, **pruned.pruning.mask.report}
    try:
        result = distill(out / name, out / name / f"{name}.toml", mask=pruned.out, out=out / name / "distilled")
        row |= {"verdict": "proved" if isinstance(result.verdict, Proved) else "unknown", "program": result.claim.program.text}
    except NoProgram as error:
        row |= {"verdict": f"no program: {error}"}
    lap("distil")
    return {**row, "recipe": asdict(Recipe()), "seconds": times}


def main() -> None:
    parser = argparse.ArgumentParser(description="Train, prune, distil and prove every registered task.")
    parser.add_argument("--out", type=Path, default=Path("out/circuits"))
    parser.add_argument("--only", default="", help="only tasks that match this regular expression")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results = options.out / "results.jsonl"
    done = {json.loads(line)["task"] for line in results.read_text().splitlines()} if results.exists() else set()
    for name in NAMES:
        if name not in done and re.search(options.only, name):
            row = road(name, options.out)
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            print(name, row["verdict"], row["seconds"], f"{row.get('nodes')} nodes, {row.get('edges')} edges", flush=True)


if __name__ == "__main__":
    main()
