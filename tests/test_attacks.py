"""What broke relucid once: claims, files and surroundings that made it wrong, crash or hang.  Smallest forms,
one test each.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from known_claims import CORPUS
from relucid.cli.main import main
from relucid.common.errors import InputError
from relucid.common.text import decimal
from relucid.models.circuits.sparse_gpt.config import read_config
from relucid.models.circuits.vocabulary import read_vocabulary
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import MAX_TOKENS, Domain
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.network import feed_forward
from relucid.models.program.program import Program
from relucid.reports.verdicts import print_verdict
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.registry import all_backends
from relucid.verifiers.report import verdict_json
from relucid.verifiers.verdict import Unknown

GOOD = CORPUS / "count_sign_l3"
CLAIM = (GOOD / "claim.toml").read_text(encoding="utf-8")
REFUTED = CORPUS / "count_near_miss" / "claim.toml"


def test_more_tokens_than_words_can_hold_are_refused() -> None:
    """Symbols are int16: the 40,000th token was another one, and a wrong claim was proved."""
    tokens = tuple(f"t{i}" for i in range(MAX_TOKENS + 1))
    Domain(tokens[:-1], 1, 2, "_")
    with pytest.raises(InputError, match="over the limit of 32766"):
        Domain(tokens, 1, 1)


THRICE = """
def thrice(tokens):
    most = 0
    for t in tokens:
        most = max(most, tokens.count(t))
    return most > 2
