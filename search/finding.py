"""What labelled inputs show about the labels, as data and as sentences.  `findings.py` finds it out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from ..common.text import literal, number
from ..models.claims.decision import Label

SHOWN = 6  # tokens or labels that a sentence lists


@dataclass(frozen=True)
class Findings:
    """What the label depends on, as far as the inputs show.

    A field that is None, False or empty says only that its test failed, had no pair of inputs to compare, or
    was not made.

    Args:
        inputs: how many labelled inputs were compared.
        whole: whether these are all inputs of the domain: then everything found is a fact about it.
        tokens, labels: of the domain.
        constant: all inputs have one label.
        last, first: the label depends on the last or first k tokens only; the smallest k.
        places: it depends on the tokens at these indices only, as Python counts them.
        window_counts_only: the order of these last or first tokens does not matter.
        window_sum_only: it depends only on their sum; they are numerals.
        window_sum_period: and there, on the remainder by this number only.
        length_only: it depends on the length only.
        length_period: and there, on the remainder by this number only.
        counts_only: it depends only on how often each token occurs, not on the order.
        set_only: it depends only on which tokens occur.
        sum_only: it depends on the sum of the tokens only; they are numerals.
        sum_period: and there, on the remainder by this number only.
        first_occurrences_only: it depends only on the order in which new tokens appear.
        reversible: a reversed input has the same label.
        digit_sums_only: of each token, only the sum of its digits matters; all have two digits or more.
        alike: classes of tokens each of which may stand anywhere for any other of its class.
        renamable: classes of tokens any two of which may be swapped throughout.
        deletable: the label depends only on what is left when these tokens are deleted.
        stops: nothing after the first of these tokens changes the label.
        absorbing: labels that stay, whatever follows.
        rises_with_value, falls_with_value: a larger numeral in place of a token never lowers, or never
            raises, the label; labels are numbers or False and True.
        raising, lowering: one of these tokens in place of any other never lowers, or never raises, the label.
        states: after some number of tokens, read from left to right, so many cases have to be told apart,
            and never more.
        tested: by name of the field, how many pairs of inputs were compared.
    """

    inputs: int
    whole: bool
    tokens: tuple[str, ...]
    labels: tuple[Label, ...]
    constant: bool = False
    last: int | None = None
    first: int | None = None
    places: tuple[int, ...] | None = None
    window_counts_only: bool = False
    window_sum_only: bool = False
    window_sum_period: int | None = None
    length_only: bool = False
    length_period: int | None = None
    counts_only: bool = False
    set_only: bool = False
    sum_only: bool = False
    sum_period: int | None = None
    first_occurrences_only: bool = False
    reversible: bool = False
    digit_sums_only: bool = False
    alike: tuple[tuple[str, ...], ...] = ()
    renamable: tuple[tuple[str, ...], ...] = ()
    deletable: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    absorbing: tuple[Label, ...] = ()
    rises_with_value: bool = False
    falls_with_value: bool = False
    raising: tuple[str, ...] = ()
    lowering: tuple[str, ...] = ()
    states: int | None = None
    tested: Mapping[str, int] = field(default_factory=dict)

    def sentences(self) -> tuple[str, ...]:
        """Return what was found of the label, one sentence each (without "the label"), the strongest first.

        What follows from others is left out.  Of a sample, each says how many pairs of inputs agree with it.
        """
        if self.whole:
            return tuple(text for _, text in self._told())
        return tuple(
            f"{text} ({number(self.tested[name])} pairs)" if name in self.tested else text
            for name, text in self._told()
        )

    def basis(self) -> str:
        """Return the sentence that says on which inputs this was found."""
        if self.whole:
            return f"facts about all {number(self.inputs)} inputs"
        return f"seen on {number(self.inputs)} inputs, and not shown for the others"

    def to_json(self) -> dict[str, Any]:
        """Return the fields that say something, and the sentences."""
        about = ("inputs", "whole", "tokens", "labels", "tested")
        found = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in about}
        return {
            "inputs": self.inputs,
            "whole": self.whole,
            "basis": self.basis(),
            "sentences": list(self.sentences()),
            "found": {name: value for name, value in found.items() if value not in (None, False, ())},
            "pairs": dict(self.tested),
        }

    def _told(self) -> Iterator[tuple[str, str]]:
        if self.constant:
            yield "constant", "is always the same"
        elif self.length_only:
            yield "length_only", f"depends on the length{_modulo(self.length_period)} only"
        else:
            windows = [*self._windows()]
            yield from windows or self._bags()
            if not (self.sum_only or self._few()):
                yield from self._tokens(bool(windows))
            if not windows:
                yield from self._ends()
            yield from self._orders(bool(windows))
            if self.states is not None and not (windows or self.sum_only):
                text = f"needs {self.states} states at any time at most, read from left to right"
                yield "states", text

    def _windows(self) -> Iterator[tuple[str, str]]:
        if self.places is not None:
            yield "places", f"depends on {_and([f'tokens[{p}]' for p in self.places])} only"
            return
        for name, k in (("last", self.last), ("first", self.first)):
            if k is None:
                continue
            window = f"the {name} {f'{k} tokens' if k > 1 else 'token'}"
            smaller = k == min(filter(None, (self.last, self.first)))
            if smaller and self.window_sum_only:
                yield name, f"depends on the sum of {window}{_modulo(self.window_sum_period)} only"
            elif smaller and self.window_counts_only:
                yield name, f"depends on {window} only, in any order"
            else:
                yield name, f"depends on {window} only"

    def _bags(self) -> Iterator[tuple[str, str]]:
        if self.sum_only:
            yield "sum_only", f"depends on the sum of the tokens{_modulo(self.sum_period)} only"
        elif self.set_only:
            yield "set_only", f"depends only on whether {self._each('or')} occurs"
        elif self.counts_only:
            yield "counts_only", f"depends only on how often {self._each('and')} occurs, not on the order"
        elif self.first_occurrences_only:
            yield "first_occurrences_only", "depends only on the order in which new tokens appear"
        elif self.reversible:
            yield "reversible", "is the same for the reversed input"

    def _kept(self) -> tuple[str, ...]:
        """Return the tokens that matter."""
        return tuple(t for t in self.tokens if t not in self.deletable)

    def _few(self) -> bool:
        """Whether a sentence about what occurs names the tokens that matter."""
        few = len(self._kept()) < 3 or self._kept() in self.alike
        return bool(self.deletable) and few and (self.set_only or self.counts_only)

    def _each(self, word: str) -> str:
        if not self._few():
            return "each token"
        if len(self._kept()) > 1 and self._kept() in self.alike:
            return f"any of {_listed(self._kept(), 'or')}"
        return _listed(self._kept(), word)

    def _tokens(self, windows: bool) -> Iterator[tuple[str, str]]:
        if self.deletable and not windows:
            kept = self._kept()
            few = len(kept) < len(self.deletable)
            which = f"the {_listed(kept)} in it" if few else f"tokens other than {_listed(self.deletable)}"
            yield "deletable", f"is settled by {which}"
        groups = [_listed(g) for g in self.alike if windows or not set(g) <= set(self.deletable)]
        if self.digit_sums_only:
            yield "digit_sums_only", "depends only on the sum of the digits of each token"
        elif groups:
            more = f", nor within {len(groups) - 3} more classes" if len(groups) > 3 else ""
            yield "alike", f"makes no difference between {', nor between '.join(groups[:3])}{more}"
        for group in self.renamable if not windows else ():
            pair = "" if len(group) == 2 else "any two of "
            yield "renamable", f"is the same when {pair}{_listed(group)} are swapped throughout"

    def _ends(self) -> Iterator[tuple[str, str]]:
        if self.absorbing:
            yield "absorbing", f"stays {_listed(self.absorbing, 'or')}, whatever follows"
        elif self.stops:
            yield "stops", f"does not depend on what follows the first {_listed(self.stops, 'or')}"

    def _orders(self, windows: bool) -> Iterator[tuple[str, str]]:
        flags = all(isinstance(y, bool) for y in self.labels)
        up = "never becomes False" if flags else "never falls"
        down = "never becomes True" if flags else "never rises"
        if self.rises_with_value:
            yield "rises_with_value", f"{up} when a token is replaced by a larger one"
        elif self.falls_with_value:
            yield "falls_with_value", f"{down} when a token is replaced by a larger one"
        elif not windows:
            if self.raising:
                yield "raising", f"{up} when a token is replaced by {_listed(self.raising, 'or')}"
            if self.lowering:
                yield "lowering", f"{down} when a token is replaced by {_listed(self.lowering, 'or')}"


def _modulo(period: int | None) -> str:
    return f" modulo {period}" if period else ""


def _listed(values: Sequence[Label], word: str = "and") -> str:
    """Write literals as a list, the first few of many."""
    if len(values) > SHOWN:
        return f"{', '.join(map(literal, values[:SHOWN]))} {word} {len(values) - SHOWN} more"
    return _and([*map(literal, values)], word)


def _and(parts: Sequence[str], word: str = "and") -> str:
    *most, last = parts
    return f"{', '.join(most)} {word} {last}" if most else last
