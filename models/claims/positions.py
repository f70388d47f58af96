"""The reduction of a claim about every position to claims about one label each.

The claim at position i is about the words of the domain that have more than i tokens.  Its network is the
block of outputs at i, and its program gives the label there: on the prefix up to and including i, or as the
element i of the tuple that the program returns.  So it is a claim like any other, for every backend, every
proof and the checker.  A word that refutes it refutes the whole at that position.
"""

from __future__ import annotations

from ...common.errors import InputError
from ..network.network import Network
from ..onnx.block import blocks
from ..program.at_position import element, on_prefix
from ..program.program import Program
from ..program.values import ProgramFault
from .domain import Domain
from .language import BadAnswer
from .position_claims import PositionClaims, domain_at
from .question import EqualsEverywhere
from .word_claim import WordClaim
from .words import Words


def by_position(question: EqualsEverywhere, words: Words, name: str = "claim") -> PositionClaims:
    """Return the claims at all positions that some word has.

    words: the domain's words, not labelled.

    Raises InputError where the program fails on some word, or does not give one label for each token, and
    where no word has a token.
    """
    counts = words.by_length
    if counts[0] and not question.per_prefix:
        _check_empty(question.program)
    domain, asked = words.domain, [i for i in range(words.domain.max_length) if any(counts[i + 1 :])]
    size = {"positions": domain.positions, "alphabet": len(domain.alphabet)}
    network = blocks(question.network, question.decision.outputs, **size)
    parts = {i: _at(question, network(i), domain_at(domain, i), i, name) for i in asked}
    return PositionClaims(question, words, parts, name)


def _at(question: EqualsEverywhere, network: Network, domain: Domain, i: int, name: str) -> WordClaim:
    """Return the claim at position i, about the block of outputs there and the words that reach so far."""
    program = on_prefix(question.program, i + 1) if question.per_prefix else element(question.program, i)
    try:
        return WordClaim(network, program, domain, question.decision, f"{name} at position {i}")
    except BadAnswer as error:
        if error.program is not program:  # the fault of `where`
            raise
        raise _told(question, error.sequence, i) from None


def _told(question: EqualsEverywhere, sequence: tuple[str, ...], i: int) -> InputError:
    """Return what is wrong on a sequence at position i, in terms of the program that the user has written."""
    program = question.program
    given = sequence[: i + 1] if question.per_prefix else sequence
    try:
        value, line = program.traced(given)
    except ProgramFault as fault:
        mend = "cover that input, or exclude it with `where`"
        return InputError(f"{program.origin}:{fault.line}", f"{fault} on input {given!r}", mend)
    told = f"which is not one of the labels {', '.join(map(repr, question.decision.labels))}"
    mend = "labels compare with their type: return exactly one of them"
    if not question.per_prefix and (type(value) is not tuple or len(value) != len(given)):
        told = f"which is not a tuple of one label for each of {len(given)} tokens"
        mend = "return one, or write per_prefix = true for a function of the prefix"
    elif not question.per_prefix:
        told = told.replace("which", f"whose element {i}", 1)
    what = f"returns {value!r} on input {given!r}, {told}"
    return InputError(f"{program.origin}:{line}", what, mend)


def _check_empty(program: Program) -> None:
    """Raise InputError unless the program gives an empty tuple for the empty sequence."""
    if (value := program.answer(())) != ():
        what = f"returns {value!r} on the empty input, which is not an empty tuple"
        raise InputError(program.origin, what, "return one label for each token")
