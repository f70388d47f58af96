"""Claims in the form that engines take: about words a `WordClaim`, about boxes a network and a `Property`.

Claims about a program and about a property are in that form already; those about two networks are reduced to
it by `pair.py`, and those about every position to one for each by `positions.py`.
"""

from __future__ import annotations

from ...common.errors import InputError
from .claim import Claim
from .pair import compared_on_words
from .position_claims import PositionClaims
from .positions import by_position
from .question import EqualsEverywhere, EqualsProgram, HasProperty
from .word_claim import WordClaim
from .words import Words


def reduced(claim: Claim) -> WordClaim | PositionClaims:
    """The claim in the form in which it is decided.  Raises InputError where it is about boxes."""
    question, words = claim.question, claim.input_set
    if isinstance(question, EqualsEverywhere) and isinstance(words, Words):
        return by_position(question, words, claim.name)
    return word_claim(claim)


def word_claim(claim: Claim) -> WordClaim:
    """The claim in the form that engines for words take.

    Raises InputError where it is about boxes, or about labels at every position.
    """
    question, words = claim.question, claim.input_set
    if not isinstance(words, Words) or isinstance(question, HasProperty):
        raise InputError(claim.name, "is about boxes of real numbers, not about words", "use relucid verify")
    if isinstance(question, EqualsEverywhere):
        what = "is about the labels at every position, which only prove, check and show take"
        raise InputError(claim.name, what, 'use relucid prove, or leave out position = "every"')
    if not isinstance(question, EqualsProgram):
        return compared_on_words(question, words, claim.name)
    return WordClaim(
        question.network,
        question.program,
        words.domain,
        question.decision,
        claim.name,
        words=words,
    )
