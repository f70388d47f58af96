"""From names, options and module:attribute to backends."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from random_claims import random_claim
from relucid.common.errors import InputError
from relucid.verifiers.backends.shared.queries import QueryBackend
from relucid.verifiers.race.backend import Budget, options_of
from relucid.verifiers.race.choose import choose
from relucid.verifiers.race.race import prove_claim
from relucid.verifiers.race.registry import all_backends
from relucid.verifiers.race.request import ProofRequest


def test_options_make_a_backend_of_that_name() -> None:
    (chosen,) = choose("z3-bv:tighten")
    assert (chosen.name, chosen.tighten, all_backends()["z3-bv"].tighten) == ("z3-bv:tighten", True, False)  # type: ignore[attr-defined]
    (chosen,) = choose(["cpsat:tighten:workers=3"])
    assert (chosen.name, chosen.workers, chosen.tighten) == ("cpsat:tighten:workers=3", 3, True)  # type: ignore[attr-defined]


def test_variants_are_backends_of_their_own_and_repetitions_are_not() -> None:
    assert [b.name for b in choose("cpsat:tighten, cpsat, cpsat:tighten,highs")] == [
        "cpsat:tighten",
        "cpsat",
        "highs",
    ]


@pytest.mark.parametrize(
    "name", [f"{b.name}:{o.replace('=N', '=2')}" for b in all_backends().values() for o in options_of(b)]
)
def test_every_option_that_is_listed_is_taken_and_travels(name: str) -> None:
    (chosen,) = choose(name)
    sent = pickle.loads(pickle.dumps(chosen))
    assert sent == chosen and sent.name == name and sent != all_backends()[name.split(":")[0]]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("z3-bv:plane", "z3-bv has no option 'plane'; known are tighten"),
        ("z3-bv:", "no option ''"),
        ("z3-bv:tighten:", "no option ''"),
        ("highs:plain", "highs has no option 'plain'; known are tighten"),
        ("highs:workers=2", "no option 'workers=2'"),
        ("cpsat:workers=0", "no option 'workers=0'; known are .*workers=N"),
        ("cpsat:workers=²", "no option 'workers=²'"),
        ("cpsat:workers", "no option 'workers'"),
        ("cpsat:no-tighten", "no option 'no-tighten'"),
        ("enumerate:plain", "enumerate has no option 'plain'; write enumerate alone"),
        ("z4:plain", "cannot load 'z4:plain'"),
        ("z4", "there is no backend 'z4'"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        choose(["cpsat", name])
    assert "\n" not in str(raised.value)


class Unregistered:
    """Has the attributes of a backend, and no options."""

    name = "unregistered"
    capabilities = all_backends()["enumerate"].capabilities
    available = unfit = solve = lambda *arguments: None


OTHER = Unregistered()


def test_module_and_attribute_still_name_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "my_solver", __import__("sys").modules[__name__])
    assert choose("my_solver:OTHER, z3-bv:tighten")[0] is OTHER
    with pytest.raises(InputError, match="unregistered has no option 'plain'"):
        choose("unregistered:plain", registry=[OTHER])  # type: ignore[list-item]


def test_variants_race_against_each_other() -> None:
    verdict = prove_claim(
        random_claim(3),
        request=ProofRequest(backends=["z3-bv:tighten", "cpsat:tighten:workers=1"]),
        budget=Budget(30.0, workers=2),
    )
    assert {a.backend for a in verdict.attempts} == {"z3-bv:tighten", "cpsat:tighten:workers=1"}
    assert verdict.backend in {"z3-bv:tighten", "cpsat:tighten:workers=1"}


def test_every_option_of_the_encodings_is_documented() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "theory" / "encodings.md").read_text(
        encoding="utf-8"
    )
    for backend in all_backends().values():
        if isinstance(backend, QueryBackend):
            assert all(f"\n| `{option}` |" in text for option in backend.options), backend.name
