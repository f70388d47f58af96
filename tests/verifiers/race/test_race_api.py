"""`relucid.prove` from everything that a user may have at hand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from relucid.common.errors import InputError
from relucid.models.claims.at_hand import make_claim
from relucid.models.claims.reduce import word_claim
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.network import feed_forward
from relucid.models.onnx.writer import write_onnx
from relucid.verifiers import prove as api
from relucid.verifiers.prove import prove
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.request import ProofRequest
from relucid.verifiers.verdict import Proved

sys.path.insert(0, str(Path(__file__).parents[2]))
from race_fakes import MANY, program

DOMAIN = {"tokens": ["a", "b"], "length": 3}
NETWORK = feed_forward([(np.tile([1.0, 0.0], 3)[None, :], np.array([-1.5]))])


def claim_of(*arguments: object, **options: object) -> WordClaim:
    return word_claim(make_claim(*arguments, **options))  # type: ignore[arg-type]


def many(tokens):
    n = 0
    for t in tokens:
        if t == "a":
            n += 1
    return n >= 2


def number(tokens):
    return tokens.count("a")


def kept(tokens):
    return tokens[0] == "b"


def words_and_labels(claim):
    words = np.array([w for batch, _ in claim.language.words() for w in batch])
    return {tuple(w): int(y) for w, y in zip(words.tolist(), claim.network_labels(words), strict=True)}


WANTED = {(i, j, k): int((i, j, k).count(0) >= 2) for i in (0, 1) for j in (0, 1) for k in (0, 1)}


def test_networks_of_every_kind(tmp_path):
    data = write_onnx(NETWORK)
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    for network in (NETWORK, data, path, str(path)):
        assert words_and_labels(claim_of(network, many, DOMAIN)) == WANTED


def test_torch_modules():
    import torch

    torch.set_num_threads(1)
    linear = torch.nn.Linear(6, 1)
    with torch.no_grad():
        linear.weight[:] = torch.tensor([[1.0, 0.0] * 3])
        linear.bias[:] = -1.5
    module = torch.nn.Sequential(linear, torch.nn.Dropout(0.5)).train()
    claim = claim_of(module, many, DOMAIN)
    assert words_and_labels(claim) == WANTED
    assert claim.network.source
    assert module.training
    with pytest.raises(
        InputError, match="takes 5 input values, the domain gives 3 positions x 2 tokens = 6; check"
    ):
        claim_of(torch.nn.Linear(5, 1), many, DOMAIN)


def test_torch_modules_on_ids():
    import torch

    table = torch.nn.Embedding(2, 1)
    summed = torch.nn.Linear(3, 1)
    with torch.no_grad():
        table.weight[:] = torch.tensor([[1.0], [0.0]])
        summed.weight[:], summed.bias[:] = 1.0, -1.5
    claim = claim_of(torch.nn.Sequential(table, torch.nn.Flatten(), summed), many, DOMAIN, encoding="ids")
    assert claim.network.encoding == "ids"
    assert words_and_labels(claim) == WANTED


def test_programs_of_every_kind(tmp_path):
    file = tmp_path / "p.py"
    file.write_text(MANY)
    for code in (many, MANY, program(MANY), f"{file}:many"):
        assert claim_of(NETWORK, code, DOMAIN).language.count_by_label(2) == (4, 4)


def test_domains_with_everything():
    domain = {**DOMAIN, "length": (2, 3), "pad": "_", "where": kept, "prefix": ["<"], "suffix": [">"]}
    network = feed_forward([(np.zeros((1, 25)), np.array([1.0]))])
    claim = claim_of(network, many, domain)
    assert (claim.domain.min_length, claim.domain.max_length, claim.domain.alphabet) == (
        2,
        3,
        ("a", "b", "_", "<", ">"),
    )
    assert claim.domain_size == 2 + 4


def test_labels_that_can_be_left_out():
    assert claim_of(NETWORK, many, DOMAIN).decision.labels == (False, True)
    four = feed_forward([(np.zeros((4, 6)), np.zeros(4))])
    claim = claim_of(four, number, DOMAIN)
    assert (claim.decision.kind, claim.decision.labels) == ("argmax", (0, 1, 2, 3))
    text = 'def f(tokens):\n    return "x"\n'
    with pytest.raises(InputError, match=r"give labels=\[\.\.\.\]"):
        claim_of(NETWORK, text, DOMAIN)
    assert claim_of(NETWORK, text, DOMAIN, labels=["x", "y"]).decision.labels == ("x", "y")


@pytest.mark.parametrize(
    ("network", "code", "domain", "said"),
    [
        (7, many, DOMAIN, "int is not a network"),
        ("nowhere.onnx", many, DOMAIN, "nowhere.onnx"),
        (b"nonsense", many, DOMAIN, "network"),
        (NETWORK, 7, DOMAIN, "int is not a program"),
        (NETWORK, "nowhere.py:f", DOMAIN, "nowhere.py"),
        (NETWORK, many, 7, "int is not a domain"),
        (NETWORK, many, {"tokens": ["a"]}, "length is missing"),
        (NETWORK, many, {**DOMAIN, "lenght": 3}, "unknown key 'lenght'"),
        (NETWORK, many, {**DOMAIN, "length": "3"}, "neither a length nor a pair"),
        (NETWORK, many, {**DOMAIN, "length": 4}, "takes 6 input values"),
    ],
)
def test_what_cannot_be_taken(network, code, domain, said):
    with pytest.raises(InputError, match=said):
        claim_of(network, code, domain)


def test_prove_hands_every_setting_on(monkeypatch):
    given = {}
    monkeypatch.setattr(api, "prove_claim", lambda claim, **settings: given.update(settings, claim=claim))
    budget, request = Budget(5, 100, 3, 7, 4), ProofRequest("float", backends=["x"])
    prove(NETWORK, many, DOMAIN, budget=budget, request=request, progress=print)
    assert (given["budget"], given["request"], given["progress"]) == (budget, request, print)
    assert given["claim"].domain_size == 8


def test_prove_for_real():
    verdict = prove(NETWORK, many, DOMAIN, request=ProofRequest(backends=["enumerate"]))
    assert isinstance(verdict, Proved) and verdict.exact_in_float32
