"""What stands in for the nodes that a mask does not keep, taken anew over a domain: `--ablation` of `distill` and `show`.

The release's `viz_data.pt` says which nodes stay and has no means, so zero stands in for the others unless this is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ....common.errors import InputError
from ....common.text import number
from ...automata.sampling import Sampler
from ...claims.domain import Domain
from ...claims.language import build_language
from ..circuit import Circuit
from ..formats.circuit_sparsity import SparseGpt
from ..teacher import Questions
from .prune import activation_means

KINDS = ("mean", "zero")
LARGEST = 10**6  # inputs up to which the model is run on every one; on larger domains on SAMPLE
SAMPLE = 10**5


def ablated(circuit: Circuit, domain: Domain, kind: str) -> SparseGpt:
    """The circuit with zero, or the whole model's means over the domain, in place of what its mask has."""
    if kind not in KINDS:
        raise InputError("--ablation", f"{kind!r} is neither mean nor zero", "choose one")
    if not isinstance(circuit, SparseGpt) or circuit.mask is None:
        raise InputError("--ablation", f"{circuit.name} has no node mask", "leave it out, or give --mask")
    mask, told = circuit.mask, "others at zero"
    means = {place: np.zeros_like(m) for place, m in mask.means.items()}
    if kind == "mean":
        ask, language = Questions(circuit, domain, ()), build_language(domain, None, None)
        if language.empty:
            raise InputError(
                "[domain]",
                "the domain is empty: `where` keeps no sequence",
                "loosen the predicate or the length",
            )
        large = language.size > LARGEST
        sample = (
            [Sampler(language).words(SAMPLE, np.random.default_rng(0))]
            if large
            else (words for words, _ in language.words())
        )
        batches: Iterator[np.ndarray] = (ids for words in sample for _, ids in ask.ids(words))
        means = {
            place: np.where(mask.kept[place], np.float32(0), m)
            for place, m in activation_means(circuit, batches).items()
        }
        told = f"others at their mean over {'a sample of ' * large}{number(SAMPLE if large else language.size)} inputs"
    return replace(circuit, mask=replace(mask, means=means), origin=f"{circuit.origin}; here: {told}")
