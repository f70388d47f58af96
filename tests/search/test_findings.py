"""What is found out about labels is true of every word, by brute force, and what is known is found."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relucid.models.automata.labelled import Labelled
from relucid.search import findings as module
from relucid.search.finding import Findings
from relucid.search.findings import findings
from relucid.search.problem import SearchProblem
from relucid.search.word_keys import KeyedWords

Word = tuple[str, ...]
Truth = dict[Word, object]


def words(tokens: tuple[str, ...], shortest: int, longest: int) -> Iterator[Word]:
    for n in range(shortest, longest + 1):
        yield from itertools.product(tokens, repeat=n)


def problem(tokens: tuple[str, ...], truth: Truth, labels: tuple) -> SearchProblem:
    longest, pad = max(map(len, truth)), len(tokens)
    rows = [[*map(tokens.index, w), *[pad] * (longest - len(w))] for w in truth]
    examples = Labelled(
        np.array(rows, dtype=np.int16).reshape(len(rows), longest),
        np.array([labels.index(y) for y in truth.values()]),
    )
    return SearchProblem(tokens, min(map(len, truth)), longest, labels, examples)


def found(tokens: str | tuple[str, ...], lengths: tuple[int, int], f: Callable[[Word], object]) -> Findings:
    tokens = tuple(tokens)
    truth = {w: f(w) for w in words(tokens, *lengths)}
    labels = tuple(dict.fromkeys(truth.values()))
    return findings(problem(tokens, truth, labels), whole=True)


def only(truth: Truth, key: Callable[[Word], object]) -> bool:
    """Whether words with equal keys have equal labels."""
    seen: dict[object, object] = {}
    return all(seen.setdefault(key(w), y) == y for w, y in truth.items())


def in_order(truth: Truth, before: Callable[[str, str], bool]) -> bool:
    """Whether the label never falls where one token is replaced by another that comes after it."""
    for w, y in truth.items():
        for i, b in itertools.product(range(len(w)), {t for v in truth for t in v}):
            other = truth.get((*w[:i], b, *w[i + 1 :]))
            if other is not None and before(w[i], b) and other < y:  # type: ignore[operator]
                return False
    return True


def check(f: Findings, truth: Truth) -> None:
    """Check every claim by its definition."""
    if f.constant:
        assert len(set(truth.values())) == 1
    if f.last is not None:
        k = f.last
        assert only(truth, lambda w: w[-k:]) and (
            k == 1 or not only(truth, lambda w: w[len(w) - k + 1 :] if len(w) >= k else w)
        )
    if f.first is not None:
        k = f.first
        assert only(truth, lambda w: w[:k]) and (k == 1 or not only(truth, lambda w: w[: k - 1]))
    if f.places is not None:
        places = f.places
        assert only(truth, lambda w: [w[p] if -len(w) <= p < len(w) else None for p in places].__repr__())
    if f.window_counts_only or f.window_sum_only:
        from_end = f.first is None or (f.last is not None and f.last <= f.first)
        part = (lambda w: w[-(f.last or 0) :]) if from_end else (lambda w: w[: f.first])
        assert only(truth, lambda w: tuple(sorted(part(w))))
        period = f.window_sum_period or 10**9
        assert not f.window_sum_only or only(truth, lambda w: sum(map(int, part(w))) % period)
    if f.length_only:
        assert only(truth, len)
    if f.length_period:
        assert only(truth, lambda w: len(w) % f.length_period)
    if f.counts_only:
        assert only(truth, lambda w: tuple(sorted(w)))
    if f.set_only:
        assert only(truth, frozenset)
    if f.sum_only:
        assert only(truth, lambda w: sum(map(int, w)))
    if f.sum_period:
        assert only(truth, lambda w: sum(map(int, w)) % f.sum_period)
    if f.first_occurrences_only:
        assert only(truth, lambda w: tuple(dict.fromkeys(w)))
    if f.reversible:
        assert all(truth.get(w[::-1], y) == y for w, y in truth.items())
    if f.digit_sums_only:
        assert only(truth, lambda w: tuple(sum(map(int, t)) for t in w))
    for group in f.alike:
        assert len(group) > 1
        assert only(truth, lambda w, g=group: tuple(g[0] if t in g else t for t in w))
    for group in f.renamable:
        for a, b in itertools.combinations(group, 2):
            swap = {a: b, b: a}
            assert all(truth.get(tuple(swap.get(t, t) for t in w), y) == y for w, y in truth.items())
    assert only(truth, lambda w: tuple(t for t in w if t not in f.deletable))
    if f.stops:
        ends = set(f.stops)
        assert only(truth, lambda w: w[: next((i for i, t in enumerate(w) if t in ends), len(w)) + 1])
    for w, y in truth.items():
        assert truth.get(w[:-1], y) not in f.absorbing or y == truth.get(w[:-1], y)
    if f.rises_with_value:
        assert in_order(truth, lambda a, b: int(a) < int(b))
    if f.falls_with_value:
        assert in_order(truth, lambda a, b: int(a) > int(b))
    if f.raising:
        assert in_order(truth, lambda a, b: b in f.raising)
    if f.lowering:
        assert in_order(truth, lambda a, b: a in f.lowering)


KEYS: list[Callable[[Word], object]] = [
    lambda w: w[-2:],
    lambda w: w[:1],
    lambda w: sum(map(int, w[-2:])),
    lambda w: tuple(sorted(w[:2])),
    lambda w: sum(map(int, w[-3:])) % 2,
    lambda w: w[-2:-1],
    len,
    lambda w: tuple(sorted(w)),
    lambda w: frozenset(w),
    lambda w: sum(map(int, w)) % 3,
    lambda w: tuple(dict.fromkeys(w)),
    lambda w: min(w, w[::-1]),
    lambda w: tuple(t for t in w if t != "1"),
    lambda w: w[: w.index("2") + 1] if "2" in w else w,
    lambda w: "12" in "".join(w),
    lambda w: w,
]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_everything_found_is_true(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 3))
    tokens = tuple(str(i) for i in range(size))
    shortest = data.draw(st.integers(0, 3))
    longest = data.draw(st.integers(max(1, shortest), 5))
    key = data.draw(st.sampled_from(KEYS))
    meaning: dict[object, int] = {}
    random = data.draw(st.randoms(use_true_random=False))
    count = data.draw(st.integers(1, 3))
    truth = {w: meaning.setdefault(key(w), random.randrange(count)) for w in words(tokens, shortest, longest)}
    if data.draw(st.booleans()):  # a domain with a hole, or a sample
        kept = {w: y for w, y in truth.items() if random.random() < 0.7}
        truth = kept or truth
    labels = tuple(range(3))
    f = findings(problem(tokens, truth, labels), whole=True)
    check(f, truth)
    assert all(f.sentences()) and f.inputs == len(truth)


def test_windows_and_places() -> None:
    assert found("abc", (1, 5), lambda w: w[-2:] == ("a", "b")).last == 2
    assert found("abc", (1, 5), lambda w: w[:2] == ("a", "b")).first == 2
    previous = found("abc", (1, 5), lambda w: w[-2] if len(w) > 1 else "a")
    assert previous.places == (-2,) and previous.sentences()[0] == "depends on tokens[-2] only"
    assert found("ab", (1, 6), lambda w: len(w) % 3).length_period == 3


def test_bags_of_windows() -> None:
    f = found("0123", (1, 4), lambda w: sum(map(int, w[-2:])))
    assert f.sentences()[0] == "depends on the sum of the last 2 tokens only"
    f = found("0123", (1, 4), lambda w: sum(map(int, w[:2])) % 3)
    assert f.sentences()[0] == "depends on the sum of the first 2 tokens modulo 3 only"
    f = found("abc", (1, 4), lambda w: "a" in w[-2:])
    assert f.sentences()[0] == "depends on the last 2 tokens only, in any order"


def test_bags() -> None:
    f = found("abc", (1, 6), lambda w: w.count("a") >= 2)
    assert f.counts_only and f.deletable == ("b", "c") and f.absorbing == (True,) and f.raising == ("a",)
    assert f.sentences()[0] == 'depends only on how often "a" occurs, not on the order'
    assert found("abc", (1, 5), lambda w: ("a" in w) + ("b" in w)).set_only
    digits = found("0123456789", (1, 3), lambda w: sum(map(int, w)) % 7)
    assert digits.sum_only and digits.sum_period == 7
    assert found("012", (1, 4), lambda w: max(map(int, w))).rises_with_value
    assert found("abcd", (4, 4), lambda w: next((t for t in w if t in "ab"), "c")).first_occurrences_only


def test_tokens_that_are_the_same() -> None:
    f = found("abcd", (1, 5), lambda w: "ab" in "".join(w).replace("c", "a"))
    assert ("a", "c") in f.alike
    assert found("abc", (4, 4), lambda w: w == w[::-1]).renamable == (("a", "b", "c"),)
    f = found("abcd", (1, 5), lambda w: "".join(w).partition("d")[0].count("ab") % 2)
    assert f.stops == ("d",)


def test_swaps_that_hold_two_by_two_are_no_class() -> None:
    """a and b may be swapped, and b and c, on what is there; but a and c may not."""
    tails = ["".join(t) for t in itertools.product("de", repeat=5)]
    truth: Truth = {}
    for pair, some in (("ab", tails[:12]), ("bc", tails[12:24]), ("ac", tails[24:30])):
        truth |= {(x, y, *t): int(x == y) for t in some for x in pair for y in pair}
    assert ("a", "b", "c") in findings(problem(tuple("abcde"), truth, (0, 1))).renamable
    truth |= {("a", "a", *tails[30]): 1, ("c", "c", *tails[30]): 0}
    assert ("a", "b", "c") not in findings(problem(tuple("abcde"), truth, (0, 1))).renamable


def test_classes_must_hold_together() -> None:
    """a is like b and c like d, each alone; but not both in one word."""
    alone = {("a", "e"): 0, ("b", "e"): 0, ("e", "c"): 0, ("e", "d"): 0, ("c", "e"): 1, ("d", "e"): 1}
    alone |= {("e", "e"): 2, ("e", "a"): 2, ("e", "b"): 2}
    f = findings(problem(tuple("abcde"), alone, (0, 1, 2)), whole=True)
    assert f.alike == (("a", "b"), ("c", "d"))
    f = findings(problem(tuple("abcde"), alone | {("a", "c"): 0, ("b", "d"): 1}, (0, 1, 2)), whole=True)
    assert f.alike == ()


def test_digits_of_tokens() -> None:
    def carry(w: Word) -> int:
        total = 0
        for t in w:
            total = total // 2 + int(t[0]) + int(t[1])
        return total % 2

    f = found(("00", "01", "10", "11"), (1, 5), carry)
    assert f.digit_sums_only and f.sentences()[0] == "depends only on the sum of the digits of each token"
    assert not found(("00", "01", "10", "11"), (1, 4), lambda w: "01" in w).digit_sums_only
    f = found(("a", "b", "c", "d"), (1, 5), lambda w: w.count("a") + w.count("b") > 2)
    assert f.sentences()[0] == 'depends only on how often any of "a" or "b" occurs, not on the order'


def test_nothing_is_said_of_labels_without_a_rule() -> None:
    rng = np.random.default_rng(3)
    f = found("abcd", (1, 6), lambda w: int(rng.integers(3)))
    assert not f.sentences() and f.to_json()["found"] == {}


def test_of_a_sample_nothing_is_a_fact() -> None:
    tokens = tuple("0123456789")
    rng = np.random.default_rng(0)
    drawn = {tuple(map(str, rng.integers(0, 10, 8))) for _ in range(3000)}
    f = findings(problem(tokens, {w: w[-1] for w in sorted(drawn)}, tokens))
    assert not f.whole and f.last == 1 and f.sentences()[0].startswith("depends on the last token only (")
    assert f.basis() == f"seen on {len(drawn):,} inputs, and not shown for the others"
    alone = findings(problem(tokens, {w: str(hash(w[:4]) % 10) for w in sorted(drawn)[:10]}, tokens))
    assert alone.sentences() == ()  # hardly two of ten words have anything in common


def test_words_that_are_there_twice_are_no_evidence() -> None:
    tokens = ("a", "b")
    one = problem(tokens, {("a", "b"): 0, ("b", "a"): 1}, (0, 1))
    twice = Labelled(np.tile(one.examples.words, (50, 1)), np.tile(one.examples.labels, 50))
    f = findings(SearchProblem(tokens, 2, 2, (0, 1), twice))
    assert f.inputs == 2 and f.sentences() == ()


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_any_words(count: int) -> None:
    few = Labelled(np.zeros((count, 3), dtype=np.int16), np.zeros(count, dtype=np.int64))
    f = findings(SearchProblem(("a", "b"), 3, 3, (0, 1), few))
    assert f.inputs == count and f.constant == (count == 1)


def test_long_words_take_no_more_work_than_short_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of long words, fewer are compared, and no test looks at all places for each place."""
    looked = []
    rolled = KeyedWords.rolled

    def counted(self: KeyedWords, columns: np.ndarray, *more: np.ndarray) -> np.ndarray:
        looked.append(len(self) * len(columns))
        return rolled(self, columns, *more)

    monkeypatch.setattr(KeyedWords, "rolled", counted)
    monkeypatch.setattr(module, "SYMBOLS", 40_000)
    words = np.random.default_rng(0).integers(0, 2, (1000, 800)).astype(np.int16)
    f = findings(
        SearchProblem(("a", "b"), 800, 800, (0, 1), Labelled(words, words[:, -1].astype(np.int64))), True
    )
    assert f.inputs == 50 and not f.whole and f.last == 1
    assert sum(looked) < 100 * 40_000


def test_a_key_without_a_place_tells_all_other_places() -> None:
    words = np.array([w for w in itertools.product(range(3), repeat=4)], dtype=np.int16)
    given = KeyedWords(
        SearchProblem(("a", "b"), 0, 4, (0,), Labelled(words, np.zeros(len(words), dtype=np.int64))),
        np.arange(81),
    )
    for place in range(4):
        rest = np.delete(words, place, axis=1)
        pairs = {
            (k, tuple(r)) for k, r in zip(given.without_place(place).tolist(), rest.tolist(), strict=True)
        }
        assert len(pairs) == 27 == len({k for k, _ in pairs})
