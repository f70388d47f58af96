"""Domain + program -> automaton: known sizes, lengths and padding, faults, several passes, and what cannot be
a chain of passes.
"""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from clocks import calls
from relucid.common.errors import InputError
from relucid.models.claims import language
from relucid.models.claims.domain import Domain
from relucid.models.claims.language import build_language
from relucid.models.program.program import Program, ProgramFault

GOLDEN = Path(__file__).parents[4] / "shared" / "golden"


def program(body, name="f"):
    return Program(
        f"def {name}(tokens):\n" + "".join(f"    {line}\n" for line in body.splitlines()), name, f"{name}.py"
    )


def words(automaton):
    return {
        tuple(map(int, w)): int(y)
        for batch, labels in automaton.words()
        for w, y in zip(batch, labels, strict=True)
    }


def check(domain, f, labels):
    """The automaton, compared with running the program on every sequence."""
    automaton = build_language(domain, f, labels)
    expected = {}
    for n in range(domain.min_length, domain.max_length + 1):
        for tokens in itertools.product(domain.tokens, repeat=n):
            if domain.where is None or domain.where(tokens):
                expected[domain.padded(tokens)] = (
                    0 if f is None else [repr(y) for y in labels].index(repr(f(tokens)))
                )
    assert words(automaton) == expected
    return automaton


def no_fallback(monkeypatch):
    def fail(self):
        raise AssertionError("not read as passes")

    monkeypatch.setattr(language._LanguageBuilder, "one_by_one", fail)


COUNT_A = "n = 0\nfor t in tokens:\n    if t == 'a':\n        n += 1\n"
TOGGLE = "q = ''\nfor t in tokens:\n    if t in ('a', 'b'):\n        q = '' if q == t else t if q == '' else q\nreturn q"
DEPTH = "    if t == '(':\n        d += 1\n    elif t == ')':\n        d -= 1\n"
VALID = "d = 0\nfor t in tokens:\n" + DEPTH + "    if d < 0:\n        return False\nreturn d == 0"

