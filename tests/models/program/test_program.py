"""The subset of Python: what it gives, what it refuses and in which words, and what its digest stands for."""

import pickle
import re
from pathlib import Path

import pytest
from clocks import calls
from relucid.common.errors import InputError
from relucid.models.claims.domain import Domain
from relucid.models.claims.language import build_language
from relucid.models.program.program import Program, ProgramError, ProgramFault


def value(body, tokens=("a", "b"), head="def f(tokens):\n"):
    return Program(head + "".join(f"    {line}\n" for line in body.splitlines()), "f")(tokens)


@pytest.mark.parametrize(
    "expression, expected",
    [
        ("True + True", 2),
        ("1 == True", True),
        ("7 // -2, -7 % 3, 2 ** 10", (-4, 2, 1024)),
        ("0 < 1 < 1", False),
        ("'' or 0 or 'x'", "x"),
        ("tokens[::-1]", ("b", "a")),
        ("sum(1 for t in tokens if t != 'a')", 1),
        ("sum((1, True), 5)", 7),
        ("any(t == 'b' for t in tokens), all(())", (True, True)),
        ("max(i for i, t in enumerate(tokens))", 1),
        ("tuple(x + y for x in tokens for y in 'xy')", ("ax", "ay", "bx", "by")),
        ("tokens.count('a') - tokens.index('b')", 0),
        ("'a' in tokens and 'c' not in tokens", True),
        ("min(3, 1, 2), abs(-3), len('abc')", (1, 3, 3)),
        ("int('12') + int(True), str(12) + str((1, 'a')), bool(())", (13, "12(1, 'a')", False)),
        ("None is None", True),
        ("tuple(range(3, 0, -1)) + tuple(reversed(tokens))", (3, 2, 1, "b", "a")),
        ("tuple(zip(tokens, range(10**30)))", (("a", 0), ("b", 1))),
    ],
)
def test_values(expression, expected):
    got = value(f"return {expression}")
    assert got == expected and repr(got) == repr(expected)


def test_statements():
    body = "a = b = 0\nfor i, (x, y) in enumerate(zip(tokens, 'pq'), 1):\n    a += i\n    if y == 'q':\n        break\nelse:\n    b = 9\n"
    assert value(
        body + "while a < 10:\n    a *= 2\n    continue\nelse:\n    b -= 1\nn: int = a\nreturn n, b, x"
    ) == (12, -1, "b")


def test_helpers_and_constants_of_the_same_file():
    source = "LIMIT = 2\nOPEN = ('(', '[')\n\n\ndef f(tokens):\n    return over(sum(opens(t) for t in tokens))\n\n\n"
    source += "def opens(t):\n    return t in OPEN\n\n\ndef over(n):\n    return n >= LIMIT\n"
    assert Program(source, "f")(("(", "x", "[")) is True
    assert Program(source, "f")(("(", "x", "x")) is False


@pytest.mark.parametrize(
    "body, exception, line",
    [
        ("return tokens[5]", "IndexError", 2),
        ("n = 0\nreturn 1 // n", "ZeroDivisionError", 3),
        ("for t in ():\n    n = 1\nreturn n", "UnboundLocalError", 4),
        ("return sum(n for t in tokens)\nn = 1", "NameError", 2),
        ("return 'a' < 1", "TypeError", 2),
        ("a, b, c = tokens", "ValueError", 2),
        ("return tokens.index('z')", "ValueError", 2),
        ("return (1).count(1)", "AttributeError", 2),
        ("return max(())", "ValueError", 2),
        ("return sum('ab', '')", "TypeError", 2),
        ("if True:\n    for t in 5:\n        pass", "TypeError", 3),
    ],
)
def test_faults_have_cpythons_name_and_a_line(body, exception, line):
    with pytest.raises(ProgramFault) as fault:
        value(body)
    assert (fault.value.exception, fault.value.line) == (exception, line)
    space = {}
    exec("def f(tokens):\n" + "".join(f"    {x}\n" for x in body.splitlines()), space)
    with pytest.raises(Exception) as theirs:
        space["f"](("a", "b"))
    assert type(theirs.value).__name__ == exception


