"""The whole road: shipped circuits and the one in ../shared/data, by the command line, and a callable of
one's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import relucid
from known_claims import SHARED
from relucid.cli.main import main
from relucid.models.automata.moore_svg import MOST_STATES
from relucid.models.circuits.circuit import CircuitSummary
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.claims.task import Task
from relucid.models.claims.word_claim import WordClaim
from relucid.models.program.program import Program
from relucid.models.surrogates import compiled, fit
from relucid.models.surrogates.surrogate import NoSurrogate
from relucid.models.zoo.shipped import shipped
from relucid.pipeline import distillation, steps
from relucid.pipeline.distilled import Distillation
from relucid.pipeline.result_files import documented
from relucid.reports import console_show as terminal_show
from relucid.reports.distillation_page import distillation_page, examined
from relucid.reports.run import read_run
from relucid.search.ways import automata
from relucid.verifiers.report import verdict_json
from relucid.verifiers.verdict import Unknown

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "circuits.md"
QUOTES = """
[domain]
tokens = ["'", '"', "a", ",", "="]
length = 6
where = "where.py:one_quote"
prefix = ["<bos>"]
suffix = ["<q>"]
[decision]
labels = ["'", '"']
"""
BRACKETS = """
[domain]
tokens = ["[", "]", ","]
length = 8
where = "where.py:nested"
prefix = ["<bos>"]
suffix = ["<d>"]
[decision]
labels = ["]", "]]"]
"""
WHERE = """
def one_quote(tokens):
    return tokens.count("'") + tokens.count('"') == 1

def nested(tokens):
    depth = 0
    for t in tokens:
        if t == "[":
            depth += 1
        elif t == "]":
            depth -= 1
        if depth < 0 or depth > 2:
            return False
    return depth > 0
"""


def written(out: Path, capsys: pytest.CaptureFixture[str], inputs: int) -> dict:
    """What every proved distillation must have left: a claim that proves again, a program that runs under
    CPython, the facts.
    """
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert (
        result["verdict"] == "proved"
        and result["trust"] == "checked"
        and result["domain_size"] == str(inputs)
    )
    assert result["distillation"]["inputs_executed"] == inputs
    assert result["exact_in_float32"] is True
    assert main(["prove", str(out / "claim.toml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["domain_size"] == str(inputs)
    claim = load_word_claim(out / "claim.toml")
    assert claim.digest == result["distillation"]["claim_digest"]
    space: dict = {}
    exec((out / "program.py").read_text(encoding="utf-8"), space)
    program = space[claim.program.name]
    for words, labels in claim.language.words():
        for word, label in list(zip(words, labels, strict=True))[:200]:
            assert program(claim.domain.unpadded(word)) == claim.decision.labels[label]
    assert {p.name for p in out.iterdir()} == {
        "surrogate.onnx",
        "program.py",
        "domain.py",
        "claim.toml",
        "result.json",
    }
    return result


def plain(text: str) -> list[str]:
    """Without times, which differ from run to run, and without the trained weights, which may differ from
    processor to processor.
    """
    text = re.sub(r"  layers .*|  \d+ nonzero weights .*|(?<='\]')  .*", "", text)
    return [
        re.sub(r"\d+\.\d+( s|\b)", "#", re.sub(r"\s+", " ", line)).strip()
        for line in text.strip().splitlines()
    ]


@pytest.mark.parametrize("task", ["quote_closing", "bracket_depth"])
def test_shipped_circuit(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["distill", task, "--out", f"out/{task}"]) == 0
    text = capsys.readouterr().out
    for part in (
        "circuit",
        "surrogate",
        "program",
        "the race",
        "proved: network = program on all",
        "what is guaranteed",
        "executed on all",
    ):
        assert part in text
    assert len(shipped()) == 2
    out = tmp_path / "out" / task
    size = load_word_claim(out / "claim.toml").domain_size
    assert f"{size:,} inputs" in text
    if task == "bracket_depth":  # its search starts from few examples, and one program is refuted
        assert "a program that was refuted on the way" in text and "network says" in text
        facts = json.loads((out / "result.json").read_text(encoding="utf-8"))
        assert facts["distillation"]["refuted_programs"]
        shown = re.search(r"```\n(== bracket_depth.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
        assert shown is not None and plain(shown[1]) == plain(text)
    written(out, capsys, size)


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here")
@pytest.mark.parametrize(
    ("domain", "inputs"), [(QUOTES, 6 * 2 * 3**5), (BRACKETS, 696)], ids=["quotes", "brackets"]
)
def test_shared_circuit(domain: str, inputs: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "where.py").write_text(WHERE, encoding="utf-8")
    (tmp_path / "task.toml").write_text(domain, encoding="utf-8")
    out = tmp_path / "out"
    arguments = [
        "distill",
        str(SHARED / "data" / "circuit_sparsity"),
        "--domain",
        str(tmp_path / "task.toml"),
        "--out",
        str(out),
    ]
    assert main([*arguments, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == json.loads((out / "result.json").read_text(encoding="utf-8"))
    written(out, capsys, inputs)


class Majority:
    """A teacher of one's own: logits for "a" and "b" are their counts, "a" wins ties."""

    name = "majority"
    vocabulary = ("a", "b", ".", "<s>")

    def logits(self, ids: np.ndarray) -> np.ndarray:
        counts = np.stack([(ids == k).sum(axis=1) for k in range(4)], axis=1).astype(np.float32)
        return counts

    def summary(self) -> CircuitSummary:
        return CircuitSummary("majority", 1, 2, 2, 2, 2, 2, 2, "a test", "a function")


