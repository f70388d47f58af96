"""One text for all who read a program: what is shown and written is what is proved, whatever its characters,
line ends and coding lines.
"""

import ast
import functools
import html
import importlib.util
import json
import linecache
import re
import sys
import tokenize
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import relucid
from hypothesis import given
from hypothesis import strategies as st
from relucid.cli.main import main
from relucid.common.errors import InputError
from relucid.common.text import json_text, literal, plain, visible, word
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.program.program import Program, ProgramError
from relucid.models.program.source import lines, segment, shown
from relucid.models.program.syntax import parse

CASES = Path(__file__).parents[4] / "shared" / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not here")
CORPUS = Path(__file__).parents[2] / "corpus"

# NUL, backspace, tab's neighbours, CR, form feed, file separators, C1 controls, other spaces, separators,
# directions, no width, fillers, variation selectors, private use, not assigned, no character, a lone
# surrogate
STRANGE = [
    0x00, 0x07, 0x08, 0x0B, 0x0C, 0x0D, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F, 0x7F, 0x80, 0x85, 0x9B, 0xA0,
    0xAD, 0x034F, 0x061C, 0x115F, 0x1680, 0x17B4, 0x180E, 0x2000, 0x2007, 0x200B, 0x200C, 0x200D, 0x200E,
    0x200F, 0x2028, 0x2029, 0x202A, 0x202B, 0x202C, 0x202D, 0x202E, 0x2060, 0x2061, 0x2066, 0x2067, 0x2068,
    0x2069, 0x206F, 0x2800, 0x3000, 0x3164, 0xD800, 0xDFFF, 0xE000, 0xFDD0, 0xFE00, 0xFE0F, 0xFEFF, 0xFFA0,
    0xFFF9, 0xFFFE, 0xFFFF, 0x1D173, 0x1FFFE, 0xE0001, 0xE0020, 0xE0100, 0x10FFFF,
]  # fmt: skip
PLACES = {
    "comment": ("def f(tokens):\n    # {}\n    return 1\n", 2, 7),
    "string": ('def f(tokens):\n    return len("é{}")\n', 2, 18),
    "long string": ('def f(tokens):\n    return len("""é\n{}""")\n', 3, 1),
    "docstring": ('def f(tokens):\n    """Says {}."""\n    return 1\n', 2, 13),
    "between tokens": ("def f(tokens):\n    return{}1\n", 2, 11),
    "in a name": ("def f(tokens):\n    ab{}c = 1\n    return 1\n", 2, 7),
    "margin": ("def f(tokens):\n {}   return 1\n", 2, 2),
    "first": ("{}def f(tokens):\n    return 1\n", 1, 1),
    "end of a line": ("def f(tokens):{}\n    return 1\n", 1, 15),
    "last": ("def f(tokens):\n    return 1\n{}", 3, 1),
    "another function": ("def f(tokens):\n    return 1\n\n\ndef g(x):\n    return '{}'\n", 6, 13),
}


def position(refused: ProgramError) -> tuple[int, int]:
    found = re.fullmatch(r"(?s).*:(\d+):(\d+)", refused.where)
    assert found and "\n" not in str(refused)
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("code", STRANGE, ids=[f"U+{c:04X}" for c in STRANGE])
def test_strange_characters_are_refused_with_their_place(code, place, tmp_path):
    """In a file, in a string, in what is compiled: at the same line and column."""
    text, line, column = PLACES[place]
    source = text.format(chr(code))
    if source.replace("\r\n", "\n") != source:
        return  # a line end of another system
    for read in (
        lambda: Program(source, "f"),
        lambda: Program.from_source(source, "f"),
        lambda: parse(source, "p.py"),
    ):
        with pytest.raises(ProgramError, match=f"U\\+{code:04X}") as caught:
            read()
        assert position(caught.value) == (line, column)
    if not 0xD800 <= code < 0xE000:
        (tmp_path / "p.py").write_bytes(source.encode())
        if (code, place) == (0xFEFF, "first"):
            assert Program.load("p.py:f", tmp_path)(()) == 1  # a byte order mark, as CPython reads it
        else:
            with pytest.raises(ProgramError, match=f"p.py:{line}:{column}: the character U\\+{code:04X}"):
                Program.load("p.py:f", tmp_path)


