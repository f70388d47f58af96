"""Networks that were read as others than those that run, from the command line: `../shared/cases`, and small
ones made here.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from known_claims import SHARED
from onnx import TensorProto, helper, numpy_helper, parser
from relucid.cli.main import main
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.onnx.operators import maxima

CASES = SHARED / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not here")


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = main([str(w) for w in words])
    told = capsys.readouterr()
    return status, told.out, told.err


@needs_cases
@pytest.mark.parametrize(
    ("name", "tokens", "label"),
    [
        ("slice_negative_step", ["a", "a"], "yes"),
        ("clip_flt_max", ["a", "a"], "no"),
        ("empty_slice_crash", ["b", "a"], 1),
    ],
)
def test_read_as_it_runs(name, tokens, label, capsys):
    status, out, _ = run(capsys, "prove", CASES / name / "claim.toml", "--json")
    assert status == 1
    assert (found := json.loads(out)["counterexample"])["network_label"] == label and found[
        "tokens"
    ] == tokens


@needs_cases
def test_counts_are_onnxruntimes(capsys):
    assert (
        json.loads(run(capsys, "prove", CASES / "slice_negative_step/claim.toml", "--json", "--count")[1])[
            "disagreeing"
        ]
        == "2"
    )
    assert (
        json.loads(run(capsys, "prove", CASES / "clip_flt_max/claim.toml", "--json", "--count")[1])[
            "disagreeing"
        ]
        == "4"
    )


@needs_cases
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("pad_crop_beyond", "node 0 (Pad): pads [0, 6, 0, -5] take away more than there is"),
        (
            "same_upper_negative_pad",
            "node 1 (Conv): SAME_UPPER with a stride beyond the kernel: onnxruntime moves the window, the ONNX text does",
        ),
    ],
)
@pytest.mark.parametrize("command", ["prove", "show"])
def test_refused_with_its_reason(name, why, command, capsys):
    status, out, err = run(capsys, command, CASES / name / "claim.toml")
    assert status == 2 and out == "" and why in err and len(err.strip().splitlines()) == 1


@needs_cases
def test_an_empty_tensor_is_no_crash(capsys):
    folder = CASES / "empty_slice_crash"
    assert run(capsys, "verify", folder / "net.onnx", folder / "s.vnnlib")[0] == 0
    assert run(capsys, "show", folder / "net.onnx")[0] == 0


@needs_cases
def test_what_did_not_run_is_not_said_to_have_run(capsys):
    folder = CASES / "bf16_says_onnxruntime"
    status, out, err = run(capsys, "verify", folder / "net.onnx", folder / "spec.vnnlib")
    assert status == 1 and "a counterexample, exactly over the rationals, not run in onnxruntime (" in out
    assert "and in onnxruntime" not in out
    assert [line for line in err.splitlines() if line.startswith("warning")] == [
        "warning: onnxruntime cannot load net.onnx ([ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find an implementation for Gemm(13) "
        "node with name '/0/Gemm'): the counterexample is replayed exactly, but not in onnxruntime"
    ]


@needs_cases
def test_a_proof_about_a_file_that_did_not_run_says_so(capsys, tmp_path):
    folder = CASES / "bf16_says_onnxruntime"
    (tmp_path / "s.vnnlib").write_text(
        (folder / "spec.vnnlib").read_text() + "\n(assert (>= Y_0 1000000))\n(assert (>= Y_1 1000000))\n"
    )
    status, _, err = run(capsys, "verify", folder / "net.onnx", tmp_path / "s.vnnlib")
    assert status == 0 and "what was read was not compared with it" in err


@needs_cases
def test_show_reads_packed_networks_as_verify_does(capsys):
    folder = CASES / "show_gz"
    packed, plain = (
        run(capsys, "show", folder / name, "--json") for name in ("test_tiny.onnx.gz", "test_tiny.onnx")
    )
    assert packed[0] == plain[0] == 0
    assert json.loads(packed[1]) == json.loads(plain[1]) | {"name": "test_tiny.onnx.gz"}


@needs_cases
@pytest.mark.parametrize("stands", ["max", "min"])
def test_distil_the_model_that_was_named(stands, capsys, tmp_path, monkeypatch):
    """Max of three, and min of three: whichever folder one stands in."""
    shutil.copytree(CASES / "external_data_cwd", tmp_path / "c")
    monkeypatch.chdir(tmp_path / "c" / stands)
    status, _, err = run(
        capsys, "distill", "../min/maxk.onnx", "--domain", "../min/d.toml", "--out", tmp_path / "o"
    )
    assert status == 0, err
    claim = load_word_claim(tmp_path / "o" / "claim.toml")
    assert claim.program_label(("3", "1", "4")) == "1" and claim.program_label(("4", "4", "2")) == "2"


def network(
    path: Path, body: str, opset: int = 13, shape: tuple[int, ...] = (1, 4), **consts: object
) -> Path:
    tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in consts.items()]
    ends = (
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    nodes = [parser.parse_node(line) for line in body.splitlines()]
    model = helper.make_model(
        helper.make_graph(nodes, "g", *ends, tensors),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
    )
    path.write_bytes(model.SerializeToString())
    return path


SPEC = "".join(
    f"(declare-const X_{i} Real)\n(assert (>= X_{i} -1))\n(assert (<= X_{i} 1))\n" for i in range(4)
)
SPEC += "(declare-const Y_0 Real)\n(assert (>= Y_0 100))\n"
CLAIM = 'network = "net.onnx"\nprogram = "p.py:f"\n[domain]\ntokens = ["a", "b"]\nlength = 2\n[decision]\nkind = "sign"\nlabels = [false, true]\n'


@pytest.fixture
def clipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network that a wrong reader takes for another one: a Clip whose upper limit it overlooks."""
    network(tmp_path / "net.onnx", "c = Clip<max=-2.0>(x)\ny = ReduceMax<axes=[1]>(c)", 10)
    (tmp_path / "s.vnnlib").write_text(SPEC)
    (tmp_path / "claim.toml").write_text(CLAIM)
    (tmp_path / "pair.toml").write_text(CLAIM.replace('program = "p.py:f"', 'network_b = "net.onnx"'))
    (tmp_path / "box.toml").write_text('network = "net.onnx"\n[domain]\nbox = "s.vnnlib"\n')
    (tmp_path / "p.py").write_text("def f(tokens):\n    return False\n")
    return tmp_path


