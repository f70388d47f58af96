"""Random programs of the readable subset, and what CPython, our interpreter and plain enumeration make of
them.
"""

from __future__ import annotations

import itertools
import random

from relucid.models.program.program import ProgramFault
from relucid.models.program.values import STEP_LIMIT, Execution, freeze

TOKENS = ("a", "b", "(")


class Writer:
    """Writes random source; `passes` leaves out what no chain of passes can follow, so that automata are
    really built, `sized=False` most of what depends on the word's length, so that they are built for all
    lengths together.
    """

    mismatch = 0.07  # how often a target does not fit what the loop walks over
    updates = ("+=", "-=", "*=", "+=", "//=", "%=", "**=", "&=", "|=", "^=")
    targets = ("x, s", "x, s", "n = x", "x, (n, s)", "(x, n), s", "n: int", "x, n = s", "tokens, n")
    seconds = ("tokens[:2]", '"ab"')

    def __init__(self, rng: random.Random, passes: bool, sized: bool = True) -> None:
        self.sized = sized
        self.rng, self.passes, self.names = rng, passes, ["n", "x", "s"]

    def pick(self, *choices):
        return self.rng.choice(choices)

    def constant(self):
        return self.pick(
            "0",
            "1",
            "2",
            "-1",
            "3",
            '"a"',
            '"b"',
            '"("',
            '""',
            "True",
            "False",
            "None",
            "()",
            '("a", 1)',
            "(True, 1)",
        )

    def atom(self, loop):
        return self.pick(
            self.constant(),
            self.constant(),
            *self.names,
            *(loop * 3),
            "len(tokens)" if self.sized else "K",
            "K",
        )

    def walked(self, loop):
        some = ["tokens", "tokens", "enumerate(tokens)", "tokens[1:]", "tokens[:-1]", "reversed(tokens)", "range(3)", '("a", "b")',
                "zip(tokens, tokens[1:])", "range(len(tokens))", "tokens[1::2]", "enumerate(tokens[1:], 2)", "reversed(tokens[:2])",
                "zip(range(9), tokens)", "enumerate(zip(tokens, tokens[1:]))", "zip(tokens, (1, True, tokens))", "tokens[:2]",
                "range(4, 0, -2)", "enumerate(reversed(tokens), -1)", "zip(tokens[1:], tokens[::2])", "range(1, len(tokens))"]  # fmt: skip
        if not self.passes:
            some += [
                "zip(x, tokens, s)",
                "range(n, 3)",
                "range(3, n, -1)",
                "tokens[::n]",
                "tokens[-2::-1]",
                "(x, s)",
                "tuple(tokens)",
                "x",
                "s",
                "zip(tokens, reversed(tokens))",
                "range(n)",
                "enumerate(s)",
                "reversed(x)",
                "tokens[n:]",
            ]
        return self.pick(
            *(
                some
                if self.sized
                else [s for s in some if not any(x in s for x in ("reversed(t", "[:-1", "len("))]
            )
        )

    def expression(self, depth, loop=()):
        if depth <= 0:
            return self.atom(loop)
        e = lambda: self.expression(depth - 1, loop)  # noqa: E731
        if self.rng.random() < 0.12:
            return self.of_all(depth, loop)
        kind = self.rng.randrange(20 if self.passes else 27)
        if kind < 3:
            return f"({e()} {self.pick('+', '-', '*', '//', '%', '**', '&', '|', '^')} {e()})"
        if kind < 6:
            return f"({e()} {self.pick('==', '!=', '<', '<=', '>', '>=', '==')} {e()})"
        if kind == 6:
            return f"({e()} {self.pick('<', '==', '!=')} {e()} {self.pick('<', '>=', '==')} {e()})"
        if kind == 7:
            return f"({e()} {self.pick('and', 'or')} {e()})"
        if kind == 8:
            return f"({self.pick('not', '-', '+')} {e()})"
        if kind == 9:
            return f"({e()} if {e()} else {e()})"
        if kind == 10:
            fold, target = self.pick("sum", "any", "all", "min", "max"), self.pick("t", "u")
            walked = self.pick("tokens", "tokens[1:]", "range(2)")
            inner = self.expression(depth - 1, (target,))
            test = f" if {self.expression(depth - 1, (target,))}" if self.rng.random() < 0.4 else ""
            return f"{fold}({inner} for {target} in {walked}{test})"
        if kind == 11:
            return f"tokens.{self.pick('count', 'count', 'index')}({e()})"
        if kind == 12:
            container = self.pick("tokens", "tokens[1:]", '("a", 1, None)', '"ab"')
            return f"({e()} {self.pick('in', 'not in')} {container})"
        if kind == 13:
            return f"{self.pick('tokens', 'tokens[1:]')}[{self.pick('0', '-1' if self.sized else '0', '1', '2')}]"
        if kind == 14:
            return f"{self.pick('min', 'max')}({e()}, {e()})"
        if kind == 15:
            return f"{self.pick('abs', 'bool', 'int', 'helper')}({e()})"
        if kind == 16:
            inner, free = (
                self.expression(depth - 1, ("t", "u")),
                self.pick("range(2)", "tokens[:1]", "t", '"ab"', "(t, n)"),
            )
            test = f" if {self.expression(0, ('t', 'u'))}" if self.rng.random() < 0.2 else ""
            fold = self.pick("sum", "any", "max", "tuple")
            return f"{fold}({inner} for t in {self.pick('tokens', 'tokens[1:]', 'range(2)', '(n, x)')}{test} for u in {free})"
        if kind == 17:
            walked = self.pick(
                "enumerate(tokens)",
                "zip(tokens, tokens[1:])",
                "enumerate(tokens[1:], 1)",
                "zip(range(3), tokens)",
            )
            return f"{self.pick('sum', 'all', 'min')}({self.expression(depth - 1, ('i', 't'))} for i, t in {walked})"
        if kind == 18:
            return f"sum(({e()} == t for t in tokens), {e()})"
        if kind == 19:
            return f"pair({e()}, {self.pick('tokens', 'tokens[1:]', e())})"
        if kind == 20:
            text = self.pick('"abab"', '"(a"', "s", "x", '("a", 1, True)', "str(n)", "tokens[1:]")
            return f"{text}.{self.pick('count', 'index')}({e()})"
        if kind == 21:
            part = lambda: self.pick("", "", "n", "-1", "1", "-2", "x", "9")  # noqa: E731
            return f"{self.pick('tokens', 's', 'x', e())}[{part()}:{part()}:{self.pick('', '-1', '2', 'n')}]"
        if kind == 22:
            return f"{self.pick('int', 'bool', 'str', 'len')}({self.pick(chr(34) + ' 1_2 ' + chr(34), chr(34) * 2, 's', 'x', 'tokens', e())})"
        if kind == 23:
            return f"{self.pick('min', 'max')}({e()}, {e()}, {e()})"
        if kind == 24:
            return f"({e()} {self.pick('is', 'is not')} {self.pick('None', 'True', 'False')})"
        if kind == 25:
            return f"({e()} {self.pick('in', 'not in')} {self.pick('x', 's', e())})"
        if self.rng.random() < 0.3:
            return f"{e()}[{self.pick('0', '-1', '1:', ':2', '::-1', 'n', 'x')}]"
        if self.rng.random() < 0.5:
            return f"({e()}, {e()})"
        if self.rng.random() < 0.6:
            return f"{self.pick('str', 'len', 'sum', 'tuple', 'max', 'any')}({e()})"
        return f"({e()} {self.pick('in', 'is')} {self.pick('None', 'True')})"

    def of_all(self, depth, loop):
        """Sorting, sets, dicts, and the largest by a key."""
        e = lambda: self.expression(depth - 1, loop)  # noqa: E731
        some = self.pick(
            "tokens", "tokens[1:]", f"({self.expression(depth - 1, ('t',))} for t in tokens)", '("b", "a")'
        )
        options = self.pick("", "", ", reverse=True", ", key=tokens.count", ", key=len")
        place = self.pick("0", "1", "-1" if self.sized else "0")
        return self.pick(
            f"sorted({some}{options})[{place}]",
            f"({e()} in set({some}))",
            f"({e()} not in {{{e()}, 1}})",
            f"len(set({some}))",
            f"sorted(set({some}))[{place}]",
            f"any(tokens[i : i + 2] == {e()} for i in range({self.pick(chr(50), chr(110))}))",
            f"{self.pick('min', 'max')}({some}{self.pick('', ', key=tokens.count', ', key=str', ', default=1')})",
            f'{{"a": {e()}, 1: 2}}.get({e()})',
            f'{{"a": 1, "b": {e()}, "(": "a"}}[{e()}]',
            f"(tuple(sorted({self.pick('tokens', 'tokens[1:]')})) == tokens)",
            f"({e()}).{self.pick('isdigit()', 'upper()', 'islower()', 'isalpha()', 'find(' + e() + ')')}",
            f"any(tokens.count(t) > {self.pick('1', e())} for t in {self.pick('tokens', 'sorted(tokens)')})",
            f"sum(tokens[i] == tokens[i + {self.pick('1', '2')}] for i in range({self.pick('2', '1', 'n')}))",
            *(
                (
                    "(tokens == tokens[::-1])",
                    f"all({e()} for a, b in zip(tokens, reversed(tokens)))",
                    "sum(tokens[i] == tokens[-1 - i] for i in range(len(tokens)))",
                    f"(tokens[{self.pick('-2:', ':-1', '1:')}] == tokens[{self.pick(':2', '-2:', ':-1')}])",
                )
                if self.sized
                else ()
            ),
        )

    def neighbour(self):
        return f"x = tokens[t{self.pick('', ' + 1', ' - 1')}]"

    def target(self, walked):
        pair = walked.startswith(("enumerate", "zip"))
        if self.rng.random() < self.mismatch:
            pair = not pair
        return (["i", "t"], "i, t") if pair else (["t"], "t")

    def block(self, depth, indent, loop=(), in_loop=False):
        return "".join(self.statement(depth, indent, loop, in_loop) for _ in range(self.rng.randint(1, 3)))

    def statement(self, depth, indent, loop, in_loop):
        pad, kind = "    " * indent, self.rng.randrange(14)
        if kind < 3 or (depth <= 0 and kind > 8):
            return f"{pad}{self.pick(*self.names)} = {self.expression(2, loop)}\n"
        if kind < 6:
            return f"{pad}{self.pick(*self.names)} {self.pick(*self.updates)} {self.expression(1, loop)}\n"
        if kind == 6:
            targets = self.pick(*self.targets)
            first, second = self.expression(1, loop), self.pick(self.expression(1, loop), *self.seconds)
            return f"{pad}{targets} = {second if targets in ('n = x', 'n: int') else f'{first}, {second}'}\n"
        if kind == 7 and in_loop:
            leave = self.pick("break", "continue", "return n", *(f"return {name}" for name in loop))
            return f"{pad}if {self.expression(1, loop)}:\n{pad}    {leave}\n"
        if kind == 8 and self.rng.random() < 0.5:
            return f"{pad}return {self.expression(2, loop)}\n"
        if kind < 11:
            text = f"{pad}if {self.expression(2, loop)}:\n{self.block(depth - 1, indent + 1, loop, in_loop)}"
            if self.rng.random() < 0.3:
                text += f"{pad}elif {self.expression(1, loop)}:\n{self.block(depth - 1, indent + 1, loop, in_loop)}"
            if self.rng.random() < 0.5:
                text += f"{pad}else:\n{self.block(depth - 1, indent + 1, loop, in_loop)}"
            return text
        if kind == 11 and not self.passes:
            return (
                f"{pad}while n {self.pick('<', '!=')} 3:\n{self.block(depth - 1, indent + 1, loop, True)}{pad}    n += 1\n"
                + (
                    f"{pad}else:\n{self.block(0, indent + 1, loop, in_loop)}"
                    if self.rng.random() < 0.3
                    else ""
                )
            )
        walked = "range(2)" if in_loop and self.passes and self.rng.random() < 0.8 else self.walked(loop)
        names, target = self.target(walked)
        body = self.block(depth - 1, indent + 1, (*loop, *names), True)
        if walked.startswith("range(len"):
            body = f"{pad}    {self.neighbour()}\n" + body
        text = f"{pad}for {target} in {walked}:\n{body}"
        if self.rng.random() < 0.2:
            text += f"{pad}else:\n{self.block(0, indent + 1, (), in_loop)}"
        return text

    def program(self):
        start = "    if K == 3:\n        n = x = s = 0\n"  # makes all three local, and binds none
        start += "".join(
            f"    {name} = {self.constant()}\n"
            for name in self.names
            if not self.mismatch or self.rng.random() < 0.9
        )
        body = "".join(self.statement(2, 1, (), False) for _ in range(self.rng.randint(1, 4)))
        return (
            "K = 2\n\n\ndef helper(v):\n    for t in (1, True):\n        if v == t:\n            return t\n    return v\n\n\n"
            "def pair(v, w):\n    if v == 0:\n        return w\n    n = K\n    for t in w:\n        if t == v:\n            break\n"
            "        n += 1\n    else:\n        return v\n    return n\n\n\n"
            f"def f(tokens):\n{start}{body}    return {self.expression(2)}\n"
        )


