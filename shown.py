"""What `relucid show --json` prints: claims, networks and circuits restated as plain data.

The same facts as in `terminal.py`, for scripts.  Numbers without bound (sizes of domains) are decimal strings, as in `verdict_json`.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from .models.claim import Claim
from .models.claim_file import load_claim
from .models.network import Network
from .models.program import Program
from .models.text import decimal, rational


def claim_json(path: Path, samples: int) -> dict[str, Any]:
    """A claim file: its parts with digests, how many inputs have each label, what to be careful about, and sample inputs."""
    from .verifiers.conclude import vacuity

    claim = load_claim(path)
    domain, decision = claim.domain, claim.decision
    shares = claim.language.count_by_label(len(decision.labels))
    words = sample_words(claim, samples) if samples else []
    return {
        "kind": "claim",
        "digest": claim.digest,
        "network": _network(claim.network if claim.pair is None else claim.pair.first),
        "network_b": None if claim.pair is None else _network(claim.pair.second),
        "program": _program(claim.program) if claim.pair is None else None,
        "domain": {
            "tokens": list(domain.tokens),
            "length": [domain.min_length, domain.max_length],
            "pad": domain.pad,
            "where": _program(domain.where) if domain.where else None,
            "prefix": list(domain.prefix),
            "suffix": list(domain.suffix),
            "digest": domain.digest,
        },
        "decision": _decision(claim),
        "domain_size": decimal(claim.domain_size),
        "label_sizes": [decimal(n) for n in shares],
        "warnings": list(vacuity(claim)),
        "samples": [{"tokens": list(domain.unpadded(word)), **_said(claim, word)} for word in words],
    }


def _decision(claim: Claim) -> dict[str, Any]:
    decision = claim.decision if claim.pair is None else claim.pair.decision
    if decision is None:
        assert claim.pair is not None and claim.pair.within is not None
        return {"kind": "within", "epsilon": rational(claim.pair.within)}
    return {"kind": decision.kind, "labels": list(decision.labels)}


def _said(claim: Claim, word: Any) -> dict[str, Any]:
    if claim.pair is None:
        network = claim.decision.labels[int(claim.network_labels(word.reshape(1, -1))[0])]
        return {"network_label": network, "program_label": claim.program_label(claim.domain.unpadded(word))}
    one, other = claim.pair.told(claim.domain.one_hot(word.reshape(1, -1)))
    return {"network_label": one.label, "program_label": None, "network_b_label": other.label}


def network_json(path: Path) -> dict[str, Any]:
    """An ONNX file that can be read without a domain, and whether float32 computes it exactly."""
    from .models.float32 import exact_in_float32
    from .models.onnx_reader import load_onnx

    network = load_onnx(path)
    report = exact_in_float32(network)
    return {"kind": "network", **_network(network), "exact_in_float32": report.ok, "rounding": None if report.ok else report.reason}


def circuit_json(where: str, mask: Path | None) -> dict[str, Any]:
    """A circuit's size and origin (`CircuitSummary`) and its vocabulary."""
    from .models.circuits.circuit import load_circuit

    circuit = load_circuit(where, mask)
    return {"kind": "circuit", "circuit": asdict(circuit.summary()), "vocabulary": list(circuit.vocabulary)}


def _network(network: Network) -> dict[str, Any]:
    return {
        "name": network.name,
        "digest": network.digest,
        "encoding": network.encoding,
        "inputs": network.input_size,
        "outputs": network.output_size,
        "relus": network.relu_count,
    }


def _program(program: Program) -> dict[str, Any]:
    return {"name": program.name, "origin": program.origin, "text": program.text, "digest": program.digest}


def sample_words(claim: Claim, count: int) -> list[Any]:
    """The first words of the language of each label in turn: few, plain, and every label that occurs is among them."""
    streams = []
    for label in range(len(claim.decision.labels)):
        part = claim.language.restricted(label)
        if not part.empty:
            words, _ = next(part.words(batch=max(count, 1)))
            step = max(1, len(words) // count)
            streams.append(list(words[::step][:count]))
    mixed = [stream[i] for i in range(count) for stream in streams if i < len(stream)]
    return mixed[:count]