WAYS = {
    "prove": ("prove", "claim.toml"),
    "prove two networks": ("prove", "pair.toml"),
    "show": ("show", "claim.toml"),
    "check": ("check", "claim.toml", "proof"),
}


def overlooking(monkeypatch: pytest.MonkeyPatch) -> None:
    right = maxima._limit
    monkeypatch.setattr(
        maxima, "_limit", lambda call, i, name: None if name == "max" else right(call, i, name)
    )


@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_refuses_what_was_read_wrong(way, clipped, capsys, monkeypatch):
    run(capsys, "prove", clipped / "claim.toml", "--proof", clipped / "proof")
    command, *files = WAYS[way]
    assert run(capsys, command, *(clipped / f for f in files))[0] == 0
    overlooking(monkeypatch)
    status, out, err = run(capsys, command, *(clipped / f for f in files))
    assert (
        status == 2
        and "net.onnx: node 0 (Clip): onnxruntime gives -2.0 where the reader has" in err
        and out == ""
    )


def test_verify_and_its_proofs_refuse_it_too(clipped, capsys, monkeypatch):
    from relucid.verifiers.boxes.worker import _answer
    from relucid.verifiers.proof.boxes.subject import check_files

    job = {
        "network": str(clipped / "net.onnx"),
        "property": str(clipped / "s.vnnlib"),
        "deadline": float("inf"),
        "seed": 0,
        "threads": 1,
    }
    job |= {
        "against": None,
        "epsilon": None,
        "same_label": False,
        "proof": None,
        "backend": "split",
        "trust": "exact",
    }
    assert (
        run(capsys, "verify", clipped / "net.onnx", clipped / "s.vnnlib", "--proof", clipped / "proof")[0]
        == 0
    )
    overlooking(monkeypatch)
    for against in (None, job["network"]):
        where, what, _ = _answer(job | {"against": against}, print, print)["input_error"]
        assert where == "net.onnx" and "node 0 (Clip): onnxruntime gives -2.0 where the reader has" in what
    with pytest.raises(ValueError, match=r"node 0 \(Clip\): onnxruntime gives"):
        check_files(clipped / "net.onnx", clipped / "s.vnnlib", clipped / "proof", 60.0)


def test_relucid_prove_refuses_it_too(clipped, monkeypatch):
    import relucid

    options = {"labels": [False, True]}
    given = ("def f(tokens):\n    return False\n", {"tokens": ["a", "b"], "length": 2})
    data = (clipped / "net.onnx").read_bytes()
    assert isinstance(relucid.prove(data, *given, **options), relucid.Proved)
    overlooking(monkeypatch)
    for form in (data, clipped / "net.onnx"):
        with pytest.raises(relucid.InputError, match=r"node 0 \(Clip\): onnxruntime gives"):
            relucid.prove(form, *given, **options)
    with pytest.raises(relucid.InputError, match=r"node 0 \(Clip\): onnxruntime gives"):
        relucid.make_claim(data, None, given[1], network_b=data, **options)


def test_a_network_is_held_to_the_bytes_that_came_with_it(clipped, monkeypatch):
    from dataclasses import replace

    import relucid
    from relucid.models.onnx.reader import load_onnx

    given = ("def f(tokens):\n    return False\n", {"tokens": ["a", "b"], "length": 2})
    read = load_onnx(clipped / "net.onnx", positions=2, alphabet=2)
    assert isinstance(relucid.prove(read, *given), relucid.Proved)
    other = load_onnx(network(clipped / "other.onnx", "y = ReduceMax<axes=[1]>(x)"), positions=2, alphabet=2)
    with pytest.raises(relucid.InputError, match="its ONNX bytes are those of another network"):
        relucid.prove(replace(read, source=other.source), *given)
    overlooking(monkeypatch)
    with pytest.raises(relucid.InputError, match=r"node 0 \(Clip\): onnxruntime gives"):
        relucid.prove(load_onnx(clipped / "net.onnx", positions=2, alphabet=2), *given)