def test_every_character_is_refused_or_is_the_same_to_all_readers():
    """All of Unicode: what passes splits no line for anybody and shows as itself."""
    passed = [chr(c) for c in range(sys.maxunicode + 1) if plain(chr(c))]
    text = "".join(passed)
    assert text.splitlines() == [text] and visible(text) == text and "\n" not in text
    categories = {unicodedata.category(c) for c in passed}
    assert not categories & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} and [
        c for c in passed if unicodedata.category(c) == "Zs"
    ] == [" "]
    assert not [
        c
        for c in passed
        if unicodedata.bidirectional(c)
        in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN")
    ]
    assert all(map(plain, "aé()漢あ\U0001f600'\"\\ "))


@pytest.mark.parametrize(
    ("first", "fine"),
    [
        ("# coding: utf-8", True), ("# -*- coding: UTF-8 -*-", True), ("# vim: set fileencoding=utf8 :", True), ("#coding=utf_8", True),
        ("# coding: utf-8-unix", True), ("#!/usr/bin/python\n# coding: utf-8", True), ("# decoding", True), ("'coding: latin-1'", True),
        ("# a\n# b\n# coding: latin-1", True), ("# coding: utf-7", False), ("# -*- coding: latin-1 -*-", False), ("# coding: ascii", False),
        ("#!/usr/bin/python\n# coding: cp1252", False), ("\n# coding=utf-16", False), ("  \t# x coding:utf-32", False), ("# coding: utf8x", False),
        ("# coding: utf-8\n# coding: latin-1", False), ("# coding: unknown", False), ("# coding: utf-9", False), ("'''\n# coding: utf-7\n'''", False),
    ],
)  # fmt: skip
def test_coding_lines(first, fine, tmp_path):
    source = f"{first}\ndef f(tokens):\n    return 'é'\n"
    (tmp_path / "p.py").write_text(source, encoding="utf-8")
    for read in (
        lambda: Program(source, "f"),
        lambda: Program.from_source(source),
        lambda: Program.load("p.py:f", tmp_path),
    ):
        if fine:
            assert read()(()) == "é"
        else:
            with pytest.raises(ProgramError, match=r"the coding line names .*; programs are UTF-8"):
                read()


@needs_cases
def test_programs_that_cpython_would_read_otherwise_are_refused(tmp_path, capsys):
    """`program_encoding_cookie`: ignored by one reader, obeyed by the other."""
    for name in ("utf7", "latin1"):
        with pytest.raises(
            ProgramError, match=r"py:1: the coding line names (utf-7|latin-1); programs are UTF-8"
        ):
            Program.load(f"{name}.py:f", CASES / "program_encoding_cookie")


@needs_cases
def test_a_program_that_would_be_shown_as_another_is_refused(capsys):
    """`forged_program_text`, on every command that reads a claim."""
    claim = str(CASES / "forged_program_text" / "claim.toml")
    for command in (["show", claim], ["show", claim, "--json"], ["prove", claim], ["check", claim, "p"]):
        assert main(command) == 2
        said = capsys.readouterr()
        assert (
            said.out == ""
            and said.err.count("\n") == 1
            and "p.py:1:3: the character U+2028 (LINE SEPARATOR)" in said.err
        )


def test_not_utf8_is_refused_at_its_line(tmp_path):
    (tmp_path / "p.py").write_bytes(b"def f(tokens):\n    return '\xe9'\n")
    with pytest.raises(ProgramError, match=r"p.py:2: the file is not UTF-8 text"):
        Program.load("p.py:f", tmp_path)


def test_line_ends_of_other_systems_are_newlines(tmp_path):
    source = 'X = """a\nb"""\n\n\ndef f(tokens):\n    return X if tokens else "é"\n'
    (tmp_path / "p.py").write_bytes(b"\xef\xbb\xbf" + source.replace("\n", "\r\n").encode())
    other, one = Program.load("p.py:f", tmp_path), Program(source, "f")
    assert (
        other.source == source
        and other.digest == one.digest
        and other(("a",)) == "a\nb"
        and other.text == one.text
    )
    assert (
        Program(source.replace("\n", "\r\n"), "f").text
        == one.text
        == Program.from_source(source.replace("\n", "\r\n"), "f").text
    )
    for wrong in (source.replace("\n", "\r"), source.replace("a\n", "a\r"), source.replace("\n", "\r\r\n")):
        with pytest.raises(ProgramError, match=r"U\+000D"):
            Program(wrong, "f")


