"""APTP files: what is written covers all phases and is accepted; what proves nothing is not."""

from __future__ import annotations

import gzip
import itertools
import random
import re
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clocks import later
from relucid.cli.main import main
from relucid.common.errors import Unsupported
from relucid.models.claims.property import Case, Property, Row
from relucid.models.claims.vnnlib import read_vnnlib
from relucid.models.network.network import feed_forward
from relucid.models.onnx.writer import write_onnx
from relucid.verifiers.proof.export import aptp, aptp_checker, aptp_producer
from relucid.verifiers.proof.format import LimitReached, Rejected

SPEC = """(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
(assert (>= X_0 -2.0))
(assert (<= X_0 2.0))
(assert (>= X_1 -1.0))
(assert (<= X_1 1.0))
(assert (<= Y_0 Y_1))
"""
# y0 - y1 = |x0 - x1| + |x0 + x1| + bias: bounds alone lose most of it
FIRST = np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [-1.0, -1.0]])


def network(bias: float = 0.125):
    return feed_forward(
        [(FIRST, np.zeros(4)), (np.array([[1.0, 1, 1, 1], [0, 0, 0, 0]]), np.array([bias, 0.0]))],
        encoding="real",
    )


def written(stated: Property, bias: float = 0.125) -> str:
    leaves = aptp_producer.patterns(network(bias), stated, later())
    return b"".join(aptp.pieces(stated, 4, leaves)).decode()


def check(text: str, stated: Property, bias: float = 0.125) -> aptp_checker.Checked:
    return aptp_checker.check(network(bias), stated, text, later())


def accepted(text: str, stated: Property, bias: float = 0.125) -> bool:
    try:
        check(text, stated, bias)
    except (Rejected, LimitReached):
        return False
    return True


def test_what_is_proved_is_written_and_accepted() -> None:
    stated = read_vnnlib(SPEC)
    text = written(stated)
    leaves, told, neurons = aptp.parsed(text)
    assert neurons == 4 and told == stated and aptp_checker.covers(leaves)
    assert check(text, stated).leaves == len(leaves) >= 2


def test_a_false_property_has_no_proof() -> None:
    stated = read_vnnlib(SPEC)
    good = written(stated)
    assert not accepted(good, stated, bias=0.0)  # at x = 0, y0 = y1
    assert not accepted(good, stated, bias=-1.0)
    with pytest.raises((Unsupported, TimeoutError)):
        aptp_producer.patterns(network(0.0), stated, time.monotonic() + 5)


def test_a_dropped_leaf_or_a_changed_phase_is_no_proof() -> None:
    stated, rng = read_vnnlib(SPEC), random.Random(1)
    leaves = [
        tuple(s * j for s, j in zip(signs, (1, 2, 3, 4), strict=True))
        for signs in itertools.product((1, -1), repeat=4)
    ]
    assert accepted(b"".join(aptp.pieces(stated, 4, leaves)).decode(), stated)
    for i in range(16):
        rest = leaves[:i] + leaves[i + 1 :]
        with pytest.raises(Rejected, match="do not cover"):
            check(b"".join(aptp.pieces(stated, 4, rest)).decode(), stated)
        j = rng.randrange(4)
        flipped = tuple(-v if k == j else v for k, v in enumerate(leaves[i]))
        with pytest.raises(Rejected, match="do not cover"):
            check(b"".join(aptp.pieces(stated, 4, [*rest, flipped])).decode(), stated)


@pytest.mark.parametrize(
    "old, new",
    [("-2.0", "-3.0"), ("1.0", "1.5"), ("(<= Y_0 Y_1)", "(<= Y_1 Y_0)"), ("(<= Y_0 Y_1)", "(<= Y_0 0.0)")],
)
def test_a_proof_of_another_property(old: str, new: str) -> None:
    stated = read_vnnlib(SPEC)
    with pytest.raises(Rejected, match="another property"):
        check(written(stated).replace(old, new, 1), stated)


