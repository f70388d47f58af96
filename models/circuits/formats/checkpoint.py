"""Reading the files beside the config: weights without running code from them, and the vocabulary.

`final_model.pt` is a pickle inside a zip; torch's `weights_only` reader refuses anything but tensors, and the
config's shapes say which tensors must be there.  Nothing is computed from a file that does not fit.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ....common.deadline import LIMITS
from ....common.errors import InputError
from ....common.files import read_file
from .config import MOST_PARAMETERS, GptConfig, read_json

if TYPE_CHECKING:
    from torch import Tensor

MOST_BYTES = 8 * MOST_PARAMETERS + (1 << 20)
WEIGHTS_FILE = "final_model.pt"
VOCABULARY_FILE = "vocab.json"
_RETRAIN = "it must be the plain state dict of the model that beeg_config.json describes"


def read_torch(path: Path, most: int, missing: str, mend: str) -> tuple[object, str]:
    """What a torch file holds, tensors and plain containers only, and the file's sha256: nothing in it runs."""
    import torch

    where = str(path)
    try:
        data = read_file(path, most)
    except FileNotFoundError:
        raise InputError(where, "there is no such file", missing) from None
    except (OSError, ValueError) as error:
        raise InputError(
            where,
            f"cannot be read: {getattr(error, 'strerror', None) or error}",
            "check the path and its permissions",
        ) from None
    if len(data) > most:
        raise InputError(where, f"is over {most} bytes", "take a smaller model")
    try:
        with warnings.catch_warnings():  # torch also warns about what it then refuses: one line is enough
            warnings.simplefilter("ignore")
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True), hashlib.sha256(
                data
            ).hexdigest()
    except LIMITS:
        raise
    except Exception as error:  # torch raises many kinds on bad files; the first line says what it met
        said = str(error).strip().splitlines()
        refused = "weights_only" in str(error).lower()
        reason = (
            "holds more than tensors, and running its code is refused" if refused else "is not a torch file"
        )
        raise InputError(
            where, f"{reason} ({type(error).__name__}: {said[0][:120] if said else ''})", mend
        ) from None


def read_weights(path: Path, config: GptConfig) -> tuple[dict[str, Tensor], str]:
    """The state dict in float32, complete and finite, and the file's sha256."""
    import torch

    where = str(path)
    state, digest = read_torch(
        path, MOST_BYTES, "a circuit's folder holds its weights there", "save a plain state dict"
    )
    if not isinstance(state, dict) or not all(
        isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in state.items()
    ):
        raise InputError(where, "is not a plain state dict of named tensors", "save model.state_dict()")
    return _checked(where, dict(state), config), digest


def _checked(where: str, state: dict[str, Tensor], config: GptConfig) -> dict[str, Tensor]:
    import torch

    shapes = config.shapes()
    state.setdefault("final_logits_bias", torch.zeros(shapes["final_logits_bias"]))  # as the release does
    wte, head = "transformer.wte.weight", "lm_head.weight"
    if config.tied_unembed and (wte in state) != (head in state):
        state[wte] = state[head] = state[wte if wte in state else head]
    for i in range(
        config.n_layer
    ):  # the causal mask that checkpoints of models without flash attention carry
        mask = state.pop(f"transformer.h.{i}.attn.bias", None)
        size = config.block_size
        causal = mask is None or (
            mask.shape == (1, 1, size, size)
            and torch.equal(mask[0, 0].float(), torch.ones(size, size).tril())
        )
        if not causal:
            raise InputError(where, f"transformer.h.{i}.attn.bias is not the causal mask", _RETRAIN)
    for name, shape in shapes.items():
        if name not in state:
            raise InputError(where, f"tensor {name} is missing", _RETRAIN)
        if tuple(state[name].shape) != shape:
            raise InputError(
                where,
                f"tensor {name} has shape {tuple(state[name].shape)}, the config makes it {shape}",
                _RETRAIN,
            )
    unknown = sorted(set(state) - set(shapes))
    if unknown:
        raise InputError(where, f"tensor {unknown[0]} has no place in the model", _RETRAIN)
    out = {}
    for name, tensor in state.items():
        if tensor.layout != torch.strided or not tensor.dtype.is_floating_point:
            raise InputError(
                where,
                f"tensor {name} is of kind {tensor.dtype}, {tensor.layout}",
                "weights are dense floating-point tensors",
            )
        out[name] = tensor.detach().to(torch.float32).contiguous()
        if not bool(torch.isfinite(out[name]).all()):
            raise InputError(
                where,
                f"tensor {name} has values that are not finite in float32",
                "retrain or repair the weights",
            )
    if config.tied_unembed and not torch.equal(out[wte], out[head]):
        raise InputError(
            where,
            "the config ties embedding and unembedding, but they differ in the file",
            "set tied_unembed to false",
        )
    return out


def read_vocabulary(path: Path, size: int) -> tuple[tuple[str, ...], str]:
    """The tokens by id of a model with `size` of them, and the text that says where the circuit came from ("" if there is none)."""
    words, origin = read_words(path)
    if len(words) != size:
        raise InputError(
            str(path), f"{len(words)} tokens for a model with vocab_size {size}", "list one token per id"
        )
    return words, origin


def read_words(path: Path) -> tuple[tuple[str, ...], str]:
    """`read_vocabulary` where nothing says how many there are."""
    where = str(path)
    raw = read_json(path, 'it lists the tokens by id: {"tokens": [...]}')
    tokens = raw.get("tokens") if isinstance(raw, dict) else None
    if not isinstance(tokens, list) or not all(isinstance(t, str) for t in tokens):
        raise InputError(
            where, 'there is no list of strings under "tokens"', 'write {"tokens": [...]}, one string per id'
        )
    unwritable = next((t for t in tokens if any("\ud800" <= c <= "\udfff" for c in t)), None)
    if unwritable is not None:
        raise InputError(
            where,
            f"token {unwritable!r} is no valid Unicode (a lone surrogate)",
            "write the character itself",
        )
    if len(set(tokens)) != len(tokens):
        twice = next(t for t in tokens if tokens.count(t) > 1)
        raise InputError(where, f"token {twice!r} is listed twice", "list each token once")
    origin = raw.get("origin", "") if isinstance(raw, dict) else ""
    if not isinstance(origin, str):
        raise InputError(where, "origin is not a text", "write one line, or leave it out")
    return tuple(tokens), origin
