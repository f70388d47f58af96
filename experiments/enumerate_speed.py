"""How much faster `enumerate` is than running the network on one-hot inputs, batch by batch.

    python -m relucid.experiments.enumerate_speed [--repeat N] [--largest INPUTS] [--workers N]
    python -m relucid.experiments.enumerate_speed --ideas [--repeat N]

Counts the disagreeing inputs of claims with seeded random weights both ways, by turns in one process, and
prints the best times and their ratio; a count that differs is an error.  Beyond 10^7 inputs only
`verifiers/engines/enumerate/tree.py` is run.  `--ideas` prints how many times longer one thread takes with
one idea left out.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, product
from unittest import mock

import numpy as np

from ..models.claims.decision import Decision
from ..models.claims.domain import Domain
from ..models.claims.word_claim import WordClaim
from ..models.network.network import feed_forward
from ..models.program.program import Program
from ..verifiers.engines.enumerate import precision, tree
from ..verifiers.engines.enumerate.blocks import Block, Kernel
from ..verifiers.engines.enumerate.split import SplitSizes
from ..verifiers.engines.enumerate.tree import search

COUNTS = "def f(tokens):\n    return tokens.count('a') > 2\n"
LATEST = """
def f(tokens):
    last = 'c'
    for t in tokens:
        if t != 'd':
            last = t
    return last