HOSTILE = {
    "empty": ("", "0 trees of phases"),
    "no tree": (SPEC, "0 trees of phases"),
    "two trees": (
        "(declare-pwl N_1 ReLU)" + "(assert (or (and (< N_1 0)) (and (>= N_1 0))))" * 2 + SPEC,
        "2 trees of phases",
    ),
    "not declared": (
        "(declare-pwl N_1 ReLU)(assert (or (and (< N_7 0)) (and (>= N_7 0))))" + SPEC,
        "not declared",
    ),
    "declared twice": (
        "(declare-pwl N_1 N_1 ReLU)(assert (or (and (< N_1 0))))" + SPEC,
        "each declared once",
    ),
    "too few ReLUs": (
        "(declare-pwl N_1 ReLU)(assert (or (and (< N_1 0)) (and (>= N_1 0))))" + SPEC,
        "declares 1 ReLUs",
    ),
    "brackets": (
        "(declare-pwl N_1 ReLU)(assert (or (and (< N_1 0)) (and (>= N_1 0))))" + SPEC + ")",
        "not understood",
    ),
    "threshold": (
        "(declare-pwl N_1 ReLU)(assert (or (and (< N_1 0.5)) (and (>= N_1 0.5))))" + SPEC,
        "0 trees of phases",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files(kind: str) -> None:
    text, why = HOSTILE[kind]
    with pytest.raises(Rejected, match=re.escape(why)):
        check(text, read_vnnlib(SPEC))


def test_coverage_against_trying_every_assignment() -> None:
    rng, seen = random.Random(4), set()
    for _ in range(300):
        leaves = [
            tuple(j * rng.choice((1, -1)) for j in rng.sample(range(1, 5), rng.randrange(0, 4)))
            for _ in range(rng.randrange(0, 12))
        ]
        assignments = itertools.product((1, -1), repeat=4)
        truth = all(any(all(a[abs(j) - 1] * j > 0 for j in leaf) for leaf in leaves) for a in assignments)
        assert aptp_checker.covers(leaves) == truth
        seen.add(truth)
    assert seen == {True, False}


def test_several_polyhedra_get_one_tree() -> None:
    stated = read_vnnlib(
        SPEC.replace("(assert (<= Y_0 Y_1))", "(assert (or (and (<= Y_0 Y_1)) (and (>= Y_0 10.0))))")
    )
    assert check(written(stated), stated).leaves >= 2
    assert not accepted(written(stated), read_vnnlib(SPEC))


@pytest.mark.parametrize("value", ["0", "-1", "1/8", "-13/40", "123456789123456789/1000", "3/1024"])
def test_decimals_are_exact(value: str) -> None:
    assert Fraction(aptp._decimal(Fraction(value))) == Fraction(value)


def test_what_the_format_cannot_say() -> None:
    box = ((Fraction(0),), (Fraction(1),))
    with pytest.raises(Unsupported, match="no finite decimal"):
        aptp._decimal(Fraction(1, 3))
    two = Property(1, 2, (Case(*box, ((Row((), ((0, Fraction(1)),)),),)),) * 2)
    with pytest.raises(Unsupported, match="one box"):
        list(aptp.pieces(two, 1, [(1,), (-1,)]))
    inputs = Property(1, 2, (Case(*box, ((Row(((0, Fraction(1)),), ((0, Fraction(1)),)),),)),))
    with pytest.raises(Unsupported, match="compares inputs"):
        list(aptp.pieces(inputs, 1, [(1,), (-1,)]))
    sums = Property(1, 2, (Case(*box, ((Row((), ((0, Fraction(1)), (1, Fraction(2)))),),)),))
    with pytest.raises(Unsupported, match="does more"):
        list(aptp.pieces(sums, 1, [(1,), (-1,)]))
    with pytest.raises(Unsupported, match="LeakyRelu"):
        aptp_producer.check_plain(network(), ["Gemm", "LeakyRelu", "Gemm"])


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net, spec, proof = (str(tmp_path / name) for name in ("net.onnx", "spec.vnnlib", "proof.aptp.gz"))
    Path(net).write_bytes(write_onnx(network(), positions=1, alphabet=2))
    Path(spec).write_text(SPEC)
    assert main(["verify", net, spec, "--format", "aptp"]) == 2
    assert "add --proof FILE" in capsys.readouterr().err
    assert main(["verify", net, spec, "--proof", proof, "--format", "aptp"]) == 0
    assert capsys.readouterr().out.startswith("unsat\n")
    assert main(["verify", net, spec, "--check", proof]) == 0
    assert capsys.readouterr().out.startswith("accepted: ")
    data = gzip.decompress(Path(proof).read_bytes())
    Path(proof).write_bytes(gzip.compress(data.replace(b">= N_", b"< N_", 1)))
    assert main(["verify", net, spec, "--check", proof]) == 1
    assert capsys.readouterr().out == "rejected: its leaves do not cover all phases\n"
    Path(proof).write_bytes(gzip.compress(data)[:-9])
    assert main(["verify", net, spec, "--check", proof, "--json"]) == 1
    assert '"accepted": false' in capsys.readouterr().out
