"""A torch file with code in it contains code: nothing of it is loaded, on any command, unless --run-code says
so; and weights are read without code.
"""

import ast
import io
import json
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest
from relucid.cli.main import main
from relucid.common.errors import InputError
from relucid.models.circuits.load import load_circuit
from relucid.models.zoo.shipped import shipped
from relucid.pipeline.distillation import CircuitRequest, distill

PACKAGE = Path(__file__).parents[4]
DOMAIN = '[domain]\ntokens = ["a", "b"]\nlength = 3\n[decision]\nlabels = ["a", "b"]\n'


class Writes:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (os.system, (f"touch {self.target}",))


def bait(path, target):
    """A TorchScript model that writes a file while torch loads it: no forward needed."""
    import torch

    class Bait(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.where = str(target)
            self.size = 0
            self.training = False

        @torch.jit.export
        def __getstate__(self):
            return (self.where, self.training)

        @torch.jit.export
        def __setstate__(self, state: tuple[str, bool]) -> None:
            self.where = state[0]
            self.training = state[1]
            self.size = torch.from_file(self.where, True, 4).numel()  # what nobody uses, torch leaves out

        def forward(self, ids):
            return ids[:, -1]

    torch.jit.script(Bait()).save(str(path))
    target.unlink(missing_ok=True)


def entries(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(entry.filename, archive.read(entry)) for entry in archive.infolist()]


def zipped(pairs):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in pairs:
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(pairs):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in pairs:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def climbs(tmp_path_factory):
    """Name -> (bytes, the file that they would write): every way past a fence that looks at the bytes."""
    import torch

    folder = tmp_path_factory.mktemp("climbs")
    target = folder / "written"
    bait(folder / "bait.pt", target)
    script = (folder / "bait.pt").read_bytes()
    inner = entries(script)
    saved = io.BytesIO()
    torch.save({"transformer.wte.weight": Writes(target)}, saved)
    hostile = pickle.dumps(Writes(target), protocol=2)
    code = [(name, data) for name, data in inner if "/code/" in name]
    found = {
        "script": script,
        "Code": zipped([(name.replace("/code/", "/Code/"), data) for name, data in inner]),
        "PY": zipped([(name.replace(".py", ".PY"), data) for name, data in inner]),
        "twice": zipped([*((name, b"") for name, _ in code), *inner]),
        "twice, other order": zipped([*inner, *((name, b"") for name, _ in code)]),
        "other top folder": zipped([("evil/deeper/" + name, data) for name, data in inner]),
        "two top folders": zipped([*entries(saved.getvalue()), *inner]),
        "without constants": zipped([(name, data) for name, data in inner if not name.endswith("constants.pkl")]),
        "hostile constants": zipped([(name, hostile if name.endswith("constants.pkl") else data) for name, data in inner]),
        "hostile data": zipped([(name, hostile if name.endswith("data.pkl") else data) for name, data in inner]),
        ".data": zipped([*inner, ("bait/.data/serialization_id", b"0"), ("bait/.data/version", hostile)]),
        "trailing data": script + b"\0" * 1000,
        "two archives": saved.getvalue() + script,
        "prefix junk": b"junk" + script,
        "pickle before the archive": hostile + script,
        "pickled": saved.getvalue(),
        "bare pickle": hostile,
        "legacy pickle": pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + hostile,
        "tar": tarred([("sys_info", hostile), ("pickle", hostile), ("storages", hostile), ("tensors", hostile)]),
        "zip": zipped([("evil/data.pkl", hostile), ("evil/version", b"3\n")]),
    }  # fmt: skip
    return found, target


LOADS = {"torch.load", "torch.jit.load", "torch.export.load", "torch.package.PackageImporter", "torch.hub.load", "torch.classes.load_library",
         "torch.ops.load_library", "np.load", "numpy.load", "exec", "eval", "compile", "__import__", "runpy.run_path", "spec.loader.exec_module"}  # fmt: skip
NAMES = [
    "script", "Code", "PY", "twice", "twice, other order", "other top folder", "two top folders", "without constants", "hostile constants",
    "hostile data", ".data", "trailing data", "two archives", "prefix junk", "pickle before the archive", "pickled", "bare pickle",
    "legacy pickle", "tar", "zip",
]  # fmt: skip


def test_the_bait_works_where_code_may_run(climbs, tmp_path):
    import torch

    found, target = climbs
    assert set(found) == set(NAMES)
    torch.jit.load(io.BytesIO(found["script"]))
    assert target.exists()
    target.unlink()
    torch.load(io.BytesIO(found["pickled"]), weights_only=False)
    assert target.exists()
    target.unlink()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps({"tokens": ["a", "b"]}))
    (tmp_path / "t.toml").write_text(DOMAIN)
    return tmp_path


