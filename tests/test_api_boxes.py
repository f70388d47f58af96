"""The Python API on networks with real inputs: `verify`, `prove` of loaded claims, and `check`."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import relucid
from relucid.models.claims.boxes import Box, Boxes
from relucid.models.claims.build import equals_network, has_property
from relucid.models.claims.decision import Decision
from relucid.models.claims.property import Case, Property, Row
from relucid.models.claims.vnnlib import read_vnnlib
from relucid.models.claims.vnnlib_writer import write_boxes, write_vnnlib
from relucid.models.network.network import Network, feed_forward
from relucid.models.onnx.writer import write_onnx

ONE = Fraction(1)
EXACT = relucid.ProofRequest("exact")


def sum_of_two(shift: float = 0.0) -> Network:
    """x0 + x1 + shift, and 3 - 4 shift."""
    last = np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([shift, 3.0 - 4 * shift])
    return feed_forward([(np.eye(2), np.zeros(2)), last], encoding="real")


def at_least(least: Fraction | str) -> Property:
    """On [0, 1/3] x [0, 1]: output 0 is at least so much."""
    row = Row((), ((0, ONE),), -Fraction(least))
    return Property(2, 2, (Case((Fraction(0),) * 2, (Fraction(1, 3), ONE), ((row,),)),))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.onnx").write_bytes(write_onnx(sum_of_two()))
    (tmp_path / "spec.vnnlib").write_text(write_vnnlib(at_least("3/2")), encoding="utf-8")
    (tmp_path / "claim.toml").write_text('network = "net.onnx"\n[domain]\nbox = "spec.vnnlib"\n')
    return tmp_path


def test_networks_and_properties_of_every_kind(folder: Path) -> None:
    file, data = folder / "net.onnx", (folder / "net.onnx").read_bytes()
    for network in (file, str(file), data, sum_of_two()):
        verdict = relucid.verify(network, folder / "spec.vnnlib", request=EXACT)
        assert isinstance(verdict, relucid.Proved) and verdict.trust == "exact"
    verdict = relucid.verify(file, at_least("5/4"), request=EXACT)
    assert isinstance(verdict, relucid.Refuted)
    assert sum(verdict.counterexample.input) >= Fraction(5, 4)
    # 4/3 is the exact maximum, so it is reached, and nothing above it is
    assert isinstance(relucid.verify(file, at_least(Fraction(4, 3) + Fraction(1, 1000))), relucid.Proved)


def test_a_torch_module(folder: Path) -> None:
    import torch

    module = torch.nn.Linear(2, 2)
    with torch.no_grad():
        module.weight[:], module.bias[:] = torch.tensor([[1.0, 1.0], [0.0, 0.0]]), torch.tensor([0.0, 3.0])
    assert isinstance(relucid.verify(module, folder / "spec.vnnlib", request=EXACT), relucid.Proved)


def test_proofs_are_written_and_checked(folder: Path) -> None:
    proof, network, spec = folder / "proof", folder / "net.onnx", folder / "spec.vnnlib"
    verdict = relucid.verify(network, spec, request=relucid.ProofRequest(path=proof))
    assert isinstance(verdict, relucid.Proved) and (verdict.trust, verdict.proof) == ("checked", str(proof))
    claim = relucid.load_claim(folder / "claim.toml")
    assert relucid.check(network, proof, spec).shows == relucid.check(claim, proof).shows == "proved"
    with pytest.raises(relucid.Rejected, match="another property"):
        relucid.check(network, proof, at_least("7/4"))
    with pytest.raises(relucid.InputError, match="a network needs a property"):
        relucid.check(network, proof)


def test_a_claim_that_was_loaded(folder: Path) -> None:
    claim = relucid.load_claim(folder / "claim.toml")
    assert claim.domain_size is None
    assert repr(claim) == f"<Claim {folder.name}: net.onnx gives no unsafe output on 1 box>"
    proof = folder / "by prove"
    verdict = relucid.prove(claim, request=relucid.ProofRequest(path=proof))
    assert isinstance(verdict, relucid.Proved)
    assert relucid.check(folder / "net.onnx", proof, folder / "spec.vnnlib").shows == "proved"


def test_two_networks(folder: Path) -> None:
    spec, network = folder / "spec.vnnlib", folder / "net.onnx"
    near = relucid.verify(network, spec, network_b=sum_of_two(0.0625), epsilon="3/10", request=EXACT)
    assert isinstance(near, relucid.Proved)
    far = relucid.verify(network, spec, network_b=sum_of_two(0.0625), epsilon="1/5", request=EXACT)
    assert isinstance(far, relucid.Refuted)
    boxes = Boxes(2, (Box((Fraction(0),) * 2, (ONE, ONE)),))
    claim = equals_network(sum_of_two(), sum_of_two(0.5), boxes, Decision("argmax", (0, 1)))
    assert isinstance(relucid.prove(claim, request=EXACT), relucid.Refuted)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"epsilon": 1}, "epsilon: is about two networks"),
        ({"network_b": "net.onnx", "epsilon": "much"}, "epsilon: 'much' is no number"),
        ({"network_b": "net.onnx", "epsilon": -1}, "epsilon: -1 is negative"),
        ({"request": relucid.ProofRequest(backends="z3-bv")}, "decided by one of race, split, lp, milp"),
        ({"request": relucid.ProofRequest(count=True)}, "count: is for claims about tokens"),
        ({"request": relucid.ProofRequest(form="drat")}, "no proof format 'drat' for boxes"),
        ({"network_b": "net.onnx", "request": relucid.ProofRequest("checked")}, "no proofs about two"),
        ({"budget": relucid.Budget(seconds=0)}, "0 seconds is not a time limit"),
    ],
)
def test_requests_that_make_no_sense(folder: Path, options: dict, said: str) -> None:
    with pytest.raises(relucid.InputError, match=said):
        relucid.verify(folder / "net.onnx", folder / "spec.vnnlib", **options)


@pytest.mark.parametrize("name", ["net.onnx", "spec.vnnlib"])
def test_a_proof_does_not_replace_what_is_read(folder: Path, name: str) -> None:
    before = (folder / name).read_bytes()
    with pytest.raises(relucid.InputError, match="names an input; choose another file"):
        request = relucid.ProofRequest(path=folder / name)
        relucid.verify(folder / "net.onnx", folder / "spec.vnnlib", request=request)
    assert (folder / name).read_bytes() == before


def test_what_is_no_network_and_no_property(folder: Path) -> None:
    with pytest.raises(relucid.InputError, match="int is not a network"):
        relucid.verify(7, folder / "spec.vnnlib")  # type: ignore[arg-type]
    with pytest.raises(relucid.InputError, match="int is not a property"):
        relucid.verify(folder / "net.onnx", 7)  # type: ignore[arg-type]
    with pytest.raises(relucid.InputError, match="has 2 inputs, the network has 3"):
        relucid.verify(feed_forward([(np.eye(3), np.zeros(3))], encoding="real"), folder / "spec.vnnlib")
    with pytest.raises(relucid.InputError, match="has 2 inputs, the network has 3"):
        has_property(feed_forward([(np.eye(3), np.zeros(3))], encoding="real"), at_least(1))


def random_property(rng: np.random.Generator) -> Property:
    def value() -> Fraction:
        return Fraction(int(rng.integers(-6, 7)), int(rng.choice([1, 2, 3, 7])))

    def row() -> Row:
        x = tuple((i, value()) for i in range(2) if rng.random() < 0.3)
        y = tuple((j, value() or ONE) for j in range(3) if rng.random() < 0.6)
        return Row(x, y, value(), bool(rng.random() < 0.5))

    def case() -> Case:
        lower = value(), value()
        unsafe = tuple(tuple(row() for _ in range(rng.integers(0, 4))) for _ in range(rng.integers(0, 4)))
        return Case(lower, tuple(v + abs(value()) for v in lower), unsafe)

    return Property(2, 3, tuple(case() for _ in range(rng.integers(0, 4))))


@pytest.mark.parametrize("seed", range(60))
def test_properties_are_written_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    stated = random_property(rng)
    again = read_vnnlib(write_vnnlib(stated))
    assert (again.inputs, again.outputs) == (stated.inputs, stated.outputs)
    for case in stated.cases:
        for _ in range(20):
            ends = zip(case.lower, case.upper, strict=True)
            x = [low + (high - low) * Fraction(int(rng.integers(0, 3)), 2) for low, high in ends]
            y = [Fraction(int(v), 2) for v in rng.integers(-9, 10, 3)]
            assert stated.witnesses(x, y) == again.witnesses(x, y)
    assert read_vnnlib(write_boxes(stated.boxes, 3)).boxes == stated.boxes or not stated.cases


def test_a_changed_property_is_not_taken_for_the_text_that_it_was_read_from() -> None:
    """Its text says that the inputs end at 1, so that output 0 cannot reach 5; it says 10 itself."""
    read = read_vnnlib(write_vnnlib(at_least(5)))
    wider = replace(read, cases=(replace(read.cases[0], upper=(Fraction(10),) * 2),))
    with pytest.raises(relucid.InputError, match="text is that of another property"):
        relucid.verify(sum_of_two(), wider)
    assert isinstance(relucid.verify(sum_of_two(), replace(wider, source=""), request=EXACT), relucid.Refuted)


def test_a_changed_network_is_not_taken_for_the_bytes_that_it_was_read_from(folder: Path) -> None:
    other = replace(sum_of_two(2.0), source=(folder / "net.onnx").read_bytes())
    with pytest.raises(relucid.InputError, match="bytes are those of another network"):
        relucid.verify(other, folder / "spec.vnnlib")
    with pytest.raises(relucid.InputError, match="bytes are those of another network"):
        relucid.verify(folder / "net.onnx", folder / "spec.vnnlib", network_b=other, epsilon=0)
    refuted = relucid.verify(replace(other, source=b""), folder / "spec.vnnlib", request=EXACT)
    assert isinstance(refuted, relucid.Refuted)


def test_a_claim_about_a_property_is_about_all_of_its_boxes_and_no_others() -> None:
    claim = has_property(sum_of_two(), at_least("3/2"))
    with pytest.raises(relucid.InputError, match="not those of the property"):
        replace(claim, input_set=Boxes(2, (Box((Fraction(0),) * 2, (Fraction(9),) * 2),)))
