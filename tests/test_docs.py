"""The pages hang together: every link leads somewhere, and every page that code or a message names exists."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from relucid.cli.main import all_commands, main
from relucid.models.network.network import feed_forward
from relucid.models.onnx.writer import write_onnx

ROOT = Path(__file__).resolve().parents[1]
SKIPPED = {".venv", ".git", "out", "build", "dist", "node_modules"}
LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]*))?\)")


def files(*endings: str) -> list[Path]:
    """Files of the checkout with one of these endings, without what is made or installed."""
    return sorted(
        path
        for path in ROOT.rglob("*")
        if path.suffix in endings
        and not SKIPPED & set(path.relative_to(ROOT).parts)
        and not any(part.endswith(".egg-info") for part in path.relative_to(ROOT).parts)
    )


PAGES = files(".md")


def without_code(text: str) -> str:
    """A page without its code blocks and code spans, in which brackets are no links."""
    return re.sub(r"`[^`\n]*`", "code", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    headings = re.findall(r"^#+ (.*)$", text, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_link_leads_somewhere(page: Path) -> None:
    for link, anchor in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        target = (page.parent / link).resolve() if link else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), f"{link} leaves the repository"
        if anchor:
            assert anchor in anchors(target), f"{link}#{anchor}"


def test_every_page_that_is_named_exists() -> None:
    """Docstrings, comments and error messages name pages by their path from the root."""
    for path in files(".py", ".md", ".toml", ".html"):
        for name in re.findall(r"\bdocs/[\w/.-]+\.md\b", path.read_text(encoding="utf-8")):
            assert (ROOT / name).is_file(), f"{path.relative_to(ROOT)} names {name}"


def test_the_map_has_every_page() -> None:
    linked = {
        (ROOT / "docs" / link).resolve() for link, _ in LINK.findall((ROOT / "docs/README.md").read_text())
    }
    assert {p for p in PAGES if (ROOT / "docs") in p.parents and p.name != "README.md"} <= linked


def test_links_that_lead_nowhere_are_found() -> None:
    """The two tests above can fail."""
    assert LINK.findall(without_code("[a](b.md#c) `[d](e.md)`")) == [("b.md", "c")]
    assert "the-suite-tokens" in anchors(ROOT / "docs/reference/benchmark.md")


def test_the_command_line_page_has_every_command_and_option() -> None:
    page = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
    for name, command in all_commands().items():
        assert f"relucid {name} " in page or f"relucid {name}`" in page, name
        for parameter in command.params:
            for option in (o for o in parameter.opts if o.startswith("--")):
                assert f"`{option}" in page, f"{name} {option}"


def keys_of(value: object) -> set[str]:
    """All keys in a JSON value, at any depth."""
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    return set(value).union(*map(keys_of, value.values())) if isinstance(value, dict) else set()


SPEC = """
(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real)
(assert (and (>= X_0 0) (<= X_0 1) (>= X_1 0) (<= X_1 1)))
(assert (>= Y_0 {least}))
"""


@pytest.mark.parametrize("command", ["prove", "check", "show", "verify unsat", "verify sat"])
def test_the_json_page_has_every_key(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every key that a command prints stands on the page; `show` has keys of its own below those
    at the top.
    """
    claim, proof = str(ROOT / "tests/corpus/parity_6_two_layers/claim.toml"), str(tmp_path / "proof.jsonl")
    network, property_file = tmp_path / "net.onnx", tmp_path / "spec.vnnlib"
    network.write_bytes(write_onnx(feed_forward([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])))
    property_file.write_text(SPEC.format(least=3 if command == "verify unsat" else 1), encoding="utf-8")
    if command == "check":
        assert main(["prove", claim, "--quiet", "--proof", proof]) == 0
        capsys.readouterr()
    arguments = {
        "prove": ["prove", claim, "--proof", proof],
        "check": ["check", claim, proof],
        "show": ["show", claim],
        "verify unsat": ["verify", str(network), str(property_file)],
        "verify sat": ["verify", str(network), str(property_file)],
    }[command]
    assert main([*arguments, "--json"]) == (command == "verify sat")
    found = json.loads(capsys.readouterr().out)
    page = (ROOT / "docs/reference/json.md").read_text(encoding="utf-8")
    for key in (
        keys_of({k: v for k, v in found.items() if k != "evidence"}) if command != "show" else set(found)
    ):
        assert f"`{key}`" in page or f"`{key}:" in page or f'"{key}":' in page, key


def test_the_files_of_make_quick_are_there() -> None:
    """pytest in several processes runs nothing at all if one file is missing, and does not name it."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    named = re.search(r"^QUICK := (.*)$", makefile, re.MULTILINE)
    assert named is not None and [name for name in named[1].split() if not (ROOT / name).is_file()] == []