PIECES = st.lists(
    st.sampled_from(
        ["def f(tokens):\n", "    return 1\n", "    x = 'é'\n", "# coding: ", "utf-7", "latin-1", "utf-8", "\n", "\r\n", "\r", "\f", "\v", "\x1c", "\x85",
         "\u2028", "\ufeff", "\t", "    ", "'''", '"', "\\\n", "#", "x = 2\n", "+AAo-", "\x00", "é"]
    ),
    max_size=12,
)  # fmt: skip


@given(PIECES, st.booleans())
def test_what_we_accept_cpython_reads_alike(pieces, mark):
    """The bytes of a file: CPython's own reading of them gives the tree and the lines that we have."""
    data = (b"\xef\xbb\xbf" if mark else b"") + "".join(pieces).encode()
    try:
        from relucid.models.program.source import decoded, newlines

        text = newlines(decoded(data, "p.py"))
        tree = parse(text, "p.py")
    except ProgramError:
        return
    theirs = compile(data, "p.py", "exec", ast.PyCF_ONLY_AST)
    assert ast.dump(theirs, include_attributes=True) == ast.dump(tree, include_attributes=True)
    read = iter(data.splitlines(keepends=True))
    coding, _ = tokenize.detect_encoding(lambda: next(read, b""))
    assert data.decode(coding).replace("\r\n", "\n") == text and coding in ("utf-8", "utf-8-sig")
    assert text.splitlines() == (lines(text) if not text.endswith("\n") and text else lines(text)[:-1])
    for node in ast.walk(tree):
        if hasattr(node, "lineno"):
            assert segment(text, node) == ast.get_source_segment(text, node)


def test_tabs():
    """In the margin as CPython counts them; in a string they would look like spaces."""
    # CPython: both of the deep lines at 16
    wide = "def f(tokens):\n\tif tokens:\n\t      \tx = 1\n   \t   \treturn x\n\treturn 0\n"
    program = Program(wide, "f")
    exec(wide, space := {})
    assert program(("a",)) == space["f"](("a",)) == 1 and [
        len(row) - len(row.lstrip()) for row in shown(program.text).split("\n")
    ] == [
        0,
        8,
        16,
        16,
        8,
    ]
    for string in ("'a\tb'", "'''a\n\tb'''"):
        with pytest.raises(ProgramError, match=r"p.py:2: a string holds a tab"):
            Program(f"def f(tokens):\n    return {string}\n", "f", "p.py")
    assert Program("def f(tokens):\n\t'''Says\n\tmore.'''\n\treturn\t'\\t'\t# x\ty\n", "f")(()) == "\t"


def test_a_margin_inside_a_string_stays():
    source = '    def f(tokens):\n        return """a\n    b"""\n'
    with pytest.raises(ProgramError, match="would lose its margin"):
        Program.from_source(source)
    assert Program.from_source('def f(tokens):\n    return """a\n   \nb"""\n')(()) == "a\n   \nb"
    assert (
        Program.from_source('    def f(tokens):\n        """Says\n        more."""\n        return 1\n\n')(())
        == 1
    )
    assert (
        Program.from_source("\t# x\n\n\tdef f(tokens):\n\t\treturn 1\n").source
        == "# x\n\ndef f(tokens):\n\treturn 1\n"
    )


def test_what_a_program_uses_is_shown_with_it(tmp_path, capsys):
    """Its function alone would hide what it says."""
    uses = 'YES = ("no",); NO = (\n    "yes",)\n\n\ndef g(t):\n    """Help."""\n    return t == "a"\n'
    source = f"UNUSED = 1\n{uses}\n\ndef unused(t):\n    return 2\n\n\ndef f(tokens):\n    return YES[0] if g(tokens[0]) else NO[0]\n"
    assert Program(source, "f").used_text == uses.replace("\n\n\n", "\n").rstrip("\n")
    (tmp_path / "net.onnx").write_bytes((CORPUS / "one_label_only" / "net.onnx").read_bytes())
    claim = (CORPUS / "one_label_only" / "claim.toml").read_text(encoding="utf-8")
    (tmp_path / "p.py").write_text(
        "def g(t):\n    return 1\n\n\n"
        + (CORPUS / "one_label_only" / "program.py")
        .read_text(encoding="utf-8")
        .replace("(tokens):\n", "(tokens):\n    x = g(0)\n")
    )
    (tmp_path / "claim.toml").write_text(re.sub("program.py", "p.py", claim))
    assert main(["show", str(tmp_path / "claim.toml")]) == 0
    assert "  def g(t):\n      return 1\n" in capsys.readouterr().out


# live functions: what Python says is their source is what they run, or they are refused


def imported(path, text):
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    linecache.clearcache()
    return module


