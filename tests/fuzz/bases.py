"""Good inputs of every kind, each a folder that the hunt with hostile files damages: made once, in a
temporary folder.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from known_claims import CORPUS, HERE
from relucid.models.circuits.sparse_gpt.config import read_config
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.network.network import Network, feed_forward
from relucid.models.onnx.writer import write_onnx
from relucid.verifiers.proof.export.solver_proofs import section_pieces
from relucid.verifiers.proof.export.third_party import FORMS
from relucid.verifiers.proof.words.producer import proof_lines
from relucid.verifiers.proof.writing import write_lines, write_pieces

LIMITS = "--timeout 2 --workers 1"
OURS = f"{LIMITS} --backends enumerate,reach,bab"
ZOO = HERE.parent / "models" / "zoo" / "quotes_and_brackets"


@dataclass(frozen=True)
class Base:
    """`commands` are run in the folder, each with the files that it reads; OUT is a file or folder that it
    may write.
    """

    folder: Path
    commands: dict[str, tuple[str, ...]]

    @property
    def files(self) -> list[str]:
        """What can be damaged."""
        return sorted({file for files in self.commands.values() for file in files})

    def reading(self, file: str) -> list[str]:
        return [command for command, files in self.commands.items() if file in files]


def _tokens(folder: Path, name: str) -> Base:
    shutil.copytree(CORPUS / name, folder)
    claim, stated = load_word_claim(folder / "claim.toml"), ("claim.toml", "net.onnx", "program.py")
    (folder / "checkpoint").write_text('{"relucid": "checkpoint"}\n', encoding="utf-8")
    commands = {
        f"prove claim.toml {OURS}": stated,
        f"prove claim.toml {OURS} --proof OUT": stated,
        f"prove claim.toml {OURS} --json --count": stated,
        f"prove claim.toml {OURS} --checkpoint checkpoint": ("checkpoint",),
        "show claim.toml": stated,
        "show net.onnx": ("net.onnx",),
    }
    if json.loads((folder / "expected.json").read_text())["verdict"] == "proved":
        write_lines(folder / "proof", proof_lines(claim, 20.0, run=False))
        for form in FORMS.values():
            write_pieces(folder / form.name, section_pieces(claim, form, 20.0))
        commands |= {f"check claim.toml {proof} --timeout 2": (proof,) for proof in ("proof", *FORMS)}
        commands["check claim.toml proof --json"] = ("proof", *stated)
    return Base(folder, commands)


def _two(folder: Path) -> Base:
    folder.mkdir()
    for name, bias in (("a.onnx", -2.0), ("b.onnx", -2.5)):
        network = feed_forward(
            [(np.array([[1.0, 0] * 3]), np.array([bias])), (np.array([[1.0]]), np.array([-0.5]))]
        )
        (folder / name).write_bytes(write_onnx(network, positions=3, alphabet=2))
    stated = 'network = "a.onnx"\nnetwork_b = "b.onnx"\n\n[domain]\ntokens = ["a", "b"]\nlength = 3\n\n[decision]\n'
    (folder / "claim.toml").write_text(stated + 'kind = "sign"\nlabels = [false, true]\n')
    (folder / "within.toml").write_text(stated + 'kind = "within"\nepsilon = "1/2"\n')
    both = ("a.onnx", "b.onnx")
    return Base(
        folder,
        {
            c.format(f): (f, *both)
            for f in ("claim.toml", "within.toml")
            for c in ("show {}", f"prove {{}} {OURS}")
        },
    )


SPEC = """; a box of two inputs
(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
(assert (>= X_0 -1.0))
(assert (<= X_0 1.0))
(assert (and (>= X_1 -0.5) (<= X_1 0.25)))
(assert (or (and (>= Y_0 Y_1) (>= Y_1 3.5)) (and (<= (+ Y_0 (* 2.0 Y_1)) -40.25))))
"""


def _box(folder: Path) -> Base:
    from relucid.cli.main import main

    folder.mkdir()
    rng = np.random.default_rng(3)
    network = feed_forward(
        [(rng.integers(-8, 9, s) / 8, rng.integers(-4, 5, s[0]) / 4) for s in ((4, 2), (3, 4), (2, 3))]
    )
    (folder / "net.onnx").write_bytes(write_onnx(Network(2, network.nodes, "real")))
    (folder / "spec.vnnlib").write_text(SPEC)
    (folder / "instances.csv").write_text("net.onnx,spec.vnnlib,5\n")
    (folder / "claim.toml").write_text('network = "net.onnx"\n\n[domain]\nbox = "spec.vnnlib"\n')
    net, spec, verify = "net.onnx", "spec.vnnlib", "verify net.onnx spec.vnnlib"
    with contextlib.redirect_stdout(io.StringIO()):
        status = main(
            [
                "verify",
                str(folder / net),
                str(folder / spec),
                "--timeout",
                "20",
                "--proof",
                str(folder / "proof"),
                "--quiet",
            ]
        )
    if status not in (0, 1):
        raise AssertionError(f"the box is not decided: status {status}")
    commands = {
        f"{verify} {LIMITS}": (net, spec),
        f"{verify} {LIMITS} --proof OUT": (net, spec),
        f"{verify} {LIMITS} --against net.onnx --same-label --json": (net, spec),
        f"prove claim.toml {LIMITS}": (net, spec, "claim.toml"),
        "bench vnncomp . --out OUT --timeout 2 --quiet": ("instances.csv",),
        "show net.onnx": (net,),
        f"{verify} --check proof --timeout 2": ("proof",),
    }
    return Base(folder, commands)


def _circuit(folder: Path) -> Base:
    """A small random checkpoint, with a task and a mask."""
    import torch

    folder.mkdir()
    values = {
        "block_size": 6,
        "vocab_size": 5,
        "n_layer": 1,
        "n_head": 1,
        "d_model": 4,
        "d_mlp": 4,
        "tied_unembed": False,
    }
    (folder / "beeg_config.json").write_text(json.dumps(values))
    rng = np.random.default_rng(0)
    shapes = read_config(folder / "beeg_config.json").shapes()
    torch.save(
        {k: torch.from_numpy(rng.normal(size=s).astype(np.float32)) for k, s in shapes.items()},
        folder / "final_model.pt",
    )
    (folder / "vocab.json").write_text(json.dumps({"tokens": ["a", "b", "c", "yes", "no"]}))
    (folder / "task.toml").write_text(
        '[domain]\ntokens = ["a", "b"]\nlength = 3\n\n[decision]\nposition = -1\nkind = "argmax"\nlabels = ["yes", "no"]\n'
    )
    shutil.copy(ZOO / "quote_closing.mask.json", folder / "mask.json")
    model = ("beeg_config.json", "vocab.json", "final_model.pt")
    commands = {
        "show . --no-run": model,
        "show . --no-run --draw OUT.svg": model,
        "show . --no-run --mask mask.json": ("mask.json",),
        "show . --domain task.toml": (*model, "task.toml"),
        "distill . --domain task.toml --out OUT --timeout 2": ("task.toml",),
    }
    return Base(folder, commands)


def _torchscript(folder: Path) -> Base:
    import torch

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.out = torch.nn.Embedding(5, 4), torch.nn.Linear(4, 5)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.out(torch.relu(self.embed(tokens)))

    folder.mkdir()
    torch.manual_seed(0)
    torch.jit.script(Model()).save(str(folder / "model.pt"))
    (folder / "vocab.json").write_text(json.dumps({"tokens": ["a", "b", "c", "yes", "no"]}))
    return Base(folder, {f"show model.pt{more}": ("model.pt", "vocab.json") for more in (" --no-run", "")})


def _attribution(folder: Path) -> Base:
    def node(name: str, layer: str, place: int, kind: str, **other: Any) -> dict[str, Any]:
        rest = {
            "token_prob": 0.0,
            "is_target_logit": False,
            "run_idx": 0,
            "reverse_ctx_idx": 0,
            "jsNodeId": name,
            "clerp": "",
            "influence": None,
        }
        return {
            "node_id": name,
            "feature": 1,
            "layer": layer,
            "ctx_idx": place,
            "feature_type": kind,
            **rest,
            "activation": None,
            **other,
        }

    graph = {
        "metadata": {"slug": "dallas", "scan": "gemma-2-2b", "prompt_tokens": ["Fact", ":", " Dallas"], "prompt": "Fact: Dallas",
                     "node_threshold": 0.8, "schema_version": 1},
        "qParams": {"pinnedIds": ["27_4_2"], "supernodes": [["say Austin", "20_7_2"]], "linkType": "both", "clickedId": "", "sg_pos": ""},
        "nodes": [node("E_9_2", "E", 2, "embedding"), node("20_7_2", "20", 2, "cross layer transcoder", clerp="Texas", influence=0.4),
                  node("8_-1_1", "8", 1, "mlp reconstruction error", feature=-1),
                  node("27_4_2", "27", 2, "logit", token_prob=0.41, is_target_logit=True, clerp='Output " Austin" (p=0.410)')],
        "links": [{"source": "E_9_2", "target": "20_7_2", "weight": -0.5}, {"source": "8_-1_1", "target": "20_7_2", "weight": 1.5},
                  {"source": "20_7_2", "target": "27_4_2", "weight": 1}],
    }  # fmt: skip
    folder.mkdir()
    (folder / "graph.json").write_text(json.dumps(graph))
    return Base(
        folder, {f"show graph.json{more}": ("graph.json",) for more in ("", " --json", " --draw OUT.svg")}
    )


MAKERS = {
    "true claim": lambda f: _tokens(f, "palindrome"),
    "false claim": lambda f: _tokens(f, "count_near_miss"),
    "padded claim": lambda f: _tokens(f, "depth_where_context"),
    "two networks": _two,
    "box": _box,
    "circuit": _circuit,
    "torchscript": _torchscript,
    "attribution": _attribution,
}


@cache
def base(name: str, root: Path) -> Base:
    """The base of this name, in a folder of its own inside `root`."""
    return MAKERS[name](root / name.replace(" ", "_"))