class Calm(Writer):
    """Programs that hardly ever raise: whole numbers, and tokens that are only compared."""

    mismatch = 0
    updates = ("+=", "-=", "|=", "^=")
    targets = ("x, s", "n = x", "n: int")
    seconds = ()

    def constant(self):
        return self.pick("0", "1", "2", "-1", "True", "False")

    def atom(self, loop):
        return self.pick(
            self.constant(), *self.names, *(f'({v} == "{self.pick("a", "b", "(")}")' for v in loop * 2), "K"
        )

    def of_all(self, depth, loop):
        e = lambda: self.expression(depth - 1, loop)  # noqa: E731
        some = self.pick("tokens", "tokens[1:]")
        return self.pick(
            f'("a" in set({some}))',
            f"len(set({some}))",
            f"(len(sorted(set({some}))) > 1)",
            f"any(tokens[i : i + 2] == {e()} for i in range({self.pick(chr(50), chr(110))}))",
            f"(len(set({e()} for t in {some})) > 1)",
            f'(max(("a", "b"), key={some}.count) == "a")',
            f'(max({some}, key=tokens.count, default="a") == "a")',
            f"(max((tokens.count(t) for t in {some}), default={e()}) > {e()})",
            f"any(tokens.count(t) > {self.pick('1', '2', e())} for t in tokens)",
            f"(tuple(sorted({some}{self.pick('', ', reverse=True')})) == {some})",
            f'("a" in {some} and sorted({some}{self.pick("", ", reverse=True", ", key=tokens.count")})[0] == "a")',
            f'({{"a": {e()}, "b": {e()}}}.get({self.pick(*loop, chr(34) + "a" + chr(34))}, 3) == {e()})',
            *(
                (
                    "(tokens == tokens[::-1])",
                    "all(a == b for a, b in zip(tokens, reversed(tokens)))",
                    "sum(tokens[i] == tokens[-1 - i] for i in range(len(tokens) // 2))",
                    "sum(tokens[i] == tokens[i + 1] for i in range(len(tokens) - 1))",
                    f"(tokens[{self.pick('-2:', ':-1', '1:')}] == tokens[{self.pick(':2', '-2:', ':-1')}])",
                )
                if self.sized
                else ()
            ),
        )

    def neighbour(self):
        return self.pick(
            'x = t + 1 < len(tokens) and tokens[t + 1] == "a"', "x = t > 0 and tokens[t - 1] == tokens[t]"
        )

    def expression(self, depth, loop=()):
        if depth <= 0:
            return self.atom(loop)
        e = lambda: self.expression(depth - 1, loop)  # noqa: E731
        if self.rng.random() < 0.12:
            return self.of_all(depth, loop)
        match self.rng.randrange(12):
            case 0 | 1:
                return f"({e()} {self.pick('+', '-', '&', '|', '^')} {e()})"
            case 2:
                return f"({e()} {self.pick('% 3', '// 2', '* 2', '% -2')})"
            case 3 | 4:
                return f"({e()} {self.pick('==', '!=', '<', '<=', '>', '>=')} {e()}{self.pick('', '', ' < ' + self.atom(loop))})"
            case 5:
                return f"({e()} {self.pick('and', 'or')} {e()})"
            case 6:
                return self.pick(f"(not {e()})", f"({e()} if {e()} else {e()})")
            case 7:
                walked = self.pick(
                    "tokens",
                    "tokens[1:]",
                    "tokens[::2]",
                    "tokens[:2]",
                    *(("reversed(tokens)",) if self.sized else ()),
                )
                test = f" if {self.expression(depth - 1, ('t',))}" if self.rng.random() < 0.4 else ""
                return f"{self.pick('sum', 'any', 'all')}({self.expression(depth - 1, ('t',))} for t in {walked}{test})"
            case 8:
                walked = self.pick(
                    "enumerate(tokens)",
                    "zip(tokens, tokens[1:])",
                    "enumerate(tokens[1:], 1)",
                    "zip(range(3), tokens)",
                )
                return f"sum({self.expression(depth - 1, ('i', 't'))} for i, t in {walked} for u in {self.pick('t', '(t, i)')})"
            case 9:
                return f"{self.pick('tokens', 'tokens[1:]')}.count({self.pick('t' if 't' in loop else e(), chr(34) + 'a' + chr(34))})"
            case 10:
                side = self.pick("tokens", "tokens[1:]", '("a", 1)')
                return f"({self.pick(*loop, chr(34) + 'b' + chr(34))} {self.pick('in', 'not in')} {side})"
            case _:
                return self.pick(
                    f"max({e()}, {e()})",
                    f"abs({e()})",
                    f"(pair({e()}, tokens) == {e()})",
                    '("a" in tokens and tokens[0] == "a")',
                )


