"""The Python API as the README shows it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import relucid
from known_claims import CORPUS


def which_quote(tokens):
    return "'" if "'" in tokens else '"'


def one_quote(tokens):
    return tokens.count("'") + tokens.count('"') == 1


DOMAIN = {"tokens": ["'", '"', "a", "b"], "length": 6, "where": one_quote}
NETWORK = CORPUS / "which_quote" / "net.onnx"
CLAIM = CORPUS / "count_sign_l3" / "claim.toml"


def test_every_public_name_is_there() -> None:
    for name in relucid.__all__:
        assert getattr(relucid, name) is not None
    assert set(relucid.__all__) <= set(dir(relucid))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        relucid.nothing  # noqa: B018


def test_import_is_light() -> None:
    code = "import sys, relucid; print(sorted(m for m in ('numpy', 'torch', 'onnx', 'rich', 'z3', 'ortools') if m in sys.modules))"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


@pytest.mark.parametrize(
    "network", [NETWORK, str(NETWORK), NETWORK.read_bytes()], ids=["path", "text", "bytes"]
)
def test_prove(network: Path | str | bytes) -> None:
    verdict = relucid.prove(network, which_quote, DOMAIN, labels=["'", '"'])
    assert isinstance(verdict, relucid.Proved)
    assert verdict.domain_size == 384 and verdict.trust == "checked"
    assert "384 inputs" in str(verdict)


def test_refuted_reads_well() -> None:
    wrong = "def f(tokens):\n    return '\"'\n"
    verdict = relucid.prove(NETWORK, wrong, DOMAIN, labels=["'", '"'])
    match verdict:
        case relucid.Refuted():
            found = verdict.counterexample
            assert (found.network_label, found.program_label) == ("'", '"')
            assert one_quote(found.tokens) and which_quote(found.tokens) == "'"
        case _:
            pytest.fail(f"{verdict}")
    assert "refuted" in str(verdict)


def test_a_verdict_is_not_a_bool() -> None:
    verdict = relucid.prove(NETWORK, which_quote, DOMAIN, labels=["'", '"'])
    with pytest.raises(TypeError, match="not a bool"):
        bool(verdict)


def test_the_same_claim_file_says_the_same() -> None:
    claim = relucid.load_claim(CORPUS / "which_quote" / "claim.toml")
    expected = json.loads((CORPUS / "which_quote" / "expected.json").read_text(encoding="utf-8"))
    assert str(claim.domain_size) == expected["domain_size"]


@pytest.mark.parametrize(
    "change",
    [
        {"tokens": 5},
        {"tokens": "ab"},
        {"prefix": 3},
        {"prefix": "<bos>"},
        {"suffix": {"x": 1}},
        {"tokens": None},
    ],
)
def test_a_domain_that_is_no_list_of_words(change: dict) -> None:
    """A string is a sequence of strings, too: taken letter by letter it would state another claim."""
    with pytest.raises(relucid.InputError, match=f"^domain {next(iter(change))}: .*; write"):
        relucid.prove(NETWORK, which_quote, DOMAIN | change, labels=["'", '"'])


def test_a_lambda_is_told_to_become_a_function() -> None:
    with pytest.raises(relucid.InputError, match=r"a lambda.*; write it with def"):
        relucid.prove(NETWORK, lambda tokens: "'", DOMAIN, labels=["'", '"'])


def test_backends_as_on_the_command_line() -> None:
    verdict = relucid.prove(
        NETWORK,
        which_quote,
        DOMAIN,
        labels=["'", '"'],
        request=relucid.ProofRequest(backends="enumerate, cpsat"),
    )
    assert isinstance(verdict, relucid.Proved) and {a.backend for a in verdict.attempts} <= {
        "enumerate",
        "cpsat",
    }


@pytest.mark.parametrize(("labels", "said"), [("'\"", "a string, not a list"), (2, "int is not a list")])
def test_labels_that_are_no_list(labels: object, said: str) -> None:
    with pytest.raises(relucid.InputError, match=f"^labels: {said}; list one for each output"):
        relucid.prove(NETWORK, which_quote, DOMAIN, labels=labels)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: relucid.load_claim(None), "^path: NoneType is not a path; name a claim file$"),  # type: ignore[arg-type]
        (lambda: relucid.load_claim(b"x"), "^path: bytes is not a path"),  # type: ignore[arg-type]
        (lambda: relucid.check(relucid.load_claim(CLAIM), None), "^proof: NoneType is not a path"),  # type: ignore[arg-type]
        (lambda: relucid.distill("quote_closing", out=5), "^out: int is not a path"),  # type: ignore[arg-type]
        (lambda: relucid.distill("quote_closing", 5), "^domain: int is not a path"),  # type: ignore[arg-type]
        (lambda: relucid.CircuitRequest("x", mask=5).mask_file, "^mask: int is not a path"),  # type: ignore[arg-type]
        (lambda: relucid.CircuitRequest("x", enumerate_up_to="1"), "^enumerate_up_to: '1' is not from 0"),  # type: ignore[arg-type]
        (lambda: relucid.prove(relucid.load_claim(CLAIM), request=relucid.ProofRequest(backends="no")), "^backends: there is no backend 'no'"),
    ],
)  # fmt: skip
def test_errors_name_the_argument(call: Callable[[], object], said: str) -> None:
    with pytest.raises(relucid.InputError, match=said):
        call()


def test_no_proof_is_written_over_what_a_loaded_claim_was_read_from(tmp_path: Path) -> None:
    shutil.copytree(CLAIM.parent, tmp_path, dirs_exist_ok=True)
    claim = relucid.load_claim(tmp_path / "claim.toml")
    for file in sorted(tmp_path.iterdir()):
        if file.name != "expected.json":
            before = file.read_bytes()
            with pytest.raises(relucid.InputError, match=r"^path: .* names an input; choose another file"):
                relucid.prove(claim, request=relucid.ProofRequest(path=file))
            assert file.read_bytes() == before


def limits(**given: object) -> relucid.Budget:
    return relucid.Budget(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"budget": 60}, "^budget: int is not a Budget; pass relucid.Budget"),
        ({"request": "checked"}, "^request: str is not a ProofRequest; pass relucid.ProofRequest"),
        ({"budget": limits(seconds="60")}, "^seconds: '60' is not a number"),
        ({"budget": limits(memory_mb=None)}, "^memory_mb: None is not a whole"),
        ({"budget": limits(workers=1.5)}, "^workers: 1.5 is not a whole number"),
        ({"budget": limits(seed="a")}, "^seed: 'a' is not a whole number"),
    ],
)
def test_limits_of_a_wrong_type(options: dict, said: str) -> None:
    with pytest.raises(relucid.InputError, match=said):
        relucid.prove(NETWORK, which_quote, DOMAIN, labels=["'", '"'], **options)
    with pytest.raises(relucid.InputError, match=said):
        relucid.verify(NETWORK, "property.vnnlib", **options)
    with pytest.raises(relucid.InputError, match=said):
        relucid.distill("quote_closing", **options)


def test_a_claim_file_where_a_network_belongs() -> None:
    """A path is a network's.  Whoever gives a claim file's is told how to load it."""
    with pytest.raises(relucid.InputError, match=r"a claim file is read by relucid.load_claim"):
        relucid.prove(CORPUS / "which_quote" / "claim.toml")
    with pytest.raises(relucid.InputError, match=r"a claim file is read by relucid.load_claim"):
        relucid.check(CORPUS / "which_quote" / "claim.toml", "claim.proof")


def test_a_proof_does_not_replace_the_network(tmp_path: Path) -> None:
    network = tmp_path / "net.onnx"
    network.write_bytes(NETWORK.read_bytes())
    with pytest.raises(relucid.InputError, match=r"net\.onnx names an input; choose another file"):
        relucid.prove(
            network, which_quote, DOMAIN, labels=["'", '"'], request=relucid.ProofRequest(path=network)
        )
    assert network.read_bytes() == NETWORK.read_bytes()
