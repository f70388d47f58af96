"""Domains too large to run the circuit on each input: circuit, surrogate and program keep each other in
check.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import relucid
from relucid.cli.main import main
from relucid.models.automata.labelled import Labelled
from relucid.models.automata.sampling import Sampler
from relucid.models.circuits.circuit import CircuitSummary
from relucid.models.circuits.executed import Executed
from relucid.models.circuits.learner import LayeredLearner
from relucid.models.claims.domain import Domain
from relucid.models.claims.language import build_language
from relucid.models.program.program import Program
from relucid.models.surrogates.surrogate import NoSurrogate
from relucid.pipeline import distillation, sampled, steps
from relucid.pipeline.result_files import distillation_json

Rule = Callable[[np.ndarray], np.ndarray]
LABELS = ("none", "'", '"')
LETTERS = ("n", "y")


class Teacher:
    """A circuit from a function of token ids to label numbers; counts what it is asked, and
    distinct inputs.
    """

    def __init__(self, rule: Rule, tokens: tuple[str, ...], labels: tuple[str, ...]) -> None:
        self.rule, self.labels, self.asked = rule, labels, 0
        self.vocabulary = tuple(dict.fromkeys((*tokens, *labels)))
        self.inputs: set[bytes] = set()
        self.name = "teacher"

    def logits(self, ids: np.ndarray) -> np.ndarray:
        self.asked += len(ids)
        self.inputs |= {row.tobytes() for row in ids}
        out = np.zeros((len(ids), len(self.vocabulary)), dtype=np.float32)
        columns = np.array([self.vocabulary.index(y) for y in self.labels])
        out[np.arange(len(ids)), columns[self.rule(ids)]] = 1
        return out

    def summary(self) -> CircuitSummary:
        return CircuitSummary(self.name, 1, 2, 2, 2, 2, 2, 2, "a test", "a function")


def open_quote(ids: np.ndarray) -> np.ndarray:
    state = np.zeros(len(ids), dtype=np.int64)
    for symbol in ids.T:
        state = np.where(
            state == 0, np.where(symbol < 2, symbol + 1, 0), np.where(symbol == state - 1, 0, state)
        )
    return state


def depth(ids: np.ndarray) -> np.ndarray:
    state = np.zeros(len(ids), dtype=np.int64)
    for symbol in ids.T:
        state = np.clip(state + (symbol == 0) - (symbol == 1), 0, 3)
    return (state >= 2).astype(np.int64)


QUOTES = ("'", '"', "a", ",", "=", ";")
BRACKETS = ("[", "]", "a", ",")


def rule_label(rule: Rule, vocabulary: tuple[str, ...], tokens: tuple[str, ...]) -> int:
    return int(
        rule(np.array([[vocabulary.index(t) for t in tokens]], dtype=np.int64).reshape(1, len(tokens)))[0]
    )


def test_quotes_at_32_positions() -> None:
    """10^24 inputs: the program is right on words that nobody executed, and the result says what was executed
    and what was proved.
    """
    teacher = Teacher(open_quote, QUOTES, LABELS)
    result = relucid.distill(teacher, {"tokens": QUOTES, "length": 32}, labels=LABELS)
    assert isinstance(result.verdict, relucid.Proved) and result.verdict.domain_size == 6**32
    assert result.surrogate.family == "cell" and result.surrogate.cell == 2
    assert result.sampling is not None and result.sampling.last_sample > 1000
    assert len(result.teaching.labelled) == len(teacher.inputs) < 10**5
    answer = distillation_json(result)["distillation"]
    assert answer["inputs_executed"] == len(teacher.inputs) and answer["executed_everywhere"] is False
    assert answer["sampling"]["rounds"] == result.sampling.rounds
    assert f"executed on {len(teacher.inputs):,} of {6**32:,} inputs, not on the others" in str(result)
    words = np.random.default_rng(99).integers(0, 6, (200, 32))
    for word, label in zip(words, open_quote(words), strict=True):
        assert result.claim.program_label(tuple(QUOTES[i] for i in word)) == LABELS[label]


RULES = {
    "quotes": (open_quote, QUOTES[:4], LABELS, 6),
    "depth": (depth, BRACKETS, ("shallow", "deep"), 6),
    "majority": (lambda x: ((x == 0).sum(1) > (x == 1).sum(1)).astype(int), ("a", "b", "c"), ("n", "y"), 7),
    "parity": (lambda x: (x == 0).sum(1) % 2, ("a", "b", "c"), ("n", "y"), 7),
}


@pytest.mark.parametrize("case", RULES)
def test_what_sampling_finds_is_the_truth(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enumeration switched off on domains that are small enough to look at every input afterwards."""
    monkeypatch.setattr(sampled, "SAMPLE", 120)
    monkeypatch.setattr(sampled, "FRESH", 600)
    rule, tokens, labels, length = RULES[case]
    teacher = Teacher(rule, tokens, labels)
    domain = Domain(tokens, length, length)
    result = relucid.distill(relucid.CircuitRequest(teacher, enumerate_up_to=0), domain, labels=labels)
    assert isinstance(result.verdict, relucid.Proved) and result.sampling is not None
    executed = set(teacher.inputs)
    for words, _ in build_language(domain, None, None).words():
        right = rule(words.astype(np.int64))
        assert (result.claim.network_labels(words) == right).all() and (
            result.candidate.evaluate(words) == right
        ).all()
    assert {row.astype(np.int64).tobytes() for row in result.teaching.labelled.words} == executed