@pytest.fixture(scope="module")
def majority() -> Distillation:
    domain = Domain(("a", "b", "."), 1, 5, pad="_", prefix=("<s>",))
    return relucid.distill(Majority(), Task(domain, "one_hot", Decision("argmax", ("a", "b")), "majority"))


def test_any_callable_from_python(majority: Distillation) -> None:
    result = majority
    assert isinstance(result.verdict, relucid.Proved) and result.out is None
    assert result.verdict.domain_size == 3 + 9 + 27 + 81 + 243
    assert result.teaching.smallest_margin == 0
    for sequence, label in [(("a", "b"), "a"), (("b",), "b"), (("b", ".", "a", "b"), "b"), ((".",), "a")]:
        assert result.claim.program_label(sequence) == label


def test_what_a_notebook_shows(majority: Distillation) -> None:
    page = majority._repr_html_()
    assert "surrogate = program" in page and f"def {majority.claim.program.name}(" in page
    assert "\n" not in repr(majority) and "Proved" in repr(majority)


def test_what_is_guaranteed_is_what_was_run(majority: Distillation) -> None:
    """Circuit = surrogate on every input, counted here anew; refuted candidates really are wrong there."""
    words, labels = majority.teaching.labelled.words, majority.teaching.labelled.labels
    assert len(words) == len(np.unique(words, axis=0)) == majority.verdict.domain_size
    assert (majority.claim.network_labels(words) == labels).all()
    for refutation in majority.refuted:
        found = refutation.verdict.counterexample
        assert refutation.program(found.tokens) == found.program_label != found.network_label
        assert majority.claim.program_label(found.tokens) == found.network_label


class Noise(Majority):
    """No short program does this: random labels on 3**5 inputs."""

    name = "noise"

    def logits(self, ids: np.ndarray) -> np.ndarray:
        table = np.random.default_rng(0).random((4,) * 5, dtype=np.float32)
        first = table[tuple(ids[:, k] for k in range(1, 6))]
        return np.stack([first, 1 - first, first, first], axis=1)


NOISE = '[domain]\ntokens = ["a", "b", "."]\nlength = 5\nprefix = ["<s>"]\n[decision]\nlabels = ["a", "b"]\n'


