"""Claim files: the TOML that every command takes (docs/reference/claim-files.md).

`load_claim` reads all of them.  The table `[domain]` tells which kind it is: `box` names a VNN-LIB file, else
it states sequences of tokens.  Paths are relative to the file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from ...common.errors import InputError
from ...common.files import as_path
from ..network.network import Network
from ..onnx.reading import OnnxReading
from ..program.program import Program
from .box_files import box_claim
from .box_paths import BoxFiles
from .build import equals_everywhere, equals_network, equals_program
from .claim import Claim
from .domain import Domain
from .position_claims import PositionClaims
from .question import EqualsEverywhere
from .reduce import reduced, word_claim
from .task import Encoding, decision_in, domain_in, encoding_in, every_in, name_of
from .toml_table import known, read_table
from .word_claim import WordClaim
from .words import Words

_EXAMPLE = {"network": "surrogate.onnx", "program": "program.py:function", "network_b": "other.onnx"}
_BOX_EXAMPLE = {"network": "original.onnx", "network_b": "quantised.onnx", "box": "property.vnnlib"}


def load_claim(path: str | Path, deadline: float = math.inf) -> Claim:
    """Read the claim that a file states: about tokens or boxes, a program, a second network or a property.

    Its networks are run in onnxruntime on some inputs, and refused where that computes something else.  No
    such run is begun after `deadline` (by `time.monotonic`).  Raises InputError for anything that does not
    fit, naming the file, the place and the mend.
    """
    path = as_path("path", path, "name a claim file")
    table = read_table(path)
    files = _box_files(path, table)
    claim = _about_words(path, table) if files is None else box_claim(files, deadline, name_of(path))
    return replace(claim, origin=path)


def load_word_claim(path: str | Path) -> WordClaim:
    """Read a claim about words, in the form that engines take.

    Raises InputError, also where it is about boxes, or about labels at every position.
    """
    return word_claim(_loaded(Path(path)))


def load_reduced(path: str | Path) -> WordClaim | PositionClaims:
    """Read a claim about words, in the form in which it is decided.

    Raises InputError, also where it is about boxes.
    """
    return reduced(_loaded(Path(path)))


def _loaded(path: Path) -> Claim:
    table = read_table(path)
    if _box_files(path, table) is not None:
        raise InputError(str(path), "is about boxes of real numbers, not about tokens", "use relucid prove")
    return _about_words(path, table)


def load_box_files(path: str | Path) -> BoxFiles | None:
    """Return the files that a claim about boxes names, without reading them; None if it is about tokens.

    The files are read where the claim is decided, in a process with limits.  Raises InputError.
    """
    path = Path(path)
    return _box_files(path, read_table(path))


def _about_words(path: Path, table: Mapping[str, Any]) -> Claim:
    from .onnx_inputs import compare_on_words

    known(path, table, ("network", "program", "network_b", "domain", "input", "decision"), "")
    if "network_b" in table and "program" in table:
        raise InputError(
            f"{path}: network_b",
            "a claim is about a program or a second network, not both",
            "remove one of them",
        )
    for key in ("network", "network_b" if "network_b" in table else "program"):
        if not isinstance(table.get(key), str):
            raise InputError(
                f"{path}: {key}",
                "missing, or not a string",
                f'add {key} = "{_EXAMPLE[key]}" at the top of the file',
            )
    epsilon = _epsilon(path, table)
    domain, encoding = domain_in(path, table), encoding_in(path, table)
    decision = decision_in(path, table) if epsilon is None else None
    every = every_in(path, table) if epsilon is None else None
    if every is not None and "network_b" in table:
        what = "labels at every position are compared with a program, not with a second network"
        raise InputError(f"{path}: [decision] position", what, "leave it out")
    readings: list[OnnxReading] = []

    def network(key: str) -> Network:
        readings.append(_read(path, table, key, domain, encoding))
        return readings[-1].network

    if "network_b" in table:
        first, second = network("network"), network("network_b")
        claim = equals_network(first, second, domain, decision, epsilon, name_of(path))
    else:
        assert decision is not None
        program = Program.load(table["program"], path.parent)
        if every is None:
            claim = equals_program(network("network"), program, domain, decision, name_of(path))
        else:
            question = EqualsEverywhere(network("network"), program, decision, every.per_prefix)
            claim = equals_everywhere(question, domain, name_of(path))
    assert isinstance(claim.input_set, Words)
    compare_on_words(readings, domain, claim.input_set.language)
    return claim


def _read(path: Path, table: Mapping[str, Any], key: str, domain: Domain, encoding: Encoding) -> OnnxReading:
    """Read the ONNX file that a key names.

    Raises InputError where it takes its input in another form than the claim says.
    """
    from ..onnx.reader import load_traced

    found = load_traced(path.parent / table[key], positions=domain.positions, alphabet=len(domain.alphabet))
    if (found.network.encoding == "ids") != (encoding == "ids"):
        takes, right = ("int64 ids", "ids") if found.network.encoding == "ids" else ("floats", "one_hot")
        which = "the network" if key == "network" else key
        what = f'the claim says "{encoding}" but {which} takes {takes}'
        raise InputError(f"{path}: [input] encoding", what, f'write encoding = "{right}"')
    return found


def _epsilon(path: Path, table: Mapping[str, Any]) -> Fraction | None:
    """Return the epsilon of a decision of kind "within"; None where the decision gives labels.

    Raises InputError.
    """
    decision = table.get("decision")
    if not isinstance(decision, dict) or decision.get("kind") != "within":
        return None
    if "network_b" not in table:
        raise InputError(
            f"{path}: [decision] kind", '"within" compares two networks', 'add network_b = "other.onnx"'
        )
    known(path, decision, ("kind", "epsilon"), "[decision] ")
    given = decision.get("epsilon")
    try:
        if isinstance(given, bool) or not isinstance(given, int | float | str) or len(str(given)) > 100:
            raise ValueError
        found = Fraction(str(given))  # of a float: the decimal number that was written
    except (ValueError, ZeroDivisionError):
        what = "missing" if given is None else f"{given!r} is no number"
        raise InputError(
            f"{path}: [decision] epsilon", what, 'write epsilon = 0.01 or epsilon = "1/100"'
        ) from None
    if found < 0:
        raise InputError(f"{path}: [decision] epsilon", f"{given} is negative", "give 0 or more")
    return found


def _box_files(path: Path, table: Mapping[str, Any]) -> BoxFiles | None:
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
                f"{path}: {place}", "missing, or not a string", f'write {key} = "{_BOX_EXAMPLE[key]}"'
            )
        files[key] = path.parent / value
    return BoxFiles(files["network"], files["box"], files.get("network_b"), _box_epsilon(path, table, two))


def _box_epsilon(path: Path, table: Mapping[str, Any], two: bool) -> Fraction | None:
    """Return the epsilon of a claim about boxes; None where labels are compared, or there is one network.

    Raises InputError.
    """
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
        return _epsilon(path, table)
    known(path, decision, ("kind",), "[decision] ")
    if decision.get("kind", "argmax") != "argmax":
        raise InputError(
            f"{path}: [decision] kind",
            f"{decision['kind']!r} is no way to compare outputs over a box",
            'use "argmax" or "within"',
        )
    return None