def test_lengths_and_a_predicate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampled, "SAMPLE", 100)
    where = Program.from_source('def some(tokens):\n    return tokens.count("b") >= 1\n')
    domain = Domain(("a", "b", "c"), 1, 7, pad="_", where=where)
    teacher = Teacher(lambda x: (x == 0).sum(1) % 2, ("a", "b", "c"), ("even", "odd"))
    result = relucid.distill(
        relucid.CircuitRequest(teacher, enumerate_up_to=100), domain, labels=("even", "odd")
    )
    assert isinstance(result.verdict, relucid.Proved) and result.sampling is not None
    for words, _ in build_language(domain, None, None).words():
        assert (result.claim.network_labels(words) == (words == 0).sum(axis=1) % 2).all()
    assert min((row < 3).sum() for row in result.teaching.labelled.words) == 1  # the shortest are there


def test_the_circuit_says_who_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no surrogate can be built from a program, a program and a surrogate that are wrong at first are
    both put right by counterexamples of the prover, not by luck.
    """

    def too_large(*_: object, **__: object) -> None:
        raise NoSurrogate("too large")

    monkeypatch.setattr(steps, "compiled_surrogate", too_large)
    monkeypatch.setattr(sampled, "SAMPLE", 6)
    monkeypatch.setattr(sampled, "FRESH", 1)  # so that the prover sees what is left
    monkeypatch.setattr(LayeredLearner, "learn", lambda self, known: None)
    teacher = Teacher(lambda x: ((x == 0).sum(1) >= 3).astype(int), ("a", "b", "c"), ("n", "y"))
    result = relucid.distill(
        relucid.CircuitRequest(teacher, enumerate_up_to=0),
        {"tokens": ["a", "b", "c"], "length": 6},
        labels=("n", "y"),
    )
    assert isinstance(result.verdict, relucid.Proved) and result.sampling is not None
    assert result.sampling.rounds > 1 and result.sampling.surrogate_wrong + result.sampling.program_wrong > 0
    for refutation in (*result.refuted, *result.overruled):
        right = [LETTERS[int(c.tokens.count("a") >= 3)] for c in refutation.verdict.counterexamples]
        assert list(refutation.circuit_labels) == right
        for c, label in zip(refutation.verdict.counterexamples, right, strict=True):
            assert c.network_label != c.program_label and (
                refutation in result.refuted or c.program_label == label
            )
    told = distillation_json(result)["distillation"]["refutations"]
    assert [r["against"] for r in told] == ["program"] * len(result.refuted) + ["surrogate"] * len(
        result.overruled
    ) and told
    for words, _ in build_language(result.claim.domain, None, None).words():
        assert (result.claim.network_labels(words) == ((words == 0).sum(axis=1) >= 3)).all()


def test_a_program_is_corrected_before_it_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six inputs explain little: fresh ones show it, and the prover is asked once."""
    monkeypatch.setattr(sampled, "SAMPLE", 6)
    teacher = Teacher(lambda x: ((x == 0).sum(1) >= 3).astype(int), ("a", "b", "c"), ("n", "y"))
    result = relucid.distill(
        relucid.CircuitRequest(teacher, enumerate_up_to=0),
        {"tokens": ["a", "b", "c"], "length": 6},
        labels=("n", "y"),
    )
    assert isinstance(result.verdict, relucid.Proved) and result.sampling is not None
    assert result.sampling.rounds > 1 and result.sampling.program_wrong > 0 == result.sampling.surrogate_wrong
    assert result.surrogate.corrections == 0 and result.surrogate.family in ("cell", "one-hot", "affine")
    for words, _ in build_language(result.claim.domain, None, None).words():
        assert (result.claim.network_labels(words) == ((words == 0).sum(axis=1) >= 3)).all()


