"""The worked example of docs/reference/add-a-backend.md: installed as a third party's package would be, it is
found, conforms, proves and is dumped.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from known_claims import CORPUS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "add-a-backend.md"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip would leave: the module, and the metadata with the entry point from the page's
    pyproject.toml.
    """
    blocks = re.findall(r"```(\w*)\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)
    code = next(text for language, text in blocks if language == "python")
    project = tomllib.loads(next(text for language, text in blocks if language == "toml"))
    folder = tmp_path_factory.mktemp("site")
    (module,) = project["tool"]["setuptools"]["py-modules"]
    (folder / f"{module}.py").write_text(code, encoding="utf-8")
    name, version = project["project"]["name"], project["project"]["version"]
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    points = project["project"]["entry-points"]
    lines = [
        line
        for group, entries in points.items()
        for line in (f"[{group}]", *(f"{k} = {v}" for k, v in entries.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


def relucid(site: Path, *words: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-m", "relucid", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_it_is_listed_and_conforms(site: Path) -> None:
    rows = {row["name"]: row for row in json.loads(relucid(site, "backends", "--json")[1])}
    assert rows["glucose"]["trust"] == "exact" and rows["glucose"]["version"]
    status, said = relucid(site, "backends", "--check", "glucose")
    assert status == 0 and said.endswith("glucose conforms\n"), said


def test_it_answers_and_writes_its_formulas(site: Path, tmp_path: Path) -> None:
    status, said = relucid(
        site,
        "prove",
        str(CORPUS / "count_sign_l3" / "claim.toml"),
        "--backends",
        "glucose",
        "--dump",
        str(tmp_path / "d"),
        "-q",
    )
    assert status == 0 and "by glucose" in said
    assert list((tmp_path / "d" / "glucose").glob("*.cnf"))
    assert (
        relucid(
            site,
            "prove",
            str(CORPUS / "count_near_miss" / "claim.toml"),
            "--backends",
            "glucose:tighten",
            "-q",
        )[0]
        == 1
    )


def test_an_unsound_one_is_found(site: Path) -> None:
    path = site / "relucid_glucose.py"
    good = path.read_text()
    path.write_text(good.replace("if not answer:", "if True:"))
    try:
        status, said = relucid(site, "backends", "--check", "glucose")
    finally:
        path.write_text(good)
    assert status == 1 and "proved instead of refuted" in said and said.endswith("glucose does not conform\n")
