"""The interpreter beside CPython, construct by construct: the same value with the same types, or the same
exception.
"""

import pytest
from relucid.models.program.program import Program, ProgramError, ProgramFault
from relucid.models.program.values import freeze

pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning")
INPUTS = [(), ("a",), ("a", "b"), ("b", "a", "b", "(")]

EXPRESSIONS = """
-7 // 2, 7 // -2, -7 % 3, 7 % -3, -7 % -3, 0 % 5, True % 2, True // True
1 // 0
5 % 0
False ** 0, True ** 3, (-2) ** 3, 0 ** 0, 2 ** True, -2 ** 2
0 ** -1
True + True, True * 3, True - 2, -True, +True, not 0, not "", not ()
True & 3, True & False, True | False, True ^ True, 6 & 3, 6 | 3, 6 ^ 3, -1 & 5
1 & "a"
"a" | 1
True == 1, 1 == "1", None == 0, () == (), (1,) == (True,), "" == (), 0 == False
1 < 2 < 3, 3 > 2 > 2, 1 < 3 > 2, 1 == 1 == True, 1 < 2 != 3
1 < 2 < "a"
2 < 1 < "a", 1 == 2 == (1 // 0)
1 < 2 < (1 // 0)
"" or 0, 0 or "", "x" or 1 // 0, 0 and 1 // 0, 1 and "y", () and 3, None or (), 1 and 2 and 3, 0 or False or None
1 if tokens else 2, (1 // 0) if () else "ok"
not 1 == 2, not (1 and 0) or 3
None is None, True is True, 1 is True, (1 == 1) is True, 0 is False, None is not None, tokens is None
None < 1
"a" < "b" < "c", "" < "a", "Z" < "a", "ab" < "b", "\\u00e9" > "z"
"a" < 1
(1, 2) < (1, 3), (1,) < (1, 0), () < (1,), (1, "a") == (1, "a"), ("a", 1) < ("b", "x"), (2, "a") > (1, 5)
(1, "a") < (1, 2)
(1, None) < (1, None), (1, None) <= (1, None)
(None, 1) < (None, 2)
(None, 1) < (0, 1)
"a" in "abc", "bc" in "abc", "ac" in "abc", "" in "", "" in "abc", "abc" in "b"
1 in "abc"
None in "abc"
1 in (True, 2), "a" in ("ab", "b"), None in (None,), () in ((),), True in (1,), (1,) in ((True,),), 3 not in (1, 2)
1 in 2
"a" in None
"banana".count("a"), "banana".count("ana"), "aaa".count("aa"), "abc".count(""), "".count(""), "".count("a")
(1, True, "1", 1).count(1), ("a", "aa").count("a"), ().count(1), ((1,), (True,)).count((1,)), (None, None).count(None)
"abc".count(1)
"banana".index("na"), "banana".index(""), (1, "1", True).index("1"), (0, False).index(False), ("b", 1, True).index(True)
"abc".index("z")
(1, 2).index("z")
"abc".index(1)
(3).count(1)
None.count(1)
True.index(1)
"abcdef"[1:4], "abcdef"[-3:], "abcdef"[:-2], "abcdef"[::-1], "abcdef"[4:1:-1], "abcdef"[10:], "abcdef"[-10:2], "abc"[1:1], "abc"[5:2]
(1, 2, 3, 4)[-3:-1], (1, 2, 3, 4)[::2], (1, 2, 3, 4)[3:0:-2], (1, 2, 3)[:100], (1, 2, 3)[-100:1], ()[1:], (1, 2, 3)[None:None:None]
(1, 2, 3)[True], (1, 2, 3)[-1], "abc"[-3], "abc"[False:True], (1, 2)[10 ** 30:], (1, 2)[-10 ** 30:]
"abc"[::0]
"abc"[3]
(1,)[-2]
()[0]
(1, 2)["a"]
(1, 2)["a":]
(1, 2)[None]
(1, 2)[10 ** 30]
5[0]
None[0]
5[1:]
tokens[0:1], tokens[-2:], tokens[::-1], tokens[1:][:1], tokens[:100:3], tokens[5:2:-1]
min(3, 1), max(1, True), max(True, 1), min(1, True), min(False, 0), max("a", "b", ""), min((2, 1), (1, 9)), min((1,), (1, 0))
min((3, 1, 2)), max("hello"), min(range(3)), max(t for t in "abc"), min((1, True)), max((True, 1)), min(((1, "b"), (1, "a")))
min(())
max("")
min(t for t in ())
min(1, "a")
max((1, "a"))
max((1, None))
max(5)
min(None)
min()
max(1, None, "a")
sum(()), sum((1, 2)), sum((True, True)), sum((1,), 5), sum(range(4)), sum(((1,), (2,)), ()), sum((False,)), sum((), True), sum((), None)
sum("")
sum("ab")
sum("ab", "")
sum((1, "a"))
sum(("a",), "b")
sum(5)
sum((1, 2), None)
sum((), ())
any(()), all(()), any((0, "")), any((0, "x")), all((1, "")), all("ab"), any(x > 1 for x in (1, 2)), all(x for x in range(0))
any(5)
all(None)
any(1 // x for x in (1, 0)), all(1 // x for x in (2, 0))
any(1 // x for x in (0, 1))
abs(-3), abs(True), abs(-0), abs(-10 ** 20)
abs("a")
abs(None)
abs(())
abs()
abs(1, 2)
len(""), len("ab"), len(()), len((1, (2, 3))), len(tokens)
len(5)
len(None)
len(True)
bool(0), bool(-1), bool(""), bool("0"), bool(()), bool((0,)), bool(None), bool(), bool(False)
bool(1, 2)
int(), int(True), int("12"), int(" 12 "), int("-3"), int("+4"), int("1_000"), int("007"), int("\\u0663"), int("\\n5\\t"), int("ff", 16), int("0b1", 0)
int("")
int(" ")
int("1.5")
int("1__0")
int("_1")
int("- 1")
int("a")
int(None)
int((1,))
int(5, 2)
int("z", 99)
int("2", 2)
int("\\u00b2")
str(), str(1), str(True), str(None), str("a"), str(()), str((1,)), str(("a", True, None)), str(-0), str("'"), str(("'", '"')), str(("\\n", "\\\\"))
str(10 ** 1000), str(-2 ** 4000)
str(1, 2)
str("a", "b")
tuple(), tuple("ab"), tuple(()), tuple(range(3)), tuple(enumerate("ab")), tuple((1, 2)), tuple(reversed("ab"))
tuple(5)
tuple(None)
tuple(1, 2)
"a" + "b", "" + "", (1,) + (2,), () + (), "ab" * 2, 2 * "ab", (1, 2) * 2, 0 * "a", -1 * (1,), "a" * True, () * 5
"a" + 1
1 + "a"
(1,) + "a"
"a" + None
"a" * "b"
(1,) * (1,)
"a" - "b"
"a" * None
-"a"
+()
-None
"a" ** 2
"a" // 2
None + None
() % 2
(1,) & (1,)
tuple(range(5, 0, -2)), tuple(range(0, 5, -1)), tuple(range(-3)), tuple(range(2, 2)), tuple(range(True, 4, True)), tuple(range(10, 0, -3))
tuple(range(1, 5, 0))
tuple(range("a"))
tuple(range(None, 3))
tuple(range(1, "a"))
tuple(enumerate("ab", 5)), tuple(enumerate((), 3)), tuple(enumerate("ab", -1)), tuple(enumerate("ab", True)), tuple(enumerate("a", 10 ** 30))
tuple(enumerate("ab", "c"))
tuple(enumerate("ab", None))
tuple(enumerate(5))
tuple(zip("ab", (1, 2, 3))), tuple(zip("", (1,))), tuple(zip("abc")), tuple(zip(range(9), tokens, "xyz")), tuple(zip((), tokens))
tuple(zip("ab", 5))
tuple(zip(None, "ab"))
tuple(reversed((1, 2))), tuple(reversed("")), tuple(reversed(range(3))), tuple(reversed(range(5, 0, -2)))
tuple(reversed(5))
tuple(reversed(None))
tuple(enumerate(zip("ab", reversed("cd")))), tuple(zip(enumerate("ab"), range(5, 1, -1)))
tuple((x, y) for x in "ab" for y in range(2) if y or x == "a")
sum(x * y for x, y in zip((1, 2), (3, 4)))
sum(sum(y for y in range(x)) for x in range(4))
tuple(t for t in tokens for t in t + "z")
any(u == "b" for i, t in enumerate(tokens) if i == 0 or u == "b" for u in t)
sum(1 for t in tokens for u in u)
sum(x for x, in (1, 2))
sum(a for a, b in ((1, 2), (3,)))
tuple(a + b for a, b in ("ab", "cd"))
tuple((a, b, c) for a, (b, c) in ((1, "xy"), (2, (3, 4))))
tokens == tuple(tokens), tokens == (), tokens != ("a",), tokens + () == tokens, tokens < ("b",), tokens * 2, 2 * tokens
tokens.count("a"), "a" in tokens, tokens in (("a",), ()), tokens == ("a", "b"), ("a", "b") == tokens, tokens[:1] == ("a",)
tokens.index("b")
tokens + "a"
tokens - ("a",)
tokens[0] + tokens[-1]
max(tokens), min(tokens)
str(tokens), bool(tokens), tuple(tokens), len(tokens[1:])
sorted(tokens), sorted(()), sorted("hello"), sorted((3, True, 2, 1, False)), sorted(range(3, 0, -1)), sorted(-x for x in (1, 2))
sorted(tokens) == tokens, tokens == sorted(tokens), tuple(sorted(tokens)) == tokens, sorted("ab") == sorted("ba"), sorted("ab") != ("a", "b")
sorted("ba")[0], sorted("cab")[-1], sorted("cab")[1:], sorted("cab")[::-1], sorted("cab")[1:][0], len(sorted("cab")), "a" in sorted("cab")
sorted("cab").count("a"), sorted("cab").index("b"), str(sorted("ba")), str((sorted("ba"), 1)), bool(sorted(())), sorted("ab") < sorted("b")
tuple(sorted("cab")), sum(sorted((3, 1)), 2), max(sorted("ab")), tuple(zip(sorted("ba"), "xy")), tuple(enumerate(sorted("ba"))), tuple(reversed(sorted("abc")))
sorted((3, -4, 1), key=abs), sorted(("13", "-9", "2"), key=int), sorted("abab", key="ba".index), sorted(("bb", "a", "cc"), key=len, reverse=True)
sorted((1, True, 0, False), reverse=True), sorted((10, 9, 1), key=str), sorted("abcab", key=tokens.count), sorted(sorted("ba"), reverse=False)
sorted((1, "a"))
sorted(5)
sorted(None, key=int)
sorted((1 // 0 for x in "ab"), key=3 .count)
sorted("ab", key=int)
sorted("ab", key=(1,).index)
sorted("ab", key=(3).count)
sorted("ab")["a"]
sorted("ab")[2]
sum(5, 1 // 0)
sum((t for t in 5), 1 // 0)
("a",) + sorted("ab")
sorted("ab") - sorted("a")
sorted("ab") < ("a", "b")
sorted("ab").find("a")
len(set("hello")), len(set(())), len(set()), len(set((1, True, 1 // 1, "1"))), len(set(t + "x" for t in tokens)), len(set(range(3))), len({1, 2, 1})
"a" in set(tokens), "z" not in set("abc"), True in set((1,)), 1 in {True}, (1,) in {(1,), "x"}, tokens in {("a",), ()}, "a" in {"a", "b"}, 1 not in {2}
sorted(set("hello")), sorted(set((1, True, 0, 2))), sorted({3, 1, 2}, reverse=True), sorted(set()), sorted(set(len(t) for t in tokens))
sorted(set((1, "a")))
sorted(set(5))
len(set((sorted("a"),)))
sorted("a") in set("a")
sorted("a") in {"a"}
1 in set(5)
(1 // 0) in set(5)
1 in {1 // 0, 2}
len(set(1 // x for x in (1, 0)))
max("hello", key="hello".count), min("hello", key="hello".count), max(tokens, key=tokens.count, default=0), max((), default=3), min((), key=len, default=None)
max(("13", "-9", "2"), key=int), min((3, -1, 2, 1), key=abs), max(("a", "bb", "cc"), key=len), max((1, 2, 10), key=str), min("ba", "a", key=len)
max(1, -3, key=abs), max((1, True)), max((True, 1), key=int), max((x for x in (3, 4)), key=(4, 3).index), min((2, 1), default=1 // 1)
max((1, 2), key="ab".index)
max((), key=len)
max((), default=1 // 0)
max((1, 2), default=1 // 0)
max(5, key=3 .count)
max((1, 2), key=(3).count)
max(1 // 0, 2, key=(3).count)
max("a", key=int)
sum((1, 2), start=3), sum("", start=()), sum(((1,),), start=(2,))
sum("ab", start="")
{"a": 1, "b": 2}["a"], {}.get("a"), {"a": 1}.get("b", 2), {1: "x"}[True], {(1, 2): 3, None: 4, -1: 5}[None], {True: 1, 1: 2}[1], len({1: 2, 3: 4})
{"a": 1, "b": 2}.get("a", 3), "a" in {"a": 1}, tuple({"b": 1, "a": 2}), sorted({"b": 1, "a": 2}), max({"b": 1, "a": 2}, key={"b": 1, "a": 2}.get), {"a": tokens}["a"]
{1: 2} == {1: 2}, {1: 2} == {1: True}, {1: 2, 3: 4} == {3: 4, 1: 2}, str({"a": (1,)}), bool({}), sum({1: 2, 3: 4})
{"a": 1}["b"]
{}[sorted("a")]
{"a": 1}.get(sorted("a"))
{"a": 1 // 0}
{"a": 1}[0:1]
{"a": 1} < {"a": 2}
{"a": 1}.count("a")
("a",).get("a")
{"a": 1} + {"b": 1}
divmod(7, 2), divmod(-7, 2), divmod(7, -2), divmod(True, 2), divmod(0, 5)
divmod(1, 0)
divmod("a", 2)
divmod(1)
ord("a"), ord("\u00e9"), chr(97), chr(0x10ffff), ord("b") - ord("a"), chr(True), ord("\U0001f600")
ord("ab")
ord("")
ord(1)
ord(tokens)
chr(-1)
chr(1114112)
chr("a")
"12".isdigit(), "".isdigit(), "\u00b2".isdigit(), "\u0663".isdigit(), "a1".isalnum(), "ab".isalpha(), "\u00e9".isalpha(), "1".isalpha(), "-9".isdigit()
"A".isupper(), "a".isupper(), "1".isupper(), "A1".isupper(), "a".islower(), "".islower(), "\u01c5".isupper(), "\u01c5".islower(), "\u00aa".islower()
"aB\u00df".upper(), "\u0130".lower(), "\u03a3".lower(), "A\u03a3".lower(), "\ufb01".upper(), "".upper(), "\U00010400".lower(), "\u1e9e".lower()
"abc".startswith("ab"), "abc".startswith(""), "abc".startswith(("x", "a")), "abc".endswith("bc"), "abc".endswith(()), "abc".find("c"), "abc".find("z"), "".find("")
"abc".startswith(1)
"abc".startswith(("a", 1))
"abc".endswith(("x", 1))
"abc".find(1)
(1).isdigit()
tokens.isdigit()
tokens.lower()
(1).startswith(1 // 0)
None.upper()
int("-9"), int("13"), int("13"[0]), int("13"[1]), "-9"[0], "-9"[1:], "13"[-1], "13"[::-1], int("-13"[1]), abs(int("-9")), str(int("-9") + 13)
int("-")
"13"[2]
int("-13"[0])
""".strip().splitlines()

