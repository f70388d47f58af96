"""Train the model, prune it to one circuit for each task, and write the files of this folder.

    python -m relucid.models.zoo.quotes_and_brackets.train [--out DIR] [--seed N]

About three minutes on one core.  Both tasks are learnt together from their whole domains; after every step
only the largest weights of each matrix survive, their share falling from all to the final one.  The script
fails, and writes nothing, unless model and circuits decide every input of both domains rightly.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ....common.files import replaced, write
from ...circuits.examples import Examples
from ...circuits.pruning.greedy import GreedySettings, prune
from ...circuits.pruning.judge import margins
from ...circuits.pruning.random_labels import by_trained_masks
from ...circuits.sparse_gpt.config import GptConfig
from ...circuits.sparse_gpt.forward import forward
from ...circuits.sparse_gpt.model import SparseGpt, read_sparse_gpt
from ...circuits.training.sparse import initial_weights
from .domains import exactly_one_quote, open_and_at_most_three_deep

SEED = 0
STEPS, BATCH, RATE = 8000, 256, 4e-3
DENSE_UNTIL, SPARSE_FROM = 0.1, 0.7  # of the steps: all weights before, the final share after
SHARE = {
    "layers": 0.08,
    "tables": 0.15,
}  # of each matrix that is not zero in the end; tables: embedding, unembedding, bigrams
DENSE = "transformer.wpe.weight"  # position embeddings, norms and biases stay dense
MARGIN = 0.5  # between the right label's logit and the other's, in the circuits
TOKENS = ("<bos>", "'", '"', "[", "]", ",", "a", "b", "=", "<q>", "<d>", "]]")
LENGTH = 8
CONFIG = GptConfig(
    block_size=LENGTH + 2, vocab_size=len(TOKENS), n_layer=2, n_head=2, d_model=16, d_head=8, d_mlp=32,
    rms_norm=True, activation_type="gelu", afrac=0.5, tied_unembed=False, enable_bigram_table=True, sink=True,
)  # fmt: skip


@dataclass(frozen=True)
class NamedExamples:
    """A task's whole domain with its right labels."""

    name: str
    examples: Examples


def quote_label(body: tuple[str, ...]) -> str:
    """Return the quote that closes the one that is open."""
    return "'" if "'" in body else '"'


def depth_label(body: tuple[str, ...]) -> str:
    """Return `]` at depth 1, and `]]` below."""
    return "]" if body.count("[") - body.count("]") == 1 else "]]"


def task(
    name: str,
    tokens: str,
    cue: str,
    where: Callable[..., Any],
    label: Callable[..., Any],
    labels: tuple[str, ...],
) -> NamedExamples:
    bodies = [body for body in itertools.product(tokens, repeat=LENGTH) if where(body)]
    ids = np.array([[TOKENS.index(t) for t in ("<bos>", *body, cue)] for body in bodies], dtype=np.int64)
    right = np.array([labels.index(label(body)) for body in bodies])
    return NamedExamples(name, Examples(ids, right, np.array([TOKENS.index(y) for y in labels])))


def tasks() -> tuple[NamedExamples, NamedExamples]:
    return (
        task("quote_closing", "'\"ab=", "<q>", exactly_one_quote, quote_label, ("'", '"')),
        task("bracket_depth", "[],a", "<d>", open_and_at_most_three_deep, depth_label, ("]", "]]")),
    )


def keep_largest(weights: dict[str, torch.Tensor], progress: float) -> None:
    """Set all but the largest magnitudes of each matrix to zero.

    The share that stays falls geometrically between the two marks.
    """
    part = min(1.0, max(0.0, (progress - DENSE_UNTIL) / (SPARSE_FROM - DENSE_UNTIL)))
    for name, weight in weights.items():
        if weight.ndim == 2 and name != DENSE:
            share = SHARE["layers" if ".h." in name else "tables"]
            count = math.ceil(share**part * weight.numel())
            lowest = weight.abs().flatten().topk(count).values[-1]
            weight.masked_fill_(weight.abs() < lowest, 0.0)