@pytest.mark.parametrize(
    "body, message",
    [
        ("while True:\n    pass", "does not end within"),
        ("n = 3\nwhile n:\n    n = n ** 9\nreturn n", "integer of more than"),
        ("n = 3\nwhile n:\n    n *= n\nreturn n", "integer of more than"),
        ("s = 'ab'\nwhile s:\n    s += s", "string of more than"),
        ("return 'ab' * 10 ** 12", "sequence of more than"),
        ("return ('ab',) * 10 ** 12", "sequence of more than"),
        ("s = 'a',\nwhile True:\n    s = s, s", "tuple of more than"),
        ("s = 'a' * 9999\nreturn str((s, s, s, s))", "tuple of more than"),
        ("return sum(1 for x in range(10 ** 30))", "does not end within"),
        ("return any(x < 0 for x in range(10 ** 30))", "does not end within"),
        ("return 2 ** -1", "negative exponent"),
        ("return '%d' % 3", "formats a string"),
        ("return 9 ** 9 ** 9", "integer of more than"),
        ("return sorted('ab') + sorted('c')", "adds to a list, which is outside the subset"),
        ("x = sorted('ab')\nx += ('c',)", "adds to a list"),
        ("return 2 * sorted('ab')", "repeats a list"),
        ("x = {}\nx |= {1: 2}", "joins dicts"),
        ("return sorted(x for x in range(10 ** 30))", "does not end within"),
        ("return len(set(range(10 ** 30)))", "set of more than"),
        ("return sorted('a' * 9999 for x in 'ab')", "of more than"),
        ("x = {'a': 0}\nwhile True:\n    x = {'a': x, 'b': x}", "dict of more than"),
    ],
)
def test_limits_are_clear_and_quick(body, message):
    def run():
        with pytest.raises(ProgramFault, match=message) as fault:
            value(body)
        assert fault.value.exception == "" and fault.value.line >= 2

    assert calls(run) < 3_000_000