def rare(ids: np.ndarray) -> np.ndarray:
    """Parity, but for one input of 3**16 that nothing leads to."""
    secret = np.array([0, 1, 2, 2, 1, 0, 1, 0, 0, 2, 1, 2, 0, 1, 1, 2])
    return np.where((ids == secret).all(axis=1), 1 - (ids == 0).sum(1) % 2, (ids == 0).sum(1) % 2)


def test_an_error_on_an_input_that_was_not_executed_is_not_denied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Proved is surrogate = program; of the circuit, the text says on how many inputs it was executed, and no
    more.
    """
    teacher = Teacher(rare, ("a", "b", "c"), ("n", "y"))
    task = tmp_path / "task.toml"
    task.write_text(
        '[domain]\ntokens = ["a", "b", "c"]\nlength = 16\n[decision]\nlabels = ["n", "y"]\n', encoding="utf-8"
    )
    monkeypatch.setattr(distillation, "load_circuit", lambda *given: teacher)
    out = tmp_path / "out"
    assert (
        main(["distill", "anything", "--domain", str(task), "--out", str(out), "--enumerate", "1000000"]) == 0
    )
    text = " ".join(capsys.readouterr().out.split())
    executed = len(teacher.inputs)
    assert executed < 10**5
    assert (
        f"circuit = surrogate executed on {executed:,} of 43,046,721 inputs: nothing is known of the others"
        in text
    )
    assert "surrogate = program proved on all 43,046,721" in text
    assert (
        f"run on {executed:,} of 43,046,721 inputs" in text
        and f"same label as the circuit on the {executed:,} inputs" in text
    )
    assert "executed on all" not in text and "run on all" not in text
    answer = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert answer["verdict"] == "proved" and answer["domain_size"] == "43046721"
    assert (
        answer["distillation"]["inputs_executed"] == executed
        and answer["distillation"]["executed_everywhere"] is False
    )


def test_a_circuit_that_changes_its_mind_is_refused() -> None:
    chance = np.random.default_rng(0)
    teacher = Teacher(lambda x: chance.integers(0, 2, len(x)), ("a", "b"), ("n", "y"))
    with pytest.raises(relucid.InputError, match="different logits for the same inputs"):
        relucid.distill(
            relucid.CircuitRequest(teacher, enumerate_up_to=0),
            {"tokens": ["a", "b"], "length": 8},
            labels=("n", "y"),
        )


def test_same_seed_same_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampled, "SAMPLE", 60)
    results = []
    for _ in range(2):
        teacher = Teacher(depth, BRACKETS, ("shallow", "deep"))
        results.append(
            relucid.distill(
                relucid.CircuitRequest(teacher, enumerate_up_to=0),
                {"tokens": BRACKETS, "length": 5},
                labels=("shallow", "deep"),
                budget=relucid.Budget(seed=5),
            )
        )
    assert results[0].claim.digest == results[1].claim.digest and results[0].sampling == results[1].sampling
    assert (results[0].teaching.labelled.words == results[1].teaching.labelled.words).all()


def test_the_limit_is_looked_at() -> None:
    with pytest.raises(relucid.InputError, match="enumerate_up_to: 100000000 is not from 0 to 10000000"):
        relucid.distill(
            relucid.CircuitRequest(Teacher(depth, BRACKETS, ("n", "y")), enumerate_up_to=10**8),
            {"tokens": BRACKETS, "length": 5},
            labels=("n", "y"),
        )


# the parts


def test_every_word_is_run_once() -> None:
    teacher = Teacher(depth, BRACKETS, ("n", "y"))
    ask = Executed(teacher, Domain(BRACKETS, 3, 3), ("n", "y"))
    words = np.array([[0, 0, 2], [0, 1, 2], [0, 0, 2]], dtype=np.int16)
    assert ask(words).tolist() == [1, 0, 1] and (len(ask), teacher.asked) == (2, 2)
    assert ask(words[:1]).tolist() == [1] and teacher.asked == 2
    known = ask.labelled()
    assert known.words.tolist() == [[0, 0, 2], [0, 1, 2]] and known.labels.tolist() == [1, 0]
    assert ask.teaching().smallest_margin == 1.0 and len(ask(np.zeros((0, 3), dtype=np.int16))) == 0


def test_random_words_are_words_and_uniform_ones_are_uniform() -> None:
    where = Program.from_source('def some(tokens):\n    return tokens.count("b") == 1\n')
    domain = Domain(("a", "b", "c"), 2, 4, pad="_", where=where)
    language = build_language(domain, None, None)
    everything = {tuple(w) for words, _ in language.words() for w in words.tolist()}
    sampler, rng = Sampler(language), np.random.default_rng(0)
    drawn = [tuple(w) for w in sampler.words(200 * len(everything), rng).tolist()]
    counts = {w: drawn.count(w) for w in everything}
    assert set(drawn) == everything
    assert min(counts.values()) > 120 and max(counts.values()) < 280
    varied = sampler.varied(30, rng)
    assert {tuple(w) for w in varied.tolist()} <= everything and len(np.unique(varied, axis=0)) == len(
        varied
    ) == 30
    covering = sampler.through_every_edge(rng)
    assert {tuple(w) for w in covering.tolist()} <= everything
    for t, layer in enumerate(language.edges):
        assert {int(w[t]) for w in covering} == {symbol for _, symbol, _ in layer}


def test_rare_states_are_drawn_from_as_well() -> None:
    """A state with one continuation beside one with 3**40."""
    where = Program.from_source("""