PASSES = {
    "toggle": (TOGGLE, ("", "a", "b")),
    "count": (COUNT_A + "return n % 3", (0, 1, 2)),
    "early return": ("for t in tokens:\n    if t != 'c':\n        return t\nreturn 'c'", ("a", "b", "c")),
    "break and else": (
        "x = 0\nfor t in tokens:\n    if t == 'b':\n        break\n    x += 1\nelse:\n    x = -1\nreturn x < 2",
        (False, True),
    ),
    "two counts side by side": ("return tokens.count('a') > tokens.count('b')", (False, True)),
    "the second pass depends on the first": (
        "k = tokens.count('a')\nm = 0\nfor i, t in enumerate(tokens):\n    if t == 'b' and i < k:\n        m += 1\nreturn m > 1",
        (False, True),
    ),
    "an aggregate in the body": (
        "n = 0\nfor t in tokens:\n    n += t == tokens[-1]\nreturn n > 2",
        (False, True),
    ),
    "nested loops": (
        "for t in tokens:\n    for u in tokens[1:]:\n        if t < u:\n            return True\nreturn False",
        (False, True),
    ),
    "backwards": (
        "r = 'c'\nfor t in reversed(tokens):\n    if t != 'c':\n        r = t\n        break\nreturn r",
        ("a", "b", "c"),
    ),
    "backwards, then forwards": (
        "r = 'c'\nfor t in reversed(tokens):\n    if t != 'c':\n        r = t\n        break\nreturn sum(t == r for t in tokens) > 1",
        (False, True),
    ),
    "neighbours by zip": ("return any(x == y for x, y in zip(tokens, tokens[1:]))", (False, True)),
    "neighbours by index": (
        "for i in range(len(tokens) - 1):\n    if tokens[i] == tokens[i + 1]:\n        return True\nreturn False",
        (False, True),
    ),
    "looking back": (
        "n = 0\nfor i, t in enumerate(tokens):\n    if i > 0 and tokens[i - 1] == t:\n        n += 1\nreturn n > 1",
        (False, True),
    ),
    "slices and length": (
        "return len(tokens) > 2 and tokens[:2] == ('a', 'b') and 'c' in tokens[2:]",
        (False, True),
    ),
    "unpacking": ("if len(tokens) != 2:\n    return 'c'\nx, y = tokens\nreturn max(x, y)", ("a", "b", "c")),
    "min, max and index": (
        "return tokens.index(max(tokens)) > 0 if tokens and min(tokens) == 'a' else False",
        (False, True),
    ),
    "the variable of the loop after it": ("t = 'a'\nfor t in tokens:\n    pass\nreturn t", ("a", "b", "c")),
    "no tokens looked at": ("return len(tokens) % 2 == 1", (False, True)),
    "first token guessed in the body": ("return all(t != tokens[0] for t in tokens[1:])", (False, True)),
    "first token seen in the body": (
        "n = 0\nfor t in tokens:\n    n += t != tokens[0]\nreturn n > 1",
        (False, True),
    ),
    "tokens inside the items": (
        "n = 0\nfor t, u, v in zip(tokens, tokens[2:], (tokens, tokens)):\n    if v[1] == 'a':\n        n += 1\nreturn n > 0",
        (False, True),
    ),
    "a range that is longer than any word": (
        "for i in range(2000):\n    if i >= len(tokens) or tokens[i] == 'a':\n        return i == 1\nreturn False",
        (False, True),
    ),
    "an endless range beside the tokens": (
        "return sum(i for i, (t, j) in enumerate(zip(tokens, range(10 ** 30))) if t == 'a') > 2",
        (False, True),
    ),
    "palindrome": ("return tokens == tokens[::-1]", (False, True)),
    "palindrome by a generator": (
        "return all(a == b for a, b in zip(tokens, reversed(tokens)))",
        (False, True),
    ),
    "palindrome by places": (
        "return all(tokens[i] == tokens[len(tokens) - 1 - i] for i in range(len(tokens) // 2))",
        (False, True),
    ),
    "palindrome outside in": (
        "for i in range(len(tokens) // 2):\n    if tokens[i] != tokens[-1 - i]:\n        return False\nreturn True",
        (False, True),
    ),
    "how many differ from their mirror image": (
        "return sum(a != b for a, b in zip(tokens, reversed(tokens)))",
        tuple(range(6)),
    ),
    "a slice with a list": ("return sorted(tokens) == tokens", (False, True)),
    "in order": ("return tuple(sorted(tokens)) == tokens", (False, True)),
    "in reverse order": ("return tokens != tuple(sorted(tokens, reverse=True))", (False, True)),
    "sorted, at places": (
        "x = sorted(tokens)\nreturn x[0] + x[-1] + x[len(x) // 2] if x else ''",
        tuple(map("".join, (*itertools.product("abc", repeat=3), ""))),
    ),
    "sorted, all": ("return sorted(tokens)[1:] == sorted(tokens[1:])", (False, True)),
    "walking over the sorted tokens": (
        "n = 0\nfor t in sorted(tokens, reverse=True):\n    n = 2 * n + (t == 'a')\nreturn n % 3",
        (0, 1, 2),
    ),
    "how many different": ("return len(set(tokens))", (0, 1, 2, 3)),
    "in a set": (
        "return 'a' in set(tokens[1:]) or 'b' not in {'x', 'y'} and 'c' in set(tokens)",
        (False, True),
    ),
    "the most frequent": ("return max(tokens, key=tokens.count) if tokens else ''", ("", "a", "b", "c")),
    "the rarest": ("return min(tokens, key=tokens.count) if tokens else ''", ("", "a", "b", "c")),
    "the most frequent of some": ("return max(('b', 'a', 'x'), key=tokens.count)", ("a", "b", "x")),
    "the last of the largest": (
        "return max(enumerate(tokens), key=str)[1] if tokens else 'a'",
        ("a", "b", "c"),
    ),
    "some token twice": ("return any(tokens.count(t) > 1 for t in tokens)", (False, True)),
    "the highest count": ("return max((tokens.count(t) for t in tokens), default=0)", tuple(range(6))),
    "looked up": ("return {'a': 1, 'b': 0}.get(tokens[0], 2) if tokens else 0", (0, 1, 2)),
    "the places of a kind": (
        "return sum(i for i in range(1, len(tokens)) if tokens[i] == tokens[i - 1]) % 3",
        (0, 1, 2),
    ),
    "windows": (
        "return any(tokens[i : i + 3] == ('a', 'b', 'a') for i in range(len(tokens)))",
        (False, True),
    ),
    "sums over windows": (
        "return max((sum(t == 'a' for t in tokens[i - 1 : i + 1]) for i in range(1, len(tokens))), default=3)",
        (0, 1, 2, 3),
    ),
    "a loop over windows": (
        "n = 0\nfor i, t in enumerate(tokens):\n    for u in tokens[i : i + 2]:\n        n += t < u\nreturn n",
        tuple(range(6)),
    ),
    "different tokens, sorted": ("return sorted(set(tokens))[-1] if tokens else 'b'", ("a", "b", "c")),
    "equal values of two types in a set": (
        "x = sorted(set(1 if t == 'a' else t == 'b' for t in tokens))\nreturn str(x[-1]) if x else ''",
        ("", "1", "True", "False"),
    ),
    "two after": ("return any(tokens[i] == tokens[i + 2] for i in range(len(tokens) - 2))", (False, True)),
    "compared with a constant": ("return tokens == ('a', 'b', 'a', 'c')", (False, True)),
    "halves": ("return tokens[: len(tokens) // 2] == tokens[len(tokens) // 2 :]", (False, True)),
    "a slice known later": (
        "x = tokens[1:]\nif len(x) > 1:\n    x = x[:-1]\nreturn sum(t == 'a' for t in x) == 1",
        (False, True),
    ),
}


