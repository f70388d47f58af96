"""A claim: a question about a network, and the inputs that it is asked on.

Every command takes a claim, and every verdict is about one.  The types of questions are in `question.py`,
those of input sets in `words.py` and `boxes.py`.  `build.py` makes claims, and `reduce.py` brings them into
the forms that engines take.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...common.displayed import Displayed
from ...common.errors import InputError
from ...common.text import number
from .boxes import Boxes
from .fit import check_blocks, check_inputs
from .question import EqualsEverywhere, EqualsNetwork, EqualsProgram, HasProperty, Question
from .words import Words

InputSet = Words | Boxes


@dataclass(frozen=True, eq=False)
class Claim(Displayed):
    """The statement that the answer to the question is yes on every input of the set.

    question: is the network equal to a program (on words, in one label or in one for each position) or to
        another network (on words or boxes), or does a property hold of it (on boxes)?
    input_set: the inputs.
    warnings: what was noticed when the claim was read, for people.
    origin: the file that it was read from, if it was: no proof is written over it, or what it names.

    Raises InputError where the parts do not fit.
    """

    question: Question
    input_set: InputSet
    name: str = "claim"
    warnings: tuple[str, ...] = ()
    origin: Path | None = None

    def __post_init__(self) -> None:
        network = self.question.network
        match self.question, self.input_set:
            case ((EqualsProgram() | EqualsEverywhere() | EqualsNetwork()) as question, Words(domain)):
                check_inputs(network, domain)
                if isinstance(question, EqualsEverywhere):
                    check_blocks(network, domain, question.decision)
                by: tuple[Any, ...] = (None,)
                if isinstance(question, EqualsProgram):
                    by = (question.program, question.decision.labels)
                if not self.input_set.labelled_by(*by):
                    what = "the words are not labelled as the question has it"
                    raise InputError("claim", what, "give Words of the same program and labels, or none")
            case HasProperty(_, stated), Boxes() if self.input_set != stated.boxes:
                raise InputError("claim", "the boxes are not those of the property", "give property.boxes")
            case ((EqualsNetwork() | HasProperty()), Boxes(inputs)):
                if network.input_size != inputs:
                    what = f"takes {network.input_size} inputs, the box has {inputs}"
                    raise InputError(network.name, what, "give a network of the box's inputs")
            case HasProperty(), _:
                raise InputError("claim", "a property speaks of boxes, not of words", "give its boxes")
            case _:
                raise InputError(
                    "claim", "a program takes words, not real numbers", "give a property instead"
                )

    @property
    def domain_size(self) -> int | None:
        """How many words the claim is about; None where it is about boxes."""
        return self.input_set.size if isinstance(self.input_set, Words) else None

    def __repr__(self) -> str:
        match self.question:
            case EqualsProgram(network, program):
                said = f"{network.name} gives the label of {program.name}"
            case EqualsEverywhere(network, program):
                said = f"{network.name} gives the labels of {program.name} at every position"
            case EqualsNetwork(network, other):
                said = f"{network.name} and {other.name} {self.question.meaning}"
            case HasProperty(network):
                said = f"{network.name} gives no unsafe output"
        count = len(self.input_set.boxes) if isinstance(self.input_set, Boxes) else self.input_set.size
        one, many = ("box", "boxes") if isinstance(self.input_set, Boxes) else ("word", "words")
        kind = one if count == 1 else many
        return f"<Claim {self.name}: {said} on {number(count)} {kind}>"
