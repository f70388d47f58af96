"""Which of the encodings' ideas are used: a switch each, so that one can measure what an idea brings (docs/theory/encodings.md).

Read by `bounds.py`, `formula.py` and the encoders.  The defaults are what is best on the whole; `plain` is what one would
write without any of these ideas.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True)
class Encoding:
    """A switch per idea.  An option of a backend is a switch's name with dashes for underscores, or that with "no-" before it."""

    plain: bool = False
    box: bool = False
    crown: bool = True
    fold: bool = True
    merge: bool = True
    whole: bool = False
    redundant: bool = True
    automaton: bool = False
    tighten: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """The options that lead here from the defaults, in the order of the switches."""
        return tuple(
            _option(f.name, not f.default) for f in fields(self) if getattr(self, f.name) != f.default
        )


BEST = Encoding()
PLAIN = Encoding(plain=True, box=True, crown=False, fold=False, merge=False, whole=True, redundant=False)

DESCRIPTIONS = {
    "plain": "as one would write it without these ideas: tokens, a state per step, every ReLU, one width",
    "box": "first-layer bounds position by position, as if every sequence were in the domain",
    "no-crown": "deeper bounds by intervals only",
    "no-fold": "every ReLU is kept, with its weights as they are",
    "no-merge": "equal ReLUs and tokens that the program does not tell apart stay apart",
    "whole": "one automaton for all labels, the label as a constraint at its end",
    "no-redundant": "no constraints that follow from others",
    "tighten": "bounds by linear programs over the language first, exact through their multipliers",
    "automaton": "the program as CP-SAT's automaton constraint instead of a flow",
}


def _option(switch: str, on: bool) -> str:
    return ("" if on else "no-") + switch


def with_option(encoding: Encoding, option: str) -> Encoding | None:
    """The encoding with one more option, None where there is no such switch."""
    if option == "plain":  # all of them at once; what follows may take some back
        return replace(PLAIN, automaton=encoding.automaton)
    switch, on = (option.removeprefix("no-"), not option.startswith("no-"))
    if switch == "plain" or switch not in {f.name for f in fields(Encoding)}:
        return None
    return replace(encoding, **{switch: on})


def described(names: Iterable[str]) -> dict[str, str]:
    """Options with what they do, for `relucid backends`."""
    return {name: DESCRIPTIONS[name] for name in names}