BODIES = [
    "for t in tokens:\n    if t == 'b':\n        break\nelse:\n    return 'else'\nreturn t",
    "for t in tokens:\n    if t == 'a':\n        continue\n    return t\nelse:\n    t = 'end'\nreturn t",
    "n = 0\nfor i in range(4):\n    for j in range(4):\n        if j == 2:\n            break\n        if i == 1:\n            continue\n"
    "        n += 10 * i + j\n    else:\n        n = -1\n    if i == 3:\n        break\nelse:\n    n = -2\nreturn n, i, j",
    "n = 0\nfor i in range(3):\n    for j in range(2):\n        pass\n    else:\n        if i == 1:\n            break\n        continue\n    n = 9\nreturn n, i",
    "n = 5\nwhile n:\n    n -= 1\n    if n == 2:\n        continue\n    if n == 1:\n        break\nelse:\n    return 'else'\nreturn n",
    "n = 3\nwhile n > 0:\n    n -= 1\nelse:\n    n = 'done'\nreturn n",
    "n = 3\nwhile n:\n    while True:\n        n -= 1\n        break\n    else:\n        n = 7\nreturn n",
    "x = (1,)\nx += (2,)\ny = x\nx *= 2\nreturn x, y",
    "x = (1,)\nx += 'a'\nreturn x",
    "x = 'a'\nx += 'b'\nx *= 2\nreturn x",
    "x = 7\nx //= 2\nx **= 2\nx %= 5\nx |= 8\nx &= 12\nx ^= 5\nx -= 1\nreturn x",
    "x = True\nx &= True\ny = True\ny += 1\nz = True\nz |= 2\nreturn x, y, z",
    "x += 1\nreturn x",
    "if tokens:\n    x = 1\nreturn x",
    "for x in tokens:\n    pass\nreturn x",
    "x = sum(y for t in (1,))\ny = 2\nreturn x",
    "if tokens:\n    y = 2\nreturn sum(y for t in (1,))",
    "return sum(y for t in ())\ny = 2",
    "return sum(1 for t in y)\ny = (1,)",
    "return any(sum(u for v in 'a') for u in (1,) if v)\nv = 1",
    "return any(any(w for v in 'a') for u in (1, 2) for w in 'b')",
    "return K\nK = 2",
    "K: int\nreturn K",
    "a = b = (1, 2)\n(c, d), e = a, b\nreturn a, b, c, d, e",
    "a, b = 'xy'\nb, a = a, b\nreturn a, b",
    "a, (b, c) = 1, (2, 3)\nreturn a + b + c",
    "a, b = 1, 2, 3",
    "a, b = (1,)",
    "a, b = 5",
    "a, b = None",
    "() = ''\nreturn 1",
    "() = 'a'\nreturn 1",
    "a, = tokens\nreturn a",
    "a, a = 1, 2\nreturn a",
    "for a, b in ((1, 2), (3,)):\n    pass\nreturn a",
    "for i, (a, b) in enumerate(('xy', 'zw'), 1):\n    pass\nreturn i, a, b",
    "for tokens in tokens:\n    pass\nreturn tokens",
    "for i in range(3):\n    i = 10\nreturn i",
    "n = 3\nfor i in range(n):\n    n = 1\nreturn i, n",
    "t = 'z'\nn = sum(1 for t in tokens)\nreturn t, n",
    "for t in 5:\n    pass",
    "for t in None:\n    pass",
    "return",
    "pass",
    "x = sorted(tokens)\ny = x\nx = x[1:]\nreturn x, y, x == y",
    "a, b = sorted('ba')\nreturn a, b",
    "a, b = {'x': 1, 'y': 2}\nreturn a, b",
    "a, b = sorted('abc')",
    "n = 0\nfor k in {'a': 1, 'b': 2}:\n    n = 10 * n + {'a': 1, 'b': 2}[k]\nreturn n, k",
    "for i, t in enumerate(sorted(tokens)):\n    if t == 'b':\n        return i\nreturn sorted(tokens)",
    "d = {'a': 'b', 'b': 'c'}\ns = 'a'\nfor t in tokens:\n    s = d.get(s, t)\nreturn s, d",
    "return D[tokens[0]], D.get(1)",
    "return sorted(tokens, key=S.index)",
    "x = 1\nx += sorted('a')",
    "x = (1,)\nx += sorted('a')",
    "'doc'\nif tokens:\n    return 1",
    "return helper(K, tokens)",
    "return helper(1 // 0, tokens[9])",
    "return (1 // 0) + tokens[9]",
    "return tokens[9] + (1 // 0)",
    "return tokens[9].count(1 // 0)",
    "return (3).count(1 // 0)",
    "return (1 // 0, tokens[9])",
    "return 5[1 // 0]",
    "x = 'a'\nx -= 1 // 0",
    "return max(tokens[9], 1 // 0)",
    "return sum(1 // 0, tokens[9])",
    "return sum(tokens[9], 1 // 0)",
    "return sum((1 // 0 for t in 'a'), tokens[9])",
    "return sum((t for t in 5), tokens[9])",
    "return tuple(zip(5, tokens[9]))",
    "return tuple(enumerate(5, tokens[9]))",
    "for i in range(len(tokens)):\n    if tokens[i] == tokens[-i]:\n        return i\nreturn tokens[i]",
    "x = 1\nif x is True or x == True:\n    return x is not True\nreturn 'no'",
    "if not tokens:\n    return 0\nelif tokens[0] == 'a':\n    return 1\nelif len(tokens) > 9:\n    return 2\nelse:\n    if tokens[-1] == 'b':\n        return 3\nreturn 4",
]
HEAD = "K = 3\nL = K + 1\nD = {'a': 'b', 'b': 1}\nS = sorted('(ba')\n\n\ndef helper(a, b):\n    if a == K:\n        return L, b\n    return a\n\n\ndef f(tokens):\n"