def commands(path, folder):
    """Every command that takes a circuit."""
    task = str(folder / "t.toml")
    return (
        ["show", path],
        ["show", path, "--no-run"],
        ["show", path, "--json", "--domain", task],
        ["show", path, "--draw", str(folder / "x.svg")],
        ["distill", path, "--domain", task, "--out", str(folder / "out")],
        ["distill", path, "--out", str(folder / "out"), "--enumerate", "0", "--json"],
        ["prune", path, task, "--out", str(folder / "m.json")],
    )


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_loaded_without_the_word(name, climbs, folder, monkeypatch, capsys):
    import torch

    def never(*given, **named):
        raise AssertionError("torch was asked to load it")

    monkeypatch.setattr(torch.jit, "load", never)
    monkeypatch.setattr(torch, "load", never)
    data, target = climbs[0][name], climbs[1]
    for suffix in (".pt", ".pth", ".ts", ".jit", ".PT"):
        path = folder / f"m{suffix}"
        path.write_bytes(data)
        with pytest.raises(
            InputError, match=r"contains code \(TorchScript\), and nothing of it was loaded; --run-code"
        ):
            load_circuit(path)
        with pytest.raises(InputError, match="contains code"):
            distill(path, folder / "t.toml")
        with pytest.raises(InputError, match="contains code"):
            distill(
                CircuitRequest(path, run_code=1), folder / "t.toml"
            )  # the word itself, nothing that is merely true
    for command in commands(str(folder / "m.pt"), folder):
        assert main(command) == 2, command
        said = capsys.readouterr()
        assert said.out == "" and said.err.count("\n") == 1 and "m.pt: contains code" in said.err
    assert not target.exists() and not (folder / "out").exists()


def test_a_model_to_compare_with_needs_the_word_too(climbs, folder, capsys):
    path = folder / "m.pt"
    path.write_bytes(climbs[0]["script"])
    known = shipped()["bracket_depth"].domain
    command = [
        "prune",
        "quotes_and_brackets",
        str(known),
        "--out",
        str(folder / "m.json"),
        "--compare",
        str(path),
    ]
    assert main(command) == 2 and "m.pt: contains code" in capsys.readouterr().err and not climbs[1].exists()
    assert (
        main([*command, "--run-code"]) == 2
        and "m.pt: is not a whole model" in capsys.readouterr().err
        and climbs[1].exists()
    )
    climbs[1].unlink()


def test_nothing_is_even_read(folder, capsys):
    """A pipe would never give its first byte."""
    os.mkfifo(folder / "m.pt")
    assert main(["show", str(folder / "m.pt")]) == 2 and "contains code" in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_read_without_code(name, climbs, checkpoint, folder, capsys):
    """As a model's weights, as a mask, as a stopped training: the role says how a file is read, and these
    roles never run code.
    """
    data, target = climbs[0][name], climbs[1]
    model, *_ = checkpoint()
    (folder / "viz_data.pt").write_bytes(data)
    (model / "m.toml").write_text(DOMAIN)
    for extra in ([], ["--run-code"]):
        assert main(["show", str(model), "--mask", str(folder / "viz_data.pt"), *extra]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    (model / "final_model.pt").write_bytes(data)
    for extra in ([], ["--run-code"]):
        for command in (
            *commands(str(model), folder),
            ["show", str(model), "--mask", str(folder / "viz_data.pt")],
        ):
            assert main([*command, *extra]) == 2, command
            said = capsys.readouterr().err
            assert said.count("\n") == 1 and "final_model.pt" in said
    (folder / "training.pt").write_bytes(data)
    assert main(["train", "bracket_counting", "--out", str(folder), "--steps", "1"]) == 2
    assert "training.pt" in capsys.readouterr().err
    assert not target.exists()


def test_with_the_word_it_runs(climbs, folder, capsys):
    found, target = climbs
    (folder / "m.pt").write_bytes(found["script"])
    circuit = load_circuit(folder / "m.pt", run_code=True)
    assert target.exists()
    target.unlink()
    assert circuit.summary().kind == "TorchScript model, run as it is"
    assert main(["show", str(folder / "m.pt"), "--run-code", "--domain", str(folder / "t.toml")]) == 0
    assert (
        main(
            [
                "distill",
                str(folder / "m.pt"),
                "--run-code",
                "--domain",
                str(folder / "t.toml"),
                "--out",
                str(folder / "out"),
            ]
        )
        == 0
    )
    assert "proved: network = program on all 8 inputs" in capsys.readouterr().out
    assert distill(CircuitRequest(folder / "m.pt", run_code=True), folder / "t.toml").claim.domain_size == 8
    target.unlink()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no torch file", b"\x80\x04"])
def test_garbage_with_the_word(content, folder):
    (folder / "m.pt").write_bytes(content)
    with pytest.raises(InputError, match="torch cannot load it as TorchScript"):
        load_circuit(folder / "m.pt", run_code=True)


def test_one_place_loads_torchscript_and_one_reads_tensors():
    """Whoever adds another has to think: this is how code gets in."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        name = str(path.relative_to(PACKAGE))
        if name.split("/")[0] not in ("tests", ".venv", "build", "docs"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and (called := ast.unparse(node.func)) in LOADS:
                    safe = any(
                        k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in node.keywords
                    )
                    found.add((name, called, safe))
    assert found == {
        ("models/circuits/formats/torchscript.py", "torch.jit.load", False),
        ("models/circuits/sparse_gpt/checkpoint.py", "torch.load", True),
        ("models/circuits/formats/python_function.py", "spec.loader.exec_module", False),
        (
            "models/program/live.py",
            "compile",
            False,
        ),  # a live function's source, to compare its code; nothing runs
    }
