"""Branch and bound against brute force; what is counted as settled; the record, and what becomes of records
that lie.
"""

from __future__ import annotations

import copy
import itertools
import json
import random
from functools import cache

import numpy as np
import pytest
from clocks import later
from known_claims import corpus
from random_claims import random_claim, words_of
from relucid.common.errors import InputError
from relucid.encoders.dense import Dense, dense
from relucid.encoders.presolve import reduced
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.word_claim import WordClaim
from relucid.verifiers.engines.bab.bounding import BabOptions, Bounding
from relucid.verifiers.engines.bab.cells import Cell
from relucid.verifiers.engines.bab.record import covers, read_record, write_record
from relucid.verifiers.engines.bab.search import LabelSearch

SMALL_STEPS = BabOptions(attack=False, optimise=False, cell_nodes=0, functions=4, presolve_iterations=0)
VARIANTS = {
    "default": BabOptions(),
    "words at once": SMALL_STEPS,
    "no attack, no iterations": BabOptions(attack=False, iterations=0, presolve_iterations=0, functions=2),
    "ReLUs only until they run out": BabOptions(attack=False, split_words=False),
    "words only": BabOptions(attack=False, split_relus=False),
    "one candidate": BabOptions(attack=False, candidates=1, cell_nodes=1),
}


def claims() -> list[WordClaim]:
    """Random ones, most of which are false, and small ones of the corpus, most of which are true."""
    small = [claim for known in corpus() if (claim := load_word_claim(known.claim_file)).domain_size <= 300]
    return [*map(random_claim, range(80)), *small]


@cache
def cases() -> list[tuple[list[Dense], set[tuple[int, ...]], set[tuple[int, ...]]]]:
    """(queries of a label, its words, those that violate one), settled ones left out."""
    out = []
    for claim in claims():
        words = words_of(claim)
        for label in range(len(claim.decision.labels)):
            language = claim.language.restricted(label)
            if language.empty:
                continue
            small = reduced(claim.network, claim.domain, language)
            asked = [q for r in claim.decision.rivals(label) if not (q := dense(small, r)).settled]
            if asked:
                mine = {w for w, y in words.items() if y == label}
                out.append(
                    (
                        asked,
                        mine,
                        {w for w in mine if any(q.values(np.array([w]))[0, -1] >= 0 for q in asked)},
                    )
                )
    return out


@pytest.mark.parametrize("variant", VARIANTS)
def test_right_whatever_is_switched_off(variant: str) -> None:
    for asked, words, wrong in cases():
        if not VARIANTS[variant].split_words and asked[0].count > 6:
            continue  # 2**k phases
        if variant != "default" and asked[0].count > 12:
            continue  # hundreds of cells; what is switched off shows on fewer
        search = LabelSearch(asked, VARIANTS[variant])
        outcome = search.run(later())
        if wrong:
            assert outcome.words and set(outcome.words) <= wrong
            assert search.run(later()).words  # asking again does not turn it into a proof
        else:
            assert not outcome.words and outcome.proved and search.proved_inputs() == len(words)


def one_step(search: LabelSearch) -> tuple:
    """What the loop of branch and bound does; returns violating words."""
    left, _ = search._step(search.waiting.take())
    search.waiting.put(left or [])
    return search.words


def cell_words(search: LabelSearch, cell: Cell) -> set[tuple[int, ...]]:
    language = search.language
    runs = [((), (s,)) for s in range(language.layer_sizes[0])]
    for layer in language.edges:
        runs = [((*w, s), (*p, n)) for w, p in runs for q, s, n in layer if q == p[-1]]
    return {
        w
        for w, p in runs
        if (cell.symbol_mask is None or all(cell.symbol_mask[t, s] == 0 for t, s in enumerate(w)))
        and (cell.state_mask is None or all(cell.state_mask[t, q] == 0 for t, q in enumerate(p)))
    }


def test_open_cells_share_no_word_and_hold_every_violation() -> None:
    looked = 0
    for asked, words, wrong in cases():
        search = LabelSearch(asked, SMALL_STEPS)
        search._start()
        while not search.words and search.waiting:
            parts = [cell_words(search, cell) for cell in search.waiting.cells]
            assert sum(map(len, parts)) == len(set().union(*parts)) and wrong <= set().union(*parts)
            assert [len(p) for p in parts] == [cell.size(search.language) for cell in search.waiting.cells]
            assert search.proved_inputs() == len(words) - sum(map(len, parts))
            looked += len(parts) > 1
            one_step(search)
    assert looked > 10


def test_words_that_are_blocked_are_not_found_again() -> None:
    for asked, _, wrong in cases()[:60]:
        search, found = LabelSearch(asked), set()
        while (outcome := search.run(later())).words:
            assert set(outcome.words) <= wrong - found
            found |= set(outcome.words)
            search = search.without(outcome.words)
        assert found == wrong and outcome.proved


@cache
def records() -> list[tuple[list[Dense], set[tuple[int, ...]], dict]]:
    """Records of searches that were stopped after some steps, as they come out of a file."""
    out = []
    for number, (asked, _, wrong) in enumerate(cases()):
        search = LabelSearch(asked, SMALL_STEPS)
        search._start()
        for _ in range(number % 4):
            if search.started and search.waiting and one_step(search):
                break
        if search.started:
            out.append((asked, wrong, json.loads(json.dumps(write_record(search)))))
    return out


