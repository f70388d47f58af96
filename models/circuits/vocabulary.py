"""A circuit's vocabulary: read it from `vocab.json`, and turn tokens into ids.

Every format keeps its vocabulary as a tuple of strings, one for each token id.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...common.errors import InputError
from .json_file import read_json

VOCABULARY_FILE = "vocab.json"
SHOWN = 20  # tokens that an error message lists


def token_ids(name: str, vocabulary: Sequence[str], tokens: Sequence[object], place: str) -> np.ndarray:
    """Look up the ids of tokens.

    Args:
        name: the circuit's name, for messages.
        vocabulary: the token of each id.
        tokens: what to look up.
        place: where the tokens come from, such as "[domain] prefix", for messages.

    Returns: int64 (len(tokens),).

    Raises:
        InputError: a token is not in the vocabulary, or is there twice.
    """
    ids = {token: i for i, token in enumerate(vocabulary)}
    unknown = next((t for t in tokens if t not in ids), None)
    if unknown is not None:
        known = ", ".join(map(repr, list(ids)[:SHOWN])) + (", ..." if len(ids) > SHOWN else "")
        raise InputError(place, f"{unknown!r} is not in the vocabulary of {name}", f"its tokens are {known}")
    if len(ids) < len(vocabulary):
        twice = next((t for t in tokens if sum(t == known for known in vocabulary) > 1), None)
        if twice is not None:
            what = f"{twice!r} is in the vocabulary of {name} twice"
            raise InputError(place, what, "give each id a token of its own")
    return np.array([ids[t] for t in tokens], dtype=np.int64)  # type: ignore[index]


def read_vocabulary(path: Path, size: int | None = None) -> tuple[tuple[str, ...], str]:
    """Read `{"tokens": [...], "origin": "..."}`.

    Args:
        path: the file.
        size: how many tokens the model has; None if nothing says so.

    Returns: the tokens by id, and the text that says where the circuit came from ("" if there is none).

    Raises:
        InputError: the file is not such a list, lists a token twice, or has another size.
    """
    where = str(path)
    raw = read_json(path, 'it lists the tokens by id: {"tokens": [...]}')
    tokens = raw.get("tokens") if isinstance(raw, dict) else None
    if not isinstance(tokens, list) or not all(isinstance(t, str) for t in tokens):
        what, mend = (
            'there is no list of strings under "tokens"',
            'write {"tokens": [...]}, one string per id',
        )
        raise InputError(where, what, mend)
    unwritable = next((t for t in tokens if any("\ud800" <= c <= "\udfff" for c in t)), None)
    if unwritable is not None:
        what = f"token {unwritable!r} is no valid Unicode (a lone surrogate)"
        raise InputError(where, what, "write the character itself")
    if len(set(tokens)) != len(tokens):
        twice = next(t for t in tokens if tokens.count(t) > 1)
        raise InputError(where, f"token {twice!r} is listed twice", "list each token once")
    origin = raw.get("origin", "") if isinstance(raw, dict) else ""
    if not isinstance(origin, str):
        raise InputError(where, "origin is not a string", "write one line, or leave it out")
    if size is not None and len(tokens) != size:
        raise InputError(
            where, f"{len(tokens)} tokens for a model with vocab_size {size}", "list one token per id"
        )
    return tuple(tokens), origin


def vocabulary_beside(path: Path) -> tuple[str, ...]:
    """Read the vocabulary of a file NAME.pt, NAME.onnx or NAME.py.

    It is `NAME.vocab.json` beside the file or, if there is none, `vocab.json` there.
    """
    own = path.with_name(f"{path.stem}.{VOCABULARY_FILE}")
    return read_vocabulary(own if own.exists() else path.with_name(VOCABULARY_FILE))[0]
