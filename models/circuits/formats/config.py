"""What a circuit_sparsity checkpoint's `beeg_config.json` says, validated.

First step of reading a circuit: the config fixes every tensor's shape, so `checkpoint.py` can refuse a
weights file that does not fit before anything is computed.  Names and defaults are those of OpenAI's release.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import NoneType

from ....common.errors import InputError
from ....common.files import decoded, read_file
from ....common.text import parsed_json

CONFIG_FILE = "beeg_config.json"
SPARSITY_LOCATIONS = (
    "attn_in", "attn_q", "attn_k", "attn_v", "attn_out", "mlp_in", "mlp_neuron", "mlp_out", "resid_post_attn", "resid_post_mlp",
)  # fmt: skip
NORM_EPS = 1e-5  # LayerNorm; RMSNorm uses torch's default, the machine epsilon of float32
MOST_PARAMETERS = 1 << 31
MOST_LAYERS = 10_000
MAX_JSON_BYTES = 1 << 28

_REQUIRED = ("block_size", "vocab_size", "n_layer", "n_head", "d_model")
_SIZES = (*_REQUIRED, "d_head", "d_mlp", "d_pos_emb")
_CHOICES = {"residual_activation_type": ("identity", "relu"), "activation_type": ("gelu", "relu")}
_NO_EFFECT = {  # fields of the release that change training or speed, never the function computed
    "dropout": (int, float), "tokenizer_name": (str,), "debug_nans": (bool,), "grad_checkpointing": (bool,), "flash": (bool,),
    "learnable_bigram_table": (bool,), "dropout_cat_pos_emb": (bool,), "sinusoidal_cat_pos_emb": (bool,), "enable_sparse_kernels": (bool,),
}  # fmt: skip
_TYPES = {
    **dict.fromkeys(_REQUIRED, (int,)), **dict.fromkeys(("d_head", "d_mlp", "d_pos_emb"), (int, NoneType)),
    **dict.fromkeys(("bias", "ln_bias", "rms_norm", "tied_unembed", "enable_bigram_table", "sink"), (bool,)),
    **dict.fromkeys(("residual_activation_type", "activation_type", "afrac_loctypes"), (str,)),
    "afrac": (int, float, NoneType), **_NO_EFFECT,
}  # fmt: skip


@dataclass(frozen=True)
class GptConfig:
    """The fields that decide what function the weights compute."""

    block_size: int
    vocab_size: int
    n_layer: int
    n_head: int
    d_model: int
    d_head: int = 0  # 0 in the constructor: d_model / n_head
    d_mlp: int = 0  # 0 in the constructor: 4 d_model
    d_pos_emb: int | None = None
    bias: bool = True
    ln_bias: bool = True
    rms_norm: bool = False
    residual_activation_type: str = "identity"
    activation_type: str = "gelu"
    afrac: float | None = None
    afrac_loctypes: str = "attn_in,attn_out,mlp_in,mlp_out"
    tied_unembed: bool = True
    enable_bigram_table: bool = False
    sink: bool = False
    where: str = field(default=CONFIG_FILE, compare=False)  # for messages

    def __post_init__(self) -> None:
        object.__setattr__(self, "d_head", self.d_head or self.d_model // max(1, self.n_head))
        object.__setattr__(self, "d_mlp", self.d_mlp or 4 * self.d_model)
        for name in _SIZES:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(self.where, f"{name} is {value}", "sizes are at least 1")
        if self.d_model % self.n_head:
            raise InputError(
                self.where,
                f"d_model {self.d_model} is not a multiple of n_head {self.n_head}",
                "the release requires it",
            )
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise InputError(
                    self.where, f"{name} is {getattr(self, name)!r}", f"it is one of {', '.join(allowed)}"
                )
        if self.afrac is not None and not 0 <= self.afrac <= 1:
            raise InputError(self.where, f"afrac is {self.afrac}", "it is a fraction from 0 to 1, or null")
        strange = sorted(self.sparse_locations - set(SPARSITY_LOCATIONS))
        if strange:
            raise InputError(
                self.where,
                f"afrac_loctypes has {strange[0]!r}",
                f"locations are {', '.join(SPARSITY_LOCATIONS)}",
            )
        if self.n_layer > MOST_LAYERS:  # before `shapes` lists them
            raise InputError(self.where, f"the model has over {MOST_LAYERS} layers", "take a smaller model")
        if sum(_elements(shape) for shape in self.shapes().values()) > MOST_PARAMETERS:
            raise InputError(
                self.where, f"the model has over {MOST_PARAMETERS} parameters", "take a smaller model"
            )

    @property
    def sparse_locations(self) -> frozenset[str]:
        """Where AbsTopK keeps the largest magnitudes only."""
        return frozenset() if self.afrac is None else frozenset(self.afrac_loctypes.split(",")) - {""}

    def keeps(self, location: str, width: int) -> int | None:
        """How many of `width` activations survive at a location; None: all of them."""
        return (
            int(self.afrac * width) if self.afrac is not None and location in self.sparse_locations else None
        )

    @property
    def d_heads(self) -> int:
        return self.n_head * self.d_head

    @property
    def d_model_in(self) -> int:
        """Width of what attention and MLP read: the residual stream, then the position embedding if it is concatenated."""
        return self.d_model + (self.d_pos_emb or 0)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor that the checkpoint must hold, with its shape, named as in the release."""
        norm = [".weight"] if self.rms_norm or not self.ln_bias else [".weight", ".bias"]
        out: dict[str, tuple[int, ...]] = {
            "transformer.wte.weight": (self.vocab_size, self.d_model),
            "transformer.wpe.weight": (self.block_size, self.d_pos_emb or self.d_model),
            "lm_head.weight": (self.vocab_size, self.d_model),
            "final_logits_bias": (self.vocab_size,),
        }
        if self.enable_bigram_table:
            out["bigram_table"] = (self.vocab_size, self.vocab_size)
        linear = {
            "attn.c_attn": (3 * self.d_heads, self.d_model_in),
            "attn.c_proj": (self.d_model, self.d_heads),
            "mlp.c_fc": (self.d_mlp, self.d_model_in),
            "mlp.c_proj": (self.d_model, self.d_mlp),
        }
        for layer in (f"transformer.h.{i}." for i in range(self.n_layer)):
            for name, shape in linear.items():
                out[f"{layer}{name}.weight"] = shape
                if self.bias:
                    out[f"{layer}{name}.bias"] = shape[:1]
            if self.sink:
                out[layer + "attn.attn_imp.sink_logit"] = (self.n_head,)
            out.update({layer + ln + part: (self.d_model,) for ln in ("ln_1", "ln_2") for part in norm})
            if self.d_pos_emb:
                out.update(
                    {layer + ln + part: (self.d_pos_emb,) for ln in ("ln_p1", "ln_p2") for part in norm}
                )
        out.update({"transformer.ln_f" + part: (self.d_model,) for part in norm})
        return out


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for n in shape:
        count *= n
    return count