def in_cpython(source):
    space = {}
    exec(compile(source, "<test>", "exec"), space)

    def run(tokens):
        try:
            return "value", freeze(space["f"](tokens))
        except AttributeError as e:  # a float, or another value outside the subset, came out
            return (
                ("outside", None) if "key" in str(e) and "object" in str(e) else ("raise", "AttributeError")
            )
        except Exception as e:
            return "raise", type(e).__name__

    return run


def in_ours(program, tokens, steps=STEP_LIMIT):
    try:
        return "value", freeze(program.function.call((tokens,), Execution(steps)).value)
    except ProgramFault as fault:
        return "raise", fault.exception


def brute_force(domain, program, labels):
    """Label per padded word, or the set of acceptable error places."""
    found = {}
    for n in range(domain.min_length, domain.max_length + 1):
        for tokens in itertools.product(domain.tokens, repeat=n):
            if domain.where is not None:
                kind, value = in_ours(domain.where, tokens)
                if kind != "value" or value not in (("bool", True), ("bool", False)):
                    return "where", tokens
                if value == ("bool", False):
                    continue
            outcome = in_ours(program, tokens)
            keys = [("value", freeze(y)) for y in labels]
            if outcome not in keys:
                return "program", tokens
            found[domain.padded(tokens)] = keys.index(outcome)
    return found, None


def language(automaton):
    return {
        tuple(int(s) for s in w): int(y)
        for words, labels in automaton.words()
        for w, y in zip(words, labels, strict=True)
    }


def every_value(program, domain):
    """All values that the program gives on the domain's sequences, as labels; faults are turned into a value
    by `wrapped`.
    """
    values = {}
    for n in range(domain.min_length, domain.max_length + 1):
        for tokens in itertools.product(domain.tokens, repeat=n):
            kind, value = in_ours(program, tokens)
            if kind == "value" and isinstance(program(tokens), str | int):  # what a label can be
                values[value] = program(tokens)
    return tuple(values.values())