"""
FEW = "def w(tokens):\n    return tokens.count('b') < 3\n"
OLD_LIMIT = 10**7


@dataclass(frozen=True)
class SpeedCase:
    """One claim; `unit`: weights are multiples of 1 / unit, None leaves them float32."""

    length: int
    tokens: int
    hidden: tuple[int, ...]
    unit: int | None = 16
    three: bool = False  # labels by argmax of three, else the sign of one output
    padded: bool = False
    where: bool = False

    def __str__(self) -> str:
        weights = "float32" if self.unit is None else f"1/{self.unit}"
        more = [
            word
            for word, holds in (("3 labels", self.three), ("padded", self.padded), ("where", self.where))
            if holds
        ]
        return (
            f"{self.tokens}^{self.length} hidden {'-'.join(map(str, self.hidden))} weights {weights}"
            + "".join(f", {word}" for word in more)
        )

    def claim(self) -> WordClaim:
        rng = np.random.default_rng(self.length)
        domain = Domain(
            tuple("abcdefghijklmnop"[: self.tokens]),
            0 if self.padded else self.length,
            self.length,
            pad="_" if self.padded else None,
            where=Program(FEW, "w") if self.where else None,
        )
        decision = (
            Decision("argmax", tuple("abcdefghijklmnop"[: self.tokens]))
            if self.three
            else Decision("sign", (False, True))
        )
        sizes = [domain.input_size, *self.hidden, decision.outputs]
        layers = [
            (self._weights(rng, (out, into)), self._weights(rng, (out,))) for into, out in pairwise(sizes)
        ]
        return WordClaim(
            feed_forward(layers), Program(LATEST if self.three else COUNTS, "f"), domain, decision
        )

    def _weights(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        values = rng.normal(size=shape) / np.sqrt(shape[-1])
        result: np.ndarray = (
            values.astype(np.float32) if self.unit is None else np.rint(values * 4 * self.unit) / self.unit
        )
        return result


CASES = (
    SpeedCase(6, 4, (8,)),
    SpeedCase(7, 4, (16,)),
    SpeedCase(7, 4, (16, 16)),
    SpeedCase(13, 2, (16, 16, 16)),
    SpeedCase(7, 4, (16,), padded=True),
    SpeedCase(9, 4, (8,)),
    SpeedCase(9, 4, (16, 16)),
    SpeedCase(18, 2, (32, 32)),
    SpeedCase(10, 4, (16,)),
    SpeedCase(10, 4, (16, 16)),
    SpeedCase(10, 4, (16, 16), padded=True),
    SpeedCase(11, 4, (16, 16), where=True),
    SpeedCase(10, 4, (16, 16), three=True),
    SpeedCase(10, 4, (16, 16, 16)),
    SpeedCase(20, 2, (32, 32)),
    SpeedCase(6, 10, (64, 64)),
    SpeedCase(7, 4, (16, 16), unit=None),
    SpeedCase(9, 4, (16,), unit=None),
    SpeedCase(23, 2, (8,)),
    SpeedCase(23, 2, (16, 16)),
    SpeedCase(9, 6, (16, 16, 16)),
    SpeedCase(13, 4, (16,)),
    SpeedCase(13, 4, (16, 16)),
    SpeedCase(28, 2, (32, 32)),
    SpeedCase(9, 10, (8,)),
)


def old_count(claim: WordClaim) -> int:
    """Count the disagreeing inputs with one-hot inputs in batches."""
    batch, wrong = max(1, min(1 << 14, (1 << 21) // max(claim.network.sizes))), 0
    for words, labels in claim.language.words(batch):
        for i in range(0, len(words), batch):
            wrong += int(
                np.count_nonzero(claim.network_labels(words[i : i + batch]) != labels[i : i + batch])
            )
    return wrong


class PlainKernel(Kernel):
    """Without the ReLU in one step: add what the head and the tail give, then compare with 0.

    For networks without skips.
    """

    def wrong(self, block: Block) -> np.ndarray:
        chunk, steps = block.chunk, self.blocks.steps
        outer, inner = self.blocks.outer[chunk.kind][0], chunk.inner[0]
        assert outer is not None
        here = self._buffer(steps[0], block.shape)
        np.maximum(np.add(outer[block.rows], inner, out=here), 0, out=here)
        for step in steps[1:]:
            ((_, weights),) = step.relus
            here = np.matmul(weights, here, out=self._buffer(step, block.shape))
            np.add(here, step.constant, out=here)
            if step is not steps[-1]:
                np.maximum(here, 0, out=here)
        result: np.ndarray = (here[:, 0] > 0) != block.labels
        return result


IDEAS: dict[str, tuple[dict[str, object], SplitSizes]] = {
    "nothing": ({}, SplitSizes()),
    "the ReLU in one step": ({f"{tree.__name__}.Kernel": PlainKernel}, SplitSizes()),
    "the narrowest arithmetic (float64)": (
        {f"{precision.__name__}.EXACT": precision.EXACT[1:]},
        SplitSizes(),
    ),
    "blocks that fit the cache (16 times larger)": ({}, SplitSizes(cells=1 << 22)),
    "many heads side by side (32)": ({}, SplitSizes(across=32)),
    "BLAS in one thread": ({f"{tree.__name__}.one_blas_thread": nullcontext}, SplitSizes()),
}
OF_IDEAS = (
    SpeedCase(10, 4, (8,)),
    SpeedCase(10, 4, (16, 16)),
    SpeedCase(20, 2, (32, 32)),
    SpeedCase(16, 2, (128, 128)),
)


def ideas(repeat: int) -> None:
    print(f"{'left out':46}" + "".join(f"{case!s:>36}" for case in OF_IDEAS))
    claims = [case.claim() for case in OF_IDEAS]
    best: dict[tuple[str, int], float] = {}
    for _ in range(repeat):
        for (name, (changes, sizes)), (i, claim) in product(IDEAS.items(), enumerate(claims)):
            with ExitStack() as stack:
                for attribute, value in changes.items():
                    stack.enter_context(mock.patch(attribute, value))
                start = time.process_time()
                search(claim, 1e6, lambda text: None, sizes=sizes)
            best[name, i] = min(best.get((name, i), np.inf), time.process_time() - start)
    for name in IDEAS:
        print(
            f"{name:46}" + "".join(f"{best[name, i] / best['nothing', i]:36.2f}" for i in range(len(claims)))
        )


def _timed(count: Callable[[], int]) -> tuple[float, int]:
    start = time.perf_counter()
    wrong = count()
    return time.perf_counter() - start, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--repeat",
        type=int,
        default=3,
        help="runs of each way (of the old one, only one from 10^6 inputs on)",
    )
    parser.add_argument("--largest", type=int, default=10**8, help="leave out claims of more inputs")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--ideas", action="store_true", help="what each idea brings, instead (in seconds of processor time)"
    )
    options = parser.parse_args()
    if options.ideas:
        return ideas(options.repeat)
    print(
        f"{'claim':52} {'inputs':>11} {'old s':>9} {'1 thread':>9} {f'{options.workers} threads':>9} "
        f"{'ns/input':>9} {'ratio':>7}"
    )
    for case in CASES:
        claim = case.claim()
        size = claim.domain_size
        if size > options.largest:
            continue
        old, one, many = list[float](), list[float](), list[float]()
        for i in range(options.repeat):
            for workers, times in ((1, one), (options.workers, many)):
                find = partial(search, claim, 1e6, lambda text: None, workers=workers)
                seconds, wrong = _timed(lambda find=find: find().wrong)  # type: ignore[misc]
                times.append(seconds)
            if size <= OLD_LIMIT and (i == 0 or size < 10**6):
                seconds, right = _timed(lambda c=claim: old_count(c))  # type: ignore[misc]
                old.append(seconds)
                if right != wrong:
                    raise SystemExit(f"{case}: {wrong} disagreeing inputs, {right} the old way")
        before, ratio = (
            (f"{min(old):9.4f}", f"{min(old) / min(many):7.1f}") if old else (f"{'-':>9}", f"{'-':>7}")
        )
        print(
            f"{case!s:52} {size:11,} {before} {min(one):9.4f} {min(many):9.4f} "
            f"{min(many) / size * 1e9:9.1f} {ratio}",
            flush=True,
        )


if __name__ == "__main__":
    main()