"""
WHERE = "def w(tokens):\n    n = tokens.count('b')\n    for t in tokens:\n        if t == 'a' and n > 1:\n            return False\n    return True\n"


def test_cpsat_finds_all_words_behind_large_weights() -> None:
    """OR-Tools 9.15 presolves this feasible model to "infeasible" once six words are blocked."""
    weights = [
        401605760,
        0,
        601622912,
        1636383588352,
        0,
        2466386540544,
        25768231424,
        0,
        8589411071,
        0,
        805306368,
        536870912,
    ]
    layers = [
        (np.array([weights], dtype=object), np.array([-2479938341440], dtype=object)),
        (np.array([[0.0]]), np.array([0.0])),
    ]
    domain = Domain(("a", "b", "c"), 4, 4, where=Program(WHERE, "w"))
    claim = WordClaim(
        feed_forward(layers), Program(THRICE, "thrice"), domain, Decision("sign", (True, False))
    )
    attempt = all_backends()["cpsat"].solve(
        claim, Budget(seconds=20.0, counterexamples=50), lambda text: None
    )
    assert len(attempt.words) == claim.language.restricted(1).size == 36


def always(layers: list[tuple[np.ndarray, np.ndarray]]) -> WordClaim:
    program = Program("def f(tokens):\n    return True\n", "f")
    return WordClaim(feed_forward(layers), program, Domain(("a", "b"), 2, 2), Decision("sign", (False, True)))


def test_a_common_factor_beyond_64_bits() -> None:
    """The second ReLU reads 2^90 y - 2^89 and no symbol: a zero of 64 bits was to be divided by 2^89."""
    second = (np.array([[2.0**90]]), np.array([-(2.0**89)]))
    claim = always(
        [(np.array([[0, 1.0, 0, 1.0]]), np.array([-1.0])), second, (np.array([[1.0]]), np.array([1.0]))]
    )
    attempt = all_backends()["z3-real"].solve(claim, Budget(seconds=20.0), lambda text: None)
    assert attempt.outcome == "proved"


@pytest.mark.parametrize("name", ["highs", "scip"])
@pytest.mark.parametrize("exponent", [100, 1000])
def test_numbers_that_a_float_solver_refuses_are_unknown_or_answered_rightly(
    name: str, exponent: int
) -> None:
    big = 2.0**exponent
    first, second = (
        (np.array([[0, big, 0, 1.0]]), np.array([-1.0])),
        (np.array([[big], [-1.0]]), np.array([-big, 1.0])),
    )
    claim = always([first, second, (np.array([[1.0, 1.0]]), np.array([-1.0]))])
    attempt = all_backends()[name].solve(claim, Budget(seconds=20.0), lambda text: None)
    wrong = {
        (0, 0),
        (0, 1),
        # where the program's True is not the network's: folding may leave so little that it is solved after
        # all
    }
    assert set(attempt.words) <= wrong
    assert (attempt.outcome == "unknown" and "does not take the numbers" in attempt.detail) or (
        attempt.outcome == "refuted" and attempt.words
    )


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("claim.toml", "net.onnx", "program.py"):
        (tmp_path / name).write_bytes((GOOD / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["claim.toml", "net.onnx", "program.py"])
def test_pipes_and_devices_are_not_read(here: Path, name: str) -> None:
    (here / name).unlink()
    os.mkfifo(here / name)
    done = subprocess.run(
        [sys.executable, "-m", "relucid", "prove", "claim.toml"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2 and "not a regular file" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("length", ["9" * 5000, "0x" + "f" * 5000, "[1, 99999999999999999999]"])
def test_integers_that_toml_does_not_have(
    here: Path, capsys: pytest.CaptureFixture[str], length: str
) -> None:
    (here / "claim.toml").write_text(CLAIM.replace("length = 3", f"length = {length}"), encoding="utf-8")
    assert main(["prove", "claim.toml"]) == 2
    assert capsys.readouterr().err.startswith("relucid: claim.toml: ")


def test_labels_that_toml_does_not_have(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "claim.toml").write_text(
        CLAIM.replace("[false, true]", f"[0x{'f' * 5000}, true]"), encoding="utf-8"
    )
    assert main(["prove", "claim.toml"]) == 2
    assert "64 bits" in capsys.readouterr().err


def test_a_time_limit_that_solvers_cannot_count(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", "claim.toml", "--timeout", "1e12"]) == 2
    assert "at most 2592000 seconds" in capsys.readouterr().err


def test_hostile_json_of_a_circuit(tmp_path: Path) -> None:
    path = tmp_path / "beeg_config.json"
    sizes = '"block_size": 4, "vocab_size": 2, "n_head": 1, "d_model": 1, "n_layer": '
    for text, said in ((sizes + "4000000000", "layers"), (sizes + "9" * 5000, "cannot be read")):
        path.write_text("{" + text + "}", encoding="utf-8")
        with pytest.raises(InputError, match=said):
            read_config(path)
    path.write_text('{"tokens": ["a", "\\ud800"]}', encoding="utf-8")
    with pytest.raises(InputError, match="surrogate"):
        read_vocabulary(path, 2)


def test_a_reader_that_went_away_does_not_turn_refuted_into_proved() -> None:
    """Exit status 0 means proved, whoever reads the text."""
    command = [sys.executable, "-m", "relucid", "prove", str(REFUTED)]
    reader, writer = os.pipe()
    os.close(reader)
    broken = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writer)
    closed = subprocess.run(
        ["bash", "-c", '"$@" >&-', "-", *command], stderr=subprocess.PIPE, timeout=60, check=False
    )
    assert (broken.returncode, broken.stderr) == (1, b"")
    assert (closed.returncode, closed.stderr) == (1, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_said_in_one_line() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "relucid", "prove", str(REFUTED)],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (
        done.returncode == 4
        and done.stderr.startswith(b"relucid: cannot write")
        and b"report" not in done.stderr
    )


def test_domains_of_more_digits_than_python_prints(capsys: pytest.CaptureFixture[str]) -> None:
    domain = Domain(tuple("abcdefghijklmnop"), 4096, 4096)
    network = feed_forward([(np.zeros((1, domain.input_size)), np.array([-1.0]))])
    claim = WordClaim(
        network, Program("def f(tokens):\n    return False\n", "f"), domain, Decision("sign", (False, True))
    )
    verdict = Unknown(None, 0.0, claim.domain_size, (), (), "nobody asked")
    assert "about 10^4932 inputs" in str(verdict)
    assert verdict_json(verdict)["domain_size"] == decimal(16**4096) and len(decimal(16**4096)) == 4933
    assert "about 10^4932 inputs" in str(all_backends()["enumerate"].unfit(claim))
    print_verdict(verdict)
    assert "about 10^4932 inputs" in capsys.readouterr().out


@given(st.integers(), st.integers(0, 20))
def test_decimal_is_str(n: int, power: int) -> None:
    assert decimal(n * 10 ** (190 * power)) == str(n * 10 ** (190 * power))


def test_words_cannot_steer_the_terminal(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A claim file must not be able to paint "proved" over the answer."""
    (here / "claim.toml").write_text(
        CLAIM.replace('["a", "b"]', '["\\u001b[2Jproved", "[/red]"]'), encoding="utf-8"
    )
    assert main(["prove", "claim.toml"]) == 1
    assert main(["show", "claim.toml"]) == 0
    (here / "claim.toml").write_text('"\\u001b[2J" = 1\n' + CLAIM, encoding="utf-8")
    assert main(["prove", "claim.toml"]) == 2
    shown = "".join(capsys.readouterr())
    assert "\x1b" not in shown and "\\x1b[2Jproved" in shown and "[/red]" in shown
