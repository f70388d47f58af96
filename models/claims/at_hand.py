"""Claims from what a Python user has: paths, ONNX bytes, torch modules, functions, and plain mappings.

`relucid.prove`, `relucid.verify` and `relucid.distill` take all of these.  Claim files are read by
`claim_file.py` instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from ...common.errors import InputError
from ..network.network import Network
from ..network.stacked import same_nodes
from ..onnx.reader import load_traced, trace_onnx
from ..onnx.reading import OnnxReading
from ..program.program import Program
from .build import equals_network, equals_program
from .claim import Claim
from .decision import Decision, Label
from .domain import Domain
from .onnx_inputs import compare_on_words
from .task import DOMAIN_KEYS
from .words import Words

# A torch module is one of these too; its type is not named, because torch is not always installed.
NetworkLike = Network | str | os.PathLike[str] | bytes | Any
ProgramLike = Program | Callable[..., Any] | str
DomainLike = Domain | Mapping[str, Any]
LOAD_IT = "a claim file is read by relucid.load_claim"  # a path is taken for a network's


def make_claim(
    network: NetworkLike,
    program: ProgramLike | None,
    domain: DomainLike,
    *,
    labels: Sequence[Label] | Decision | None = None,
    encoding: str = "one_hot",
    network_b: NetworkLike | None = None,
    within: Fraction | int | str | None = None,
) -> Claim:
    """State the claim that a network equals a program, or another network, on every word of a domain.

    Arguments:
        network: a path to an ONNX file, its bytes, a torch module or a `Network`.  It takes one-hot values
            [1, positions * alphabet] or ids [1, positions].
        program: a Python function of the readable subset, its source text, "file.py:function" or a `Program`;
            None where `network_b` is given.
        domain: a `Domain`, or a mapping with `tokens`, `length` (a number or a pair) and optionally `pad`,
            `where` (a program), `prefix`, `suffix` and `order` (all tokens, from the least to the greatest).
        labels: what the output columns mean, in order: one for each, or two for one column, of which the
            first is for outputs <= 0.  They may be left out if they are False and True, or 0, 1, 2 ...  A
            `Decision` also says how outputs become labels.
        encoding: what a torch module takes: "one_hot" or "ids".  Files say it themselves.
        network_b: the second network, if the claim is about two.
        within: of two networks: their outputs, and not their labels, are compared, and may differ by so much.

    The networks are run in onnxruntime on some words.  Raises InputError for what cannot be read or does not
    fit, and for a network that onnxruntime computes otherwise.
    """
    if (program is None) == (network_b is None):
        raise InputError(
            "program",
            "a claim is about a program or a second network",
            "give one of them, and None for the other",
        )
    words = domain_of(domain)
    readings: list[OnnxReading] = []
    first = _network(network, words, encoding, readings)
    if program is not None:
        claim = _about_program(first, program_of(program), words, labels)
    else:
        second = _network(network_b, words, encoding, readings)
        epsilon = None if within is None else exact("within", within)
        # True and False for one output, else the numbers of the outputs
        decision = (
            None if epsilon is not None else _guessed(first, labels)[0 if first.output_size == 1 else -1]
        )
        claim = equals_network(first, second, words, decision, epsilon)
    assert isinstance(claim.input_set, Words)
    compare_on_words(readings, words, claim.input_set.language)
    return claim


def exact(place: str, value: Fraction | int | str) -> Fraction:
    """Return the number, exactly.  Raises InputError, which names the place, for what is no number."""
    try:
        return Fraction(value)
    except (ValueError, ZeroDivisionError, TypeError):
        raise InputError(
            place, f"{value!r} is no number", 'give a Fraction, an int or a string such as "0.01"'
        ) from None


def _guessed(network: Network, labels: Sequence[Label] | Decision | None) -> list[Decision]:
    """Return the decisions that may be meant, the likeliest first: one where the labels are given."""
    if isinstance(labels, Decision):
        return [labels]
    one = network.output_size == 1
    kind: Any = "sign" if one else "argmax"
    if isinstance(labels, str) or not isinstance(labels, Iterable | None):
        what = "a string, not a list" if isinstance(labels, str) else f"{type(labels).__name__} is not a list"
        raise InputError("labels", what, "list one for each output of the network, in order")
    if labels is not None:
        return [Decision(kind, tuple(labels))]
    columns = 2 if one else network.output_size
    truth = [Decision(kind, (False, True))] if columns == 2 else []
    return [*truth, Decision(kind, tuple(range(columns)))]


def _about_program(
    network: Network, program: Program, domain: Domain, labels: Sequence[Label] | Decision | None
) -> Claim:
    """Return the claim with the first decision that fits what the program returns.  Raises InputError."""
    for decision in _guessed(network, labels):
        try:
            return equals_program(network, program, domain, decision)
        except InputError as error:
            if labels is not None:
                raise
            last = error
    mend = "give labels=[...], one per output column, in order" if "labels" in last.what else last.mend
    raise InputError(last.where, last.what, mend) from None


def domain_of(domain: DomainLike) -> Domain:
    """Return the domain of a mapping as `make_claim` takes it.  Raises InputError."""
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
        None if where is None else program_of(where, "domain where"),
        _words(domain, "prefix"),
        _words(domain, "suffix"),
        None if domain.get("order") is None else _words(domain, "order"),
    )


def _words(domain: Mapping[str, Any], key: str) -> tuple[str, ...]:
    words = domain.get(key, ())
    # a string is a sequence of strings too; taken letter by letter it would state another claim
    if not isinstance(words, Sequence) or isinstance(words, str):
        raise InputError(f"domain {key}", f"{words!r} is not a list of tokens", 'write ["a", "b"]')
    return tuple(words)


def program_of(program: ProgramLike, place: str = "program") -> Program:
    """Return the program of a function, its source text or "file.py:function".

    Raises InputError, which names the place.
    """
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


def _network(network: NetworkLike, domain: Domain, encoding: str, readings: list[OnnxReading]) -> Network:
    """Return the network that reads words of the domain.

    Appends to `readings` how its ONNX form was read, if it has one.
    """
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
    if isinstance(network, str | os.PathLike):
        read = load_traced(Path(network), **size)
    elif is_module(network):
        read = trace_onnx(_exported(network, domain, encoding), origin=type(network).__name__, **size)
    else:
        read = trace_onnx(as_bytes(network), origin="network", **size)
    readings.append(read)
    return read.network


def as_bytes(network: Any) -> bytes:
    """Return ONNX bytes that were given as such.  Raises InputError for whatever is no network."""
    if isinstance(network, bytes | bytearray | memoryview):
        return bytes(network)
    what = f"{type(network).__name__} is not a network"
    raise InputError("network", what, "pass an ONNX path or bytes, a torch module or a Network")


def is_module(network: Any) -> bool:
    """Return whether this is a torch module, without importing torch."""
    return hasattr(network, "named_parameters") and callable(network)


def _exported(module: Any, domain: Domain, encoding: str) -> bytes:
    """Return a torch module as ONNX bytes, in evaluation mode."""
    import torch

    from ..onnx.torch_import import from_torch

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
