"""Weights in files beside the model: read from there wherever one stands, and from nowhere else."""

import gzip
import os
import socket

import numpy as np
import onnx
import pytest
from known_claims import SHARED
from onnx import TensorProto, helper, numpy_helper, parser
from relucid.common.errors import InputError
from relucid.models.circuits.formats.onnx_model import read_onnx_model
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.onnx.files import load_model
from relucid.models.onnx.reader import load_onnx, read_onnx
from relucid.verifiers.prove import prove

CLAIM = 'network = "net.onnx"\nprogram = "p.py:f"\n[domain]\ntokens = ["a", "b"]\nlength = 1\n[decision]\nlabels = [0, 1]\n'


def saved(folder, weight=((1.0, 2.0), (3.0, 4.0)), name="net.onnx", **entries):
    """A network y = x @ w whose w lies in a file beside it; `entries` are written over what says where."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = np.float32(weight).tobytes()
    (folder / f"{name}.data").write_bytes(stored)
    tensor = TensorProto(
        name="w", dims=[2, 2], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL
    )
    for key, value in (
        {"location": f"{name}.data", "offset": "0", "length": str(len(stored))} | entries
    ).items():
        if value is not None:
            tensor.external_data.add(key=key, value=value)
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2]) for n in "xy"]
    graph = helper.make_graph([parser.parse_node("y = MatMul(x, w)")], "g", [ends[0]], [ends[1]])
    graph.initializer.append(tensor)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    (folder / name).write_bytes(model.SerializeToString())
    return folder / name


def outputs(network):
    return network.evaluate(np.eye(2, dtype=np.int64)).tolist()


def test_weights_come_from_beside_the_model_wherever_one_stands(tmp_path, monkeypatch):
    here, there = saved(tmp_path / "here"), saved(tmp_path / "there", ((5.0, 6.0), (7.0, 8.0)))
    monkeypatch.chdir(there.parent)
    assert outputs(load_onnx(here)) == [[1, 2], [3, 4]]
    assert outputs(load_onnx("../here/net.onnx")) == [[1, 2], [3, 4]]
    assert outputs(load_onnx("net.onnx")) == [[5, 6], [7, 8]]


def test_what_is_read_is_one_model_with_every_byte_in_it(tmp_path):
    network = load_onnx(saved(tmp_path))
    inside = onnx.load_from_string(network.source)
    assert numpy_helper.to_array(inside.graph.initializer[0]).tolist() == [[1, 2], [3, 4]]
    assert not inside.graph.initializer[0].external_data
    other = load_onnx(saved(tmp_path, ((1.0, 2.0), (3.0, 4.5))))
    assert network.digest != other.digest and network.source != other.source
    assert load_model(saved(tmp_path)) == network.source  # the same bytes each time


def test_a_model_without_other_files_is_left_as_it_is(tmp_path):
    data = load_onnx(saved(tmp_path)).source
    (tmp_path / "whole.onnx").write_bytes(data)
    assert load_model(tmp_path / "whole.onnx") == data


def test_packed_models_find_their_weights_too(tmp_path):
    path = saved(tmp_path)
    (tmp_path / "net.onnx.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert load_model(tmp_path / "net.onnx.gz") == load_model(path)


def test_claims_proofs_and_relucid_prove(tmp_path, monkeypatch):
    path = saved(tmp_path / "a", ((1.0, 0.0), (0.0, 1.0)))
    (path.parent / "claim.toml").write_text(CLAIM)
    (path.parent / "p.py").write_text('def f(tokens):\n    return 0 if tokens[0] == "a" else 1\n')
    saved(tmp_path / "b", ((0.0, 1.0), (1.0, 0.0)))
    monkeypatch.chdir(tmp_path / "b")
    assert outputs(load_word_claim("../a/claim.toml").network) == [[1, 0], [0, 1]]
    told = prove(path, "../a/p.py:f", {"tokens": ["a", "b"], "length": 1}, labels=[0, 1])
    assert type(told).__name__ == "Proved" and told.warnings == ()


def test_bytes_alone_are_refused_with_a_mend(tmp_path, monkeypatch):
    path = saved(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match="network: tensor 'w' lies in another file; save the model with its weights inside"
    ):
        prove(
            path.read_bytes(),
            "def f(tokens):\n    return 0\n",
            {"tokens": ["a", "b"], "length": 1},
            labels=[0, 1],
        )
    with pytest.raises(InputError, match="lies in another file"):
        read_onnx(path.read_bytes(), origin="net.onnx")


HOSTILE = {
    "absolute": ({"location": "/etc/hostname"}, "is not one beside the model"),
    "up": ({"location": "../secret"}, "is not one beside the model"),
    "up and down": ({"location": "sub/../../secret"}, "is not one beside the model"),
    "of another system": ({"location": "..\\secret"}, "is not one beside the model"),
    "none": ({"location": None}, "is not one beside the model"),
    "the folder": ({"location": "."}, "Is a directory"),
    "not there": ({"location": "gone.data"}, "No such file"),
    "a very long name": ({"location": "a" * 5000}, "cannot be read"),
    "offset beyond": ({"offset": "4"}, "which has 16"),
    "offset far beyond": ({"offset": "9" * 19}, "which has 16"),
    "negative offset": ({"offset": "-4"}, "its offset '-4' is not a number"),
    "offset in words": ({"offset": "four"}, "its offset 'four' is not a number"),
    "offset of many digits": ({"offset": "9" * 30}, "is not a number"),
    "short": ({"length": "12"}, "its shape and type need 16 bytes, it says that it has 12"),
    "long": ({"length": "20"}, "its shape and type need 16 bytes, it says that it has 20"),
    "a link out": ({"location": "out.data"}, "is a link that leads out of the model's folder"),
    "through a linked folder": (
        {"location": "outside/secret"},
        "is a link that leads out of the model's folder",
    ),
    "a link to itself": ({"location": "loop"}, "cannot be read"),
    "a pipe": ({"location": "pipe"}, "not a regular file"),
    "a socket": ({"location": "socket"}, "cannot be read"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_and_numbers_are_refused_in_one_line(name, tmp_path):
    entries, why = HOSTILE[name]
    (tmp_path / "secret").write_bytes(bytes(16))
    folder = tmp_path / "model"
    path = saved(folder, **entries)
    (folder / "out.data").symlink_to(tmp_path / "secret")
    (folder / "outside").symlink_to(tmp_path)
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(folder / "socket"))
        for read in (load_onnx, read_onnx_model):
            with pytest.raises(InputError) as error:
                read(path)
            assert (
                str(error.value).startswith(f"{path}: tensor 'w': ")
                and why in str(error.value)
                and "\n" not in str(error.value)
            )


def test_links_and_folders_inside_are_followed(tmp_path):
    path = saved(tmp_path, location="sub/weights")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "weights").symlink_to("../net.onnx.data")
    assert outputs(load_onnx(path)) == [[1, 2], [3, 4]]


def test_length_may_be_left_out_and_offsets_count(tmp_path):
    path = saved(tmp_path, length=None, offset="8")
    (tmp_path / "net.onnx.data").write_bytes(bytes(8) + np.float32([1, 2, 3, 4]).tobytes() + bytes(8))
    assert outputs(load_onnx(path)) == [[1, 2], [3, 4]]


def test_all_weights_together_are_bounded_before_any_is_read(tmp_path):
    path = saved(tmp_path)
    model = onnx.load(path, load_external_data=False)
    for i in range(3):
        tensor = model.graph.initializer.add()
        tensor.CopyFrom(model.graph.initializer[0])
        tensor.name = f"v{i}"
        del tensor.dims[:], tensor.external_data[2:]
        tensor.dims.extend([2**28])
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="larger than 2 GB with its weights"):
        load_model(path)


def test_tensors_in_attributes_graphs_and_functions_count(tmp_path):
    path = saved(tmp_path)
    model = onnx.load(path, load_external_data=False)
    inner = helper.make_graph([parser.parse_node("z = Identity(v)")], "inner", [], [])
    inner.initializer.append(model.graph.initializer[0])
    attribute = helper.make_attribute("then_branch", inner)
    attribute.g.initializer[0].name = "v"
    model.graph.node.add(op_type="If").attribute.append(attribute)
    constant = model.functions.add(name="f").node.add(op_type="Constant")
    constant.attribute.append(helper.make_attribute("value", model.graph.initializer[0]))
    path.write_bytes(model.SerializeToString())
    whole = onnx.load_from_string(load_model(path))
    found = [whole.graph.node[-1].attribute[0].g.initializer[0], whole.functions[0].node[0].attribute[0].t]
    assert all(numpy_helper.to_array(t).tolist() == [[1, 2], [3, 4]] for t in found)


needs_shared = pytest.mark.skipif(not (SHARED / "cases").is_dir(), reason="../shared/cases is not here")


@needs_shared
@pytest.mark.parametrize("stands", ["max", "min", "."])
def test_a_circuit_is_run_with_its_own_weights(stands, monkeypatch):
    folder = SHARED / "cases" / "external_data_cwd"
    monkeypatch.chdir(folder / stands)
    ids = np.array([[1, 4, 2], [3, 0, 3]])
    most = read_onnx_model(folder / "max" / "maxk.onnx").run(ids).argmax(-1)
    least = read_onnx_model(folder / "min" / "maxk.onnx").run(ids).argmax(-1)
    assert most.tolist() == [4, 3] and least.tolist() == [1, 0]


@needs_shared
def test_a_circuit_never_reads_the_current_folder(tmp_path, monkeypatch):
    folder = SHARED / "cases" / "onnx_circuit_external"
    path = tmp_path / "model" / "rel2.onnx"
    path.parent.mkdir()
    path.write_bytes((folder / "rel2.onnx").read_bytes())
    monkeypatch.chdir(folder)  # where secret.bin lies
    with pytest.raises(InputError, match=r"'secret.bin' cannot be read \(No such file"):
        read_onnx_model(path)
    monkeypatch.chdir(tmp_path)
    assert read_onnx_model(folder / "rel2.onnx").run(np.array([[0, 1]])).shape == (1, 2, 10)
