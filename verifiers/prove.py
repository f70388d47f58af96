"""`relucid.prove`: the Python way in, from whatever the user has at hand to a verdict.

Builds the claim and hands it to the race.  For claim files see `models/claims/claim_file.py`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from ..common.deadline import OutOfTime, until
from ..common.errors import InputError
from ..models.claims.build import equals_network
from ..models.claims.decision import Decision, Label
from ..models.claims.domain import Domain
from ..models.claims.reduce import word_claim
from ..models.claims.word_claim import WordClaim
from ..models.network.network import Network
from ..models.network.stacked import same_nodes
from ..models.onnx.inputs import compare_on_words
from ..models.onnx.reader import load_traced, trace_onnx
from ..models.onnx.reading import OnnxReading
from ..models.program.program import Program
from .race.backend import Budget
from .race.race import Progress, prove_claim
from .race.request import ProofRequest, check_limits
from .verdict import Trust, Unknown, Verdict

__all__ = ["claim_of", "domain_of", "prove", "prove_claim"]

ProgramLike = Program | Callable[..., Any] | str
DOMAIN_KEYS = ("tokens", "length", "pad", "where", "prefix", "suffix")


def prove(
    network: Network | str | os.PathLike[str] | bytes | Any,
    program: ProgramLike | None,
    domain: Domain | Mapping[str, Any],
    *,
    labels: Sequence[Label] | None = None,
    decision: Literal["argmax", "sign"] | None = None,
    encoding: Literal["one_hot", "ids"] = "one_hot",
    network_b: Network | str | os.PathLike[str] | bytes | Any = None,
    within: Fraction | int | str | None = None,
    timeout: float = 60.0,
    memory: int = 4096,
    workers: int | None = None,
    backends: Sequence[str] | None = None,
    trust: Trust | None = None,
    seed: int = 0,
    counterexamples: int = 1,
    progress: Progress | None = None,
    count: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    proof: str | os.PathLike[str] | None = None,
    proof_format: Literal["relucid", "veripb", "drat"] = "relucid",
) -> Verdict:
    """Is network = program on every input of the domain?  Returns Proved, Refuted or Unknown.

        relucid.prove("net.onnx", close_quote, {"tokens": ["'", '"', "a"], "length": 8}, labels=["'", '"'])

    `network`: a path to an ONNX file, its bytes, a torch module or a `Network`.  `program`: a Python function of the readable
    subset, its source text, "file.py:function" or a `Program`.  `domain`: a `Domain`, or a mapping with `tokens`, `length`
    (a number or a pair) and optionally `pad`, `where` (like `program`), `prefix`, `suffix`.  `labels`: what the output columns
    mean, in order; may be left out where they are False and True, or 0, 1, 2 ... .  `decision` is "sign" for one output
    column and "argmax" for more.  `encoding` matters for torch modules only: "ids" if it takes int64 [1, positions].
    `network_b`: with `program` None, do both networks give the same label on every input?  Or, with `within`, outputs that differ by at most so much?

    `timeout` is in seconds, for all of it, reading included; `memory` in megabytes for each solver, `workers` how many solvers run side by side (default:
    one per core).  `trust`: how far a proof must be trusted; None reaches for "checked" where that is affordable, and settles for "exact".
    `count`: of a refuted claim, `disagreeing` says on exactly how many inputs they differ.  `checkpoint`: a file in which
    unfinished work is kept and from which it goes on.  `proof`: a file for a proof that `relucid check` accepts, or the witness
    of a refutation.  `proof_format`: "veripb" and "drat" are others' formats (docs/reference/proof-format.md, §9).  Raises InputError for what cannot be read or does not fit.
    """
    options: dict[str, Any] = {
        "labels": labels,
        "decision": decision,
        "encoding": encoding,
        "network_b": network_b,
        "within": within,
    }
    kept = None if checkpoint is None else os.fspath(checkpoint)
    budget = Budget(timeout, memory, workers or os.cpu_count() or 1, seed, counterexamples, kept)
    check_limits(budget)
    request = ProofRequest(trust, None if proof is None else Path(proof), proof_format, count)
    started = time.monotonic()
    try:
        with until(started + timeout):
            return prove_claim(
                claim_of(network, program, domain, **options),
                backends=backends,
                budget=budget,
                request=request,
                progress=progress,
            )
    except OutOfTime:
        reason = f"time: the limit of {timeout:g} s was reached while the claim was prepared; raise it with timeout"
        return Unknown(None, time.monotonic() - started, None, (), (), reason)


def claim_of(
    network: Network | str | os.PathLike[str] | bytes | Any,
    program: ProgramLike | None,
    domain: Domain | Mapping[str, Any],
    *,
    labels: Sequence[Label] | None = None,
    decision: Literal["argmax", "sign"] | None = None,
    encoding: Literal["one_hot", "ids"] = "one_hot",
    network_b: Network | str | os.PathLike[str] | bytes | Any = None,
    within: Fraction | int | str | None = None,
) -> WordClaim:
    """The claim that `prove` decides.  Its networks are run in onnxruntime on inputs of the domain, and refused where that differs."""
    where = domain_of(domain)
    readings: list[OnnxReading] = []
    net = _network(network, where, encoding, readings)
    if (program is None) == (network_b is None):
        raise InputError(
            "program",
            "a claim is about a program or a second network",
            "give one of them, and None for the other",
        )
    if network_b is not None:
        claim = _of_two(net, _network(network_b, where, encoding, readings), where, labels, decision, within)
    else:
        claim = _of_one(net, _program(program, "program"), where, labels, decision)
    compare_on_words(readings, where, claim.language)
    return claim


def _of_one(
    net: Network,
    prog: Program,
    where: Domain,
    labels: Sequence[Label] | None,
    decision: Literal["argmax", "sign"] | None,
) -> WordClaim:
    kind = decision or ("sign" if net.output_size == 1 else "argmax")
    if labels is not None:
        return WordClaim(net, prog, where, Decision(kind, tuple(labels)))
    columns = 2 if kind == "sign" else net.output_size
    guesses: list[tuple[Label, ...]] = [(False, True)] if columns == 2 else []
    for guess in [*guesses, tuple(range(columns))]:
        try:
            return WordClaim(net, prog, where, Decision(kind, guess))
        except InputError as error:
            last = error
    mend = "give labels=[...], one per output column, in order" if "labels" in last.what else last.mend
    raise InputError(last.where, last.what, mend) from None


def _of_two(
    first: Network,
    second: Network,
    domain: Domain,
    labels: Sequence[Label] | None,
    decision: Literal["argmax", "sign"] | None,
    within: Fraction | int | str | None,
) -> WordClaim:
    if within is not None:
        try:
            return word_claim(equals_network(first, second, domain, None, Fraction(within)))
        except (ValueError, ZeroDivisionError, TypeError):
            raise InputError(
                "within", f"{within!r} is no number", 'give a Fraction, an int or a string such as "0.01"'
            ) from None
    kind = decision or ("sign" if first.output_size == 1 else "argmax")
    names = (
        tuple(labels)
        if labels is not None
        else (False, True)
        if kind == "sign"
        else tuple(range(first.output_size))
    )
    return word_claim(equals_network(first, second, domain, Decision(kind, names)))


def domain_of(domain: Domain | Mapping[str, Any]) -> Domain:
    """A domain from what `prove` and `distill` take for one."""
    if isinstance(domain, Domain):
        return domain
    if not isinstance(domain, Mapping):
        raise InputError(
            "domain",
            f"{type(domain).__name__} is not a domain",
            'pass a Domain or {"tokens": [...], "length": 8}',
        )
    unknown = [k for k in domain if k not in DOMAIN_KEYS]
    if unknown:
        raise InputError("domain", f"unknown key {unknown[0]!r}", f"known keys are {', '.join(DOMAIN_KEYS)}")
    for key in ("tokens", "length"):
        if key not in domain:
            raise InputError("domain", f"{key} is missing", 'for example {"tokens": ["a", "b"], "length": 8}')
    length = domain["length"]
    ends = (
        (length, length) if isinstance(length, int) else tuple(length) if isinstance(length, Sequence) else ()
    )
    if len(ends) != 2 or any(type(n) is not int for n in ends):
        raise InputError(
            "domain length", f"{length!r} is neither a length nor a pair of lengths", "write 8 or (4, 8)"
        )
    where = domain.get("where")
    return Domain(
        _words(domain, "tokens"),
        *ends,
        domain.get("pad"),
        None if where is None else _program(where, "domain where"),
        _words(domain, "prefix"),
        _words(domain, "suffix"),
    )


def _words(domain: Mapping[str, Any], key: str) -> tuple[str, ...]:
    words = domain.get(key, ())
    if not isinstance(words, Sequence) or isinstance(
        words, str
    ):  # letter by letter it would be another claim
        raise InputError(f"domain {key}", f"{words!r} is not a list of words", 'write ["a", "b"]')
    return tuple(words)


def _program(program: ProgramLike | None, place: str) -> Program:
    if isinstance(program, Program):
        return program
    if callable(program):
        return Program.from_function(program)
    if not isinstance(program, str):
        raise InputError(
            place,
            f"{type(program).__name__} is not a program",
            'pass a function, its source, or "file.py:function"',
        )
    if "\n" in program or program.lstrip().startswith("def "):
        return Program.from_source(program)
    return Program.load(program)


def _network(network: Any, domain: Domain, encoding: str, readings: list[OnnxReading]) -> Network:
    """The network; `readings` gets how it was read, or how the file that came with it is."""
    size: dict[str, Any] = {"positions": domain.positions, "alphabet": len(domain.alphabet)}
    if isinstance(network, Network):
        if network.source and network.input_size == domain.input_size:
            readings.append(trace_onnx(network.source, origin=network.name, **size))
            if not same_nodes(readings[-1].network, network):
                raise InputError(
                    network.name,
                    "its ONNX bytes are those of another network",
                    "read it again, or leave them out",
                )
        return network
    if isinstance(network, bytes | bytearray | memoryview):
        read = trace_onnx(bytes(network), origin="network", **size)
    elif isinstance(network, str | os.PathLike):
        read = load_traced(Path(network), **size)
    elif hasattr(network, "named_parameters") and callable(network):
        read = trace_onnx(_exported(network, domain, encoding), origin=type(network).__name__, **size)
    else:
        what = f"{type(network).__name__} is not a network"
        raise InputError("network", what, "pass an ONNX path or bytes, a torch module or a Network")
    readings.append(read)
    return read.network


def _exported(module: Any, domain: Domain, encoding: str) -> bytes:
    """A torch module as ONNX bytes, in evaluation mode."""
    import torch

    from ..models.onnx.torch_import import from_torch

    if encoding not in ("one_hot", "ids"):
        raise InputError("encoding", f"{encoding!r} is not an encoding", 'use "one_hot" or "ids"')
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(1))
    if encoding == "ids":
        example = torch.zeros(1, domain.positions, dtype=torch.int64, device=like.device)
    else:
        example = torch.zeros(1, domain.input_size, dtype=like.dtype, device=like.device)
    return from_torch(
        module, positions=domain.positions, alphabet=len(domain.alphabet), example_input=example
    )
