"""Random programs of the readable subset, as people write them: an expression over the sequence, or one loop.

Expressions: items from either end, windows, `len`, `count`, `sum`, `min`, `max`, `any`, `all`, `index`,
`sorted`, different tokens, the most frequent one, arithmetic, comparisons, conditionals, dictionaries.  Loops
have one or two locals.  Nothing here knows what the program search can find.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

LOOPS = 0.5  # share of programs with a loop, before they are chosen by length

Kind = Literal["letters", "digits", "signed", "pairs"]


@dataclass(frozen=True)
class Alphabet:
    """Tokens, and whether they are read as numbers: not, as a whole, or (pairs) digit by digit."""

    kind: Kind
    tokens: tuple[str, ...]


def random_alphabet(rng: random.Random) -> Alphabet:
    """Draw two to five letters, digits from 0, numerals around 0, or pairs of digits."""
    kind: Kind = rng.choice(("letters", "letters", "digits", "digits", "signed", "pairs"))
    size = rng.randint(2, 5)
    if kind == "letters":
        return Alphabet(kind, tuple("abcde"[:size]))
    if kind == "digits":
        return Alphabet(kind, tuple(map(str, range(size))))
    if kind == "signed":
        low = rng.choice((-2, -1))
        return Alphabet(kind, tuple(map(str, range(low, low + size))))
    return Alphabet(kind, tuple(f"{a}{b}" for a in range(2) for b in range(2)))


class RandomProgram:
    """Draws programs over one alphabet; sequences have at least one token.

    Args:
        rng: decides everything.
        alphabet: of the sequences.
    """

    def __init__(self, rng: random.Random, alphabet: Alphabet) -> None:
        self.rng, self.alphabet = rng, alphabet
        self.locals: dict[str, str] = {}  # of the loop that is being written: "int", "bool" or "token"

    def source(self, name: str, depth: int) -> str:
        """Return a function; `depth` limits how deep its expressions nest.  It may raise on some input."""
        self.locals = {}
        text = self._loop(name, depth) if self.rng.random() < LOOPS else self._plain(name, depth)
        return _plainly(text)

    def _plain(self, name: str, depth: int) -> str:
        return f"def {name}(tokens):\n    return {self._label(depth)}\n"

    def _loop(self, name: str, depth: int) -> str:
        """Return a function with one loop over the tokens, and one or two locals."""
        kinds = [self._pick("int", "int", "bool", "token") for _ in range(self.rng.choice((1, 1, 2)))]
        self.locals = {f"{'xy'[k]}": kind for k, kind in enumerate(kinds)}
        start = {"int": "0", "bool": "False", "token": '""'}
        lines = [f"    {local} = {start[kind]}" for local, kind in self.locals.items()]
        lines.append("    for t in tokens:")
        for local, kind in self.locals.items():
            lines.append(f"        {local} = {self._update(local, kind, depth)}")
        return "\n".join([f"def {name}(tokens):", *lines, f"    return {self._label(depth - 1)}", ""])

    def _update(self, local: str, kind: str, depth: int) -> str:
        if kind == "bool":
            return self._pick(
                lambda: f"not {local} if {self._test('t')} else {local}",
                lambda: f"{local} or ({self._boolean(depth - 1)})",
                lambda: self._boolean(depth - 1),
            )
        if kind == "token":
            return self._pick(lambda: "t", lambda: f"t if {self._test('t')} else {local}")
        step = self._number("t")
        m = self._constant(2, 5)
        return self._pick(
            lambda: f"{local} + {step}",
            lambda: f"{local} + 1 if {self._test('t')} else {local}",
            lambda: f"{local} + 1 if {self._test('t')} else 0",
            lambda: f"max(0, {local} + 1 if {self._test('t')} else {local} - 1)",
            lambda: f"max({local}, {step if self.alphabet.kind != 'letters' else f'int{step}'})",
            lambda: f"({self._constant(2, 3)} * {local} + {step}) % {m}",
            lambda: f"{local} // {m} + {step}",
            lambda: self._integer(depth - 1),
        )

    # -- expressions; each returns text that may stand in brackets -------------------------------------------

    def _label(self, depth: int) -> str:
        """Return an expression whose value is a string."""
        kinds: list[Callable[[], str]] = [lambda: f"str({self._integer(depth)})"] * 3
        kinds += [lambda: f"{self._word()} if {self._boolean(depth)} else {self._other()}"] * 2
        if not self.locals or "token" in self.locals.values():
            kinds.append(lambda: self._token(depth))
            kinds.append(lambda: f"{self._names()}.get({self._token(0)}, {self._other()})")
        return self._pick(*kinds)

    def _names(self) -> str:
        """Return a dictionary that names two of the tokens."""
        first, second = map(self._quoted, sorted(self.rng.sample(self.alphabet.tokens, 2)))
        return f"{{{first}: {self._word()}, {second}: {self._pick(self._word(), self._other())}}}"

    def _word(self) -> str:
        return self._pick('"yes"', '"1"', '"in"')

    def _other(self) -> str:
        return self._pick('"no"', '"0"', '"out"')

    def _integer(self, depth: int) -> str:
        atom = self._local("int") if self.locals else self._measure(depth)
        if depth <= 0:
            return atom
        c = self._constant(1, 4)
        return self._pick(
            lambda: atom,
            lambda: atom,
            lambda: f"({self._integer(depth - 1)}) + ({self._integer(depth - 1)})",
            lambda: f"({self._integer(depth - 1)}) - ({self._integer(depth - 1)})",
            lambda: f"({self._integer(depth - 1)}) + {c}",
            lambda: f"{self._constant(2, 3)} * ({self._integer(depth - 1)})",
            lambda: f"({self._integer(depth - 1)}) // {self._constant(2, 3)}",
            lambda: f"({self._integer(depth - 1)}) % {self._constant(2, 5)}",
            lambda: f"abs({self._integer(depth - 1)})",
            lambda: f"min({self._integer(depth - 1)}, {c})",
            lambda: f"max({self._integer(depth - 1)}, {self._integer(depth - 1)})",
            lambda: f"(({self._integer(depth - 1)}) if {self._boolean(depth - 1)} else {c})",
        )

    def _measure(self, depth: int) -> str:
        """Return a number that says something of the sequence."""
        part, any_token = self._part(), self._any()
        kinds: list[Callable[[], str]] = [
            lambda: "len(tokens)",
            lambda: f"{part}.count({any_token})",
            lambda: f"tokens.count({any_token})",
            lambda: f"sum(1 for t in {part} if {self._test('t')})",
            lambda: f"len(set({part}))",
            lambda: (
                f"(tokens.index({any_token}) if {any_token} in tokens else {self._pick('-1', 'len(tokens)')})"
            ),
            lambda: f"sum(a {self._pick('==', '!=', '<')} b for a, b in zip(tokens, tokens[1:]))",
        ]
        if self.alphabet.kind != "letters":
            kinds += [
                lambda: f"sum({self._number('t')} for t in {part})",
                lambda: f"{self._pick('max', 'min')}({self._number('t')} for t in {part})",
                lambda: self._number(self._end()),
                lambda: f"({self._number('tokens[-2]')} if len(tokens) > 1 else 0)",
            ]
        return self._pick(*kinds)

    def _boolean(self, depth: int) -> str:
        if self.locals and depth <= 0:
            return self._local("bool") if "bool" in self.locals.values() else self._compared(0)
        kinds: list[Callable[[], str]] = [lambda: self._compared(depth)] * 3
        if not self.locals:
            kinds += [
                lambda: (
                    f"{self._token(0)} {self._pick('==', '!=')} {self._pick(self._any(), self._token(0))}"
                ),
                lambda: f"{self._any()} {self._pick('in', 'not in')} {self._part()}",
                lambda: f"{self._pick('any', 'all')}({self._test('t')} for t in {self._part()})",
                lambda: "tokens == tokens[::-1]",
            ]
        elif "bool" in self.locals.values():
            kinds += [lambda: self._local("bool")] * 2
        if depth > 0:
            joined = self._pick("and", "or")
            kinds.append(lambda: f"({self._boolean(depth - 1)}) {joined} ({self._boolean(depth - 1)})")
            kinds.append(lambda: f"not ({self._boolean(depth - 1)})")
        return self._pick(*kinds)

    def _compared(self, depth: int) -> str:
        left, sign = self._integer(depth - 1), self._pick("==", ">", "<", ">=", "!=")
        return f"({left}) {sign} {self._constant(0, 3) if self.rng.random() < 0.7 else self._integer(0)}"

    def _token(self, depth: int) -> str:
        """Return an expression whose value is a token."""
        if self.locals:
            return self._local("token")
        kinds: list[Callable[[], str]] = [
            lambda: self._end(),
            lambda: f"tokens[{self._pick('-2', '1')}] if len(tokens) > 1 else {self._any()}",
            lambda: f"tokens[{self._pick('-3', '2')}] if len(tokens) > 2 else {self._any()}",
            lambda: f"{self._pick('max', 'min')}({self._part()})",
            lambda: f"sorted(tokens)[{self._pick('-2', '1')}] if len(tokens) > 1 else {self._any()}",
            lambda: "max(tokens, key=tokens.count)",
        ]
        if depth > 0:
            kinds.append(lambda: f"{self._end()} if {self._boolean(depth - 1)} else {self._token(0)}")
        return f"({self._pick(*kinds)})"

    def _test(self, variable: str) -> str:
        """Return a condition on one token; in a loop, the token that was kept may take part."""
        kinds: list[Callable[[], str]] = [
            lambda: f"{variable} {self._pick('==', '!=')} {self._any()}",
            lambda: f"{variable} in {self._tuple(sorted(self.rng.sample(self.alphabet.tokens, 2)))}",
        ]
        if self.alphabet.kind != "letters":
            kinds.append(lambda: f"{self._number(variable)} {self._pick('>', '<')} {self._constant(0, 2)}")
            kinds.append(lambda: f"{self._number(variable)} % 2 == {self._constant(0, 1)}")
        if "token" in self.locals.values():
            kinds += [lambda: f"{variable} {self._pick('==', '!=')} {self._local('token')}"] * 3
        return self._pick(*kinds)

    # -- the smallest parts ----------------------------------------------------------------------------------

    def _local(self, kind: str) -> str:
        """Return a local of this kind, or the nearest thing to one."""
        found = [name for name, its in self.locals.items() if its == kind]
        if found:
            return self.rng.choice(found)
        name = next(iter(self.locals))
        if kind == "int":
            return {"bool": f"int({name})", "token": f"len({name})"}.get(self.locals[name], name)
        return f"{self._any()}" if kind == "token" else f"({name} == {self._any()})"

    def _number(self, token: str) -> str:
        """Return what a token counts: its value, one of its two digits, or whether it is a certain one."""
        if self.alphabet.kind == "pairs":
            return f"int({token}[{self._pick('0', '1')}])"
        return f"({token} == {self._any()})" if self.alphabet.kind == "letters" else f"int({token})"

    def _part(self) -> str:
        k = self._constant(1, 3)
        return self._pick("tokens", "tokens", "tokens", f"tokens[-{k}:]", f"tokens[:{k}]")

    def _end(self) -> str:
        return self._pick("tokens[-1]", "tokens[-1]", "tokens[0]")

    def _any(self) -> str:
        return self._quoted(self.rng.choice(self.alphabet.tokens))

    def _constant(self, low: int, high: int) -> str:
        return str(self.rng.randint(low, high))

    def _tuple(self, tokens: Sequence[str]) -> str:
        return f"({', '.join(map(self._quoted, tokens))})"

    @staticmethod
    def _quoted(token: str) -> str:
        return f'"{token}"'

    def _pick(self, *choices: str | Callable[[], str]) -> str:
        """Return one of the choices; call it if it is a function."""
        found = self.rng.choice(choices)
        return found if isinstance(found, str) else found()


def _plainly(source: str) -> str:
    """Return the program with double quotes, and without needless brackets."""
    text = ast.unparse(ast.parse(source)).replace("'", '"')
    for start in reversed([m.end() for m in re.finditer(r"\b(?:sum|any|all|max|min)\(\(", text)]):
        depth, end = 1, start
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        if text[end] == ")":  # a generator, alone within its own brackets
            text = text[: start - 1] + text[start : end - 1] + text[end:]
    return text + "\n"
