"""Circuits that are only executed: Python functions, TorchScript, ONNX.  `test_torch_files_with_code.py`:
files that would do more than compute.
"""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from relucid.common.errors import InputError
from relucid.models.circuits.black_box import BlackBox
from relucid.models.circuits.load import load_circuit

WORDS = ("a", "b", "c")
IDS = np.array([[0, 1, 2], [2, 2, 1], [1, 0, 0]])


def refusal(call):
    with pytest.raises(InputError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps({"tokens": list(WORDS)}))
    return tmp_path


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return ids[:, -1]", [2, 1, 0]),
        ("return ids[:, -1:]", [2, 1, 0]),
        ("return ['abc'[i] for i in ids[:, 0]]", [0, 2, 1]),
        ("import numpy as np; return np.eye(3)[ids[:, 0]]", [0, 2, 1]),
        ("import numpy as np; return np.eye(3)[ids]", [2, 1, 0]),
        ("import torch; return torch.eye(3)[torch.from_numpy(ids)].requires_grad_()", [2, 1, 0]),
    ],
)
def test_a_function_gives_labels_or_logits(body, expected, folder):
    (folder / "mine.py").write_text(f"def f(ids):\n    {body}\n")
    circuit = load_circuit(f"{folder}/mine.py:f")
    assert circuit.logits(IDS).argmax(axis=1).tolist() == expected
    assert circuit.summary().lines() == ("Python function, run as it is", f"origin: {folder}/mine.py:f")


def test_a_function_may_bring_its_words_and_want_torch(tmp_path):
    (tmp_path / "helper.py").write_text("LAST = -1\n")
    text = "from helper import LAST\nvocabulary = ['x', 'y']\ntorch_input = True\ndef f(ids):\n    return ids.flip(1)[:, LAST].long()\n"
    (tmp_path / "mine.py").write_text(text)
    circuit = load_circuit(f"{tmp_path}/mine.py:f")
    assert circuit.vocabulary == ("x", "y") and circuit.logits(np.array([[0, 1], [1, 0]])).argmax(
        axis=1
    ).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return [0.5, 1.0, 2.0]", "gives labels of type float64"),
        ("return [0, 1, 3]", "gives a label id outside 0 to 2"),
        ("return ['a', 'b', 'z']", "gives the label 'z', which is no token of its vocabulary"),
        ("return ['a', None, 'b']", "gives the label None"),
        (
            "return ids[:2, 0]",
            "gives shape (2,) and type int64 for 3 sequences; return labels (3,) or logits (3, 3)",
        ),
        ("return ids[:, :2] * 1.0", "gives shape (3, 2) and type float64"),
        ("return None", "gives shape () and type object"),
        ("return [[1], [1, 2]]", "its answer is not an array"),
        ("raise KeyError('no')", "fails on ids of shape (3, 3) (KeyError: 'no'); mend the function"),
        ("raise SystemExit(3)", "fails on ids of shape (3, 3) (SystemExit: 3)"),
    ],
)
def test_a_function_that_answers_nonsense(body, says, folder):
    (folder / "mine.py").write_text(f"def f(ids):\n    {body}\n")
    assert says in refusal(lambda: load_circuit(f"{folder}/mine.py:f").logits(IDS))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def g(ids):\n    return 1\n", "there is no function 'f' in the file; functions there: g"),
        ("f = 3\n", "there is no function 'f' in the file; functions there: none"),
        ("1 / 0\n", "fails when it is imported (ZeroDivisionError: division by zero)"),
        ("def f(:\n", "fails when it is imported (SyntaxError"),
        ("vocabulary = 'ab'\ndef f(ids):\n    return ids\n", "vocabulary: is not a list of strings"),
        (None, "there is no such file"),
    ],
)
def test_a_file_without_the_function(text, says, folder):
    if text is not None:
        (folder / "mine.py").write_text(text)
    assert says in refusal(lambda: load_circuit(f"{folder}/mine.py:f"))


def test_a_vocabulary_is_needed(tmp_path):
    (tmp_path / "mine.py").write_text("def f(ids):\n    return ids[:, 0]\n")
    assert "vocab.json: there is no such file" in refusal(lambda: load_circuit(f"{tmp_path}/mine.py:f"))
    assert "names no function" in refusal(lambda: load_circuit(f"{tmp_path}/mine.py"))
    assert "takes no mask" in refusal(lambda: load_circuit(f"{tmp_path}/mine.py:f", tmp_path / "m.json"))


