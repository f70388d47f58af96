"""Claims about two networks: the network that compares them says exactly when they disagree, and everything
else follows from it.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relucid.cli.main import main
from relucid.common.errors import InputError
from relucid.models.claims.build import equals_network
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.claims.pair import comparing_network
from relucid.models.claims.question import EqualsNetwork
from relucid.models.claims.reduce import word_claim
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network, Relu, feed_forward
from relucid.models.onnx.writer import write_onnx
from relucid.models.program.program import Program
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.race import prove_claim
from relucid.verifiers.race.request import ProofRequest
from relucid.verifiers.verdict import Proved, Refuted, Unknown


def random_network(rng: np.random.Generator, outputs: int, depth: int = 1, inputs: int = 6) -> Network:
    sizes = [inputs, *[3] * depth, outputs]
    return feed_forward(
        [
            (rng.integers(-3, 4, (b, a)) / rng.choice([1, 2, 4]), rng.integers(-2, 3, b) / 2)
            for a, b in itertools.pairwise(sizes)
        ]
    )


def nudged(network: Network, rng: np.random.Generator) -> Network:
    """One weight of one node is another."""
    nodes = list(network.nodes)
    k = rng.choice([i for i, n in enumerate(nodes) if isinstance(n, Affine)])
    node = nodes[k]
    assert isinstance(node, Affine)
    weights = node.weights[0].copy()
    weights[rng.integers(weights.shape[0]), rng.integers(weights.shape[1])] += rng.choice([-1, 1])
    nodes[k] = replace(node, matrices=(integer_array(weights), *node.weights[1:]))
    return replace(network, nodes=tuple(nodes))


def decision_of(count: int) -> Decision:
    return Decision("sign", (False, True)) if count == 1 else Decision("argmax", tuple(range(count)))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.booleans(), st.integers(1, 2))
def test_positive_exactly_where_decisions_differ(seed: int, outputs: int, near: bool, depth: int) -> None:
    rng = np.random.default_rng(seed)
    a = random_network(rng, outputs)
    b = nudged(a, rng) if near else random_network(rng, outputs, depth)
    decision, x = decision_of(outputs), rng.integers(0, 2, (60, 6))
    compared = comparing_network(EqualsNetwork(a, b, decision))
    differ = decision.decide(a.evaluate(x)) != decision.decide(b.evaluate(x))
    outputs_there = compared.evaluate(x)
    assert (outputs_there[:, 0] == 0).all() and ((outputs_there > 0).any(axis=1) == differ).all()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.fractions(0, 4, max_denominator=7))
def test_positive_exactly_where_outputs_are_farther_apart(seed: int, outputs: int, epsilon: Fraction) -> None:
    rng = np.random.default_rng(seed)
    a, b, x = random_network(rng, outputs), random_network(rng, outputs), rng.integers(0, 2, (60, 6))
    far = (comparing_network(EqualsNetwork(a, b, None, epsilon)).evaluate(x) > 0).any(axis=1)
    for i, row in enumerate(x):
        one, other = EqualsNetwork(a, b, None, epsilon).outputs_on(row.reshape(1, -1))
        assert far[i] == any(abs(p - q) > epsilon for p, q in zip(one.outputs, other.outputs, strict=True))


def test_one_label_is_always_agreed_on() -> None:
    rng = np.random.default_rng(0)
    claim = word_claim(
        equals_network(
            random_network(rng, 1),
            random_network(rng, 1),
            Domain(("a", "b"), 3, 3),
            Decision("argmax", ("a",)),
        )
    )
    assert isinstance(prove_claim(claim, budget=Budget(10)), Proved)


@pytest.mark.parametrize("seed", range(12))
def test_proved_and_refuted_as_brute_force_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    outputs = int(rng.integers(1, 4))
    a = random_network(rng, outputs)
    b = nudged(a, rng)
    decision = decision_of(outputs)
    domain = Domain(("a", "b"), 3, 3)
    claim = word_claim(equals_network(a, b, domain, decision))
    words = np.concatenate([w for w, _ in claim.language.words()])
    differ = decision.decide(a.evaluate(domain.one_hot(words))) != decision.decide(
        b.evaluate(domain.one_hot(words))
    )
    for backends in (None, [("bab", "z3-bv", "cpsat")[seed % 3]]):
        verdict = prove_claim(claim, request=ProofRequest(backends=backends), budget=Budget(30))
        assert isinstance(verdict, Refuted if differ.any() else Proved), verdict
        if isinstance(verdict, Refuted):
            found = verdict.counterexample
            assert found.both is not None and found.both[0].label != found.both[1].label
            assert found.tokens in {domain.unpadded(w) for w in words[differ]}


def test_the_python_interface() -> None:
    import relucid

    rng = np.random.default_rng(5)
    a = random_network(rng, 2)
    domain = {"tokens": ["a", "b"], "length": 3}
    for more in ({}, {"within": "0"}):
        claim = relucid.make_claim(a, None, domain, network_b=a, **more)
        assert isinstance(relucid.prove(claim, budget=Budget(20)), Proved)
    for wrong in ({"network_b": None}, {"network_b": a, "within": "much"}):
        with pytest.raises(InputError):
            relucid.make_claim(a, None, domain, **wrong)


TOML = """network = "a.onnx"
network_b = "b.onnx"

