"""Format: a folder as OpenAI's circuit_sparsity release writes it, with a node mask or whole."""

from __future__ import annotations

from ....common.errors import InputError
from ..circuit import Circuit
from ..source import CircuitFormat, Source
from ..sparse_gpt.checkpoint import WEIGHTS_FILE
from ..sparse_gpt.config import CONFIG_FILE
from ..sparse_gpt.mask import is_mask
from ..sparse_gpt.model import read_sparse_gpt
from ..vocabulary import VOCABULARY_FILE


def _recognises(source: Source) -> bool:
    return source.folder_has(CONFIG_FILE) or is_mask(source.json)


def _read(source: Source) -> Circuit:
    if is_mask(source.json):
        mend = f"give the model's folder, and --mask {source.path}"
        raise InputError(source.where, "is a node mask, not a circuit", mend)
    return read_sparse_gpt(source.path, source.mask)


FORMAT = CircuitFormat(
    "a folder with beeg_config.json", _recognises, _read, (CONFIG_FILE, WEIGHTS_FILE, VOCABULARY_FILE)
)