@pytest.mark.parametrize("name", PASSES)
@pytest.mark.parametrize("lengths", [(0, 4), (4, 4), (2, 5)])
def test_chains_of_passes(name, lengths, monkeypatch):
    no_fallback(monkeypatch)
    body, labels = PASSES[name]
    check(Domain(("a", "b", "c"), *lengths, pad="_"), program(body), labels)


@pytest.mark.parametrize(
    "name", ["toggle", "the second pass depends on the first", "backwards", "neighbours by index"]
)
def test_where_and_several_passes(name, monkeypatch):
    no_fallback(monkeypatch)
    body, labels = PASSES[name]
    for where in ("return tokens.count('a') == 1", "return 'c' in tokens", VALID):
        check(Domain(("a", "b", "c"), 1, 5, "_", program(where, "w")), program(body), labels)


@pytest.mark.parametrize(
    "body, labels",
    [
        ("return all(a == b for a, b in zip(tokens, reversed(tokens)))", (False, True)),
        ("return sum(a == b for a, b in zip(tokens, reversed(tokens)))", tuple(range(10))),
        (
            "n = 0\nfor a, b in zip(tokens, reversed(tokens)):\n    n = (2 * n + (a == b)) % 3\nreturn n",
            (0, 1, 2),
        ),
        (
            "for i in range(len(tokens)):\n    if tokens[i] != tokens[-1 - i]:\n        return i\nreturn -1",
            tuple(range(-1, 4)),
        ),
        (
            "for i in range(len(tokens)):\n    if tokens[i] != tokens[-1 - i]:\n        break\nreturn i",
            tuple(range(9)),
        ),
    ],
)
def test_items_that_read_both_ends(body, labels, monkeypatch):
    """Items are taken out of order only where that changes nothing.  Four tokens and more are held here."""
    no_fallback(monkeypatch)
    check(Domain(("a", "b"), 8, 9, "_"), program(body), labels)


IN_SOME_ORDER = {  # nested scans whose outcome depends on the order of the tokens, if only by its type
    "ties": "max((t for t in tokens if tokens.count(t) == 1), key=len, default='')",
    "ties of a count": "max((t for t in tokens if t != 'c'), key=tokens.count, default='')",
    "equal values of two types": "max((1 if t == 'a' else True for t in tokens if tokens.count(t) < 3), default=0)",
    "equal values of two types, in a set": "sorted(set(1 if t == 'a' else tokens.count(t) > 0 for t in tokens))[:1] == ()",
    "the first of the least": "sorted((t for t in tokens if tokens.count(t) > 1), key=len)[:1] == sorted(tokens)[:1]",
    "a tuple": "len(tuple(t for t in tokens if tokens.count(t) == 1)) > 1 and tokens[0] == 'a'",
    "all, and a place": "all(tokens.count(t) == 1 for t in tokens) and tokens[-1:] == ('b',)",
}


