"""The race against scripted backends that die, hang, lie and eat: none wins, none is left, each
is reported.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from relucid.common.errors import InputError, Unsupported
from relucid.verifiers.attempts import Attempt, Sizes
from relucid.verifiers.race import policy, turns
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.race import prove_claim
from relucid.verifiers.race.request import ProofRequest
from relucid.verifiers.verdict import Proved, Refuted, Unknown

sys.path.insert(0, str(Path(__file__).parents[2]))  # the children import the fakes by name
import race_fakes
from race_fakes import Fake, alive, children, everything, many_claim

CLAIM = many_claim()
WRONG = many_claim(more_than=2.5)  # differs where exactly two are "a"
DIFFERS = ((0, 0, 1),)
HONEST = Fake("honest", "prove")


@pytest.fixture(autouse=True)
def nobody_is_left(monkeypatch):
    """And no turns: with one worker, one after the other in order, however slow the machine is."""
    monkeypatch.setattr(turns, "FIRST_TURN", 1000.0)
    yield
    assert children() == []


def run(*fakes, claim=CLAIM, seconds=20.0, memory=1000, workers=2, trust=None, backends=None, **more):
    budget, request = Budget(seconds, memory, workers), ProofRequest(trust, backends=backends)
    return prove_claim(claim, registry=fakes, budget=budget, request=request, **more)


def attempt(verdict, name) -> Attempt:
    return next(a for a in verdict.attempts if a.backend == name)


def test_first_proof_wins():
    verdict = run(HONEST)
    assert isinstance(verdict, Proved)
    assert (verdict.backend, verdict.trust, verdict.domain_size) == ("honest", "exact", 8)
    assert verdict.attempts[0].peak_mb > 5
    assert 0 < verdict.attempts[0].seconds <= verdict.seconds


def test_first_counterexample_wins():
    verdict = run(Fake("finder", "refute", DIFFERS), claim=WRONG)
    assert isinstance(verdict, Refuted)
    assert verdict.counterexample.tokens == ("a", "a", "b")
    assert (verdict.counterexample.network_label, verdict.counterexample.program_label) == (False, True)


def outcomes(fakes):
    """All of them in one race, one after the other, before an honest one: it wins, whatever they do."""
    verdict = run(*fakes, HONEST, workers=1, seconds=60.0)
    assert isinstance(verdict, Proved) and verdict.backend == "honest"
    return [(a.backend, a.outcome, a.detail) for a in verdict.attempts[:-1]]


def test_the_broken_do_not_win():
    details = {
        "kill_itself": "killed by SIGKILL",
        "segfault": "killed by SIGSEGV",
        "exit_silently": "ended with status 0 without an answer",
        "raise_error": "RuntimeError: the solver is confused",
        "print_garbage": "ended with status 7 without an answer: last words [31m",
        "huge_answer": "wrote more than 4 MB as its answer",
    }
    assert outcomes(Fake(name, name) for name in details) == [
        (name, "crashed", detail) for name, detail in details.items()
    ]


def test_garbage_on_the_answer_pipe():
    garbage = [
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        b'{"outcome": "divine"}\n',
        b'{"outcome": "refuted"}\n',
        b"7\n",
    ]
    garbage += [
        b'{"outcome": "unknown", "sizes": %s}\n' % s
        for s in (b"7", b'{"queries": -1}', b'{"queries": "1"}', b'{"divine": 1}')
    ]
    found = outcomes(
        Fake(f"broken{i}", "write_to_every_descriptor", (text,)) for i, text in enumerate(garbage)
    )
    assert [outcome for _, outcome, _ in found] == ["crashed"] * len(garbage)
    assert all("wrote nonsense" in detail or "said refuted without" in detail for _, _, detail in found)


def test_answers_that_are_none():
    strange = [
        None,
        "proved",
        Attempt("x", "cancelled"),
        Attempt("x", "proved", trust="divine"),
        Attempt("x", "refuted", words=(("a",),)),
    ]
    found = outcomes(Fake(f"broken{i}", "nonsense", (answer,)) for i, answer in enumerate(strange))
    assert [outcome for _, outcome, _ in found] == ["crashed"] * len(strange)


def test_attempts_tell_when_they_ran_and_what_was_asked(tmp_path, monkeypatch):
    """As seconds since the race began; a backend with pauses has a span for each turn."""
    monkeypatch.setattr(turns, "FIRST_TURN", 0.5)
    verdict = run(
        *(Fake(name, "hang", folder=str(tmp_path)) for name in ("slow", "late")), workers=1, seconds=4.0
    )
    assert len(verdict.attempts) == 2 and max(len(one.spans) for one in verdict.attempts) > 1
    for one in verdict.attempts:
        assert sum(b - a for a, b in one.spans) == pytest.approx(one.seconds, abs=0.05)
        ends = [t for span in one.spans for t in span]
        assert ends == sorted(ends) and all(0 <= t <= verdict.seconds + 0.5 for t in ends)
    sizes = Sizes(queries=2, variables=5)
    told = attempt(run(Fake("sized", "nonsense", (Attempt("x", "unknown", sizes=sizes),))), "sized")
    assert told.sizes == sizes and len(told.spans) == 1


def test_wrong_counterexamples_are_rejected():
    words = [(1, 1, 1), (0, 0), (0, 0, 1, 0), (0, 0, 2), (0, 0, -1), ()]
    found = outcomes(Fake(f"liar{i}", "refute", (word,)) for i, word in enumerate(words))
    assert [outcome for _, outcome, _ in found] == ["rejected"] * len(words)
    assert all("does not survive replay" in detail for _, _, detail in found)


def test_counterexample_outside_the_domain_is_rejected():
    claim = many_claim(more_than=2.5, where="def f(tokens):\n    return tokens[2] == 'a'\n")
    verdict = run(Fake("liar", "refute", DIFFERS), claim=claim)
    assert isinstance(verdict, Unknown)
    assert attempt(verdict, "liar").outcome == "rejected"
    assert "wrong counterexamples: liar" in verdict.reason


def test_a_hanging_backend_is_killed(tmp_path):
    verdict = run(
        Fake("stuck", "hang", folder=str(tmp_path)),
        Fake("honest", "prove_after", ("stuck.pid",), str(tmp_path)),
    )
    assert isinstance(verdict, Proved)
    assert attempt(verdict, "stuck").outcome == "cancelled"
    assert not alive(int((tmp_path / "stuck.pid").read_text()))


def test_a_backend_that_closes_its_pipes_hangs_nobody(tmp_path):
    verdict = run(
        Fake("mute", "close_everything", folder=str(tmp_path)),
        Fake("honest", "prove_after", ("mute.pid",), str(tmp_path)),
    )
    assert isinstance(verdict, Proved)
    assert attempt(verdict, "mute").outcome == "cancelled"
    assert not alive(int((tmp_path / "mute.pid").read_text()))


def test_a_backend_that_never_stops_talking_holds_nobody_up(tmp_path):
    verdict = run(
        Fake("talker", "chatter", folder=str(tmp_path)),
        Fake("honest", "prove_after", ("talker.pid",), str(tmp_path)),
    )
    assert isinstance(verdict, Proved)
    assert attempt(verdict, "talker").outcome == "cancelled"


def test_the_time_limit_is_enforced_from_outside(tmp_path):
    verdict = run(Fake("stuck", "hang", folder=str(tmp_path)), seconds=0.7)  # by itself it would never end
    assert isinstance(verdict, Unknown)
    assert verdict.reason == "time: 0.7 s limit reached by stuck; raise it with --timeout"
    assert attempt(verdict, "stuck").outcome == "timeout"


def test_who_never_got_a_turn_says_so(tmp_path):
    verdict = run(*(Fake(n, "hang", folder=str(tmp_path)) for n in "ab"), seconds=0.7, workers=1)
    assert [a.outcome for a in verdict.attempts] == ["timeout", "timeout"]
    assert "never got a turn" in attempt(verdict, "b").detail


@pytest.mark.parametrize("answered", [False, True])
def test_grandchildren_end_too(tmp_path, answered):
    breeder = Fake("breeder", "hang_with_grandchildren", ("proved",) if answered else (), str(tmp_path))
    verdict = run(
        breeder, *([] if answered else [Fake("honest", "prove_after", ("breeder.pids",), str(tmp_path))])
    )
    assert isinstance(verdict, Proved)
    assert not any(alive(int(p)) for p in (tmp_path / "breeder.pids").read_text().split())


@pytest.mark.parametrize("script", ["eat_memory", "eat_memory_in_grandchild"])
def test_the_memory_limit_is_enforced_from_outside(script):
    verdict = run(Fake("glutton", script), memory=200)
    assert isinstance(verdict, Unknown)
    assert verdict.reason == "memory: 200 MB limit reached by glutton; raise it with --memory"
    assert attempt(verdict, "glutton").outcome == "memory"
    assert 200 < attempt(verdict, "glutton").peak_mb < 2000


def test_turns_are_taken_and_the_paused_go_on(tmp_path, monkeypatch):
    """With one worker: the first waits for what the second does, so it must be paused and resumed."""
    monkeypatch.setattr(turns, "FIRST_TURN", 0.3)
    verdict = run(
        Fake("first", "prove_after", ("second.pid",), str(tmp_path)),
        Fake("second", "hang", folder=str(tmp_path)),
        workers=1,
    )
    assert isinstance(verdict, Proved) and verdict.backend == "first"
    assert attempt(verdict, "second").outcome == "cancelled"


def test_unfit_and_missing_are_reported_and_not_started():
    verdict = run(
        Fake("absent", "kill_itself", version=None), Fake("narrow", "kill_itself", misfit="only for cats")
    )
    assert [(a.outcome, a.detail) for a in verdict.attempts] == [
        ("unsupported", "not installed"),
        ("unsupported", "only for cats"),
    ]
    assert verdict.reason == "unsupported: absent (not installed), narrow (only for cats)"


def test_probing_that_raises_is_a_crash():
    class Broken(Fake):
        def unfit(self, claim):
            raise RuntimeError("boom")

    verdict = run(Broken("broken", "prove"), HONEST)
    assert isinstance(verdict, Proved)
    assert (attempt(verdict, "broken").outcome, attempt(verdict, "broken").detail) == (
        "crashed",
        "RuntimeError: boom",
    )


def test_what_cannot_be_sent_to_a_process_is_a_crash():
    class Local(Fake):
        """Not importable in a child: pickle refuses it."""

    verdict = run(Local("local", "prove"), HONEST)
    assert isinstance(verdict, Proved) and verdict.backend == "honest"
    assert attempt(verdict, "local").outcome == "crashed"


def test_cheap_backends_answer_here_and_nobody_is_started(monkeypatch):
    monkeypatch.setattr(turns, "Entrant", None)  # starting a process would fail
    verdict = run(HONEST, Fake("cheap", "prove", in_process=True))
    assert isinstance(verdict, Proved)
    assert [a.backend for a in verdict.attempts] == ["cheap"]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(Unsupported("no"), "unsupported"), (MemoryError(), "memory"), (ValueError("bad"), "crashed")],
)
def test_cheap_backends_that_fail_leave_it_to_the_others(monkeypatch, error, outcome):
    def fail(*_):
        raise error

    monkeypatch.setitem(race_fakes.SCRIPTS, "fail", fail)
    verdict = run(HONEST, Fake("cheap", "fail", in_process=True))
    assert isinstance(verdict, Proved) and verdict.backend == "honest"
    assert attempt(verdict, "cheap").outcome == outcome


def test_cheap_backends_get_a_process_on_big_domains(monkeypatch):
    monkeypatch.setattr(policy, "SMALL", 7)
    verdict = run(Fake("cheap", "exit_silently", in_process=True), HONEST, workers=1)
    assert isinstance(verdict, Proved)
    assert [a.backend for a in verdict.attempts] == [
        "honest",
        "cheap",
    ]  # last in line, and this process survived
    assert attempt(verdict, "cheap").outcome == "cancelled"


def test_a_float_proof_does_not_end_the_race_unless_asked():
    tolerant = Fake("tolerant", "prove", trust="float")
    verdict = run(tolerant)
    assert isinstance(verdict, Unknown)
    assert (
        verdict.reason
        == "trust: tolerant says proved at trust float, but exact was asked for; accept it with --trust float"
    )
    assert isinstance(run(tolerant, HONEST, workers=1), Proved)
    verdict = run(tolerant, trust="float")
    assert isinstance(verdict, Proved) and verdict.trust == "float"


def test_a_child_may_claim_less_trust_than_its_backend_but_not_more():
    boaster = Fake(
        "boaster",
        "nonsense",
        (Attempt("x", "proved", trust="checked", evidence=everything(many_claim())),),
        trust="float",
    )
    assert attempt(run(boaster), "boaster").trust == "float"
    modest = Fake(
        "modest", "nonsense", (Attempt("x", "proved", trust="float", evidence=everything(many_claim())),)
    )
    assert attempt(run(modest), "modest").trust == "float"


def test_checked_is_asked_of_the_checker_whoever_says_proved():
    verdict = run(HONEST, Fake("equal", "kill_itself"), trust="checked", workers=1)
    assert isinstance(verdict, Proved) and (verdict.backend, verdict.trust) == ("honest", "checked")
    assert verdict.certificate.startswith("proof: ") and attempt(verdict, "equal").outcome == "cancelled"
    verdict = run(Fake("boaster", "prove", trust="checked"), trust="checked", workers=1)
    assert isinstance(verdict, Proved) and verdict.certificate  # its own word is not enough


def test_a_float_proof_against_a_counterexample_is_rejected():
    verdict = run(
        Fake("tolerant", "prove", trust="float"), Fake("finder", "refute", DIFFERS), claim=WRONG, workers=1
    )
    assert isinstance(verdict, Refuted)
    assert attempt(verdict, "tolerant").outcome == "rejected"
    assert "finder" in attempt(verdict, "tolerant").detail


def test_seed_reaches_the_child_and_fixes_its_hashes():
    def detail(seed):
        return (
            prove_claim(CLAIM, registry=[Fake("x", "show_budget")], budget=Budget(20.0, 1000, 3, seed))
            .attempts[0]
            .detail
        )

    first, other = detail(7), detail(8)
    assert first.startswith("seed=7 workers=3 ")
    assert detail(7) == first
    assert other.split("hash=")[1] != first.split("hash=")[1]


def test_backends_by_name_and_by_address():
    verdict = run(HONEST, Fake("other", "kill_itself"), backends=["honest"])
    assert [a.backend for a in verdict.attempts] == ["honest"]
    verdict = run(HONEST, backends=["race_fakes:REGISTERED"])
    assert isinstance(verdict, Proved) and verdict.backend == "outsider"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"backends": ["honst"]}, "there is no backend 'honst'; known are honest"),
        ({"backends": []}, "names no backend"),
        ({"backends": ["race_fakes:NOTHING"]}, "cannot load 'race_fakes:NOTHING'"),
        ({"backends": ["race_fakes:MANY"]}, "is not a backend"),
        ({"trust": "blind"}, "is not a trust level"),
        ({"seconds": 0.0}, "0.0 seconds is not a time limit"),
        ({"seconds": float("nan")}, "nan seconds"),
        ({"workers": 0}, "workers: 0 is too few"),
        ({"memory": 0}, "memory_mb: 0 is too few"),
    ],
)
def test_settings_that_make_no_sense(more, said):
    with pytest.raises(InputError, match=said):
        run(HONEST, **more)


def test_progress_names_who_runs_and_what_they_say(tmp_path):
    heard: list[str] = []
    run(
        Fake("stuck", "hang", folder=str(tmp_path)),
        Fake("honest", "prove_after", ("stuck.pid",), str(tmp_path)),
        progress=heard.append,
    )
    assert "racing: stuck, honest" in heard
    assert "stuck: hanging" in heard