def beside(body):
    source = HEAD + "".join(f"    {line}\n" for line in body.splitlines())
    space = {}
    try:
        exec(compile(source, "<test>", "exec"), space)
        theirs = space["f"]
    except SyntaxError:
        theirs = None
    try:
        ours = Program(source, "f")
    except ProgramError:
        return None
    assert theirs is not None, "accepted what CPython does not"
    results = []
    for tokens in INPUTS:
        try:
            expected = ("value", freeze(theirs(tokens)))
        except Exception as e:
            expected = ("raise", type(e).__name__)
        try:
            got = ("value", freeze(ours(tokens)))
        except ProgramFault as fault:
            got = ("raise", fault.exception)
        assert got == expected, (body, tokens)
        results.append(got)
    return results


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions(expression):
    assert beside(f"return {expression}")


@pytest.mark.parametrize("body", BODIES)
def test_statements(body):
    assert beside(body)


@pytest.mark.parametrize(
    "source, line, message",
    [
        ("def f(tokens):\n    break\n", 2, "'break' outside a loop; leave it out"),
        (
            "def f(tokens):\n    for t in tokens:\n        pass\n    else:\n        continue\n",
            5,
            "'continue' outside a loop",
        ),
        ("def f(tokens):\n    if tokens:\n        break\n", 3, "'break' outside a loop"),
        (
            "def g(x, x):\n    return x\n\n\ndef f(tokens):\n    return g(1, 2)\n",
            1,
            "two parameters of 'g' have one name",
        ),
        (
            "__debug__ = 3\n\n\ndef f(tokens):\n    return 1\n",
            1,
            "the name '__debug__' is outside the subset",
        ),
        (
            "def f(tokens):\n    __debug__ = 3\n    return 1\n",
            1,
            "the name '__debug__' is outside the subset",
        ),
        (
            "def f(tokens):\n    (n): int\n    return 1\n",
            2,
            "an annotation of anything but a plain name is outside the subset",
        ),
        (
            "def f(tokens):\n"
            + "".join("    " * (d + 1) + "for t in 'a':\n" for d in range(21))
            + "    " * 22
            + "pass\n",
            22,
            "more than 20 loops are inside each other; split it into functions",
        ),
    ],
)
def test_what_cpython_refuses_after_parsing_is_refused(source, line, message):
    with pytest.raises(ProgramError) as error:
        Program(source, "f", "p.py")
    assert str(error.value).startswith(f"p.py:{line}: {message}")


def test_twenty_loops_inside_each_other_are_fine():
    body = (
        "".join("    " * d + "for t in 'a':\n" for d in range(20))
        + "    " * 20
        + "tokens = (t,)\nreturn tokens"
    )
    assert beside(body)
