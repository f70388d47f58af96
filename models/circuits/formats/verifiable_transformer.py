"""Format: a folder as verifiable-transformers writes it, or one of its `circuit*.json`."""

from __future__ import annotations

from ....common.errors import InputError
from ..circuit import Circuit
from ..source import CircuitFormat, Source
from ..sparse_gpt.config import CONFIG_FILE
from ..verifiable.read import WEIGHTS_FILE, is_circuit_file, read_verifiable_transformer
from ..vocabulary import VOCABULARY_FILE


def _recognises(source: Source) -> bool:
    folder = source.folder_has(WEIGHTS_FILE) and not source.folder_has(CONFIG_FILE)
    return folder or is_circuit_file(source.json)


def _read(source: Source) -> Circuit:
    path = source.path
    if path.is_dir():
        return read_verifiable_transformer(path, source.mask)
    if not (path.parent / WEIGHTS_FILE).exists():
        mend = f"give the model's folder, and --mask {path}"
        raise InputError(source.where, f"there is no {WEIGHTS_FILE} beside it", mend)
    return read_verifiable_transformer(path.parent, path)


FORMAT = CircuitFormat(f"a folder with {WEIGHTS_FILE}", _recognises, _read, (WEIGHTS_FILE, VOCABULARY_FILE))
