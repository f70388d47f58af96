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
LEFT_OUT = {"tests", "docs", "examples", "out", "build", "dist", "relucid.egg-info"}
# the checkout is installed where the tests run: what the wheel lacks must not be found there
ALONE = "import sys; sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]\n"


def sources() -> list[Path]:
    """Return what a wheel is built from, and `experiments`, which it leaves out."""
    files = [p for pattern in ("*.py", "*.toml", "*.md", "LICENSE", "py.typed") for p in ROOT.glob(pattern)]
    return files + [p for p in ROOT.iterdir() if p.is_dir() and p.name[0] != "." and p.name not in LEFT_OUT]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, built from a copy of the sources so that nothing lands in the checkout."""
    copy = tmp_path_factory.mktemp("source")
    for path in sources():
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
    assert wheel.stat().st_size < 1_200_000  # 1.0 MB, most of it the weights of the circuit that ships
    site = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(site)
    return site


def run(site: Path, where: Path, code: str, *arguments: str) -> str:
    """In a folder of its own, with the wheel's content first on the path and the checkout nowhere."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-c", ALONE + code, *arguments]
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
    rooms = [p for p in sources() if p.is_dir() and p.name != "experiments"]
    here = {str(p.relative_to(ROOT)) for d in rooms for p in d.rglob("*.py")}
    there = {str(p.relative_to(installed / "relucid")) for p in (installed / "relucid").rglob("*.py")}
    assert here <= there
    assert (installed / "relucid" / "py.typed").is_file()
    assert list(installed.glob("relucid-*.dist-info/**/LICENSE"))


def test_what_is_only_for_a_checkout_is_left_out(installed: Path) -> None:
    assert not [
        name
        for name in ("tests", "experiments", "examples", "docs")
        if (installed / "relucid" / name).exists()
    ]
    assert {p.name.partition("-")[0] for p in installed.iterdir()} == {"relucid"}