[domain]
tokens = ["a", "b"]
length = 3

[decision]
{decision}
"""
SAME = 'kind = "sign"\nlabels = [false, true]'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two networks that differ on aaa only: by one half there, and in the sign."""
    a = [(np.array([[1.0, 0] * 3]), np.array([-2.0])), (np.array([[1.0]]), np.array([-0.5]))]
    b = [(np.array([[1.0, 0] * 3]), np.array([-2.5])), (np.array([[1.0]]), np.array([-0.5]))]
    for name, layers in (("a.onnx", a), ("b.onnx", b)):
        (tmp_path / name).write_bytes(write_onnx(feed_forward(layers), positions=3, alphabet=2))
    return tmp_path


def stated(folder: Path, decision: str) -> str:
    (folder / "claim.toml").write_text(TOML.format(decision=decision), encoding="utf-8")
    return str(folder / "claim.toml")


def test_the_command_line_on_two_networks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim = stated(folder, SAME)
    assert main(["prove", claim, "--json", "--proof", str(folder / "witness")]) == 1
    said = json.loads(capsys.readouterr().out)
    expected = {
        "tokens": ["a", "a", "a"], "network_label": True, "program_label": None, "network_b_label": False, "outputs": ["1/2"], "outputs_b": ["0"],
    }  # fmt: skip
    assert said["counterexample"] == expected
    assert main(["check", claim, str(folder / "witness")]) == 0
    assert "accepted: the networks differ on a a a" in capsys.readouterr().out
    assert main(["prove", claim]) == 1
    out = capsys.readouterr().out
    assert "refuted: the networks differ" in out and "network_b says" in out
    assert main(["show", claim]) == 0
    assert "the networks a.onnx and b.onnx give the same label" in capsys.readouterr().out
    assert main(["show", claim, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["network_b"]["name"] == "b.onnx"


@pytest.mark.parametrize("epsilon, status", [("0.5", 0), ('"1/2"', 0), ("0.49", 1), ("1", 0), ("0", 1)])
def test_within_epsilon(folder: Path, epsilon: str, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    claim = stated(folder, f'kind = "within"\nepsilon = {epsilon}')
    assert main(["prove", claim, "--proof", str(folder / "proof")]) == status
    assert main(["check", claim, str(folder / "proof")]) == 0
    assert main(["show", claim]) == 0
    assert "have outputs within" in capsys.readouterr().out


WRONG = {
    "negative": ('kind = "within"\nepsilon = -1', "-1 is negative"),
    "no number": ('kind = "within"\nepsilon = "much"', "'much' is no number"),
    "missing": ('kind = "within"', "[decision] epsilon: missing"),
    "labels": ('kind = "within"\nepsilon = 1\nlabels = [1]', "[decision] labels: unknown key"),
    "zero": ('kind = "within"\nepsilon = "1/0"', "'1/0' is no number"),
    "outputs": ('kind = "argmax"\nlabels = [0, 1]', "has 1 outputs, the decision needs 2"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_does_not_fit_is_one_line(kind: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decision, what = WRONG[kind]
    assert main(["prove", stated(folder, decision)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and what in err and err.count("\n") == 1


def test_networks_of_other_sizes(folder: Path) -> None:
    claim = stated(folder, SAME)
    wide = feed_forward([(np.ones((2, 6)), np.zeros(2))])
    (folder / "b.onnx").write_bytes(write_onnx(wide, positions=3, alphabet=2))
    with pytest.raises(InputError, match="the network has 2 outputs, the first network 1"):
        load_word_claim(claim)


def test_two_networks_of_another_build_are_put_one_after_the_other() -> None:
    rng = np.random.default_rng(3)
    a, b = random_network(rng, 2), random_network(rng, 2, depth=2)
    assert (
        sum(isinstance(n, Relu) for n in comparing_network(EqualsNetwork(a, a, decision_of(2))).nodes)
        == 1 + 2
    )  # and one for each label's minimum
    assert (
        sum(isinstance(n, Relu) for n in comparing_network(EqualsNetwork(a, b, decision_of(2))).nodes)
        == 3 + 2
    )


@pytest.mark.parametrize(
    "end", [None, Relu(0), Relu(1)], ids=["affine", "relu of the input", "the input's relu"]
)
def test_networks_that_pass_their_input_through_relus(end: Relu | None) -> None:
    """The input is one for both, and so is what ReLUs make of it."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 2, (40, 3))

    def made() -> Network:
        weights = [integer_array(rng.integers(-3, 4, (3, 3))) for _ in range(2)]
        first: list[Affine | Relu] = [
            Relu(0),
            Affine((1, 0), (weights[0], weights[1]), integer_array([1, 0, -1])),
            Relu(1),
        ]
        last = Affine((3, 2), (weights[1], weights[0]), integer_array([0, 1, 0])) if end is None else end
        return Network(3, (*first, last))

    for _ in range(20):
        a, b = made(), made()
        for pair in (EqualsNetwork(a, b, decision_of(3)), EqualsNetwork(a, b, None, Fraction(1))):
            told = [pair.differ(*pair.outputs_on(row[None])) for row in x]
            assert ((comparing_network(pair).evaluate(x) > 0).any(axis=1) == told).all()


def test_exactly_epsilon_apart_is_within() -> None:
    rng = np.random.default_rng(0)
    pair = EqualsNetwork(random_network(rng, 1), random_network(rng, 1), None, Fraction(1, 2))
    for far, disagree in ((Fraction(1, 2), False), (Fraction(501, 1000), True)):
        assert pair.differ(pair.read([Fraction(0)]), pair.read([far])) is disagree
        assert pair.differ(pair.read([far]), pair.read([Fraction(0)])) is disagree


def test_a_difference_that_onnxruntime_rounds_away_is_no_answer() -> None:
    """2**24 + 1 is no float32: exactly the outputs differ by 1, in onnxruntime they are equal."""
    a, b = (feed_forward([(np.array([[2.0**24, 0, one, 0, 0, 0]]), np.array([0.0]))]) for one in (1.0, 0.0))
    domain = Domain(("a", "b"), 3, 3)
    verdict = prove_claim(word_claim(equals_network(a, b, domain, None, Fraction(0))), budget=Budget(20))
    assert isinstance(verdict, Refuted)  # on b a ?, where nothing is rounded
    assert verdict.counterexample.tokens[:2] == ("b", "a")
    only = Domain(
        ("a", "b"),
        3,
        3,
        where=Program("def w(tokens):\n    return tokens[0] == 'a' and tokens[1] == 'a'\n", "w"),
    )
    verdict = prove_claim(word_claim(equals_network(a, b, only, None, Fraction(0))), budget=Budget(20))
    assert (
        isinstance(verdict, Unknown)
        and "the two networks disagree exactly, but onnxruntime's outputs" in verdict.reason
    )
