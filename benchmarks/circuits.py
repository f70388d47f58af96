"""The whole road for every registered task: train, prune, distil, prove; next to a dense model of the same size.

    python -m relucid.benchmarks.circuits [--out DIR] [--only REGEX] [--no-dense]

One line of results.jsonl per task, and a table of all in the end; a task that has a line is not run again.  The label rule of a task is used to train, never to search.
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
from ..training import Pruned, prune_model, train_task
from ..verifiers.verdict import Proved


def road(name: str, out: Path, dense: bool = True) -> dict[str, Any]:
    """What came out for one task; with `dense`, next to what the same pruning cuts out of a dense model of the same size."""
    times, started = {}, time.monotonic()

    def lap(step: str) -> None:
        nonlocal started
        times[step] = round(time.monotonic() - started, 1)
        started = time.monotonic()

    trained = train_task(name, out / name, Recipe())
    lap("train")
    row: dict[str, Any] = {"task": name, "inputs": trained.inputs, "right": trained.right, "seed": trained.seed}
    if trained.right < trained.inputs:
        return {**row, "verdict": "not learnt", "seconds": times}
    pruned = prune_model(str(out / name), name, Settings())
    lap("prune")
    row |= _sizes("", pruned)
    try:
        result = distill(out / name, out / name / f"{name}.toml", mask=pruned.out, out=out / name / "distilled")
        row |= {"verdict": "proved" if isinstance(result.verdict, Proved) else "unknown", "program": result.claim.program.text}
    except NoProgram as error:
        row |= {"verdict": f"no program: {error}"}
    lap("distil")
    row["road_seconds"] = round(sum(times.values()), 1)
    if dense:
        train_task(name, out / f"{name}-dense", Recipe(density=1.0))
        row |= _sizes("dense_", prune_model(str(out / f"{name}-dense"), name, Settings()))
        lap("dense")
    return {**row, "recipe": asdict(Recipe()), "settings": asdict(Settings()), "seconds": times}


def _sizes(prefix: str, pruned: Pruned) -> dict[str, Any]:
    """Of a model and of the circuit that was cut out of it."""
    summary = pruned.summary
    sizes = {"model_edges": summary.edges_total, "nodes": summary.nodes_kept, "edges": summary.edges_kept, **pruned.pruning.mask.report}
    return {prefix + key: value for key, value in sizes.items()}


COLUMNS = (
    "| task | inputs | edges, sparse | dense | nodes of circuit | dense | edges of circuit | dense | loss of circuit | dense "
    "| characters of program | train + prune + distil, s | verdict |"
)


def table(rows: list[dict[str, Any]]) -> str:
    """The results in Markdown."""
    lines = [COLUMNS, "|---" + "|---:" * 11 + "|---|"]
    for row in rows:
        pairs = [row.get(prefix + key, "") for key in ("model_edges", "nodes", "edges", "loss") for prefix in ("", "dense_")]
        cells = [f"{v:.3f}" if isinstance(v, float) else f"{v:,}" if isinstance(v, int) else v for v in pairs]
        seconds = " + ".join(f"{row['seconds'][step]:.0f}" for step in ("train", "prune", "distil") if step in row["seconds"])
        told = [f"`{row['task']}`", f"{row['inputs']:,}", *cells, str(len(row.get("program", ""))), seconds, row["verdict"]]
        lines.append("| " + " | ".join(told) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train, prune, distil and prove every registered task.")
    parser.add_argument("--out", type=Path, default=Path("out/circuits"))
    parser.add_argument("--only", default="", help="only tasks that match this regular expression")
    parser.add_argument("--no-dense", action="store_true", help="without dense models to compare with")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results = options.out / "results.jsonl"
    done = {json.loads(line)["task"] for line in results.read_text().splitlines()} if results.exists() else set()
    for name in NAMES:
        if name not in done and re.search(options.only, name):
            row = road(name, options.out, not options.no_dense)
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            print(name, row["verdict"], row["seconds"], f"{row.get('nodes')} nodes, {row.get('edges')} edges", flush=True)
    if results.exists():
        print(table([json.loads(line) for line in results.read_text().splitlines()]))


if __name__ == "__main__":
    main()
