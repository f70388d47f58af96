"""Claim files about real inputs: `[domain] box` names a VNN-LIB file, and its boxes take the place of token sequences.

Beside `claim_file`, which reads claims about token domains.  With `network_b` the claim is that both networks agree on the boxes: the same
label, or outputs within epsilon (what the file says about outputs is not looked at).  With one network it is that the file's property holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from ...common.errors import InputError
from .claim_file import epsilon_of, known, read_table


@dataclass(frozen=True)
class BoxClaim:
    """`epsilon`: outputs are to be within it; None with two networks: they are to give the same label."""

    network: Path
    network_b: Path | None
    box: Path
    epsilon: Fraction | None = None


def load_box_claim(path: str | Path) -> BoxClaim | None:
    """None where the file is about tokens (or not of any known kind: `load_claim` says what is wrong).  Raises InputError."""
    path = Path(path)
    table = read_table(path)
    domain = table.get("domain")
    if not isinstance(domain, dict) or "box" not in domain:
        return None
    known(path, table, ("network", "network_b", "domain", "decision"), "")
    known(path, domain, ("box",), "[domain] ")
    two = "network_b" in table
    files = {}
    for key, place, value in (
        ("network", "network", table.get("network")),
        ("network_b", "network_b", table.get("network_b")),
        ("box", "[domain] box", domain["box"]),
    ):
        if key == "network_b" and not two:
            continue
        if not isinstance(value, str):
            raise InputError(
                f"{path}: {place}", "missing, or not a string", f'write {key} = "{EXAMPLE[key]}"'
            )
        files[key] = path.parent / value
    return BoxClaim(files["network"], files.get("network_b"), files["box"], _decision(path, table, two))


EXAMPLE = {"network": "original.onnx", "network_b": "quantised.onnx", "box": "property.vnnlib"}


def _decision(path: Path, table: dict[str, Any], two: bool) -> Fraction | None:
    if "decision" in table and not two:
        raise InputError(
            f"{path}: [decision]",
            "the VNN-LIB file says what must not come out",
            "remove it, or add network_b",
        )
    decision = table.get("decision", {"kind": "argmax"})
    if not isinstance(decision, dict):
        raise InputError(
            f"{path}: [decision]", "not a section", 'write [decision] with kind = "argmax" or "within"'
        )
    if decision.get("kind", "argmax") == "within":
        return epsilon_of(path, table)
    known(path, decision, ("kind",), "[decision] ")
    if decision.get("kind", "argmax") != "argmax":
        raise InputError(
            f"{path}: [decision] kind",
            f"{decision['kind']!r} is no way to compare outputs over a box",
            'use "argmax" or "within"',
        )
    return None
