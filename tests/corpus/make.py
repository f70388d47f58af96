"""Makes the known-answer corpus: small claims whose answers were found by brute force, with nothing of relucid.

Run from the repository root: `python tests/corpus/make.py` (about two minutes; seeds are fixed, files are committed).
Networks are trained with torch and rounded to multiples of 2**-bits, or written by hand where ties matter; ONNX is written
with onnx.helper; programs run under CPython; networks are evaluated on Python integers.  So an error in relucid's
reader, writer, interpreter or arithmetic cannot hide in the expected results.
"""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from specs import SPECS, Layers, Spec, alphabet, functions, ids, inputs, lengths, names

HERE = Path(__file__).parent


def one_hot(spec: Spec, words: list[tuple[str, ...]]) -> np.ndarray:
    rows = np.array([ids(spec, w) for w in words])
    return np.eye(len(alphabet(spec)), dtype=np.int64)[rows].reshape(len(words), -1)


def evaluate(layers: Layers, x: np.ndarray, bits: int) -> np.ndarray:
    """Integer outputs over 2**(bits * number of layers)."""
    x = x.astype(object)
    for i, (w, b) in enumerate(layers):
        x = x.dot(w.astype(object).T) + b.astype(object) * 2 ** (bits * i)
        if i + 1 < len(layers):
            x = np.maximum(x, 0)
    return x


def decide(spec: Spec, y: np.ndarray) -> list[int]:
    if spec.kind == "sign":
        return [int(row[0] > 0) for row in y]
    return [max(range(len(row)), key=lambda j: (row[j], -j)) for row in y]


def label_index(spec: Spec, value: object) -> int:
    return next(i for i, y in enumerate(spec.labels) if type(y) is type(value) and y == value)