REFUSED = [
    ("import os", 2, "import is outside the subset; write the function without it"),
    ("from os import path", 2, "import is outside the subset"),
    (
        "return tokens.__class__",
        2,
        "attribute access is outside the subset; only calls such as .count(x) are known",
    ),
    ("return tokens.sort()", 2, "the method call .sort() is outside the subset"),
    ("return ().__class__.__base__", 2, "attribute access is outside the subset"),
    ("return (lambda: 1)", 2, "lambda is outside the subset; write a function of this file"),
    ("return (lambda: 1)()", 2, "calling the result of an expression is outside the subset"),
    ("x = [t for t in tokens]", 2, "list comprehension is outside the subset; use a for loop"),
    ("x = (t for t in tokens)", 2, "generator expression on its own is outside the subset"),
    ("return 'a' in ['a']", 2, "list is outside the subset; write a tuple: (a, b)"),
    ("return {t: 2 for t in tokens}", 2, "dict comprehension is outside the subset"),
    ("return {tokens: 2}", 2, "a dict with anything but constants for keys is outside the subset"),
    ("return {**{}}", 2, "a dict with anything but constants for keys is outside the subset"),
    ("d = {}\nd['a'] = 1", 3, "changing a value in place is outside the subset"),
    ("return {1}", 2, "set is outside the subset"),
    (
        "return set(tokens)",
        2,
        "a set as a value is outside the subset; use len(set(x)), sorted(set(x)) or `x in set(y)`",
    ),
    ("return tuple(set(tokens))", 2, "a set as a value is outside the subset"),
    ("return sorted(set(tokens), key=len)", 2, "a set as a value is outside the subset"),
    ("return 1 in set(tokens) == 1", 2, "a set in a chain of comparisons is outside the subset"),
    (f"return 1 in {{{', '.join(['len(tokens)'] * 31)}}}", 2, "a set of so many expressions"),
    ("pass\nreturn f'{tokens}'", 3, "f-string is outside the subset; add strings with +"),
    ("global x", 2, "global is outside the subset; use locals"),
    ("with x:\n    pass", 2, "with is outside the subset"),
    ("try:\n    pass\nexcept:\n    pass", 2, "try is outside the subset; test before, with if"),
    ("return (n := 3)", 2, "walrus := is outside the subset"),
    ("return (*tokens, 1)", 2, "starred expression is outside the subset"),
    ("a, *b = tokens", 2, "starred expression is outside the subset"),
    ("return max(*tokens)", 2, "starred expression is outside the subset"),
    ("return int(x='1')", 2, "the keyword argument x= is outside the subset; pass arguments by position"),
    (
        "return max(tokens, key=f)",
        2,
        "this key= is outside the subset; known are abs, int, len, str, x.count",
    ),
    ("return max(tokens, key=lambda t: t)", 2, "this key= is outside the subset"),
    ("return sorted(tokens, reverse=tokens)", 2, "reverse= with anything but True or False"),
    ("return any(tokens, default=1)", 2, "any() with default= is outside the subset"),
    ("return max(tokens, **{})", 2, "is outside the subset"),
    ("return 'a'.strip('b')", 2, "the method call .strip() is outside the subset; known are .count(x)"),
    ("return exec('1')", 2, "unknown function 'exec'; known are abs, all, any"),
    ("return open('x')", 2, "unknown function 'open'"),
    ("return __builtins__", 2, "unknown name '__builtins__'"),
    ("return len", 2, "the function 'len' is used as a value; call it"),
    ("x = f", 2, "the function 'f' is used as a value"),
    ("return f(tokens)", 2, "'f' calls itself; recursion is outside the subset: use a loop"),
    ("return nowhere", 2, "unknown name 'nowhere'; assign it first"),
    ("return 1 / 2", 2, "division / is outside the subset; use // (there are no floats)"),
    ("return 1.5", 2, "a float is outside the subset; values are bool, int, str, None and tuples of them"),
    ("return b'a'", 2, "a bytes is outside the subset"),
    ("return ...", 2, "a ellipsis is outside the subset"),
    ("x = 0\nx.y = 3", 3, "changing a value in place is outside the subset"),
    (
        "tokens[0] = 'a'",
        2,
        "changing a value in place is outside the subset; values never change: assign a new one to a name",
    ),
    ("tokens[0] += 'a'", 2, "changing a value in place is outside the subset"),
    ("len(tokens)", 2, "an expression on its own is outside the subset"),
    ("assert tokens", 2, "assert is outside the subset; use if"),
    ("raise ValueError", 2, "raise is outside the subset; return a label instead"),
    ("del tokens", 2, "del is outside the subset"),
    (
        "def g():\n    pass",
        2,
        "function inside a function is outside the subset; move it to the top of the file",
    ),
    ("class A:\n    pass", 2, "class is outside the subset"),
    ("yield 1", 2, "an expression on its own is outside the subset"),
    ("match tokens:\n    case _:\n        pass", 2, "match is outside the subset; use if and elif"),
    ("return 1 is 1", 2, "`is` with anything but None, True or False is outside the subset; use =="),
    ("x = range(3)", 2, "range() as a value is outside the subset; walk over it in a for loop"),
    ("return 1 << 99", 2, "operator << is outside the subset; multiply"),
    ("return ~1", 2, "operator ~ is outside the subset; use not"),
    ("max = 3\nreturn max", 1, "'f' binds 'max', which hides the function of that name; rename the variable"),
    ("__x = 3", 1, "the name '__x' is outside the subset"),
    ("return 0x" + "f" * 2000, 2, "the constant is too large"),
    (
        "return " + "(" * 70 + "1" + ",)" * 70,
        2,
        "the expression is nested too deeply; split it into statements",
    ),
    ("return " + "+".join("1" * 5000), None, "nested too deeply"),
    ("return " + "+".join("1" * 80), 2, "the expression is nested too deeply"),
    ("return " + "(" * 500 + "1" + ")" * 500, 2, ""),
    ("return " + "-" * 100_000 + "1", None, "nested too deeply"),
    ("return tokens[", 2, "not Python: '[' was never closed"),
    ("return '\0'", None, "the character U+0000 does not show as what it is"),
    ("return " + "9" * 5000, 2, "not Python: Exceeds the limit"),
    ("return '\ud800' + 1 @ 2", None, ""),
]


