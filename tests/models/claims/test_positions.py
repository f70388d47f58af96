"""Claims about every position: how they are stated and reduced, and what is said of those that do not fit."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from relucid.cli.main import main
from relucid.common.errors import InputError
from relucid.models.claims.claim_file import load_claim, load_reduced, load_word_claim
from relucid.models.claims.domain import Domain
from relucid.models.claims.position_claims import PositionClaims
from relucid.models.claims.task import claim_toml, load_task
from relucid.models.claims.words import Words
from relucid.models.network.network import feed_forward
from relucid.models.onnx.block import blocks
from relucid.models.onnx.writer import write_onnx
from relucid.models.program.at_position import element, on_prefix
from relucid.models.program.program import Program

FIRST = "def answer(tokens):\n    return tokens[-1]\n"
COPY = "def answer(tokens):\n    return tuple(t for t in tokens)\n"
DECISION = 'labels = ["a", "b"]\nposition = "every"\n'
PREFIX = DECISION + "per_prefix = true\n"


def stated(folder: Path, program: str = FIRST, decision: str = PREFIX, domain: str = "length = 2") -> Path:
    """A network of two positions that gives the token at each."""
    (folder / "net.onnx").write_bytes(write_onnx(feed_forward([(np.eye(4), np.zeros(4))])))
    (folder / "p.py").write_text(program, encoding="utf-8")
    (folder / "claim.toml").write_text(
        f'network = "net.onnx"\nprogram = "p.py:answer"\n\n[domain]\ntokens = ["a", "b"]\n{domain}\n\n'
        f"[decision]\n{decision}",
        encoding="utf-8",
    )
    return folder / "claim.toml"


@pytest.mark.parametrize(
    ("program", "decision", "said"),
    [
        (FIRST, DECISION + "per_prefix = 1\n", "claim.toml: [decision] per_prefix: 1 is neither true nor false; write true"),
        (FIRST, 'labels = ["a", "b"]\nper_prefix = true\n', 'claim.toml: [decision] per_prefix: it is about labels at every position, and position = "every" is missing; add position = "every"'),
        (FIRST, 'labels = ["a", "b"]\nposition = "all"\n', "claim.toml: [decision] position: 'all' is not known; write position = \"every\" for a label at each position, or leave it out for one label in all"),
        (FIRST, 'labels = ["a", "b"]\nposition = 3\n', 'claim.toml: [decision] position: 3 is not known; write position = "every" for a label at each position, or leave it out for one label in all'),
        (FIRST, 'labels = ["a", "b"]\nposition = -1\n', 'claim.toml: [decision] position: -1 is not known; write position = "every" for a label at each position, or leave it out for one label in all'),
        (FIRST, PREFIX.replace('"b"', '"b", "c"'), "net.onnx: the network has 4 outputs, and one label a position needs 2 positions x 3 outputs = 6; export the outputs at each position of the sequence, or leave out position"),
        (FIRST, DECISION, "p.py:2: returns 'a' on input ('a', 'a'), which is not a tuple of one label for each of 2 tokens; return one, or write per_prefix = true for a function of the prefix"),
        ("def answer(tokens):\n    return 'ab'\n", DECISION, "p.py:2: returns 'ab' on input ('a', 'a'), which is not a tuple of one label for each of 2 tokens; return one, or write per_prefix = true for a function of the prefix"),
        ("def answer(tokens):\n    return 3\n", DECISION, "p.py:2: returns 3 on input ('a', 'a'), which is not a tuple of one label for each of 2 tokens; return one, or write per_prefix = true for a function of the prefix"),
        ("def answer(tokens):\n    if tokens[0] == 'b':\n        return ('a',)\n    return ('a', 'a')\n", DECISION, "p.py:3: returns ('a',) on input ('b', 'a'), which is not a tuple of one label for each of 2 tokens; return one, or write per_prefix = true for a function of the prefix"),
        ("def answer(tokens):\n    return ('a', 'a', 'b')\n", DECISION, "p.py:2: returns ('a', 'a', 'b') on input ('a', 'a'), which is not a tuple of one label for each of 2 tokens; return one, or write per_prefix = true for a function of the prefix"),
        ("def answer(tokens):\n    return ('a', tokens[1] + 'c')\n", DECISION, "p.py:2: returns ('a', 'ac') on input ('a', 'a'), whose element 1 is not one of the labels 'a', 'b'; labels compare with their type: return exactly one of them"),
        (COPY, PREFIX, "p.py:2: returns ('a',) on input ('a',), which is not one of the labels 'a', 'b'; labels compare with their type: return exactly one of them"),
        ("def answer(tokens):\n    return tokens[1]\n", PREFIX, "p.py:2: raises IndexError: tuple index out of range on input ('a',); cover that input, or exclude it with `where`"),
        ("def answer(tokens):\n    return tokens[2]\n", DECISION, "p.py:2: raises IndexError: tuple index out of range on input ('a', 'a'); cover that input, or exclude it with `where`"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(
    program: str, decision: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = stated(tmp_path, program, decision)
    assert main(["prove", str(file)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.replace(f"{tmp_path}/", "") == f"relucid: {said}\n"


def test_a_tuple_program_gives_no_label_for_no_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lengths = 'length = [0, 2]\npad = "."'
    assert main(["prove", str(_padded(tmp_path, COPY, lengths))]) == 0
    wrong = "def answer(tokens):\n    return tuple(t for t in tokens) if tokens else ('a',)\n"
    assert main(["prove", str(_padded(tmp_path, wrong, lengths))]) == 2
    assert "returns ('a',) on the empty input, which is not an empty tuple" in capsys.readouterr().err


def _padded(folder: Path, program: str, lengths: str) -> Path:
    file = stated(folder, program, DECISION, lengths)
    weights = np.array([[1, 0, 0], [0, 1, 0]])
    rows = np.kron(np.eye(2, dtype=int), weights)
    (folder / "net.onnx").write_bytes(write_onnx(feed_forward([(rows, np.zeros(4))])))
    return file


def test_a_second_network_and_other_commands_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = stated(tmp_path)
    with pytest.raises(
        InputError, match="is about the labels at every position, which only prove, check and"
    ):
        load_word_claim(file)
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('program = "p.py:answer"', 'network_b = "net.onnx"'), encoding="utf-8")
    assert main(["prove", str(file)]) == 2
    assert "compared with a program, not with a second network; leave it out" in capsys.readouterr().err


def test_only_the_empty_sequence_has_no_position(tmp_path: Path) -> None:
    (tmp_path / "w.py").write_text("def empty(tokens):\n    return len(tokens) == 0\n", encoding="utf-8")
    file = _padded(tmp_path, COPY, 'length = [0, 2]\npad = "."\nwhere = "w.py:empty"')
    with pytest.raises(InputError, match="the empty sequence only, which has no position"):
        load_reduced(file)


def test_the_fault_of_a_predicate_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "w.py").write_text("def odd(tokens):\n    return 1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"w.py:2: returns 1 on input .* which is not True or False"):
        load_reduced(stated(tmp_path, domain='length = 2\nwhere = "w.py:odd"'))


def test_each_position_is_a_claim_of_its_own(tmp_path: Path) -> None:
    claim = load_reduced(stated(tmp_path))
    assert isinstance(claim, PositionClaims) and repr(claim).startswith("<PositionClaims ")
    assert list(claim.parts) == [0, 1] and len({part.digest for part in claim.parts.values()}) == 2
    assert "at every position on" in repr(load_claim(tmp_path / "claim.toml"))
    for parts in ({}, {0: claim.parts[0]}, {1: claim.parts[1], 0: claim.parts[0]}):
        with pytest.raises(ValueError, match="there are claims at"):
            PositionClaims(claim.question, claim.words, parts)
    lengths = _padded(tmp_path, COPY, 'length = [1, 2]\npad = "."')
    other = load_reduced(lengths)
    assert isinstance(other, PositionClaims)
    with pytest.raises(ValueError, match="the claim at position 1 is about other words"):
        PositionClaims(other.question, other.words, {0: other.parts[0], 1: other.parts[0]})
    tuple_form = load_reduced(stated(tmp_path, COPY, DECISION))
    assert isinstance(tuple_form, PositionClaims) and tuple_form.digest != claim.digest


def test_a_task_keeps_its_positions(tmp_path: Path) -> None:
    file = stated(tmp_path)
    text = file.read_text(encoding="utf-8")
    file.write_text(text.split("\n", 2)[2], encoding="utf-8")
    task = load_task(file, everywhere=True)
    assert task.every is not None and task.every.per_prefix
    file.write_text(claim_toml(task, None, None, None), encoding="utf-8")
    again = load_task(file, everywhere=True)
    assert again.every == task.every and again.domain == task.domain
    with pytest.raises(InputError, match="only distill, prove, check and show CLAIM know labels at every"):
        load_task(file)


def test_programs_on_prefixes_and_of_elements() -> None:
    """The names of the file cannot get in the way, and the syntax that is added is part of the digest."""
    for name in ("answer", "tokens", "tuple_of", "_"):
        program = Program.from_source(
            f"def at_position_{name}(x):\n    return 1\n\n\ndef {name}(x):\n    return x\n", name
        )
        assert on_prefix(program, 2)(("a", "b", "c")) == ("a", "b")
        assert element(program, 1)(("a", "b", "c")) == "b"
    digests = {p.digest for p in (program, on_prefix(program, 1), on_prefix(program, 2), element(program, 1))}
    assert len(digests) == 4


def test_words_are_counted_by_length() -> None:
    where = Program.from_source("def f(tokens):\n    return tokens.count('b') < 2\n")
    words = Words(Domain(("a", "b"), 0, 4, ".", where))
    every = [w for n in range(5) for w in itertools.product("ab", repeat=n) if w.count("b") < 2]
    assert words.by_length == tuple(sum(len(w) == n for w in every) for n in range(5))
    assert Words(Domain(("a", "b"), 3, 3)).by_length == (0, 0, 0, 8)


def test_a_block_is_read_from_the_file_with_one_more_step() -> None:
    """Also where the file's own names look like those that are added, and of a network without a file."""
    rng = np.random.default_rng(0)
    made = feed_forward([(rng.integers(-3, 4, (b, a)), rng.integers(-3, 4, b)) for a, b in ((6, 5), (5, 6))])
    words = np.eye(6, dtype=np.int64)
    for start in (0, 2, 4):
        once = blocks(made, 2, positions=3, alphabet=2)(start // 2)
        assert (once.evaluate(words) == made.evaluate(words)[:, start : start + 2]).all()
        twice = blocks(once, 1, positions=3, alphabet=2)(1)
        assert (twice.evaluate(words) == made.evaluate(words)[:, start + 1 : start + 2]).all()
        assert once.source != twice.source and once.encoding == "one_hot"
