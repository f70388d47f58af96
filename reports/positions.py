"""Claims about every position, for `relucid show`: as plain data, and as text for the terminal.

Beside `shown.py` and `console_show.py`, which do it for other claims.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..common.text import decimal, visible
from ..models.claims.decision import Label, same_label
from ..models.claims.position_claims import PositionClaims
from ..verifiers.race.conclude import vacuity
from .shown import domain_json, network_sizes, program_json

Labels = list[Label]


def positions_json(claim: PositionClaims, samples: int) -> dict[str, Any]:
    """Return a claim about every position as data; `positions` has the inputs per label at each."""
    question, decision = claim.question, claim.decision
    positions = [
        {
            "position": i,
            "inputs": decimal(part.domain_size),
            "label_sizes": [decimal(n) for n in part.language.count_by_label(len(decision.labels))],
        }
        for i, part in claim.parts.items()
    ]
    labels = {"kind": decision.kind, "labels": list(decision.labels)}
    said = [(claim.domain.unpadded(word), *_labels(claim, word)) for word in _samples(claim, samples)]
    return {
        "kind": "claim",
        "digest": claim.digest,
        "network": network_sizes(question.network),
        "network_b": None,
        "program": program_json(question.program),
        "domain": domain_json(claim.domain),
        "decision": {**labels, "position": "every", "per_prefix": question.per_prefix},
        "domain_size": decimal(claim.domain_size),
        "label_sizes": None,
        "positions": positions,
        "warnings": list(vacuity(claim)),
        "samples": [
            {"tokens": list(tokens), "network_labels": network, "program_labels": program}
            for tokens, network, program in said
        ],
    }


def positions_lines(path: Path, claim: PositionClaims, samples: int, quiet: bool = False) -> list[Any]:
    """Return a claim about every position in plain words, its program, and sample inputs with all labels.

    quiet: only the claim.
    """
    from rich.table import Table
    from rich.text import Text

    from .console import domain_lines, label_text, sequence_text
    from .console_show import network_line, program_code

    question, decision = claim.question, claim.decision
    network, program = visible(question.network.name), question.program.name
    given = f"the label that {program} gives on the tokens up to there"
    if not question.per_prefix:
        given = f"the label that stands there in the tuple that {program} returns"
    blocks = f"{claim.domain.max_length} blocks of {decision.outputs}"
    lines = [
        f"claim    {visible(str(path))}",
        f"         at every position, the network {network} gives {given}, on every input of the domain",
        "domain   " + f"\n{'':9}".join(domain_lines(claim.domain, claim.domain_size)),
        f"labels   {', '.join(map(label_text, decision.labels))} ({decision.kind} of the outputs there)",
        f"network  {network_line(question.network)}; its outputs are {blocks}",
    ]
    shown: list[Any] = ["\n".join(lines)]
    if quiet:
        return shown
    shown.append(lambda screen: program_code(screen, question.program))
    shown += [Text(f"warning: {visible(warning)}", style="yellow") for warning in vacuity(claim)]
    if not samples:
        return shown
    table = Table(box=None, pad_edge=False)
    for title in ("sample input", "network says", "program says", ""):
        table.add_column(title)
    for word in _samples(claim, samples):
        says = _labels(claim, word)
        wrong = [i for i, pair in enumerate(zip(*says, strict=True)) if not same_label(*pair)]
        differs = f"differs at position {', '.join(map(str, wrong))}" if wrong else ""
        tokens = sequence_text(claim.domain.unpadded(word))
        labels = (" ".join(map(label_text, some)) for some in says)
        table.add_row(Text(tokens), *map(Text, labels), Text(differs, "red"))
    return [*shown, table]


def _samples(claim: PositionClaims, count: int) -> list[np.ndarray]:
    """Return some words with at least one token, far apart."""
    if not count:
        return []
    language = next(iter(claim.parts.values())).language
    words, _ = next(language.words(batch=64 * count))
    return list(words[:: max(1, len(words) // count)][:count])


def _labels(claim: PositionClaims, word: np.ndarray) -> tuple[Labels, Labels]:
    """Return the labels of network and program at every position of a padded word."""
    tokens = claim.domain.unpadded(word)
    parts = [claim.parts[i] for i in range(len(tokens))]
    network = [claim.decision.labels[int(p.network_labels(word.reshape(1, -1))[0])] for p in parts]
    return network, [p.program_label(tokens) for p in parts]