@pytest.mark.parametrize(
    "body, line, message", REFUSED, ids=[ascii(b[:25]).replace("\0", "0") for b, _, _ in REFUSED]
)
def test_refused_constructs_name_line_construct_and_mend(body, line, message):
    with pytest.raises(ProgramError) as error:
        Program("def f(tokens):\n" + "".join(f"    {x}\n" for x in body.split("\n")), "f", "prog.py")
    text = str(error.value)
    assert (
        text.startswith("prog.py" if line is None else f"prog.py:{line}: ")
        and message in text
        and "\n" not in text
    )


@pytest.mark.parametrize(
    "source, message",
    [
        ("import os\ndef f(tokens):\n    return 1\n", "p.py:1: import is outside the subset"),
        (
            "print(1)\ndef f(tokens):\n    return 1\n",
            "p.py:1: expr outside a function is outside the subset; a file holds functions",
        ),
        ("@cache\ndef f(tokens):\n    return 1\n", "a decorator is outside the subset; leave it out"),
        ("def f(tokens, n=1):\n    return 1\n", "p.py:1: a default argument is outside the subset"),
        ("def f(*tokens):\n    return 1\n", "p.py:1: only plain parameters are in the subset"),
        ("def f(tokens, n):\n    return 1\n", "p.py:1: 'f' takes 2 arguments; take one: the tokens"),
        ("def f():\n    return 1\n", "p.py:1: 'f' takes 0 arguments"),
        ("async def f(tokens):\n    return 1\n", "p.py:1: async function is outside the subset"),
        ("def f(tokens):\n    return 1\n\n\ndef f(tokens):\n    return 2\n", "p.py:5: 'f' is defined twice"),
        ("N = 1 // 0\ndef f(tokens):\n    return 1\n", "p.py:1: the constant 'N' raises ZeroDivisionError"),
        (
            "def f(tokens):\n    return g(tokens)\ndef g(x):\n    return h(x)\ndef h(x):\n    return g(x)\n",
            "p.py:6: 'g' calls itself",
        ),
        ("def f(tokens):\n    return g()\ndef g(x):\n    return 1\n", "p.py:2: 'g' takes 1 arguments, not 0"),
        ("def g(tokens):\n    return 1\n", "p.py: there is no function 'f'; functions there: g"),
        ("", "p.py: there is no function 'f'; functions there: none"),
        ("# " + "x" * 1_000_001, "p.py: the source is over 1000000 characters"),
    ],
)
def test_refused_files(source, message):
    with pytest.raises(ProgramError) as error:
        Program(source, "f", "p.py")
    assert message in str(error.value)


def test_an_unused_function_outside_the_subset_does_no_harm():
    assert Program("def f(tokens):\n    return 1\n\n\ndef g(tokens):\n    return [1]\n", "f")(()) == 1


def test_load(tmp_path: Path):
    (tmp_path / "p.py").write_text(
        "def f(tokens):\n    return len(tokens)\n\n\ndef g(tokens):\n    return 2\n"
    )
    assert Program.load("p.py:g", tmp_path)(()) == 2
    assert Program.load(f"{tmp_path}/p.py:f")(("a",)) == 1
    (tmp_path / "latin.py").write_bytes(b"# \xe9")
    (tmp_path / "big.py").write_text("#" * 1_000_001)
    for spec, message in [
        ("p.py", "a program is written as file.py:function"),
        ("p.py:", "a program is written as file.py:function"),
        (":f", "a program is written as file.py:function"),
        ("p.py:h", "p.py: there is no function 'h'; functions there: f, g"),
        ("q.py:h", "q.py: cannot read the program: No such file"),
        (".:h", "cannot read the program: Is a directory"),
        ("\0.py:h", "cannot read the program"),
        ("latin.py:f", "the file is not UTF-8 text"),
        ("big.py:f", "the file is over 1000000 bytes"),
    ]:
        with pytest.raises(InputError, match=re.escape(message)):
            Program.load(spec, tmp_path)


EDGE = 1


def opening(t):
    return t == "("


def counts(tokens):
    """Docstring."""
    return sum(opening(t) for t in tokens) > EDGE


