"""The registry: finds its own and third parties' backends, explains what is missing, and stays light."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from random_claims import random_claim
from relucid.common.errors import InputError
from relucid.verifiers.backends import exhaustive
from relucid.verifiers.race import registry
from relucid.verifiers.race.backend import Budget, Capabilities


class Other:
    name = "other"
    capabilities = Capabilities("exact", description="a third party's")

    def available(self) -> str | None:
        return None


class Point:
    def __init__(self, name: str, value: object) -> None:
        self.name, self.value, self._loaded = name, f"package:{name}", value

    def load(self) -> object:
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


@pytest.fixture
def third_parties(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    points = [
        Point("other", Other()),
        Point("broken", ImportError("no such library")),
        Point("cpsat", Other()),
        Point("renamed", Other()),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == "relucid.backends" else [])
    registry._found.cache_clear()
    yield
    registry._found.cache_clear()


def test_its_own() -> None:
    names = list(registry.all_backends())
    assert names[:3] == ["bab", "enumerate", "reach"]  # those that need no process first
    assert set(names) >= {"cpsat", "highs", "scip", "z3-bv", "z3-real", "bitwuzla"}
    assert [registry.get(n).capabilities.trust for n in ("highs", "scip", "z3-bv")] == [
        "float",
        "float",
        "exact",
    ]


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"no backend 'z3'.*z3-bv"):
        registry.get("z3")


@pytest.mark.usefixtures("third_parties")
def test_third_parties_are_found_and_broken_ones_explained() -> None:
    rows = {row.name: row for row in registry.describe()}
    assert registry.get("other").capabilities.description == "a third party's"
    assert rows["other"].version is None and "not installed" in rows["other"].problem
    assert (
        "no such library" in rows["broken"].problem
        and "already there" in rows["cpsat (package:cpsat)"].problem
    )
    assert "calls itself 'other'" in rows["renamed"].problem
    assert registry.get("cpsat").capabilities.description != "a third party's"
    with pytest.raises(InputError, match="no such library"):
        registry.get("broken")


def test_listing_imports_no_solver() -> None:
    code = "import sys; from relucid.verifiers.race import registry; registry.describe(); print(*{'ortools', 'z3'} & set(sys.modules))"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == ""
    )


def test_enumeration_has_a_limit_and_keeps_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    claim, enumerate_ = random_claim(0), registry.get("enumerate")
    monkeypatch.setattr(exhaustive, "MAX_INPUTS", claim.domain_size)
    assert enumerate_.unfit(claim) is None
    monkeypatch.setattr(exhaustive, "MAX_INPUTS", claim.domain_size - 1)
    assert str(claim.domain_size) in (enumerate_.unfit(claim) or "")
    assert enumerate_.solve(claim, Budget(), print).outcome == "unsupported"