def around(limit, words):
    note = "b"

    def inside(tokens):
        """Says
        more."""
        return sum(1 for t in tokens if t in words) >= limit and note == "b"

    def long(tokens):
        return """a
        b"""

    return inside, long


def test_functions_inside_functions():
    inside, long = around(2, ("a", "b"))
    program = Program.from_function(inside)
    assert (
        [program(w) for w in ((), ("a",), ("a", "b"))]
        == [inside(w) for w in ((), ("a",), ("a", "b"))]
        == [False, False, True]
    )
    with pytest.raises(InputError, match="a string loses its margin"):
        Program.from_function(long)


def test_a_source_that_has_changed_is_refused(tmp_path):
    module = imported(tmp_path / "changing.py", "K = 1\n\n\ndef f(tokens):\n    return len(tokens) > K\n")
    assert Program.from_function(module.f)(("a", "a")) is True
    for other in ("len(tokens) < K", "len(tokens) > 1", "len(tokens) > K + 0", "1"):
        (tmp_path / "changing.py").write_text(f"K = 1\n\n\ndef f(tokens):\n    return {other}\n")
        linecache.clearcache()
        with pytest.raises(InputError, match="its source is not what it runs"):
            Program.from_function(module.f)
    (tmp_path / "changing.py").write_text("K = 1\n\n\ndef g(tokens):\n    return len(tokens) > K\n")
    linecache.clearcache()
    with pytest.raises(InputError, match="its source is not what it runs"):
        Program.from_function(module.f)


def says_yes(tokens):
    return "yes"


def test_a_wrapper_is_not_what_it_wraps():
    @functools.wraps(says_yes)
    def wrapper(tokens):
        return "no"

    with pytest.raises(InputError, match="its source is not what it runs"):
        Program.from_function(wrapper)
    for other in (
        len,
        functools.lru_cache(says_yes),
        functools.partial(says_yes),
        type("C", (), {"m": says_yes})().m,
        InputError,
    ):
        with pytest.raises(InputError, match="its source cannot be found"):
            Program.from_function(other)
    changed = type(says_yes)((lambda tokens: "no").__code__, {}, "says_yes")
    with pytest.raises(InputError):
        Program.from_function(changed)


def test_a_name_means_one_thing(tmp_path):
    helper = imported(tmp_path / "helper.py", "K = 1\n\n\ndef more(n):\n    return n + K\n")
    module = imported(tmp_path / "main.py", "K = 2\nmore = None\n\n\ndef f(tokens):\n    return more(K)\n")
    module.more = helper.more
    assert module.f(()) == 3
    with pytest.raises(InputError, match="K means two things"):
        Program.from_function(module.f)
    helper.K = 2
    assert Program.from_function(module.f)(()) == module.f(()) == 4
    helper.K = True
    module.K = 1
    with pytest.raises(InputError, match="K means two things"):
        Program.from_function(module.f)


@pytest.mark.parametrize("value", [np.max, lambda x: 1, functools.partial(max, 5), 3, says_yes])
def test_a_built_in_function_is_pythons_own(value, tmp_path):
    module = imported(tmp_path / "hidden.py", "def f(tokens):\n    return max(1, len(tokens))\n")
    module.max = max
    assert Program.from_function(module.f)(()) == 1
    module.max = value
    with pytest.raises(InputError, match="max is not Python's own there"):
        Program.from_function(module.f)


def test_constants_are_plain_values(tmp_path):
    class Loud(str):
        def __repr__(self):
            return "'other'"

    module = imported(tmp_path / "constants.py", "def f(tokens):\n    return K\n")
    for value in ("a\u2028'\"\\\n\u202e\ufe0f\x00", (1, ("\ufe0f", None, True)), -3):
        module.K = value
        program = Program.from_function(module.f)
        assert program(()) == value and "\u2028" not in program.source and "\ufe0f" not in program.source
    for value in (Loud("a"), (Loud("a"),), 1.5, ["a"]):
        module.K = value
        with pytest.raises(InputError, match="K"):
            Program.from_function(module.f)


# what is written and shown


TOKENS = ["\n", "\\n", "\r\n", "\x00", "\u2028", "\u202e", "\ufe0f", "'", '"', "'''", '"""', "\\", "  ", "a  b", "a b", "", "\t", "\x1b[31m", "<b>&{{x}}", "#", "é", "\x85", "\ufeff", "\U000e0100"]  # fmt: skip


