"""The file in which an unfinished `bab` is kept: one record per label, bound to its claim.

Nothing in it is believed (`record.py`).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....common.errors import InputError
from ....common.files import read_file, write
from ....models.claims.word_claim import WordClaim
from .record import FORMAT, read_record, write_record
from .search import LabelSearch

MAX_BYTES = 1 << 28


def save(path: Path, claim: WordClaim, searches: Mapping[int, LabelSearch]) -> None:
    """Write the records of all searches that have started; where the disk is full or the folder gone, write
    nothing: a checkpoint is a convenience.
    """
    records = {str(label): write_record(search) for label, search in searches.items() if search.started}
    data = json.dumps({"format": FORMAT, "claim": claim.digest, "labels": records}, separators=(",", ":"))
    with contextlib.suppress(OSError):
        write(path, data)


def restore(path: Path, claim: WordClaim, searches: Mapping[int, LabelSearch]) -> None:
    """Bring searches to where the file says they were; without a file, or with an empty one, do nothing.

    Raises InputError where the file cannot be read, is about another claim, or does not hold.
    """
    for label, record in load(path, claim).items():
        if label.isdigit() and int(label) in searches:
            read_record(searches[int(label)], record, str(path))


def check_checkpoint(path: Path, claim: WordClaim) -> None:
    """Raise InputError, before any work, where the file is there and is none of this claim, or could not be
    written.
    """
    load(path, claim)
    if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise InputError(
            str(path),
            "the checkpoint could not be written there",
            "name a file in a folder that you can write to",
        )


def load(path: Path, claim: WordClaim) -> dict[str, Any]:
    """The records of a checkpoint by label, unproved.  Raises InputError as `restore`."""
    mend = "remove the file to begin anew"
    try:
        if not path.exists():
            return {}
        data = read_file(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        raise InputError(
            str(path), f"cannot read the checkpoint: {getattr(error, 'strerror', None) or error}", mend
        ) from None
    if len(data) > MAX_BYTES:
        raise InputError(str(path), f"the checkpoint is over {MAX_BYTES >> 20} MB", mend)
    if not data.strip():
        return {}
    try:
        whole = json.loads(data)
        if whole["format"] != FORMAT:
            raise ValueError(whole["format"])
        about, labels = whole["claim"], whole["labels"]
        if not isinstance(labels, dict):
            raise ValueError("labels")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(str(path), "it is not a checkpoint of relucid", "name another file") from None
    if about != claim.digest:
        raise InputError(
            str(path),
            "the checkpoint is about another claim",
            "name another file, or remove it to begin anew",
        )
    return labels