def odd(tokens):
    if tokens[0] == "a":
        return tokens.count("a") == len(tokens)
    return True
""")
    sampler = Sampler(build_language(Domain(("a", "b", "c"), 41, 41, where=where), None, None))
    words = sampler.through_every_edge(np.random.default_rng(0))
    assert (words == 0).all(axis=1).any() and all((w == 0).all() for w in words if w[0] == 0)


@pytest.mark.parametrize("where", [None, 'def some(tokens):\n    return tokens.count("]") >= 1\n'])
def test_the_learnt_automaton_is_right_everywhere(where: str | None) -> None:
    domain = Domain(BRACKETS, 6, 6, where=Program.from_source(where) if where else None)
    teacher = Teacher(depth, BRACKETS, ("n", "y"))
    ask = Executed(teacher, domain, ("n", "y"))
    language = build_language(domain, None, None)
    ask(Sampler(language).varied(400, np.random.default_rng(0)))
    layered = LayeredLearner(language, ask, 0).learn(ask.labelled)
    assert layered is not None and max(len(table) for table in layered.tables) <= 8
    for words, _ in language.words():
        assert (layered.labels(words) == depth(words.astype(np.int64))).all()


def test_the_learner_takes_up_what_it_got_wrong() -> None:
    """Labels that no random continuation tells apart: only the known word shows the difference."""
    secret = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 1, 0, 0, 0])
    domain = Domain(("a", "b"), 14, 14)
    teacher = Teacher(lambda x: (x == secret).all(axis=1).astype(np.int64), ("a", "b"), ("n", "y"))
    ask = Executed(teacher, domain, ("n", "y"))
    learner = LayeredLearner(build_language(domain, None, None), ask, 0)
    nothing = learner.learn(lambda: Labelled(np.zeros((1, 14), dtype=np.int16), np.array([0])))
    assert nothing is not None and nothing.labels(secret[None].astype(np.int16)).tolist() == [0]
    ask(secret[None])
    found = learner.learn(ask.labelled)
    assert found is not None and found.labels(secret[None].astype(np.int16)).tolist() == [1]


def test_too_many_states_are_given_up_on() -> None:
    domain = Domain(("a", "b"), 20, 20)
    teacher = Teacher(lambda x: (x == x[:, ::-1]).all(axis=1).astype(np.int64), ("a", "b"), ("n", "y"))
    ask = Executed(teacher, domain, ("n", "y"))
    half = np.random.default_rng(0).integers(0, 2, (200, 10)).astype(np.int16)
    palindromes = np.concatenate([half, half[:, ::-1]], axis=1)
    assert (
        LayeredLearner(build_language(domain, None, None), ask, 0).learn(lambda: ask.labelled(palindromes))
        is None
    )
