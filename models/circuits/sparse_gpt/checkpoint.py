"""Read the weights of a weight-sparse GPT, and other files that torch wrote, without running code from them.

`final_model.pt` is a pickle inside a zip.  torch's `weights_only` reader refuses anything but tensors and
plain containers, and the configuration says which tensors must be there.  Nothing is computed from a file
that does not fit.
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
from ....common.optional import require
from .config import MOST_PARAMETERS, GptConfig

if TYPE_CHECKING:
    from torch import Tensor

MOST_BYTES = 8 * MOST_PARAMETERS + (1 << 20)
WEIGHTS_FILE = "final_model.pt"
_RETRAIN = "it must be the plain state dict of the model that beeg_config.json describes"


def read_torch(path: Path, most: int, missing: str, mend: str) -> tuple[object, str]:
    """Read a file of tensors and plain containers; nothing in it runs.

    Args:
        path: the file.
        most: its largest size in bytes.
        missing: what to tell the user if the file does not exist.
        mend: what to tell the user if it is no such file.

    Returns: the value, and the file's sha256.

    Raises:
        InputError: torch is missing, or the file does not fit.
    """
    where = str(path)
    require("torch", where)
    import torch

    try:
        data = read_file(path, most)
    except FileNotFoundError:
        raise InputError(where, "there is no such file", missing) from None
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise InputError(where, f"cannot be read: {said}", "check the path and its permissions") from None
    if len(data) > most:
        raise InputError(where, f"is over {most} bytes", "take a smaller model")
    try:
        with warnings.catch_warnings():  # torch also warns of what it then refuses: one line is enough
            warnings.simplefilter("ignore")
            value = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except LIMITS:
        raise
    except Exception as error:  # torch raises many kinds on bad files; the first line says what it met
        said = str(error).strip().splitlines()[0][:120] if str(error).strip() else ""
        reason = "is not a torch file"
        if "weights_only" in str(error).lower():
            reason = "holds more than tensors, and running its code is refused"
        raise InputError(where, f"{reason} ({type(error).__name__}: {said})", mend) from None
    return value, hashlib.sha256(data).hexdigest()


def read_weights(path: Path, config: GptConfig) -> tuple[dict[str, Tensor], str]:
    """Read the state dict of a model.

    Returns: the tensors by name, in float32, complete and finite; and the file's sha256.

    Raises:
        InputError: a tensor is missing, superfluous, not finite, or of another shape than the configuration
            says.
    """
    where = str(path)
    missing = "a circuit's folder holds its weights there"
    state, digest = read_torch(path, MOST_BYTES, missing, "save a plain state dict")
    import torch

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
    _drop_causal_masks(where, state, config)
    for name, shape in shapes.items():
        if name not in state:
            raise InputError(where, f"tensor {name} is missing", _RETRAIN)
        if tuple(state[name].shape) != shape:
            what = f"tensor {name} has shape {tuple(state[name].shape)}, the configuration makes it {shape}"
            raise InputError(where, what, _RETRAIN)
    unknown = sorted(set(state) - set(shapes))
    if unknown:
        raise InputError(where, f"tensor {unknown[0]} has no place in the model", _RETRAIN)
    out = {name: _float32(where, name, tensor) for name, tensor in state.items()}
    if config.tied_unembed and not torch.equal(out[wte], out[head]):
        what = "the configuration ties embedding and unembedding, but they differ in the file"
        raise InputError(where, what, "set tied_unembed to false")
    return out


def _drop_causal_masks(where: str, state: dict[str, Tensor], config: GptConfig) -> None:
    """Remove the causal masks that models without flash attention store; refuse any other mask."""
    import torch

    size = config.block_size
    for i in range(config.n_layer):
        mask = state.pop(f"transformer.h.{i}.attn.bias", None)
        causal = mask is None or (
            mask.shape == (1, 1, size, size)
            and torch.equal(mask[0, 0].float(), torch.ones(size, size).tril())
        )
        if not causal:
            raise InputError(where, f"transformer.h.{i}.attn.bias is not the causal mask", _RETRAIN)


def _float32(where: str, name: str, tensor: Tensor) -> Tensor:
    import torch

    if tensor.layout != torch.strided or not tensor.dtype.is_floating_point:
        what = f"tensor {name} is of kind {tensor.dtype}, {tensor.layout}"
        raise InputError(where, what, "weights are dense floating-point tensors")
    value = tensor.detach().to(torch.float32).contiguous()
    if not bool(torch.isfinite(value).all()):
        what = f"tensor {name} has values that are not finite in float32"
        raise InputError(where, what, "retrain or repair the weights")
    return value
