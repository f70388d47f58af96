"""What is kept of a contradiction: a folder with the claim, to be run again, and both sides' answers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from ...common.scratch import lasting
from ...common.text import decimal
from ...models.claims.word_claim import WordClaim
from ...version import __version__
from ..attempts import Attempt


def save_artefacts(claim: WordClaim, attempts: Iterable[Attempt], message: str, begun: str = "") -> str:
    """Write the folder and return its path; `begun`: a folder that holds something of it already.

    attempts.json holds the message, the claim in plain data and every attempt with its words.  network.onnx,
    program.py and where.py are the claim's own sources.
    """
    folder = Path(begun) if begun else lasting("relucid-contradiction-")
    domain = claim.domain
    record = {
        "relucid": __version__,
        "message": message,
        "claim": {
            "name": claim.name,
            "digest": claim.digest,
            "tokens": domain.tokens,
            "length": [domain.min_length, domain.max_length],
            "pad": domain.pad,
            "prefix": domain.prefix,
            "suffix": domain.suffix,
            "encoding": claim.network.encoding,
            "decision": claim.decision.kind,
            "labels": claim.decision.labels,
            "domain_size": decimal(claim.domain_size),
        },
        "attempts": [_plain(claim, a) for a in attempts],
    }
    (folder / "attempts.json").write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
    if claim.comparison is None:
        (folder / "network.onnx").write_bytes(claim.network.source)
        (folder / "program.py").write_text(claim.program.source, encoding="utf-8")
    else:
        (folder / "network.onnx").write_bytes(claim.comparison.network.source)
        (folder / "network_b.onnx").write_bytes(claim.comparison.network_b.source)
    if domain.where is not None:
        (folder / "where.py").write_text(domain.where.source, encoding="utf-8")
    return str(folder)


def _plain(claim: WordClaim, attempt: Attempt) -> dict[str, object]:
    """Return an attempt for JSON; counts become strings, as Python refuses to write very long integers."""
    proved = attempt.proved_inputs
    return asdict(attempt) | {
        "inputs": [claim.domain.unpadded(w) if _is_word(claim, w) else None for w in attempt.words],
        "proved_inputs": None if proved is None else decimal(proved),
        "evidence": [[s.label, s.rivals, decimal(s.inputs), s.by] for s in attempt.evidence],
    }


def _is_word(claim: WordClaim, word: tuple[int, ...]) -> bool:
    return all(0 <= s < len(claim.domain.symbols) for s in word)
