"""Which format a circuit is in, and its reader: one file each.

folder with beeg_config.json     circuit_sparsity.py          mask: a node mask, or the release's viz_data.pt
folder with smt_weights.json     verifiable_transformer.py    mask: circuit*.json
circuit*.json beside the latter  verifiable_transformer.py
file.py:function                 python_function.py           runs the user's Python: its form says so
*.onnx                           onnx_model.py
*.pt                             torchscript.py               a program: runs only where `run_code` allows it
attribution graph (*.json)       attribution_graph.py         a picture, not a circuit
"""

from __future__ import annotations

import re
from pathlib import Path

from ...common.errors import InputError
from .circuit import Circuit, shipped
from .formats.config import CONFIG_FILE, read_json

GIVE = "give a folder with beeg_config.json or smt_weights.json, file.py:function, a .onnx or TorchScript .pt file"


def read_any(where: str, mask: Path | None = None, run_code: bool = False) -> Circuit:
    """The circuit at a path; InputError says in one line what does not fit.  Names decide what a file is, never its bytes."""
    from .formats.verifiable_transformer import WEIGHTS_FILE, read_verifiable_transformer

    function = re.fullmatch(r"(?P<file>.+\.py):(?P<name>[^\W\d]\w*)", where)
    path = Path(function["file"] if function else where)
    if path.is_dir() and not function:
        if (path / WEIGHTS_FILE).exists() and not (path / CONFIG_FILE).exists():
            return read_verifiable_transformer(path, mask)
        from .formats.circuit_sparsity import read_circuit

        return read_circuit(path, mask)
    if mask is not None and (function or path.exists()):
        raise InputError(
            "--mask",
            f"{where} takes no mask",
            "a mask belongs to a folder with beeg_config.json or smt_weights.json",
        )
    if function:
        from .formats.python_function import read_function

        return read_function(path, function["name"])
    if not path.exists():
        names = ", ".join((*shipped(), *dict.fromkeys(task.circuit.name for task in shipped().values())))
        raise InputError(
            where, "there is no such folder and no such shipped circuit", f"{GIVE}, or one of: {names}"
        )
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        from .formats.onnx_model import read_onnx_model

        return read_onnx_model(path)
    if suffix in (".pt", ".pth", ".ts", ".jit"):
        from .formats.torchscript import read_torchscript

        return read_torchscript(path, run_code)
    if suffix == ".json":
        return _from_json(path)
    if suffix == ".py":
        raise InputError(where, "names no function", f"write {where}:function")
    raise InputError(where, "is a file of no known format, not a folder", GIVE)


def _from_json(path: Path) -> Circuit:
    from .formats.attribution_graph import NOT_EXECUTABLE, is_attribution_graph
    from .formats.verifiable_transformer import WEIGHTS_FILE, is_circuit_file, read_verifiable_transformer
    from .pruning.mask import FORMAT

    raw, where = read_json(path), str(path)
    if is_attribution_graph(raw):
        raise InputError(
            where, NOT_EXECUTABLE, "`relucid show` prints and draws it; distil the model it was made from"
        )
    if isinstance(raw, dict) and raw.get("format") == FORMAT:
        raise InputError(
            where, "is a node mask, not a circuit", f"give the model's folder, and --mask {path}"
        )
    if is_circuit_file(raw):
        if not (path.parent / WEIGHTS_FILE).exists():
            raise InputError(
                where, f"there is no {WEIGHTS_FILE} beside it", f"give the model's folder, and --mask {path}"
            )
        return read_verifiable_transformer(path.parent, path)
    raise InputError(where, "is JSON of no known circuit format", GIVE)
