"""What works without the optional packages, and what is said of one that is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from relucid.common.optional import EXTRAS

HERE = Path(__file__).parent
CLAIM = HERE / "corpus" / "which_quote" / "claim.toml"
WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in NAMES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
NAMES = set(sys.argv.pop(1).split(","))
sys.meta_path.insert(0, Missing())
from relucid.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def without(packages: set[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command where these packages cannot be imported."""
    command = [sys.executable, "-c", WITHOUT, ",".join(sorted(packages)), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("prove", str(CLAIM), "--backends", "bab,enumerate"), 0),
        (("backends",), 0),
        (("show", str(CLAIM)), 0),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_a_base_installation_proves(arguments: tuple[str, ...], status: int) -> None:
    done = without({*EXTRAS, "bitwuzla", "cvc5", "exact", "pysat"}, *arguments)
    assert done.returncode == status, done.stdout + done.stderr


def test_a_proof_is_written_and_checked(tmp_path: Path) -> None:
    proof = tmp_path / "proof.jsonl"
    made = without(set(EXTRAS), "prove", str(CLAIM), "--proof", str(proof))
    assert made.returncode == 0, made.stdout + made.stderr
    assert without(set(EXTRAS), "check", str(CLAIM), str(proof)).returncode == 0


@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("torch", ("distill", "bracket_depth", "--out", "OUT")),
        ("torch", ("train", "single_double_quote", "--out", "OUT")),
        ("jinja2", ("distill", "bracket_depth", "--out", "OUT", "--html", "OUT.html")),
        ("matplotlib", ("show", "bracket_depth", "--draw", "OUT.svg")),
    ],
)
def test_a_missing_package_is_one_line_with_its_extra(
    package: str, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    done = without({package}, *(a.replace("OUT", out) for a in arguments))
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"pip install 'relucid[{EXTRAS[package]}]'" in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not list(tmp_path.iterdir())