def train(spec: Spec, words: list, right: list[int], seed: int) -> Layers:
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    x = torch.tensor(one_hot(spec, words), dtype=torch.float32)
    y = torch.tensor(right)
    sizes = [x.shape[1], *spec.hidden, 1 if spec.kind == "sign" else len(spec.labels)]
    linears = [torch.nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
    parameters = [p for layer in linears for p in layer.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=0.02)
    unit = 2.0**spec.bits

    def forward(h: torch.Tensor) -> torch.Tensor:
        for i, layer in enumerate(linears):
            w, b = (p + ((p * unit).round() / unit - p).detach() for p in (layer.weight, layer.bias))
            h = h @ w.T + b
            h = torch.relu(h) if i + 1 < len(linears) else h
        return h

    for _ in range(1500):
        out = forward(x)
        if spec.kind == "sign":
            loss = torch.relu(1 - out[:, 0] * (2 * y - 1)).pow(2).mean()
        else:
            loss = torch.nn.functional.multi_margin_loss(out, y, margin=1.0, p=2)
        if float(loss.detach()) < 1e-4:
            break
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return [
        (
            (l.weight.detach() * unit).round().numpy().astype(np.int64),
            (l.bias.detach() * unit).round().numpy().astype(np.int64),
        )
        for l in linears
    ]


def write_onnx(spec: Spec, layers: Layers, path: Path) -> None:
    positions, letters = len(ids(spec, tuple(spec.tokens[:1]) * lengths(spec)[1])), len(alphabet(spec))
    nodes, weights = [], []

    def constant(name: str, value: np.ndarray) -> str:
        weights.append(numpy_helper.from_array(value, name))
        return name

    if spec.style == "ids":
        graph_input = helper.make_tensor_value_info("ids", TensorProto.INT64, [1, positions])
        nodes.append(
            helper.make_node(
                "Gather", [constant("table", np.eye(letters, dtype=np.float32)), "ids"], ["e"], axis=0
            )
        )
        nodes.append(helper.make_node("Flatten", ["e"], ["x"], axis=1))
    elif spec.style == "cube":
        graph_input = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, positions * letters])
        nodes.append(
            helper.make_node("Reshape", ["input", constant("s1", np.array([1, positions, letters]))], ["c"])
        )
        nodes.append(helper.make_node("Transpose", ["c"], ["t"], perm=[0, 2, 1]))
        nodes.append(helper.make_node("Transpose", ["t"], ["u"], perm=[0, 2, 1]))
        nodes.append(helper.make_node("Reshape", ["u", constant("s2", np.array([1, -1]))], ["x"]))
    else:
        graph_input = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, positions * letters])
    last = "x"
    for i, (w, b) in enumerate(layers):
        weight, bias = (w / 2.0**spec.bits).astype(np.float32), (b / 2.0**spec.bits).astype(np.float32)
        out = "y" if i + 1 == len(layers) else f"h{i}"
        if spec.style == "matmul":
            nodes.append(helper.make_node("MatMul", [last, constant(f"w{i}", weight.T.copy())], [f"m{i}"]))
            nodes.append(helper.make_node("Add", [f"m{i}", constant(f"b{i}", bias)], [out]))
        else:
            nodes.append(
                helper.make_node(
                    "Gemm", [last, constant(f"w{i}", weight), constant(f"b{i}", bias)], [out], transB=1
                )
            )
        last = out
        if i + 1 < len(layers):
            nodes.append(helper.make_node("Relu", [out], [f"r{i}"]))
            last = f"r{i}"
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, len(layers[-1][1])])
    graph = helper.make_graph(nodes, spec.name, [graph_input], [output], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def toml(spec: Spec) -> str:
    def value(v: object) -> str:
        return json.dumps(v, ensure_ascii=False)

    lines = ['network = "net.onnx"', f'program = "program.py:{names(spec.program)[0]}"', "", "[domain]"]
    lines += [f"tokens = {value(spec.tokens)}", f"length = {value(spec.length)}"]
    lines += [f"pad = {value(spec.pad)}"] if spec.pad else []
    lines += [f'where = "program.py:{spec.where}"'] if spec.where else []
    lines += [f"prefix = {value(spec.prefix)}"] if spec.prefix else []
    lines += [f"suffix = {value(spec.suffix)}"] if spec.suffix else []
    encoding = "ids" if spec.style == "ids" else "one_hot"
    lines += [
        "",
        "[input]",
        f'encoding = "{encoding}"',
        "",
        "[decision]",
        f'kind = "{spec.kind}"',
        f"labels = {value(spec.labels)}",
    ]
    return "\n".join(lines) + "\n"


def make(spec: Spec) -> None:
    words = inputs(spec)
    program, _ = functions(spec)
    right = [label_index(spec, program(w)) for w in words]
    seeds = range(spec.seed, spec.seed + 40)
    for seed in seeds:
        layers = spec.hand(spec) if spec.hand else train(spec, words, right, seed)
        if (
            spec.want == "refuted" and not spec.hand
        ):  # a near miss: move one weight by one unit until something flips
            rng = np.random.default_rng(seed)
            for _ in range(400):
                w = layers[int(rng.integers(len(layers)))][0]
                w[tuple(int(rng.integers(n)) for n in w.shape)] += int(rng.choice([-1, 1]))
                if decide(spec, evaluate(layers, one_hot(spec, words), spec.bits)) != right:
                    break
        got = decide(spec, evaluate(layers, one_hot(spec, words), spec.bits))
        wrong = [i for i, (a, b) in enumerate(zip(got, right, strict=True)) if a != b]
        if (spec.want == "proved") == (not wrong) or spec.hand:
            break
    assert (spec.want == "proved") == (not wrong), f"{spec.name}: {len(wrong)} of {len(words)} wrong"
    folder = HERE / spec.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_onnx(spec, layers, folder / "net.onnx")
    (folder / "program.py").write_text(spec.program, encoding="utf-8")
    (folder / "claim.toml").write_text(toml(spec), encoding="utf-8")
    first = wrong[0] if wrong else None
    example = None
    if first is not None:
        example = {
            "tokens": list(words[first]),
            "network_label": spec.labels[got[first]],
            "program_label": spec.labels[right[first]],
        }
    expected = {
        "verdict": spec.want,
        "exit": 1 if wrong else 0,
        "domain_size": str(len(words)),
        "disagreeing": str(len(wrong)),
        "one_counterexample": example,
    }
    (folder / "expected.json").write_text(
        json.dumps(expected, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    print(f"{spec.name:32} {spec.want:8} {len(words):7} inputs, {len(wrong):5} wrong, hidden {spec.hidden}")


if __name__ == "__main__":
    for one in SPECS:
        make(one)
