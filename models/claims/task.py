"""Tasks: the part of a claim file that `distill` starts from, without network and program.

A task says which inputs there are, how one enters the network, and which label an output means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...common.errors import InputError
from ..program.program import Program
from .decision import Decision, EveryPosition
from .domain import Domain
from .toml_table import known, read_table, subtable

DOMAIN_KEYS = ("tokens", "length", "pad", "where", "prefix", "suffix", "order")
DECISION_KEYS = ("kind", "labels", "position", "per_prefix")
Encoding = Literal["one_hot", "ids"]


@dataclass(frozen=True, eq=False)
class Task:
    """A domain, how a sequence enters the network, and what the network's outputs mean.

    every: whether there is one label for each position; None: there is one in all.
    """

    domain: Domain
    encoding: Encoding
    decision: Decision
    name: str
    every: EveryPosition | None = None


def load_task(path: str | Path, *, everywhere: bool = False) -> Task:
    """Read a claim file that has no network and no program.

    everywhere: whether it may ask for a label at every position.

    Raises InputError for anything that does not fit.
    """
    path = Path(path)
    table = read_table(path)
    for key in ("network", "program", "network_b"):
        if key in table:
            raise InputError(f"{path}: {key}", "distill finds network and program itself", f"remove {key}")
    known(path, table, ("domain", "input", "decision"), "")
    domain, encoding, decision = domain_in(path, table), encoding_in(path, table), decision_in(path, table)
    every = every_in(path, table)
    if every is not None and not everywhere:
        what = "only distill, prove, check and show CLAIM know labels at every position"
        raise InputError(f"{path}: [decision] position", what, "leave it out")
    return Task(domain, encoding, decision, name_of(path), every)


def name_of(path: Path) -> str:
    """What a claim file is called: its own name, or that of its folder if it is just claim.toml."""
    return path.stem if path.stem != "claim" else path.parent.name


def domain_in(path: Path, table: Mapping[str, Any]) -> Domain:
    """The domain that the table of a claim file states.  Raises InputError."""
    stated = subtable(path, table, "domain", DOMAIN_KEYS)
    for key in ("pad", "where"):
        if key in stated and not isinstance(stated[key], str):
            raise InputError(f"{path}: [domain] {key}", "not a string", f"put {key} in quotes")
    shortest, longest = _lengths(path, stated)
    where = Program.load(stated["where"], path.parent) if "where" in stated else None
    tokens, prefix, suffix = (_words(path, stated, key) for key in ("tokens", "prefix", "suffix"))
    order = _words(path, stated, "order") if "order" in stated else None
    try:
        return Domain(tokens, shortest, longest, stated.get("pad"), where, prefix, suffix, order)
    except InputError as error:
        raise InputError(f"{path}: {error.where}", error.what, error.mend) from None


def encoding_in(path: Path, table: Mapping[str, Any]) -> Encoding:
    """How the table of a claim file says that a sequence enters the network.  Raises InputError."""
    inputs = subtable(path, table, "input", ("encoding",)) if "input" in table else {}
    encoding = inputs.get("encoding", "one_hot")
    if encoding == "one_hot" or encoding == "ids":
        return encoding  # type: ignore[no-any-return]
    raise InputError(
        f"{path}: [input] encoding", f"{encoding!r} is not an encoding", 'use "one_hot" or "ids"'
    )


def decision_in(path: Path, table: Mapping[str, Any]) -> Decision:
    """The decision that the table of a claim file states.  Raises InputError."""
    decision = subtable(path, table, "decision", DECISION_KEYS)
    labels = decision.get("labels")
    if not isinstance(labels, list):
        raise InputError(f"{path}: [decision] labels", "missing, or not a list", "list one label per output")
    try:
        return Decision(decision.get("kind", "argmax"), tuple(labels))
    except InputError as error:
        raise InputError(f"{path}: {error.where}", error.what, error.mend) from None


def every_in(path: Path, table: Mapping[str, Any]) -> EveryPosition | None:
    """Whether the table of a claim file asks for a label at every position.  Raises InputError."""
    decision = subtable(path, table, "decision", DECISION_KEYS)
    per_prefix = decision.get("per_prefix", False)
    if type(per_prefix) is not bool:
        raise InputError(
            f"{path}: [decision] per_prefix", f"{per_prefix!r} is neither true nor false", "write true"
        )
    if "position" not in decision:
        if "per_prefix" in decision:
            what = 'it is about labels at every position, and position = "every" is missing'
            raise InputError(f"{path}: [decision] per_prefix", what, 'add position = "every"')
        return None
    if decision["position"] != "every":
        raise InputError(
            f"{path}: [decision] position",
            f"{decision['position']!r} is not known",
            'write position = "every" for a label at each position, or leave it out for one label in all',
        )
    return EveryPosition(per_prefix)


def _words(path: Path, stated: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = stated.get(key, [])
    if not isinstance(value, list) or any(not isinstance(w, str) for w in value):
        raise InputError(f"{path}: [domain] {key}", "not a list of strings", f'write {key} = ["a", "b"]')
    return tuple(value)


def _lengths(path: Path, stated: Mapping[str, Any]) -> tuple[int, int]:
    value = stated.get("length")
    ends: list[Any] = value if isinstance(value, list) and len(value) == 2 else [value, value]
    if any(type(n) is not int or n < 0 for n in ends):
        what = "missing" if value is None else f"{value!r} is neither a length nor a pair of lengths"
        raise InputError(f"{path}: [domain] length", what, "write length = 8 or length = [4, 8]")
    return ends[0], ends[1]


def claim_toml(task: Task, network: str | None, program: str | None, where: str | None) -> str:
    """The text of a claim file, which `load_claim` reads back.

    `network`, `program` and `where` are written as given: relative to the folder where the file will lie.
    Without network and program it is what `load_task` reads.
    """
    import tomli_w

    domain = task.domain
    fixed = domain.min_length == domain.max_length
    stated: dict[str, Any] = {
        "tokens": list(domain.tokens),
        "length": domain.max_length if fixed else [domain.min_length, domain.max_length],
    }
    stated |= {} if domain.pad is None else {"pad": domain.pad}
    stated |= {} if where is None else {"where": where}
    stated |= {
        key: list(value)
        for key, value in (("prefix", domain.prefix), ("suffix", domain.suffix), ("order", domain.order))
        if value
    }
    return tomli_w.dumps(
        {
            **({} if network is None else {"network": network}),
            **({} if program is None else {"program": program}),
            "domain": stated,
            "input": {"encoding": task.encoding},
            "decision": {
                "kind": task.decision.kind,
                "labels": list(task.decision.labels),
                **({} if task.every is None else {"position": "every", "per_prefix": task.every.per_prefix}),
            },
        }
    )