def test_a_circuit_without_a_short_program_gets_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program always comes out, proved like any other."""
    task = tmp_path / "noise.toml"
    task.write_text(NOISE, encoding="utf-8")
    monkeypatch.setattr(distillation, "load_circuit", lambda *given: Noise())
    assert main(["distill", "anything", "--domain", str(task), "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "  NEXT = (" in text and "state = NEXT[state][TOKENS.index(token)]" in text
    monkeypatch.setattr(terminal_show, "TABLES", 3)
    assert main(["show", str(tmp_path / "out" / "claim.toml")]) == 0
    short = capsys.readouterr().out
    assert "  NEXT = (" not in short and "of what it uses are in program.py)" in short
    result = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert (result["verdict"], result["distillation"]["found_by"], result["distillation"]["template"]) == (
        "proved",
        "automaton",
        "table",
    )
    source = (tmp_path / "out" / "program.py").read_text(encoding="utf-8")
    assert (
        source == result["distillation"]["program"] + "\n"
        and "Proved equal to surrogate.onnx on all 243 inputs" in source
    )
    assert main(["prove", str(tmp_path / "out" / "claim.toml")]) == 0
    machine = result["distillation"]["machine"]
    assert machine["states"] == len(machine["step"]) == len(machine["names"]) > MOST_STATES
    assert machine["said"] == "no short program was found; this is the machine"
    assert f"{machine['said']}, of {machine['states']} states" in text
    assert not (tmp_path / "out" / "machine.svg").exists()  # too large to be read


class Permuted:
    """Each token permutes seven states: no short program does that, and a picture shows it."""

    name, vocabulary = "permuted </svg>", ("a", "b", "</svg>", "yes", "no")
    step = np.array([[1, 3, 0], [2, 1, 5], [0, 4, 2], [4, 5, 6], [3, 0, 1], [6, 2, 3], [5, 6, 4]])

    def logits(self, ids: np.ndarray) -> np.ndarray:
        state = np.zeros(len(ids), dtype=np.int64)
        for column in ids.T:
            state = self.step[state, column]
        out = np.zeros((len(ids), 5), dtype=np.float32)
        out[:, 3] = np.isin(state, (1, 4, 6)) - 0.5
        return out

    def summary(self) -> CircuitSummary:
        return CircuitSummary(self.name, 1, 1, 1, 1, 1, 1, 1, "a test", "a function")


def test_a_machine_is_drawn_where_there_is_no_short_program(tmp_path: Path) -> None:
    """It gives the circuit's label on every input; a run that needs none takes the old picture away."""
    domain = {"tokens": ["a", "b", "</svg>"], "length": (1, 7), "pad": "_"}
    request = relucid.ProofRequest(backends=["enumerate"])
    out = tmp_path / "out"
    result = relucid.distill(Permuted(), domain, labels=["yes", "no"], out=out, request=request)
    machine = result.candidate.machine
    assert isinstance(result.verdict, relucid.Proved) and machine is not None and len(machine) == 7
    known = result.teaching.labelled
    assert len(known) == sum(3**n for n in range(1, 8))
    given = [machine.run([t for t in w if t < 3]) for w in known.words.tolist()]
    assert given == known.labels.tolist()
    picture = (out / "machine.svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(picture)
    assert (
        len([r for r in root.iter() if "rx" in r.attrib]) == 7 and "program: a machine of 7 states" in picture
    )
    assert "relucid-arrow" in result._repr_html_()
    page = distillation_page(examined(read_run(out)))
    assert "No short program was found; this is the machine" in page and page.count("relucid-arrow") > 10
    facts = json.loads((out / "result.json").read_text(encoding="utf-8"))
    facts["distillation"]["machine"]["step"][0][0] = 99
    (out / "result.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(relucid.InputError, match="machine: is no machine over the claim's tokens and labels"):
        read_run(out)
    relucid.distill(
        Permuted(), {"tokens": ["a"], "length": 2}, labels=["yes", "no"], out=out, request=request
    )
    assert not (out / "machine.svg").exists()
    assert json.loads((out / "result.json").read_text(encoding="utf-8"))["distillation"]["machine"] is None


@pytest.mark.slow
def test_labels_that_need_too_large_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An honest unknown: exit status 3, one line, and no output folder."""
    task = tmp_path / "noise.toml"
    task.write_text(NOISE, encoding="utf-8")
    monkeypatch.setattr(distillation, "load_circuit", lambda *given: Noise())
    monkeypatch.setattr(automata, "MAX_TABLE", 3)
    assert main(["distill", "anything", "--domain", str(task), "--out", str(tmp_path / "out")]) == 3
    assert capsys.readouterr() == (
        "",
        "relucid: unknown: no program template explains the circuit on all 243 inputs\n",
    )
    assert main(["distill", "anything", "--domain", str(task), "--out", str(tmp_path / "out"), "--json"]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert answer["verdict"] == "unknown" and "no program template" in answer["reason"]
    assert set(answer) == set(
        verdict_json(Unknown(None, 0.0, 1, (), (), ""))
    )  # scripts may rely on every key
    assert not (tmp_path / "out").exists()


def test_the_docstring_says_what_was_shown_and_changes_no_digest(majority: Distillation) -> None:
    claim = majority.claim
    text = claim.program.source
    size = majority.verdict.domain_size
    assert f"Proved equal to surrogate.onnx on all {size} inputs: 1 to 5 tokens out of 'a' 'b' '.'" in text
    bare = WordClaim(
        claim.network,
        Program.from_source(majority.candidate.source("majority")),
        claim.domain,
        claim.decision,
    )
    assert bare.digest == claim.digest and bare.program.source != text
    undecided = replace(majority, verdict=Unknown(None, 0.0, size, (), (), "out of time"))
    unknown = documented(undecided, "a\n\nb", majority.findings)
    assert "Proved" not in unknown.source and "Distilled from a b.\n\n    Not proved equal" in unknown.source
    assert unknown.digest == claim.program.digest


def test_a_domain_as_prove_takes_it() -> None:
    domain = {"tokens": ["a", "b", "."], "length": (1, 4), "pad": "_", "prefix": ["<s>"]}
    result = relucid.distill(
        Majority(),
        domain,
        labels=["a", "b"],
        budget=relucid.Budget(seconds=30),
        request=relucid.ProofRequest(backends=["enumerate"]),
    )
    assert isinstance(result.verdict, relucid.Proved) and result.verdict.domain_size == 3 + 9 + 27 + 81
    assert "executed on all 120 inputs" in str(result) and "def program(tokens):" in str(result)
    assert repr(result).startswith("<Distillation of ") and "\n" not in repr(result)
    assert "def program(tokens):" in result._repr_html_()
    with pytest.raises(relucid.InputError, match="labels: missing"):
        relucid.distill(Majority(), domain)
    with pytest.raises(relucid.InputError, match="labels: a string, not a list"):
        relucid.distill(Majority(), domain, labels="ab")


@pytest.mark.parametrize("name", ["len", "a\N{SUPERSCRIPT TWO}", "for", "123", "tokens"])
def test_any_task_name_will_do(name: str, tmp_path: Path) -> None:
    domain = Domain(("a", "b", "."), 1, 3, pad="_", prefix=("<s>",))
    task = Task(domain, "one_hot", Decision("argmax", ("a", "b")), name)
    result = relucid.distill(
        Majority(), task, out=tmp_path, request=relucid.ProofRequest(backends=["enumerate"])
    )
    assert isinstance(result.verdict, relucid.Proved)
    assert load_word_claim(tmp_path / "claim.toml").digest == result.claim.digest


@pytest.mark.parametrize("circuit", [5, Majority.logits, object()])
def test_what_is_no_circuit(circuit: object) -> None:
    with pytest.raises(relucid.InputError, match="is not a circuit: it has no"):
        relucid.distill(circuit, {"tokens": ["a"], "length": 1}, labels=["a"])  # type: ignore[arg-type]


class Restless(Majority):
    """Dropout left on."""

    def __init__(self) -> None:
        self.chance = np.random.default_rng(0)

    def logits(self, ids: np.ndarray) -> np.ndarray:
        return self.chance.random((len(ids), 4), dtype=np.float32)


def test_a_circuit_that_changes_its_mind_is_refused() -> None:
    with pytest.raises(relucid.InputError, match="different logits for the same inputs"):
        relucid.distill(
            Restless(), {"tokens": ["a", "b", "."], "length": 3, "prefix": ["<s>"]}, labels=["a", "b"]
        )


def test_the_domain_file_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "claim.toml").write_text(QUOTES, encoding="utf-8")
    (tmp_path / "where.py").write_text(WHERE, encoding="utf-8")
    assert (
        main(["distill", "quote_closing", "--domain", str(tmp_path / "claim.toml"), "--out", str(tmp_path)])
        == 2
    )
    assert "claim.toml names an input; choose another" in capsys.readouterr().err
    assert (tmp_path / "claim.toml").read_text(encoding="utf-8") == QUOTES


def test_a_circuit_that_no_surrogate_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An honest unknown, too: the input is not to blame."""
    task = tmp_path / "noise.toml"
    task.write_text(
        '[domain]\ntokens = ["a", "b", "."]\nlength = 5\nprefix = ["<s>"]\n[decision]\nlabels = ["a", "b"]\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(distillation, "load_circuit", lambda *given: Noise())
    monkeypatch.setattr(fit, "MANY", 3)
    monkeypatch.setattr(fit, "LARGEST", 3)
    monkeypatch.setattr(compiled, "LARGEST", 3)
    monkeypatch.setattr(fit, "SHAPES", fit.SHAPES[:1])
    assert main(["distill", "anything", "--domain", str(task), "--out", str(tmp_path / "out")]) == 3
    out, err = capsys.readouterr()
    assert (
        out == ""
        and err.startswith("relucid: unknown: no network with the circuit's labels is small enough")
        and err.count("\n") == 1
    )
    assert not (tmp_path / "out").exists()


def test_where_no_surrogate_is_found_one_is_built_from_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """The circuit's labels refute programs, and the first that they do not becomes the network."""

    def none(*_: object, **__: object) -> None:
        raise NoSurrogate("too large")

    monkeypatch.setattr(steps, "fit_surrogate", none)
    domain = Domain(("a", "b", "."), 1, 4, pad="_", prefix=("<s>",))
    result = relucid.distill(Majority(), Task(domain, "one_hot", Decision("argmax", ("a", "b")), "majority"))
    assert isinstance(result.verdict, relucid.Proved) and result.verdict.domain_size == 3 + 9 + 27 + 81
    assert not result.refuted and result.surrogate.family in ("cell", "one-hot")
    words, labels = result.teaching.labelled.words, result.teaching.labelled.labels
    assert (result.claim.network_labels(words) == labels).all() and result.surrogate.inputs == len(words)


@pytest.mark.parametrize(
    "options",
    [
        lambda: {"budget": relucid.Budget(seed=-1)},
        lambda: {"budget": relucid.Budget(seconds=-1)},
        lambda: {"budget": relucid.Budget(seconds=float("nan"))},
        lambda: {"budget": relucid.Budget(memory_mb=0)},
        lambda: {"request": relucid.ProofRequest(backends=["nope"])},
        lambda: {"request": relucid.ProofRequest(trust="very")},
    ],
    ids=["seed", "time", "no time", "memory", "backend", "trust"],
)
def test_options_are_looked_at_before_the_work(options: Callable[[], dict[str, Any]]) -> None:
    class Untouched(Majority):
        def logits(self, ids: np.ndarray) -> np.ndarray:
            raise AssertionError("the circuit was run")

    with pytest.raises(relucid.InputError):
        relucid.distill(Untouched(), {"tokens": ["a", "b"], "length": 2}, labels=["a", "b"], **options())


def test_labels_go_with_a_bare_domain_only() -> None:
    with pytest.raises(relucid.InputError, match="labels: the task states its own labels"):
        relucid.distill("quote_closing", labels=["'", '"'])


def test_the_claim_of_a_result_is_proved_and_checked_again(majority: Distillation, tmp_path: Path) -> None:
    claim = majority.claim
    request = relucid.ProofRequest(path=tmp_path / "claim.proof")
    assert isinstance(relucid.prove(claim, request=request), relucid.Proved)
    assert relucid.check(claim, tmp_path / "claim.proof").shows == "proved"


def test_what_is_no_circuit_is_told_so_first() -> None:
    """Not that it brings no domain, which would help nobody."""
    with pytest.raises(relucid.InputError, match="int is not a circuit: it has no name"):
        relucid.distill(5)  # type: ignore[arg-type]
