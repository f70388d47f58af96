"""The configuration of a weight-sparse GPT: `beeg_config.json`, checked.

First step of reading a model: the configuration fixes every tensor's shape, so that `checkpoint.py` can
refuse weights that do not fit before anything is computed.  Names and defaults are those of OpenAI's
circuit_sparsity release.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import NoneType

from ....common.errors import InputError
from ..json_file import read_json

CONFIG_FILE = "beeg_config.json"
SPARSITY_LOCATIONS = (
    "attn_in", "attn_q", "attn_k", "attn_v", "attn_out", "mlp_in", "mlp_neuron", "mlp_out",
    "resid_post_attn", "resid_post_mlp",
)  # fmt: skip
NORM_EPS = 1e-5  # LayerNorm; RMSNorm uses torch's default, the machine epsilon of float32
MOST_PARAMETERS = 1 << 31
MOST_LAYERS = 10_000

_REQUIRED = ("block_size", "vocab_size", "n_layer", "n_head", "d_model")
_SIZES = (*_REQUIRED, "d_head", "d_mlp", "d_pos_emb")
_CHOICES = {"residual_activation_type": ("identity", "relu"), "activation_type": ("gelu", "relu")}
_NO_EFFECT = {  # fields of the release that change training or speed, never the function that is computed
    "dropout": (int, float), "tokenizer_name": (str,), "debug_nans": (bool,), "grad_checkpointing": (bool,),
    "flash": (bool,), "learnable_bigram_table": (bool,), "dropout_cat_pos_emb": (bool,),
    "sinusoidal_cat_pos_emb": (bool,), "enable_sparse_kernels": (bool,),
}  # fmt: skip
_FLAGS = ("bias", "ln_bias", "rms_norm", "tied_unembed", "enable_bigram_table", "sink")
_TYPES = {
    **dict.fromkeys(_REQUIRED, (int,)),
    **dict.fromkeys(("d_head", "d_mlp", "d_pos_emb"), (int, NoneType)),
    **dict.fromkeys(_FLAGS, (bool,)),
    **dict.fromkeys(("residual_activation_type", "activation_type", "afrac_loctypes"), (str,)),
    "afrac": (int, float, NoneType),
    **_NO_EFFECT,
}


@dataclass(frozen=True)
class GptConfig:
    """The fields that decide which function the weights compute, named as in the release.

    docs/reference/circuits.md describes each of them.  `where` is the file, for messages.

    Raises:
        InputError: a field is out of its range.
    """

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
    where: str = field(default=CONFIG_FILE, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "d_head", self.d_head or self.d_model // max(1, self.n_head))
        object.__setattr__(self, "d_mlp", self.d_mlp or 4 * self.d_model)
        for name in _SIZES:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise self._error(f"{name} is {value}", "sizes are at least 1")
        if self.d_model % self.n_head:
            what = f"d_model {self.d_model} is not a multiple of n_head {self.n_head}"
            raise self._error(what, "the release requires it")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise self._error(f"{name} is {getattr(self, name)!r}", f"it is one of {', '.join(allowed)}")
        if self.afrac is not None and not 0 <= self.afrac <= 1:
            raise self._error(f"afrac is {self.afrac}", "it is a fraction from 0 to 1, or null")
        unknown = sorted(self.sparse_locations - set(SPARSITY_LOCATIONS))
        if unknown:
            mend = f"locations are {', '.join(SPARSITY_LOCATIONS)}"
            raise self._error(f"afrac_loctypes has {unknown[0]!r}", mend)
        if self.n_layer > MOST_LAYERS:  # before `shapes` lists them
            raise self._error(f"the model has over {MOST_LAYERS} layers", "take a smaller model")
        if sum(math.prod(shape) for shape in self.shapes().values()) > MOST_PARAMETERS:
            raise self._error(f"the model has over {MOST_PARAMETERS} parameters", "take a smaller model")

    def _error(self, what: str, mend: str) -> InputError:
        return InputError(self.where, what, mend)

    @property
    def sparse_locations(self) -> frozenset[str]:
        """The locations where AbsTopK keeps the largest magnitudes only."""
        return frozenset() if self.afrac is None else frozenset(self.afrac_loctypes.split(",")) - {""}

    def keeps(self, location: str, width: int) -> int | None:
        """Return how many of `width` activations survive at a location; None if all do."""
        return (
            None if self.afrac is None or location not in self.sparse_locations else int(self.afrac * width)
        )

    @property
    def d_heads(self) -> int:
        """The width of all heads together."""
        return self.n_head * self.d_head

    @property
    def d_model_in(self) -> int:
        """The width of what attention and MLP read: residual stream and concatenated position embedding."""
        return self.d_model + (self.d_pos_emb or 0)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor that the checkpoint must hold, by its name in the release."""
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
            out |= {layer + ln + part: (self.d_model,) for ln in ("ln_1", "ln_2") for part in norm}
            if self.d_pos_emb:
                out |= {layer + ln + part: (self.d_pos_emb,) for ln in ("ln_p1", "ln_p2") for part in norm}
        return out | {"transformer.ln_f" + part: (self.d_model,) for part in norm}


def read_config(path: Path) -> GptConfig:
    """Read a folder's `beeg_config.json`.

    Raises:
        InputError: a field is missing, unknown, of a wrong type, or out of range.
    """
    where = str(path)
    raw = read_json(path, "a circuit's folder holds beeg_config.json, final_model.pt and vocab.json")
    if not isinstance(raw, dict):
        raise InputError(where, "the configuration is not a JSON object", "see docs/reference/circuits.md")
    values = dict(raw)
    if "n_mlp" in values:  # its name in older releases
        values["d_mlp"] = values.pop("n_mlp")
    if values.pop("use_tied_aux_matrix", False) is not False:
        mend = "bake the auxiliary matrix into the weights"
        raise InputError(where, "use_tied_aux_matrix is not supported", mend)
    missing = [name for name in _REQUIRED if name not in values]
    if missing:
        raise InputError(where, f"{missing[0]} is missing", f"the configuration needs {', '.join(_REQUIRED)}")
    unknown = sorted(set(values) - set(_TYPES))
    if unknown:
        mend = "it could change what the model computes; remove it only if it does not"
        raise InputError(where, f"unknown key {unknown[0]!r}", mend)
    for name, value in values.items():
        allowed = _TYPES[name]
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            wanted = " or ".join("null" if t is NoneType else t.__name__ for t in allowed)
            raise InputError(where, f"{name} is {value!r}", f"it is of type {wanted}")
        if name in _SIZES and isinstance(value, int) and value < 1:
            raise InputError(where, f"{name} is {value}", "sizes are at least 1")
    known = {f.name for f in fields(GptConfig)}
    used = {k: v for k, v in values.items() if k in known and not (v is None and k in ("d_head", "d_mlp"))}
    return GptConfig(**used, where=where)
