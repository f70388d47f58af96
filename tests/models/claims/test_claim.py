"""Decisions, rivals and claims: ties, strictness, labels with their types, parts that do not fit; claim files
there and back.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from known_claims import corpus
from relucid.common.errors import InputError
from relucid.models.claims.at_hand import domain_of
from relucid.models.claims.build import equals_network, equals_program
from relucid.models.claims.claim import Claim
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.decision import Decision, same_label
from relucid.models.claims.domain import Domain
from relucid.models.claims.task import claim_toml, load_task
from relucid.models.claims.word_claim import WordClaim
from relucid.models.claims.words import Words
from relucid.models.network.network import feed_forward
from relucid.models.program.program import Program

VALUES = list(itertools.product([-2, -1, 0, 1, 2], repeat=3))


def argmax_by_hand(row: tuple[int, ...]) -> int:
    """As ONNX ArgMax does: the lowest index of the largest value."""
    return row.index(max(row))


def test_decide() -> None:
    three, sign = Decision("argmax", ("x", "y", "z")), Decision("sign", (False, True))
    assert three.decide(np.array(VALUES)).tolist() == [argmax_by_hand(v) for v in VALUES]
    assert three.decide(np.array(VALUES, dtype=object) * 10**30).tolist() == [
        argmax_by_hand(v) for v in VALUES
    ]
    assert sign.decide(np.array([[-1], [0], [1]])).tolist() == [0, 0, 1]


@pytest.mark.parametrize("label", range(3))
def test_the_network_errs_exactly_where_a_rival_says_so(label: int) -> None:
    rivals = Decision("argmax", ("x", "y", "z")).rivals(label)
    for row in VALUES:
        errs = any(
            sum(c * v for c, v in zip(r.coefficients, row, strict=True)) >= r.threshold for r in rivals
        )
        assert errs == (argmax_by_hand(row) != label)


@pytest.mark.parametrize("label", range(2))
def test_rivals_of_a_sign(label: int) -> None:
    for y in range(-3, 4):
        errs = any(r.coefficients[0] * y >= r.threshold for r in Decision("sign", (0, 1)).rivals(label))
        assert errs == (int(y > 0) != label)


def test_labels_compare_with_their_type() -> None:
    labels = (1, True, "1", 0, False)
    assert all(same_label(a, b) == (i == j) for i, a in enumerate(labels) for j, b in enumerate(labels))
    decision = Decision("argmax", labels)
    assert [decision.index(v) for v in labels] == [0, 1, 2, 3, 4]
    assert decision.index(2) is None and decision.index(1.0) is None


def claim(program: str = "def f(tokens):\n    return True\n", **changes: object) -> WordClaim:
    parts = {
        "network": feed_forward([(np.ones((1, 4)), np.zeros(1))]),
        "program": Program.from_source(program),
        "domain": Domain(("a", "b"), 2, 2),
        "decision": Decision("sign", (False, True)),
    }
    return WordClaim(**{**parts, **changes})  # type: ignore[arg-type]


def test_digest_covers_everything() -> None:
    base = claim()
    others = [
        claim(network=feed_forward([(np.ones((1, 4)), np.ones(1))])),
        claim("def f(tokens):\n    return False\n"),
        claim(domain=Domain(("b", "a"), 2, 2)),
        claim(
            domain=Domain(("a", "b"), 2, 2, where=Program.from_source("def g(tokens):\n    return True\n"))
        ),
        claim(decision=Decision("sign", (True, False))),
    ]
    digests = {base.digest, *(c.digest for c in others)}
    assert len(digests) == 6
    assert claim("def f(tokens):\n    # the same\n    return True\n").digest == base.digest


def test_the_domain_of_a_digest() -> None:
    base = Domain(("a", "b"), 1, 2, pad="_")
    changed = [
        {"min_length": 0},
        {"max_length": 3},
        {"pad": "-"},
        {"prefix": ("<s>",)},
        {"suffix": ("<s>",)},
        {"tokens": ("a", "c")},
    ]
    assert len({base.digest, *(replace(base, **c).digest for c in changed)}) == 7  # type: ignore[arg-type]


def test_positions_and_alphabet() -> None:
    domain = Domain(("a", "b"), 1, 3, pad="_", prefix=("<s>", "a"), suffix=("<e>", "<s>"))
    assert domain.alphabet == ("a", "b", "_", "<s>", "<e>")
    assert domain.positions == 7 and domain.input_size == 35
    assert domain.padded(("b",)) == (1, 2, 2) and domain.unpadded((1, 2, 2)) == ("b",)
    assert domain.ids(np.array([[1, 2, 2]])).tolist() == [[3, 0, 1, 2, 2, 4, 3]]
    row = domain.one_hot(np.array([[1, 2, 2]]))[0].reshape(7, 5)
    assert row.argmax(axis=1).tolist() == [3, 0, 1, 2, 2, 4, 3] and row.sum() == 7


def test_a_sequence_outside_the_domain_is_named() -> None:
    domain = Domain(("a", "b"), 1, 3, pad="_")
    for sequence, what in [
        (("c",), "'c' is not a token"),
        ((), "length 0 is outside 1 to 3"),
        (("a",) * 4, "length 4"),
        (("_",), "'_'"),
    ]:
        with pytest.raises(InputError, match=what):
            domain.padded(sequence)


@pytest.mark.parametrize("known", corpus(), ids=lambda k: k.folder.name)
def test_claim_files_there_and_back(known, tmp_path: Path) -> None:
    """What `distill` writes is what `prove` reads: the same claim, by digest."""
    claim = load_word_claim(known.claim_file)
    text = known.claim_file.read_text(encoding="utf-8")
    task_file = tmp_path / "task.toml"
    task_file.write_text(
        "\n".join(line for line in text.splitlines() if not line.startswith(("network", "program"))),
        encoding="utf-8",
    )
    for name in ("net.onnx", "program.py"):
        (tmp_path / name).write_bytes((known.folder / name).read_bytes())
    task = load_task(task_file)
    where = f"program.py:{task.domain.where.name}" if task.domain.where else None
    (tmp_path / "again.toml").write_text(
        claim_toml(task, "net.onnx", f"program.py:{claim.program.name}", where), encoding="utf-8"
    )
    assert load_word_claim(tmp_path / "again.toml").digest == claim.digest


def test_an_order_of_the_tokens_is_kept_and_changes_nothing_of_the_claim(tmp_path: Path) -> None:
    stated = '[domain]\ntokens = ["L", "S", "M"]\nlength = 2\n{}\n[decision]\nlabels = [0, 1]\n'
    file = tmp_path / "task.toml"
    file.write_text(stated.format('order = ["S", "M", "L"]'), encoding="utf-8")
    task = load_task(file)
    assert task.domain.order == ("S", "M", "L")
    file.write_text(claim_toml(task, None, None, None), encoding="utf-8")
    assert load_task(file).domain == task.domain
    file.write_text(stated.format(""), encoding="utf-8")
    assert load_task(file).domain.order is None
    assert load_task(file).domain.digest == task.domain.digest
    given = {"tokens": ["L", "S", "M"], "length": 2, "order": ("S", "M", "L")}
    assert domain_of(given) == task.domain


@pytest.mark.parametrize(
    ("order", "what"),
    [
        ('["S", "M"]', "'L' is missing"),
        ("[]", "'L' is missing"),
        ('["S", "M", "L", "S"]', "'S' is listed twice"),
        ('["S", "M", "XL"]', "'XL' is not a token"),
        ('["S", "M", 3]', "not a list of strings"),
        ('"SML"', "not a list of strings"),
    ],
)
def test_an_order_lists_every_token_once(order: str, what: str, tmp_path: Path) -> None:
    file = tmp_path / "task.toml"
    file.write_text(
        f'[domain]\ntokens = ["L", "S", "M"]\nlength = 2\norder = {order}\n[decision]\nlabels = [0, 1]\n',
        encoding="utf-8",
    )
    with pytest.raises(InputError, match=re.escape(what)) as error:
        load_task(file)
    assert error.value.where == f"{file}: [domain] order"


ZERO, ONE = (Program(f"def p(tokens):\n    return {n}\n", "p") for n in (0, 1))


def test_words_with_the_labels_of_another_program_make_no_claim() -> None:
    """The labels of the words are what a network is held against: with others, a false claim
    would be proved.
    """
    domain, decision = Domain(("a", "b"), 3, 3), Decision("argmax", (0, 1))
    network = feed_forward([(np.zeros((2, 6)), np.array([0.0, 1.0]))])  # 1 everywhere
    right, wrong = (equals_program(network, p, domain, decision) for p in (ONE, ZERO))
    alike = equals_network(network, network, domain, decision)
    for question, words in [
        (wrong.question, right.input_set),
        (wrong.question, alike.input_set),
        (alike.question, right.input_set),
        (right.question, Words(domain, ONE, (1, 0))),
        (right.question, Words(domain, ONE, (False, 1))),
    ]:
        with pytest.raises(InputError, match="not labelled as the question has it"):
            Claim(question, words)
    for words in (right.input_set, alike.input_set, Words(Domain(("a",), 3, 3), ZERO, (0, 1))):
        with pytest.raises(ValueError, match="another"):
            WordClaim(network, ZERO, domain, decision, words=words)  # type: ignore[arg-type]
    assert replace(WordClaim(network, ONE, domain, decision), program=ZERO).language.labels == (0,)