def test_a_search_goes_on_from_its_record() -> None:
    went_on = 0
    for asked, wrong, record in records():
        search = LabelSearch(asked, SMALL_STEPS)
        read_record(search, record, "file")
        went_on += bool(record["open"])
        assert json.loads(json.dumps(write_record(search)))["cuts"] == record["cuts"]
        outcome = search.run(later())
        assert set(outcome.words) <= wrong if wrong else outcome.proved and not outcome.words
        assert bool(outcome.words) == bool(wrong)
    assert went_on > 10


def damaged(record: dict, rng: random.Random) -> dict:
    """One thing about a record changed at random."""
    record = copy.deepcopy(record)
    kind = rng.choice(
        [
            "drop closed",
            "drop open",
            "swap parts",
            "other value",
            "phase",
            "multiplier",
            "move",
            "drop all open",
            "no evidence",
        ]
    )
    leaves = [(leaves, i) for _, leaves in record["closed"] for i in range(len(leaves))]
    if kind == "drop closed" and leaves:
        here, i = rng.choice(leaves)
        del here[i]
    elif kind == "drop open" and record["open"]:
        nodes = rng.choice(record["open"])[1]
        del nodes[rng.randrange(len(nodes))]
    elif kind == "drop all open":
        record["open"] = []
    elif kind == "swap parts" and record["cuts"]:
        cut = rng.choice(record["cuts"])
        cut[4], cut[5] = cut[5], cut[4]
    elif kind == "other value" and record["cuts"]:
        cut = rng.choice(record["cuts"])
        cut[rng.choice([1, 2, 3])] = rng.choice(["state", "symbol", 0, 1, [0], [1]])
    elif kind == "phase" and leaves:
        here, i = rng.choice(leaves)
        here[i][1] = [*here[i][1][:-1], rng.choice([1, -1, 2, -2, 3, 99])]
    elif kind == "multiplier" and leaves:
        here, i = rng.choice(leaves)
        if isinstance(here[i][2], list) and here[i][2][0]:
            here[i][2][rng.randrange(3)][0] = rng.choice([-1, 0, 1, 256, 257, 10**9, 10**30, 0.5, "x", None])
    elif kind == "move" and len(record["closed"]) > 1:
        a, b = rng.sample(record["closed"], 2)
        a[0], b[0] = b[0], a[0]
    elif kind == "no evidence" and leaves:
        here, i = rng.choice(leaves)
        here[i][2] = rng.choice([None, "looked", []])
    return record


def test_a_record_that_was_changed_never_proves_what_is_false() -> None:
    rng, refused = random.Random(0), 0
    for asked, wrong, record in itertools.chain.from_iterable([records()] * 4):
        search = LabelSearch(asked, SMALL_STEPS)
        try:
            read_record(search, damaged(record, rng), "file")
        except InputError as error:
            refused += 1
            assert str(error).startswith("file: the checkpoint ") and "\n" not in str(error)
            continue
        outcome = search.run(later())
        assert bool(outcome.words) == bool(wrong) and set(outcome.words) <= wrong
    assert refused > 60


def test_a_record_of_another_claim_never_proves_what_is_false() -> None:
    rng = random.Random(1)
    finished = []
    for asked, _, wrong in cases():
        if not wrong:
            search = LabelSearch(asked, SMALL_STEPS)
            assert search.run(later()).proved
            finished.append(json.loads(json.dumps(write_record(search))))
    for asked, _, wrong in cases():
        for record in rng.sample(finished, 6):
            search = LabelSearch(asked, SMALL_STEPS)
            try:
                read_record(search, record, "file")
            except InputError:
                continue
            assert bool(search.run(later()).words) == bool(wrong)


@pytest.mark.parametrize(
    "garbage",
    [
        None,
        [],
        {},
        {"cuts": 3, "closed": [], "open": []},
        {"cuts": [], "closed": [], "open": []},
        "x",
        10**50,
    ],
    ids=str,
)
def test_garbage_is_refused(garbage: object) -> None:
    with pytest.raises(InputError, match="checkpoint"):
        read_record(LabelSearch(cases()[0][0]), garbage, "file")


def test_coverage_of_phase_trees() -> None:
    assert covers([()]) and not covers([])
    assert covers([((0, 1),), ((0, -1), (2, 1)), ((0, -1), (2, -1))])
    assert not covers([((0, 1),), ((0, -1), (2, 1))])
    assert not covers([((0, 1),), ((1, -1),)])
    assert not covers([((0, 1), (0, 1)), ((0, -1),)])


def test_the_same_seed_does_the_same() -> None:
    runs = []
    for _ in range(2):
        search = LabelSearch(cases()[3][0], SMALL_STEPS, seed=5)
        outcome = search.run(later())
        runs.append((outcome.words, search.effort, write_record(search) if search.started else None))
    assert runs[0] == runs[1]


@pytest.mark.parametrize("words", [True, False])
def test_an_interrupt_loses_nothing(monkeypatch: pytest.MonkeyPatch, words: bool) -> None:
    """Ctrl-C in the middle of a step: what the step had taken is still open."""
    interrupted = 0
    for asked, _, wrong in cases():
        search = LabelSearch(
            asked,
            BabOptions(
                attack=False,
                optimise=False,
                cell_nodes=0 if words else 99,
                functions=4,
                presolve_iterations=0,
            ),
        )
        search._start()
        if not search.waiting or asked[0].count > 6:
            continue
        before = {cell.number for cell in search.waiting.cells}
        with monkeypatch.context() as patch:
            patch.setattr(Bounding, "minimised", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                one_step(search)
        interrupted += 1
        assert {cell.number for cell in search.waiting.cells} == before
        assert bool(search.run(later()).words) == bool(wrong)
    assert interrupted > 5