class Circuit:
    name, vocabulary = 'circuit """\u2028\u202e\\', (*TOKENS, "<s>")

    def __init__(self, label):
        self.label = label

    def logits(self, ids):
        return np.array([[float(j == self.label(row)) for j in range(len(self.vocabulary))] for row in ids])

    def summary(self):
        from relucid.models.circuits.circuit import CircuitSummary

        return CircuitSummary(self.name, 0, 0, 0, 0, 0, 0, 0, "origin \x1b[31m\u2028", "kind \u202e")


@pytest.mark.parametrize("start", range(0, len(TOKENS), 4))
def test_hostile_words_in_a_distilled_program(start, tmp_path, capsys):
    """The file holds only characters that show, reads back as the program that was proved, and its docstring
    says the words themselves.
    """
    words = tuple(TOKENS[start : start + 4])
    number = {w: i for i, w in enumerate(TOKENS)}
    yes, no = words[0], words[1]
    circuit = Circuit(lambda row: number[yes] if number[words[2]] in row else number[no])
    domain = {"tokens": list(words), "length": 2, "prefix": ["<s>"]}
    result = relucid.distill(circuit, domain, labels=[yes, no], out=tmp_path / "out")
    assert type(result.verdict).__name__ == "Proved"
    text = (tmp_path / "out" / "program.py").read_bytes().decode()
    assert all(plain(c) or c == "\n" for c in text) and text == result.claim.program.source
    claim = load_word_claim(tmp_path / "out" / "claim.toml")
    assert (
        claim.digest == result.claim.digest
        and claim.domain.tokens == words
        and claim.decision.labels == (yes, no)
    )
    exec(text, space := {})
    for word_ in ((words[2], words[3]), (words[3], words[3]), (words[0], words[1])):
        assert space[claim.program.name](word_) == claim.program(word_) == (yes if words[2] in word_ else no)
    documented = ast.get_docstring(
        next(n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)), clean=False
    )
    assert " ".join(map(repr, words)) in documented and 'circuit """ \u202e\\.' in documented
    capsys.readouterr()
    assert main(["show", str(tmp_path / "out" / "claim.toml"), "--samples", "3"]) == 0
    out = capsys.readouterr().out
    assert all(plain(c) or c == "\n" for c in out) and all(
        row.rstrip() in out for row in lines(shown(claim.program.text))
    )
    assert main(["show", str(tmp_path / "out" / "claim.toml"), "--json"]) == 0
    out = capsys.readouterr().out
    assert all(plain(c) or c == "\n" for c in out)
    told = json.loads(out)
    assert (
        told["program"]["text"] == claim.program.text
        and told["domain"]["tokens"] == list(words)
        and told["decision"]["labels"] == [yes, no]
    )


def test_hostile_words_on_a_page(tmp_path):
    pytest.importorskip("vl_convert")
    words = tuple(TOKENS[:5])
    circuit = Circuit(lambda row: int(2 in row))
    relucid.distill(
        circuit,
        {"tokens": list(words), "length": 2, "prefix": ["<s>"]},
        labels=words[:2],
        out=tmp_path / "out",
    )
    from relucid.reports.distillation_page import write_report

    write_report(tmp_path / "page.html", tmp_path / "out", lambda text: None)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    body = page[page.index("<body") :]
    text = html.unescape(re.sub(r"<[^>]*>", "", re.sub(r"(?s)<script.*?</script>", "", body)))
    program = load_word_claim(tmp_path / "out" / "claim.toml").program
    assert program.text in text and not [c for c in text if not plain(c) and c not in "\n\t"]


def test_words_cannot_be_mistaken():
    """Different tokens look different, also among others."""
    tokens = [*TOKENS, "\\u2028", "\\\\", "''", "' '", "a", "b", "\\x00", '"a"', "'a'", "x y", "\\ufe0f"]
    assert len(set(map(word, tokens))) == len(tokens) and all(
        " " not in word(t) or word(t)[0] in "'\"" for t in tokens
    )
    assert [word(t) for t in ("'", '"', "a", "(", "é", "")] == ["'", '"', "a", "(", "é", "''"]


@given(st.one_of(st.text(), st.sampled_from(TOKENS)))
def test_literals_and_json_say_what_they_hold(text):
    for made in (literal(text), literal((text, 1, None, True))):
        assert all(map(plain, made))
    assert (
        ast.literal_eval(literal(text)) == text
        and json.loads(json_text({"a": text})) == {"a": text}
        and all(map(plain, json_text(text)))
    )