def read_json(path: Path, mend: str = "") -> object:
    """A small JSON file, or one clear line."""
    try:
        data = read_file(path, MAX_JSON_BYTES)
    except FileNotFoundError:
        raise InputError(str(path), "there is no such file", mend) from None
    except (OSError, ValueError) as error:
        raise InputError(
            str(path),
            f"cannot be read: {getattr(error, 'strerror', None) or error}",
            "check the path and its permissions",
        ) from None
    if len(data) > MAX_JSON_BYTES:
        raise InputError(str(path), f"is over {MAX_JSON_BYTES} bytes", "see docs/reference/circuits.md")
    try:
        return parsed_json(decoded(data))
    except UnicodeDecodeError:
        raise InputError(str(path), "is not a text file", "it is JSON in UTF-8") from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}:{error.lineno}", f"is not JSON: {error.msg}", "see docs/reference/circuits.md"
        ) from None
    except ValueError as error:  # an integer of thousands of digits, lists without end
        raise InputError(str(path), f"cannot be read: {error}", "see docs/reference/circuits.md") from None


def read_config(path: Path) -> GptConfig:
    """The config of a checkpoint folder's `beeg_config.json`."""
    where = str(path)
    raw = read_json(path, "a circuit's folder holds beeg_config.json, final_model.pt and vocab.json")
    if not isinstance(raw, dict):
        raise InputError(where, "the config is not a JSON object", "see docs/reference/circuits.md")
    values = dict(raw)
    if "n_mlp" in values:  # older releases
        values["d_mlp"] = values.pop("n_mlp")
    if values.pop("use_tied_aux_matrix", False) is not False:
        raise InputError(
            where, "use_tied_aux_matrix is not supported", "bake the auxiliary matrix into the weights"
        )
    missing = [name for name in _REQUIRED if name not in values]
    if missing:
        raise InputError(where, f"{missing[0]} is missing", f"the config needs {', '.join(_REQUIRED)}")
    unknown = sorted(set(values) - set(_TYPES))
    if unknown:
        raise InputError(
            where,
            f"unknown key {unknown[0]!r}",
            "it could change what the model computes; remove it only if it does not",
        )
    for name, value in values.items():
        allowed = _TYPES[name]
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            wanted = " or ".join("null" if t is NoneType else t.__name__ for t in allowed)
            raise InputError(where, f"{name} is {value!r}", f"it is of type {wanted}")
        if name in _SIZES and isinstance(value, int) and value < 1:
            raise InputError(where, f"{name} is {value}", "sizes are at least 1")
    known = {f.name for f in fields(GptConfig)}
    return GptConfig(
        **{k: v for k, v in values.items() if k in known and not (v is None and k in ("d_head", "d_mlp"))},
        where=where,
    )