@pytest.mark.parametrize("name", IN_SOME_ORDER)
@pytest.mark.parametrize("where", [None, "return 'b' not in tokens[1:]"])
def test_the_order_of_the_tokens_is_not_lost(name, where):
    body = f"return {IN_SOME_ORDER[name]}"
    domain = Domain(("a", "b", "c"), 0, 4, "_", None if where is None else program(where, "w"))
    f = program(body)
    values = {}
    for n in range(5):
        for word in itertools.product(domain.tokens, repeat=n):
            try:
                value = f(word)
            except ProgramFault:
                continue
            values[type(value), value] = value
    check(domain, f, tuple(values.values()))


def test_a_program_that_raises_in_some_order_only():
    f = program("return any(tokens.count(t) > 1 or int(t == 'a') // (t != 'b') for t in tokens)")
    a_first = program("return tokens[:1] == ('a',)", "w")
    check(Domain(("a", "b", "c"), 1, 4, "_", a_first), f, (True,))
    with pytest.raises(InputError, match=r"ZeroDivisionError: .* on input \('b',\)"):
        build_language(Domain(("a", "b", "c"), 1, 4, "_"), f, (False, True))


OTHERS = {
    "while": "i = 0\nwhile i < len(tokens):\n    if tokens[i] == 'a':\n        return True\n    i += 1\nreturn False",
    "pairs": "n = 0\nfor t in tokens:\n    for u in tokens:\n        n += t == u\nreturn n % 4 == 1",
    "an endless range": (
        "for i in range(10 ** 30):\n    if i >= len(tokens) or tokens[i] == 'a':\n        return i == 1\nreturn False"
    ),
    "tokens as a tuple": "return tokens < ('b',)",
    "a generator's variable kept from item to item": (
        "return any(u == 'a' for i, t in enumerate(tokens) if i == 0 or u == 'a' for u in t)"
    ),
    "sum of tuples": "return len(tokens + tokens) > 4",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_programs_are_run_on_every_word(name):
    f = program(OTHERS[name])
    for domain in (
        Domain(("a", "b"), 0, 5, "_"),
        Domain(("a", "b", "c"), 4, 4, None, program("return 'c' in tokens", "w")),
    ):
        check(domain, f, (False, True))


@pytest.mark.parametrize("name", ["while", "tokens as a tuple"])
def test_other_programs_on_many_words_are_refused_with_the_line(name):
    with pytest.raises(
        InputError, match=r"f.py:[2345]: the program .* more than 200000 sequences .*; use single passes"
    ):
        build_language(Domain(("a", "b"), 1, 18, "_"), program(OTHERS[name]), (False, True))


def test_the_limits_are_parameters():
    domain, f = Domain(("a", "b"), 6, 6), program(OTHERS["tokens as a tuple"])
    assert build_language(domain, f, (False, True)).size == 64
    with pytest.raises(InputError, match="more than 63 sequences"):
        build_language(domain, f, (False, True), word_limit=63)
    with pytest.raises(InputError, match="automaton of more than 20 states"):
        build_language(
            Domain(("a", "b"), 40, 40), program(COUNT_A + "return n > 9"), (False, True), state_limit=20
        )


def test_without_a_program_every_word_has_label_zero():
    automaton = check(Domain(("a", "b"), 0, 3, "_", program("return 'a' in tokens", "w")), None, None)
    assert automaton.labels == (0,) and automaton.size == 1 + 3 + 7


def test_length_zero():
    automaton = build_language(Domain(("a",), 0, 0, prefix=("<",)), program("return len(tokens)"), (5, 0))
    assert automaton.size == 1 and automaton.labels == (1,) and automaton.length == 0


def test_an_empty_domain_gives_an_empty_automaton():
    domain = Domain(("a",), 0, 3, "_", program("return False", "w"))
    assert build_language(domain, program("return 1"), (1,)).empty


def test_labels_compare_with_their_type():
    f = program("return 1 if 'a' in tokens else True")
    assert build_language(Domain(("a", "b"), 2, 2), f, (True, 1)).count_by_label(2) == (1, 3)
    with pytest.raises(InputError, match="returns True on input"):
        build_language(Domain(("a", "b"), 2, 2), f, (1, "1"))


@pytest.mark.parametrize(
    "body, where, message",
    [
        (
            COUNT_A + "return n",
            None,
            "f.py:6: returns 2 on input ('a', 'a'), which is not one of the labels 0, 1",
        ),
        (
            "return 0 if tokens[1] == 'a' else 1",
            None,
            "f.py:2: raises IndexError: tuple index out of range on input ('a',)",
        ),
        (
            "for t in tokens:\n    if t == 'b':\n        return 1 // 0\nreturn 0",
            None,
            "f.py:4: raises ZeroDivisionError: integer division",
        ),
        (
            "if 'b' not in tokens:\n    return 0",
            None,
            "f.py:1: returns None on input ('b',), which is not one of the labels",
        ),
        ("return tokens", None, "f.py:2: returns ('a',) on input ('a',), which is not one of"),
        (
            "while 'b' in tokens:\n    pass\nreturn 0",
            None,
            "does not end within 200000 steps on input ('b',)",
        ),
        (
            "return 0",
            "return len(tokens) and tokens[0] == 'a' or 1",
            "w.py:2: returns 1 on input ('b',), which is not True or False; return True or False",
        ),
        (
            "return 0",
            "return tokens[1] == 'a'",
            "w.py:2: raises IndexError: tuple index out of range on input ('a',)",
        ),
        (
            "return 0",
            "return tokens.count('b')",
            "w.py:2: returns 0 on input ('a',), which is not True or False",
        ),
    ],
)
@pytest.mark.parametrize("way", ["passes", "words"])
def test_faults_name_place_and_a_shortest_input(body, where, message, way):
    domain = Domain(("a", "b"), 1, 3, "_", where and program(where, "w"))
    with pytest.raises(InputError) as error:
        if way == "passes":
            build_language(domain, program(body), (0, 1))
        else:
            language._LanguageBuilder(domain, program(body), (0, 1), language.SweepEffort(0, {})).one_by_one()
    assert message in str(error.value)


def test_a_fault_outside_where_does_not_count():
    where = program("return len(tokens) > 1 and tokens[1] != 'b'", "w")
    f = program("return 1 // (tokens[1] == 'a')")
    assert build_language(Domain(("a", "b"), 0, 3, "_", where), f, (1,)).size == 2 + 4
    with pytest.raises(InputError, match=r"w.py:2: raises IndexError"):
        build_language(Domain(("a", "b"), 0, 3, "_", program("return tokens[1] != 'b'", "w")), f, (1,))


def test_long_words_are_quick_and_exactly_counted():
    assert calls(long_words) < 1_000_000


def long_words():
    quote = program(TOGGLE.replace("('a', 'b')", "('\"', \"'\")"))
    one = program("return sum(t in ('\"', \"'\") for t in tokens) == 1", "w")
    automaton = build_language(Domain(("'", '"', "a", "b", "=", "c"), 32, 32, None, one), quote, ("'", '"'))
    assert automaton.count_by_label(2) == (32 * 4**31,) * 2
    brackets = build_language(Domain(("(", ")", "x"), 64, 64, None, program(VALID, "w")), None, None)
    motzkin = [1, 1]
    for n in range(2, 65):
        motzkin.append(((2 * n + 1) * motzkin[-1] + (3 * n - 3) * motzkin[-2]) // (n + 2))
    assert brackets.size == motzkin[64]
    assert max(brackets.layer_sizes) == 33  # the smallest automaton: depths that can still come back to zero


def one_sweep(monkeypatch):
    lengths = language._LanguageBuilder.lengths

    def only_together(self, shortest, longest):
        assert shortest < longest, "lengths are read one by one"
        return lengths(self, shortest, longest)

    monkeypatch.setattr(language._LanguageBuilder, "lengths", only_together)


TOGETHER = ["toggle", "count", "early return", "break and else", "two counts side by side", "neighbours by zip", "looking back",
            "nested loops", "the second pass depends on the first", "tokens inside the items",
            "an endless range beside the tokens", "first token seen in the body", "the variable of the loop after it"]  # fmt: skip


@pytest.mark.parametrize("name", TOGETHER)
@pytest.mark.parametrize("lengths", [(0, 4), (3, 5)])
def test_lengths_are_read_together(name, lengths, monkeypatch):
    body, labels = PASSES[name]
    if name in ("tokens inside the items", "first token seen in the body") and lengths[0] == 0:
        lengths = (2, 5)  # what they index has to be there
    no_fallback(monkeypatch)
    one_sweep(monkeypatch)
    domain = Domain(("a", "b", "c"), *lengths, pad="_")
    check(domain, program(body), labels)
    check(replace(domain, where=program("return tokens.count('a') != 1", "w")), program(body), labels)


def test_an_index_behind_the_end_of_shorter_words():
    body = "if 'a' in tokens:\n    return tokens[1]\nreturn 'c'"
    where = program("return 'a' not in tokens or 'a' in tokens[1:]", "w")
    check(Domain(("a", "b", "c"), 0, 4, "_", where), program(body), ("a", "b", "c"))
    with pytest.raises(
        InputError, match=r"f.py:3: raises IndexError: tuple index out of range on input \('a',\)"
    ):
        build_language(Domain(("a", "b", "c"), 0, 4, "_"), program(body), ("a", "b", "c"))


def test_looking_ahead_of_the_end_of_shorter_words():
    body = "n = 0\nfor i, t in enumerate(tokens):\n    n += t == 'b'\n    if t == 'a' and tokens[i + 1] == 'b':\n        n += 1\nreturn n % 2"
    where = program("last = ''\nfor t in tokens:\n    last = t\nreturn last != 'a'", "w")
    check(Domain(("a", "b", "c"), 0, 5, "_", where), program(body), (0, 1))


def test_many_lengths_are_quick(monkeypatch):
    one_sweep(monkeypatch)
    assert calls(many_lengths) < 1_000_000


def many_lengths():
    free = build_language(
        Domain(("(", ")", "x"), 1, 64, "_"),
        program("d = 0\nfor t in tokens:\n" + DEPTH + "return d > 3"),
        (False, True),
    )
    assert free.size == sum(3**n for n in range(1, 65))
    clamped = program(
        "d = 0\nfor t in tokens:\n    d = min(d + 1, 3) if t == '(' else max(d - (t == ')'), 0)\nreturn d"
    )
    automaton = build_language(Domain(("(", ")", "x"), 1, 512, "_"), clamped, (0, 1, 2, 3))
    assert automaton.size == sum(3**n for n in range(1, 513)) == sum(automaton.count_by_label(4))


def test_lengths_share_states():
    automaton = check(Domain(("a", "b"), 0, 5, "_"), program("return tokens.count('a') % 2"), (0, 1))
    assert automaton.layer_sizes[0] == 1 and max(automaton.layer_sizes) <= 4


def test_returns_of_one_label_share_states():
    body = "for t in tokens:\n    if t == 'a':\n        return True\nreturn True"
    assert build_language(Domain(("a", "b"), 5, 5), program(body), (False, True)).layer_sizes == (1,) * 6


def test_files_of_program_and_predicate_do_not_mix():
    body = "n = 0\nfor t in tokens:\n    if t == '%s':\n        n += 1\nreturn n == 1"
    check(Domain(("a", "b"), 3, 3, None, program(body % "a", "w")), program(body % "b"), (False, True))


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="golden claims are beside the checkout")
def test_golden_programs():
    def golden(name, function):
        return Program.load(f"{name}/program.py:{function}", GOLDEN)

    domain = Domain(("a", "b", "c"), 1, 4, "<pad>")
    assert check(domain, golden("length_range_padded", "many_a"), (False, True)).size == 120
    domain = Domain(("a", "b", "c"), 4, 4, None, golden("where_makes_it_true", "no_c"))
    assert check(domain, golden("where_makes_it_true", "many_a"), (False, True)).size == 16
    with pytest.raises(InputError, match=r"returns 3 on input \('a', 'a', 'a'\)"):
        build_language(Domain(("a", "b"), 3, 3), golden("bad_not_a_label", "f"), (0, 1))
    with pytest.raises(InputError, match=r"program.py:2: raises IndexError: .* on input \('a',\)"):
        build_language(Domain(("a", "b"), 1, 2, "<pad>"), golden("bad_raises", "f"), (False, True))


def test_a_step_that_looks_elsewhere_is_not_reused_at_another_position():
    f = program("n = 0\nfor t in tokens:\n    if t != 'c' and t != tokens[0]:\n        n = 1\nreturn n")
    check(Domain(("a", "b", "c"), 1, 4, "_", program("return tokens[-1:] == ('c',)", "w")), f, (0, 1))