def train(data: tuple[NamedExamples, ...], seed: int) -> dict[str, torch.Tensor]:
    """Train one model on all tasks; return its weights."""
    generator = torch.Generator().manual_seed(seed)
    weights = initial_weights(CONFIG, generator)
    fixed = ("final_logits_bias",)
    parameters = {name: w.requires_grad_() for name, w in weights.items() if name not in fixed}
    optimizer = torch.optim.AdamW(parameters.values(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.02)
    pools = []  # per task and label, so that each batch is balanced
    for t in data:
        ids, right, columns = t.examples.ids, t.examples.right, t.examples.columns
        for y in range(len(columns)):
            rows = right == y
            pools.append((torch.from_numpy(ids[rows]), torch.from_numpy(columns[right[rows]])))
    for step in range(STEPS):
        progress = step / STEPS
        for group in optimizer.param_groups:
            group["lr"] = (
                RATE
                * min(1.0, step / 100)
                * (1.0 if progress < SPARSE_FROM else (1 - progress) / (1 - SPARSE_FROM))
            )
        picks = [torch.randint(len(known), (BATCH // len(pools),), generator=generator) for known, _ in pools]
        batch = torch.cat([pool[pick] for (pool, _), pick in zip(pools, picks, strict=True)])
        targets = torch.cat([pool[pick] for (_, pool), pick in zip(pools, picks, strict=True)])
        loss = torch.nn.functional.cross_entropy(
            forward(CONFIG, weights, batch, last_only=True)[:, 0], targets
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        optimizer.step()
        with torch.no_grad():
            keep_largest(weights, progress)
        if step % 500 == 0 or step == STEPS - 1:
            print(f"step {step:5d}  loss {loss.item():.4f}", flush=True)
    return {name: w.detach().clone() for name, w in weights.items()}


def write_model(out: Path, weights: dict[str, torch.Tensor], seed: int) -> None:
    """Write the model's folder."""
    config = {name: getattr(CONFIG, name) for name in CONFIG.__dataclass_fields__ if name != "where"}
    out.mkdir(parents=True, exist_ok=True)
    write(out / "beeg_config.json", json.dumps(config, indent=1) + "\n")
    origin = f"trained for relucid by models/zoo/quotes_and_brackets/train.py, seed {seed}"
    write(out / "vocab.json", json.dumps({"tokens": list(TOKENS), "origin": origin}, indent=1) + "\n")
    with replaced(out / "final_model.pt") as draft:
        torch.save(weights, draft.file)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and prune the circuits of this folder.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    started = time.monotonic()
    data = tasks()
    weights = train(data, options.seed)
    model = SparseGpt("trained", TOKENS, CONFIG, weights)
    for t in data:
        gaps = margins(model, t.examples)
        seconds = time.monotonic() - started
        print(
            f"{t.name}: {int((gaps > 0).sum())} of {len(gaps)} right,",
            f"smallest margin {gaps.min():.3f}, {seconds:.0f} s",
        )
        if gaps.min() <= MARGIN:
            raise SystemExit(f"{t.name} was not learnt with a margin of {MARGIN}; nothing written")
    write_model(options.out, weights, options.seed)
    model = read_sparse_gpt(options.out)
    for t in data:
        origin = f"mean ablation over the {len(t.examples)} inputs of {t.name}, greedy, margin {MARGIN}"
        settings = GreedySettings(MARGIN, options.seed, origin=origin)
        mask = prune(model, t.examples, settings, lambda text: print(" ", text))
        control = by_trained_masks(model, t.examples, options.seed, lambda text: None)
        mask = replace(mask, report=control.report())
        mask.write(options.out / f"{t.name}.mask.json")
        circuit = read_sparse_gpt(options.out, options.out / f"{t.name}.mask.json")
        print(
            t.name,
            f"margin {margins(circuit, t.examples).min():.3f}",
            *circuit.summary().lines(),
            sep="\n  ",
        )
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