def script(path, body="x = torch.nn.functional.one_hot(ids, 3).float(); return torch.softmax(x, -1)"):
    import torch

    lines = "\n".join("    " + line.strip() for line in body.split(";"))
    module = torch.jit.script(
        type("Model", (torch.nn.Module,), {})()
    )  # a new type each time: torch caches by type
    module.define(f"def forward(self, ids):\n    # type: (Tensor) -> Tensor\n{lines}\n")
    module.save(str(path))


def test_torchscript(folder):
    script(folder / "m.pt")
    circuit = load_circuit(folder / "m.pt", run_code=True)
    assert circuit.logits(IDS).argmax(axis=1).tolist() == [2, 1, 0]
    assert circuit.summary().kind == "TorchScript model, run as it is"
    assert "fails on ids of shape (1, 1)" in refusal(lambda: circuit.logits(np.array([[7]])))


def onnx_file(path, rows="n", columns="p", kind=TensorProto.INT64):
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["looked"]),
        helper.make_node("Softmax", ["looked"], ["logits"], axis=2),
    ]
    table = helper.make_tensor("table", TensorProto.FLOAT, (3, 3), np.eye(3, dtype=np.float32).flatten())
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("ids", kind, (rows, columns))],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)], [table],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.mark.parametrize(
    ("rows", "columns", "kind"),
    [("n", "p", TensorProto.INT64), (1, 3, TensorProto.INT32), (2, 3, TensorProto.INT64)],
)
def test_onnx(rows, columns, kind, folder):
    onnx_file(folder / "m.onnx", rows, columns, kind)
    assert load_circuit(folder / "m.onnx").logits(IDS).argmax(axis=1).tolist() == [2, 1, 0]


def test_onnx_that_does_not_fit(folder):
    onnx_file(folder / "m.onnx", 1, 4)
    says = refusal(lambda: load_circuit(folder / "m.onnx").logits(IDS))
    assert "takes 4 positions, the domain's sequences have 3 with prefix and suffix" in says
    onnx_file(folder / "f.onnx", kind=TensorProto.FLOAT)
    assert "onnxruntime cannot load it" in refusal(lambda: load_circuit(folder / "f.onnx"))
    (folder / "g.onnx").write_bytes(b"garbage")
    assert "is not an ONNX file" in refusal(lambda: load_circuit(folder / "g.onnx"))


def test_files_of_no_known_format(folder):
    (folder / "x.bin").write_bytes(b"")
    assert "is a file of no known format" in refusal(lambda: load_circuit(folder / "x.bin"))
    assert "is JSON of no known circuit format" in refusal(lambda: load_circuit(folder / "vocab.json"))
    (folder / "mask.json").write_text(json.dumps({"format": "relucid node mask 1"}))
    assert "is a node mask, not a circuit" in refusal(lambda: load_circuit(folder / "mask.json"))
    (folder / "circuit.json").write_text(json.dumps({"n_layers": 1, "edges": []}))
    assert "there is no smt_weights.json beside it" in refusal(lambda: load_circuit(folder / "circuit.json"))


def test_an_executed_circuit_distils(folder, capsys):
    from relucid.cli.main import main

    (folder / "mine.py").write_text("vocabulary = ['a', 'b', 'c']\ndef last(ids):\n    return ids[:, -1]\n")
    (folder / "t.toml").write_text(
        '[domain]\ntokens = ["a", "b"]\nlength = 4\n[decision]\nlabels = ["a", "b"]\n'
    )
    assert (
        main(
            [
                "distill",
                f"{folder}/mine.py:last",
                "--domain",
                str(folder / "t.toml"),
                "--out",
                str(folder / "out"),
            ]
        )
        == 0
    )
    assert "proved: network = program on all 16 inputs" in capsys.readouterr().out


def test_a_black_box_is_a_circuit():
    from relucid.models.circuits.circuit import check_circuit

    check_circuit(BlackBox("x", WORDS, lambda ids: ids[:, 0], "test"))
