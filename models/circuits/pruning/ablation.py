"""Choose anew what stands in for the nodes that a mask does not keep: `--ablation` of `distill` and `show`.

The release's `viz_data.pt` says which nodes stay and has no means, so that zero stands in for the others
unless the user asks for something else.
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
from ..sparse_gpt.model import SparseGpt
from ..teacher import CircuitDecisions
from .means import activation_means

KINDS = ("mean", "zero")
LARGEST = 10**6  # inputs up to which the model runs on every one
SAMPLE = 10**5  # inputs that it runs on if there are more


def ablated(circuit: Circuit, domain: Domain, kind: str) -> SparseGpt:
    """Replace the constants of a circuit's mask.

    Args:
        circuit: a weight-sparse GPT with a node mask.
        domain: the inputs to take means over.
        kind: "mean" (of the whole model over the domain) or "zero".

    Raises:
        InputError: the circuit has no node mask, the kind is unknown, or the domain is empty.
    """
    if kind not in KINDS:
        raise InputError("ablation", f"{kind!r} is neither mean nor zero", "choose one")
    if not isinstance(circuit, SparseGpt) or circuit.mask is None:
        raise InputError("ablation", f"{circuit.name} has no node mask", "leave it out, or give a mask")
    mask, told = circuit.mask, "others at zero"
    means = {place: np.zeros_like(m) for place, m in mask.means.items()}
    if kind == "mean":
        language = build_language(domain, None, None)
        if language.empty:
            what = "the domain is empty: `where` keeps no sequence"
            raise InputError("[domain]", what, "loosen the predicate or the length")
        batches: Iterator[np.ndarray] = (words for words, _ in language.words())
        told = f"others at their mean over {number(language.size)} inputs"
        if language.size > LARGEST:
            batches = iter([Sampler(language).words(SAMPLE, np.random.default_rng(0))])
            told = f"others at their mean over a sample of {number(SAMPLE)} inputs"
        decide = CircuitDecisions(circuit, domain, ())
        ids = (ids for words in batches for _, ids in decide.ids(words))
        found = activation_means(circuit, ids)
        means = {place: np.where(mask.kept[place], np.float32(0), m) for place, m in found.items()}
    return replace(circuit, mask=replace(mask, means=means), origin=f"{circuit.origin}; here: {told}")
