"""The front: the shortest program for each number of exceptions, counted over all inputs."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from relucid.models.automata.labelled import Labelled
from relucid.search import front as module
from relucid.search.candidate import Candidate
from relucid.search.front import front


def candidate(length: int, wrong: int, inputs: int) -> Candidate:
    """A program of a given length that is wrong on the first inputs, whose labels are 0 and 1 in turn."""

    def decide(words: np.ndarray) -> np.ndarray:
        return np.where(words[:, 0] < wrong, 1 - words[:, 0] % 2, words[:, 0] % 2)

    return Candidate("templates", "constant", ("x = 1",) * length + (f"return {wrong}",), decide)


def inputs(count: int) -> Labelled:
    words = np.arange(count, dtype=np.int16)[:, None]
    return Labelled(words, (words[:, 0] % 2).astype(np.int64))


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 40)), min_size=1, max_size=12))
def test_nothing_beats_what_is_kept(pairs: list[tuple[int, int]]) -> None:
    given = [candidate(length, wrong, 40) for length, wrong in pairs]
    found = front(given, inputs(40))
    for entry in found:
        assert (
            entry.of == 40
            and entry.exceptions == (entry.candidate.evaluate(inputs(40).words) != inputs(40).labels).sum()
        )
        assert len(entry.examples) == min(5, entry.exceptions)
        assert (entry.candidate.evaluate(entry.examples.words) != entry.examples.labels).all()
        for other in found:
            shorter = other.candidate.description_length <= entry.candidate.description_length
            assert other is entry or not (shorter and other.exceptions <= entry.exceptions)
    assert found[0].exceptions == min(wrong for _, wrong in pairs)
    assert all(entry.exceptions < 10 for entry in found[1:])  # a constant is wrong on 20
    shortest = min(length for length, wrong in pairs if wrong == found[0].exceptions)
    assert len(found[0].candidate.lines) == shortest + 1


def test_exceptions_are_counted_on_all_inputs(monkeypatch) -> None:
    """The sample only says which programs are worth counting."""
    monkeypatch.setattr(module, "SAMPLE", 50)
    monkeypatch.setattr(module, "BLOCK", 300)
    given = [
        candidate(4, 0, 1000),
        candidate(3, 1, 1000),
        candidate(2, 100, 1000),
        candidate(3, 100, 1000),
        candidate(1, 1000, 1000),
    ]
    found = front(given, inputs(1000))
    counted = [(len(e.candidate.lines) - 1, e.exceptions) for e in found]
    assert counted == [(4, 0), (3, 1), (2, 100)] and {e.of for e in found} == {1000}


def test_nothing_makes_no_front() -> None:
    assert front([], inputs(3)) == () and len(front([candidate(1, 0, 0)], inputs(0))) == 1