def test_from_function_brings_helpers_and_constants():
    program = Program.from_function(counts)
    assert program(("(", "(")) is True and program(("(",)) is False
    assert program.text.startswith("def counts(tokens):") and program.text.endswith("EDGE")
    with pytest.raises(InputError, match="its source cannot be found"):
        Program.from_function(len)


def test_from_source_finds_the_only_function():
    assert Program.from_source("    def f(tokens):\n        return 3\n")(()) == 3
    with pytest.raises(ProgramError, match="there are 2 functions; name one of them: f, g"):
        Program.from_source("def f(t):\n    return 1\ndef g(t):\n    return 1\n")


def test_digest_is_of_the_meaning_not_of_the_layout():
    base = "N = 2\ndef h(x):\n    return x\ndef f(tokens):\n    return h(len(tokens)) > N\n"
    digest = Program(base, "f").digest
    same = 'M = 5\nN  =  2  # two\ndef h(x: int) -> int:\n    "doc"\n    return x\ndef g(tokens):\n    return 1\n'
    assert Program(same + "def f(tokens):\n    return (h(len(tokens)) > N)\n", "f").digest == digest
    assert Program(base.replace("N = 2", "L = 2\nM = L\nN = M"), "f").digest != (
        Program(base.replace("N = 2", "L = 3\nM = L\nN = M"), "f").digest
    )
    different = [
        ("N = 2", "N = 3"),
        ("N = 2", "N = '2'"),
        ("return x", "return x + 0"),
        ("> N", ">= N"),
        ("h(len", "h(N + len"),
    ]
    assert len({digest, *(Program(base.replace(a, b), "f").digest for a, b in different)}) == 6
    assert (
        Program("def f(t):\n    return 1\n", "f").digest
        != Program("def f(t):\n    return True\n", "f").digest
    )


def test_an_answer_over_a_limit_is_bad_input():
    """An automaton counts steps pass by pass, so a claim may be built from a program that one run cannot
    finish.
    """
    source = "def f(tokens):\n    for t in tokens:\n        for i in range(6000):\n            if t == 'z':\n                return 1\n    return 0\n"
    program = Program(source, "f", "p.py")
    domain = Domain(("a", "b"), 40, 40)
    assert build_language(domain, program, (0, 1)).size == 2**40
    assert program.answer(("a",)) == 0
    with pytest.raises(
        InputError,
        match=r"p.py:3: does not end within 200000 steps on input \('a', 'a', .*; write a shorter program",
    ):
        program.answer(("a",) * 40)


def test_programs_travel_between_processes():
    program = Program("def f(tokens):\n    return len(tokens)\n", "f", "x.py")
    assert program(("a",)) == 1
    again = pickle.loads(pickle.dumps(program))
    assert again == program and again(("a", "b")) == 2


def test_every_example_of_the_documentation():
    text = (Path(__file__).parents[3] / "docs" / "reference" / "program-subset.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(blocks) >= 3
    for block in blocks:
        checks = re.findall(r"^# (\w+)\((.*)\) -> (.*)$", block, re.M)
        assert checks
        for name, argument, expected in checks:
            sequence = tuple(argument.split())
            refused = re.fullmatch(r"refused: (.*)", expected)
            if refused:
                with pytest.raises(ProgramError, match=re.escape(refused[1])):
                    Program(block, name)
            else:
                assert repr(Program(block, name)(sequence)) == expected


def test_a_variable_may_share_its_name_with_a_function_of_the_file() -> None:
    """As in Python; only calling it there is refused."""
    source = (
        "def odd(tokens):\n    odd = False\n    for t in tokens:\n        odd = not odd\n    return odd\n"
    )
    assert Program.from_source(source)(("a",)) is True
    both = "def f(tokens):\n    return g(tokens) + 1\n\ndef g(tokens):\n    f = len(tokens)\n    return f\n"
    assert Program(both, "f")(("a", "a")) == 3
    shadowed = "def f(tokens):\n    g = 1\n    return g(tokens)\n\ndef g(tokens):\n    return 1\n"
    with pytest.raises(ProgramError, match="'g' is a variable here, not a function"):
        Program(shadowed, "f")(("a",))
