"""Claim files: the TOML that every command takes (DESIGN §3, docs/reference/claim-files.md), read strictly.

`load_claim` gives a whole claim; `load_task` reads the same file without network and program, which is what
`distill` starts from.  Paths are relative to the file.  Unknown keys are errors, so that a typo cannot weaken a claim.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from ...common.errors import InputError
from ...common.files import decoded, read_file
from ...common.text import nested_too_deep
from ..network.network import Network
from ..onnx.reading import Reading
from ..program.program import Program
from .decision import Decision
from .domain import Domain
from .pair import Pair, claim_of_pair
from .word_claim import WordClaim

MAX_CLAIM_BYTES = 1 << 20
_DOMAIN_KEYS = ("tokens", "length", "pad", "where", "prefix", "suffix")


@dataclass(frozen=True, eq=False)
class Task:
    """A domain, how a sequence enters the network, and what its outputs mean: a claim file without network and program."""

    domain: Domain
    encoding: Literal["one_hot", "ids"]
    decision: Decision
    name: str


def load_claim(path: str | Path) -> WordClaim:
    """The claim that a file states.  Raises InputError for anything that does not fit, naming file, place and mend.

    Its networks are run in onnxruntime on inputs of the domain: where that computes something else, they are refused.
    """
    from ..onnx.inputs import compare_on_words
    from ..onnx.reader import load_traced

    path = Path(path)
    table = read_table(path)
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
    within = epsilon_of(path, table)
    task = _task(path, table)

    readings: list[Reading] = []

    def network(key: str) -> Network:
        readings.append(
            load_traced(
                path.parent / table[key], positions=task.domain.positions, alphabet=len(task.domain.alphabet)
            )
        )
        read = readings[-1].network
        if (read.encoding == "ids") != (task.encoding == "ids"):
            takes, encoding = ("int64 ids", "ids") if read.encoding == "ids" else ("floats", "one_hot")
            what = f'the claim says "{task.encoding}" but {"the network" if key == "network" else key} takes {takes}'
            raise InputError(f"{path}: [input] encoding", what, f'write encoding = "{encoding}"')
        return read

    if "network_b" in table:
        pair = Pair(
            network("network"), network("network_b"), task.decision if within is None else None, within
        )
        claim = claim_of_pair(pair, task.domain, task.name)
    else:
        program = Program.load(table["program"], path.parent)
        claim = WordClaim(network("network"), program, task.domain, task.decision, name=task.name)
    compare_on_words(readings, claim.domain, claim.language)
    return claim


def epsilon_of(path: Path, table: dict[str, Any]) -> Fraction | None:
    """Of [decision] kind = "within", which takes no labels; None for decisions that give labels."""
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
    decision.clear()
    decision.update({"kind": "sign", "labels": [True, False]})  # what the rest of the file is read with
    return found


_EXAMPLE = {"network": "surrogate.onnx", "program": "program.py:function", "network_b": "other.onnx"}


def load_task(path: str | Path) -> Task:
    """Domain, input encoding and decision of a claim file that has no network and no program."""
    path = Path(path)
    table = read_table(path)
    for key in ("network", "program", "network_b"):
        if key in table:
            raise InputError(f"{path}: {key}", "distill finds network and program itself", f"remove {key}")
    known(path, table, ("domain", "input", "decision"), "")
    return _task(path, table)


def read_table(path: Path) -> dict[str, Any]:
    """The file's TOML.  Raises InputError."""
    try:
        data = read_file(path, MAX_CLAIM_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(str(path), f"cannot read the claim file ({reason})", "check the path") from None
    if len(data) > MAX_CLAIM_BYTES:
        raise InputError(str(path), f"over {MAX_CLAIM_BYTES} bytes, which is no claim file", "check the path")
    try:
        table = tomllib.loads(decoded(data))
    except UnicodeDecodeError:
        raise InputError(str(path), "not UTF-8 text", "a claim file is TOML") from None
    except (ValueError, RecursionError) as error:  # tomllib's own error, and Python's for thousands of digits
        raise InputError(str(path), f"not valid TOML: {error}", "see docs/reference/claim-files.md") from None
    if nested_too_deep(table):
        raise InputError(str(path), "is nested too deeply", "see docs/reference/claim-files.md")
    if _beyond_64_bits(table):
        raise InputError(
            str(path),
            "holds an integer of more than 64 bits, which TOML does not have",
            "see docs/reference/claim-files.md",
        )
    return table


def _beyond_64_bits(value: object) -> bool:
    if isinstance(value, dict | list):
        return any(map(_beyond_64_bits, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def known(path: Path, table: Mapping[str, Any], keys: Iterable[str], place: str) -> None:
    """Raises InputError for any other key."""
    keys = tuple(keys)
    for key in table:
        if key not in keys:
            where = f"{path}: {place}{key}" if place else f"{path}: {key}"
            raise InputError(where, "unknown key", f"known keys are {', '.join(keys)}")


def _section(path: Path, table: Mapping[str, Any], name: str, keys: Iterable[str]) -> Mapping[str, Any]:
    section = table.get(name)
    if not isinstance(section, dict):
        raise InputError(
            f"{path}: [{name}]",
            "section missing" if section is None else "not a section",
            f"add [{name}], see docs/reference/claim-files.md",
        )
    known(path, section, keys, f"[{name}] ")
    return section


def _words(path: Path, section: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = section.get(key, [])
    if not isinstance(value, list) or any(not isinstance(w, str) for w in value):
        raise InputError(f"{path}: [domain] {key}", "not a list of strings", f'write {key} = ["a", "b"]')
    return tuple(value)


def _lengths(path: Path, section: Mapping[str, Any]) -> tuple[int, int]:
    value = section.get("length")
    ends: list[Any] = value if isinstance(value, list) and len(value) == 2 else [value, value]
    if any(type(n) is not int or n < 0 for n in ends):
        what = "missing" if value is None else f"{value!r} is neither a length nor a pair of lengths"
        raise InputError(f"{path}: [domain] length", what, "write length = 8 or length = [4, 8]")
    return ends[0], ends[1]


def _task(path: Path, table: Mapping[str, Any]) -> Task:
    section = _section(path, table, "domain", _DOMAIN_KEYS)
    inputs = _section(path, table, "input", ("encoding",)) if "input" in table else {}
    decision = _section(path, table, "decision", ("kind", "labels"))
    encoding = inputs.get("encoding", "one_hot")
    if encoding not in ("one_hot", "ids"):
        raise InputError(
            f"{path}: [input] encoding", f"{encoding!r} is not an encoding", 'use "one_hot" or "ids"'
        )
    for key in ("pad", "where"):
        if key in section and not isinstance(section[key], str):
            raise InputError(f"{path}: [domain] {key}", "not a string", f"put {key} in quotes")
    labels = decision.get("labels")
    if not isinstance(labels, list):
        raise InputError(f"{path}: [decision] labels", "missing, or not a list", "list one label per output")
    shortest, longest = _lengths(path, section)
    where = Program.load(section["where"], path.parent) if "where" in section else None
    try:
        domain = Domain(
            _words(path, section, "tokens"), shortest, longest, section.get("pad"), where,
            _words(path, section, "prefix"), _words(path, section, "suffix"),
        )  # fmt: skip
        rule = Decision(decision.get("kind", "argmax"), tuple(labels))
    except InputError as error:
        raise InputError(f"{path}: {error.where}", error.what, error.mend) from None
    return Task(domain, encoding, rule, path.stem if path.stem != "claim" else path.parent.name)


def claim_toml(task: Task, network: str | None, program: str | None, where: str | None) -> str:
    """The text of a claim file; `network`, `program` and `where` are written as given, relative to where it will lie.

    Without network and program it is what `load_task` reads.
    """
    import tomli_w

    domain = task.domain
    fixed = domain.min_length == domain.max_length
    section: dict[str, Any] = {
        "tokens": list(domain.tokens),
        "length": domain.max_length if fixed else [domain.min_length, domain.max_length],
    }
    section |= {} if domain.pad is None else {"pad": domain.pad}
    section |= {} if where is None else {"where": where}
    section |= {
        key: list(value) for key, value in (("prefix", domain.prefix), ("suffix", domain.suffix)) if value
    }
    return tomli_w.dumps(
        {
            **({} if network is None else {"network": network}),
            **({} if program is None else {"program": program}),
            "domain": section,
            "input": {"encoding": task.encoding},
            "decision": {"kind": task.decision.kind, "labels": list(task.decision.labels)},
        }
    )
