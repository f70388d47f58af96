"""The wheel alone, without the checkout, distils the shipped circuit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = (
    "*.py",
    "*.toml",
    "README.md",
    "LICENSE",
    "common",
    "models",
    "encoders",
    "verifiers",
    "search",
    "benchmarks",
    "reports",
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, built from a copy of the sources so that nothing lands in the checkout."""
    copy = tmp_path_factory.mktemp("source")
    for pattern in SOURCES:
        for path in ROOT.glob(pattern):
            if path.is_dir():
                shutil.copytree(path, copy / path.name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(path, copy)
    out = tmp_path_factory.mktemp("wheel")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(out),
        str(copy),
    ]
    subprocess.run(build, check=True, capture_output=True, text=True, timeout=300)
    (wheel,) = out.glob("*.whl")
    assert wheel.stat().st_size < 1_000_000
    site = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(site)
    return site


def run(site: Path, where: Path, code: str, *arguments: str) -> str:
    """In a folder of its own, with the wheel's content first on the path and the checkout nowhere."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(
        command, cwd=where, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_wheel_is_what_runs(installed: Path, tmp_path: Path) -> None:
    assert run(installed, tmp_path, "import relucid; print(relucid.__file__)").startswith(str(installed))


def test_the_wheel_distils_the_shipped_circuit(installed: Path, tmp_path: Path) -> None:
    code = "import sys; from relucid.cli.main import main; sys.exit(main(sys.argv[1:]))"
    out = run(installed, tmp_path, code, "distill", "bracket_depth", "--out", "out")
    assert "proved: network = program" in out
    assert "proved: network = program" in run(
        installed, tmp_path, code, "prove", "out/claim.toml", "--backends", "z3-bv,enumerate"
    )


def test_every_package_is_in_the_wheel(installed: Path) -> None:
    here = {str(p.relative_to(ROOT)) for d in SOURCES[3:] for p in (ROOT / d).rglob("*.py")}
    there = {str(p.relative_to(installed / "relucid")) for p in (installed / "relucid").rglob("*.py")}
    assert here <= there
