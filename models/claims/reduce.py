"""Claims in the form that engines take: about words a `WordClaim`, about boxes a network and a `Property`.

Claims about a program and about a property are in that form already; those about two networks are reduced to
it by `pair.py`.
"""

from __future__ import annotations

from ...common.errors import InputError
from .claim import Claim
from .pair import compared_on_words
from .question import EqualsProgram, HasProperty
from .word_claim import WordClaim
from .words import Words


def word_claim(claim: Claim) -> WordClaim:
    """The claim in the form that engines for words take.  Raises InputError where it is about boxes."""
    question, words = claim.question, claim.input_set
    if not isinstance(words, Words) or isinstance(question, HasProperty):
        raise InputError(claim.name, "is about boxes of real numbers, not about words", "use relucid verify")
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
