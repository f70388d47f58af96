"""Every circuit format, by the registry: it says what it is, and claims nothing that another one claims."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from relucid.common.errors import InputError
from relucid.common.modules import modules_in
from relucid.models.circuits import formats
from relucid.models.circuits.load import files_of, known_formats, load_circuit
from relucid.models.circuits.source import CircuitFormat, Source

MODULES = {module.__name__.rpartition(".")[2]: module for module in modules_in(formats)}
SOURCES = {
    "circuit_sparsity": ("gpt/beeg_config.json", "{}", "gpt"),
    "verifiable_transformer": ("vt/smt_weights.json", "{}", "vt"),
    "python_function": ("mine.py", "", "mine.py:f"),
    "onnx_model": ("m.ONNX", "", "m.ONNX"),
    "torchscript": ("m.pt", "", "m.pt"),
    "attribution_graph": ("g.json", json.dumps({"nodes": [], "links": []}), "g.json"),
}


@pytest.mark.parametrize("name", MODULES)
def test_a_format_says_what_it_is_and_does_not_claim_everything(name: str, tmp_path: Path) -> None:
    module = MODULES[name]
    assert module.__doc__.startswith("Format: ") and isinstance(module.FORMAT, CircuitFormat)
    (tmp_path / "x.bin").write_bytes(b"")
    (tmp_path / "x.json").write_text("{}")
    for where in (tmp_path, tmp_path / "x.bin", tmp_path / "x.json"):
        assert not module.FORMAT.recognises(Source(str(where)))


@pytest.mark.parametrize("name", SOURCES)
def test_one_format_claims_a_source(name: str, tmp_path: Path) -> None:
    file, text, where = SOURCES[name]
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    source = Source(str(tmp_path / where))
    assert [known for known in known_formats() if known.recognises(source)] == [MODULES[name].FORMAT]
    assert tmp_path / file in set(files_of(str(tmp_path / where)))


def test_what_no_format_claims_names_them_all(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_circuit(tmp_path)
    assert all(known.given_as in str(caught.value) for known in known_formats())
