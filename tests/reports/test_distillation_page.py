"""The report on a distillation: its text, its JSON, what a terminal shows, and how the page behaves in a real
browser, offline.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import relucid
from html_page import Reader, check_frame, offline
from known_claims import CORPUS
from relucid.cli.main import main
from relucid.common.errors import InputError
from relucid.common.text import number, visible
from relucid.models.circuits.circuit import CircuitSummary
from relucid.models.circuits.picture.graph import CircuitGraph, GraphEdge, GraphNode
from relucid.models.claims.claim_file import load_word_claim
from relucid.pipeline import distillation
from relucid.reports import proof_shape
from relucid.reports.distillation_page import Examined, distillation_page, examined
from relucid.reports.run import read_run
from relucid.reports.surrogate_view import layers
from relucid.verifiers.proof.certificate import check_file
from relucid.verifiers.proof.words.subject import WordSubject

NASTY = "</script><script>alert(1)</script>"
TOKENS = ("<b>", NASTY, "\u202e{{ 7*7 }}")
DOMAIN: dict[str, Any] = {"tokens": list(TOKENS), "length": (1, 4), "pad": "<!--"}
LABELS = ["<i>yes", "&no"]


class Hostile:
    """More <b> than script?  Every name is one that HTML, templates or terminals could mistake."""

    name = f"a circuit {NASTY}"
    vocabulary = (*TOKENS, *LABELS)

    def logits(self, ids: np.ndarray) -> np.ndarray:
        out = np.zeros((len(ids), 5), dtype=np.float32)
        out[:, 3] = (ids == 0).sum(axis=1) - (ids == 1).sum(axis=1) - 0.25
        return out

    def label(self, tokens: list[str]) -> str:
        return LABELS[0] if tokens.count(TOKENS[0]) > tokens.count(TOKENS[1]) else LABELS[1]

    def summary(self) -> CircuitSummary:
        return CircuitSummary(self.name, 2, 3, 5, 1, 2, 3, 4, f"a test {NASTY} \x1b[31m", NASTY)

    def graph(self) -> CircuitGraph:
        nodes = (GraphNode("in", 0, NASTY), GraphNode("x<y", 1, "&amp;", NASTY), GraphNode("out", 1))
        return CircuitGraph(
            f"drawn {NASTY}",
            ("bottom", NASTY),
            nodes,
            (GraphEdge("in", "x<y", 1.5), GraphEdge("in", "out", -0.5)),
        )


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`hostile`: run everywhere; `sampled`: on a sample only; `unknown`: no answer; `tree`: a network with
    ReLUs and a proof on file.
    """
    root = tmp_path_factory.mktemp("runs")
    request = relucid.ProofRequest(backends=["enumerate"])
    options: dict[str, Any] = {"labels": LABELS, "request": request}
    relucid.distill(Hostile(), DOMAIN, out=root / "hostile", **options)
    sampled = relucid.CircuitRequest(Hostile(), enumerate_up_to=20)
    relucid.distill(sampled, DOMAIN, out=root / "sampled", **options)
    shutil.copytree(root / "hostile", root / "unknown")
    change(root / "unknown", verdict="unknown", trust=None, backend=None, reason=f"out of time {NASTY}")
    shutil.copytree(CORPUS / "first_mark_four_tokens", root / "tree")
    claim = load_word_claim(root / "tree" / "claim.toml")
    shutil.copy(root / "hostile" / "result.json", root / "tree")
    change(root / "tree", domain_size=str(claim.domain_size))
    exceptions = [{"tokens": [NASTY, "a"], "circuit_label": NASTY, "program_label": 1}]
    front = [
        {
            "program": f"{n} # {NASTY}",
            "description_length": n,
            "exceptions": n,
            "of": 9,
            "examples": exceptions,
        }
        for n in (3, 2)
    ]
    facts(
        root / "tree",
        claim_digest=claim.digest,
        margins=None,
        graph=None,
        refutations=[],
        front=front,
        inputs_executed=claim.domain_size,
    )
    assert (
        main(
            ["prove", str(root / "tree" / "claim.toml"), "--proof", str(root / "tree" / "proof.jsonl"), "-q"]
        )
        == 0
    )
    return root


def change(folder: Path, **values: object) -> None:
    path = folder / "result.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **values}), encoding="utf-8")


def facts(folder: Path, **values: object) -> None:
    found = json.loads((folder / "result.json").read_text(encoding="utf-8"))["distillation"]
    change(folder, distillation={**found, **values})


def result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def by_bounds(folder: Path) -> None:
    """A proof with leaves, in the folder."""
    from relucid.verifiers.proof.words.producer import proof_lines
    from relucid.verifiers.proof.writing import write_lines

    write_lines(folder / "proof.jsonl", proof_lines(load_word_claim(folder / "claim.toml"), 60, run=False))


@pytest.fixture(scope="module")
def pages(folders: Path) -> dict[str, tuple[Examined, str]]:
    by_bounds(folders / "tree")
    out = {}
    for name in ("hostile", "sampled", "unknown", "tree"):
        found = examined(read_run(folders / name))
        out[name] = found, distillation_page(found)
        (folders / f"{name}.html").write_text(out[name][1], encoding="utf-8")
    return out


def expected(found: Examined, folder: Path) -> dict[tuple[str, str, str], str]:
    """What the cells must show, from result.json and the claim alone."""
    data, claim = result(folder), load_word_claim(folder / "claim.toml")
    about = data["distillation"]
    size, executed = number(claim.domain_size), number(about["inputs_executed"])
    proved, everywhere = data["verdict"] == "proved", about["executed_everywhere"]
    ran = f"all {executed}" if everywhere else f"{executed} of {size}"
    out = {
        ("text", "", "domain-size"): size, ("text", "", "executed"): executed, ("text", "", "smallest-margin"): f"{about['smallest_margin']:.3g}",
        ("text", "", "neurons"): str(about["surrogate"]["neurons"]), ("text", "", "nonzeros"): str(about["surrogate"]["nonzeros"]),
        ("chain", "circuit = surrogate", "inputs"): ran,
        ("chain", "surrogate = program", "inputs"): f"all {size}" if proved else "none",
        ("chain", "circuit = program", "inputs"): ran if proved else "none",
        **{("attempts", a["backend"], "outcome"): a["outcome"] for a in data["attempts"]},
    }  # fmt: skip
    for layer in layers(claim.network):
        out["layers", str(layer.number), "units"] = str(layer.size)
        out["layers", str(layer.number), "nonzero"] = str(layer.nonzero) if layer.kind == "affine" else "-"
    for shape in found.proof.shape.labels if found.proof.shape else ():
        for what in ("leaves", "depth", "parts", "symbol_cuts", "state_cuts", "relu_splits", "run"):
            out["shape", shape.label, what] = str(getattr(shape, what))
    for i, entry in enumerate(about.get("front", ())[1:], 1):
        out["text", "", f"exceptions-{i}"] = number(entry["exceptions"])
        for k, c in enumerate(entry["examples"], 1):
            out[f"exceptions-{i}", str(k), "circuit"] = repr(c["circuit_label"])
            out[f"exceptions-{i}", str(k), "program"] = repr(c["program_label"])
    if about["refutations"]:
        out["text", "", "refutations"] = str(len(about["refutations"]))
    for i, refutation in enumerate(about["refutations"], 1):
        for k, c in enumerate(refutation["counterexamples"], 1):
            for who, key in (
                ("circuit", "circuit_label"),
                ("surrogate", "network_label"),
                ("program", "program_label"),
            ):
                out[f"refuted-{i}", str(k), who] = repr(c[key])
    return out


@pytest.mark.parametrize("name", ["hostile", "sampled", "unknown", "tree"])
def test_the_text_says_what_the_data_say(
    pages: dict[str, tuple[Examined, str]], folders: Path, name: str
) -> None:
    found, text = pages[name]
    reader = check_frame(text)
    cells = {key: value for key, value in reader.cells.items() if not key[0].endswith("-margins")}
    assert cells == expected(found, folders / name)
    margins = {key: int(value) for key, value in reader.cells.items() if key[0].endswith("-margins")}
    recorded = result(folders / name)["distillation"]["margins"]
    circuit = [n for (table, _, _), n in margins.items() if table == "circuit-margins"]
    assert sum(circuit) == (recorded["inputs"] if recorded else 0)
    assert (
        [n for b in recorded["bins"] if any(b["counts"]) for n in b["counts"]] == circuit
        if recorded
        else not circuit
    )
    assert (
        sum(n for (table, _, _), n in margins.items() if table == "surrogate-margins")
        == found.run.claim.domain_size
    )


def test_numbers_by_hand(folders: Path) -> None:
    """3 + 9 + 27 + 81 inputs; the margin is |#<b> - #script - 1/4|, so that the smallest is 1/4, where there
    are as many of both.
    """
    claim = load_word_claim(folders / "hostile" / "claim.toml")
    data = result(folders / "hostile")["distillation"]
    assert claim.domain_size == data["inputs_executed"] == data["margins"]["inputs"] == 120
    truth: dict[float, list[int]] = {}
    for words, _ in claim.language.words():
        for word in words:
            tokens = claim.domain.unpadded(word)
            lead = tokens.count(TOKENS[0]) - tokens.count(TOKENS[1]) - 0.25
            truth.setdefault(abs(lead), [0, 0])[int(lead < 0)] += 1
    assert {b["low"]: b["counts"] for b in data["margins"]["bins"]} == truth and min(truth) == 0.25


@pytest.mark.parametrize("name", ["hostile", "sampled"])
def test_counterexamples_are_told_with_the_labels_of_all_three(folders: Path, name: str) -> None:
    """The circuit's and the program's word, said again here; where the circuit was run everywhere, the
    surrogate says what it says.
    """
    data = result(folders / name)["distillation"]
    assert data["refuted_programs"] == [
        r["program"] for r in data["refutations"] if r["against"] == "program"
    ]
    assert name == "sampled" or data["refutations"]
    for refutation in data["refutations"]:
        space: dict[str, Any] = {}
        exec(refutation["program"], space)
        (program,) = (v for k, v in space.items() if k != "__builtins__" and callable(v))
        assert 1 <= len(refutation["counterexamples"]) <= min(10, refutation["found"])
        for c in refutation["counterexamples"]:
            assert program(tuple(c["tokens"])) == c["program_label"] != c["network_label"]
            assert Hostile().label(c["tokens"]) == c["circuit_label"]
            assert (
                c["circuit_label"]
                == (c["network_label"] if refutation["against"] == "program" else c["program_label"])
                or name == "sampled"
            )


@pytest.mark.parametrize("name", ["hostile", "sampled", "unknown"])
def test_names_are_shown_and_not_run(pages: dict[str, tuple[Examined, str]], name: str) -> None:
    found, text = pages[name]
    reader = Reader(text)
    assert "<script>alert" not in text and "\u202e" not in text and "\x1b" not in text
    assert [tag for tag, _ in reader.tags].count("script") == 3 and not [
        t for t, _ in reader.tags if t in ("b", "i")
    ]
    for shown in ("{{ 7*7 }}", "<i>yes", "&no", "<!--", NASTY, "\\x1b[31m", "\\u202e"):
        assert shown in reader.text
    for source in (found.run.facts["program"], *(r["program"] for r in found.run.facts["refutations"])):
        for line in source.splitlines():
            assert visible(line) in reader.text  # colours change no letter
    start = text.index('<script type="application/json" id="data">')
    data = json.loads(text[text.index(">", start) + 1 : text.index("</script", start)])
    assert set(data["charts"]) == {str(f["data-chart"]) for _, f in reader.tags if "data-chart" in f}
    assert (
        f"drawn {NASTY}" in reader.text
        and '<svg role="img" aria-label="The circuit drawn &lt;/script&gt;' in text
    )


def test_what_is_proved_and_what_is_not(pages: dict[str, tuple[Examined, str]]) -> None:
    text = {name: " ".join(Reader(page).text.split()) for name, (_, page) in pages.items()}
    assert "Proved: surrogate = program on all 120 inputs" in text["hostile"] and "by both" in text["hostile"]
    assert "nothing about the circuit" in text["sampled"] and "no uniform sample" in text["sampled"]
    assert (
        "Proved: surrogate" not in text["unknown"]
        and "Unknown: out of time" in text["unknown"]
        and "not shown: a link is missing" in text["unknown"]
    )
    assert "No proof: nothing is proved" in text["unknown"] and "To have one" not in text["unknown"]
    assert "The file in the folder, accepted by the checker" in text["tree"] and "No picture" in text["tree"]
    assert "Made for this report and accepted by the checker" in text["hostile"]


def test_the_drawn_tree_is_that_of_the_file(pages: dict[str, tuple[Examined, str]], folders: Path) -> None:
    found, text = pages["tree"]
    subject = WordSubject(load_word_claim(folders / "tree" / "claim.toml"))
    certificate = check_file(subject, folders / "tree" / "proof.jsonl")
    assert certificate.accepted is not None and found.proof.shape is not None
    assert (
        found.proof.shape.leaves == certificate.accepted.leaves > 1 and found.proof.size == certificate.size
    )
    start = text.index('id="data">') + len('id="data">')
    spec = json.loads(text[start : text.index("</script", start)])["charts"]["proof-tree"]
    assert [n["text"] for n in spec["data"][0]["values"]] == [n.text for n in found.proof.shape.nodes]


@pytest.fixture
def opened(browser: Any, pages: dict[str, tuple[Examined, str]], folders: Path) -> Iterator[Any]:
    with offline(browser) as open_page:
        yield lambda name: open_page(folders / f"{name}.html")


@pytest.mark.parametrize("name", ["hostile", "sampled", "unknown", "tree"])
def test_in_the_browser_tables_and_plots_hold_the_data(
    opened: Any, pages: dict[str, tuple[Examined, str]], folders: Path, name: str
) -> None:
    found = pages[name][0]
    page = opened(name)
    for (table, row, what), value in expected(found, folders / name).items():
        if table == "text":
            shown = page.inner_text(f"span[data-what={what}]")
        else:
            script = "([t, r, w]) => [...document.querySelectorAll(`#${t} tr`)].find(x => x.dataset.column === r).querySelector(`[data-what=${w}]`).textContent"
            shown = page.evaluate(script, [table, row, what])
        assert shown == value
    drawn = page.evaluate(
        "Object.fromEntries(Object.entries(views).map(([n, v]) => [n, v.data('source_0').length]))"
    )
    total = "views['surrogate-margins'].data('source_0').reduce((n, d) => n + d.inputs, 0)"
    assert page.evaluate(total) == found.run.claim.domain_size
    if found.proof.shape:
        assert drawn["proof-tree"] == len(found.proof.shape.nodes)
        assert page.evaluate(
            "document.querySelectorAll('[data-chart=proof-tree] svg .nodes path').length"
        ) == len(found.proof.shape.nodes)
    assert page.evaluate("document.querySelectorAll('b, i').length") == 0


def test_hovering_tells_and_the_keyboard_reaches_all(opened: Any) -> None:
    page = opened("tree")
    page.query_selector("[data-chart=proof-tree] svg .nodes path").hover()
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert "network = program" in page.inner_text("#vg-tooltip-element")
    page.query_selector("[data-chart=surrogate-margins] svg .mark-rect.role-mark path").hover()
    page.wait_for_function("document.getElementById('vg-tooltip-element').innerText.includes('inputs')")
    page = opened("hostile")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#verdict"
    charts = page.evaluate("document.querySelectorAll('[data-chart]').length")
    labels = page.evaluate(
        "[...document.querySelectorAll('[data-chart] [role=graphics-document]')].map(s => s.getAttribute('aria-label'))"
    )
    assert len(labels) == charts >= 3 and all(len(label) > 30 for label in labels)
    scrolled = "[...document.querySelectorAll('.table, .picture')].every(e => e.tabIndex === 0 && e.getAttribute('aria-label'))"
    assert page.evaluate(scrolled)
    page.evaluate("document.querySelector('#surrogate ~ details summary').focus()")
    page.keyboard.press("Enter")
    assert page.is_visible("#weights")


def test_dark_light_and_paper(opened: Any) -> None:
    page = opened("hostile")
    script = (
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('pre .k')).color,"
        " getComputedStyle(document.querySelector('.chart svg .role-axis-label text')).fill]"
    )
    dark = page.evaluate(script)
    page.emulate_media(color_scheme="light")
    light = page.evaluate(script)
    page.emulate_media(media="print", color_scheme="dark")
    paper = page.evaluate(script)
    assert (
        dark[0] == "rgb(22, 24, 27)"
        and dark[2] == "rgb(232, 232, 232)"
        and light[0] == paper[0] == "rgb(255, 255, 255)"
    )
    assert paper[2] == "rgb(0, 0, 0)" and light[1] == paper[1] != dark[1]
    assert not page.is_visible("nav") and page.is_visible("#chain") and len(page.pdf()) > 20_000


# -- the command line
# ------------------------------------------------------------


def test_report_prints_and_changes_nothing(
    folders: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = folders / "hostile"
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert main(["report", str(folder), "--html", str(tmp_path / "page.html")]) == 0
    text = capsys.readouterr().out
    for part in (
        "circuit = program",
        "all 120",
        "refuted on the way",
        "circuit says",
        "accepted by the checker",
        "page.html",
    ):
        assert part in text
    assert "\u202e" not in text and "\x1b" not in text
    check_frame((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert main(["report", str(folder), "-q"]) == 0
    assert "circuit = program" in (short := capsys.readouterr().out) and len(short) < len(text) / 2
    assert main(["report", str(folder), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {k: v for k, v in answer.items() if k != "report"} == result(folder)
    said = answer["report"]
    assert [link["what"] for link in said["chain"]] == [
        "circuit = surrogate",
        "surrogate = program",
        "circuit = program",
    ]
    assert (
        said["surrogate_margins"]["inputs"] == 120
        and said["proof"]["state"] == "accepted"
        and said["proof"]["shape"]["leaves"] == len(said["proof"]["shape"]["labels"])  # bounds alone
    )
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_distill_writes_the_page_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = tmp_path / "task.toml"
    task.write_text(
        f"[domain]\ntokens = {json.dumps(TOKENS)}\nlength = [1, 2]\npad = '_'\n[decision]\nlabels = {json.dumps(LABELS)}\n"
    )
    monkeypatch.setattr(distillation, "load_circuit", lambda *given: Hostile())
    words = [
        "distill",
        "anything",
        "--domain",
        str(task),
        "--out",
        str(tmp_path / "out"),
        "--backends",
        "enumerate",
    ]
    assert main([*words, "--html", str(tmp_path / "page.html"), "-q"]) == 0
    assert capsys.readouterr().out.startswith("proved: ")
    first = check_frame((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert main(["report", str(tmp_path / "out"), "--html", str(tmp_path / "again.html"), "-q"]) == 0
    assert check_frame((tmp_path / "again.html").read_text(encoding="utf-8")).cells == first.cells
    capsys.readouterr()

    def never(where: object, mask: object) -> None:
        raise AssertionError("the work was begun")

    monkeypatch.setattr(distillation, "load_circuit", never)
    assert main([*words, "--html", str(tmp_path)]) == 2
    assert "--html" in capsys.readouterr().err


def test_a_proof_that_is_not_one_is_told(folders: Path, tmp_path: Path) -> None:
    shutil.copytree(folders / "hostile", tmp_path / "run")
    (tmp_path / "run" / "proof.jsonl").write_text('{"format": "relucid proof 3"}\n')
    found = examined(read_run(tmp_path / "run"))
    assert found.proof.state == "rejected" and found.proof.shape is None
    text = Reader(distillation_page(found)).text
    assert "The checker rejected the proof" in text and "but the checker rejected" in text


def test_a_proof_that_takes_too_long_is_told(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof_shape, "SECONDS", 0.0)
    found = proof_shape.proof_of(read_run(folders / "hostile"), seconds=0.0)
    assert found.state == "none" and "none was made within 0 s" in found.said


def bad(folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], said: str) -> None:
    assert main(["report", str(tmp_path / "run"), "--html", str(tmp_path / "page.html")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.count("\n") == 1 and not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "result.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "result.json").write_text("[]"), "it is not what `relucid distill` writes"),
        (lambda f: (f / "result.json").write_bytes(b"\xff"), "cannot be read"),
        (lambda f: change(f, verdict=5), "verdict is not what"),
        (lambda f: change(f, attempts=[{}]), "attempts[0].backend is not what"),
        (lambda f: facts(f, smallest_margin=None), "distillation.smallest_margin is not what"),
        (lambda f: facts(f, refutations=[{"against": "x"}]), "distillation.refutations[0].program is not what"),
        (lambda f: facts(f, margins={"bins": 1}), "is no histogram"),
        (lambda f: facts(f, graph={"title": "x"}), "is no graph"),
        (lambda f: facts(f, graph={"title": "x", "rows": ["a"], "nodes": [{"name": "n", "row": 7}], "edges": []}), "is no graph"),
        (lambda f: facts(f, claim_digest="0"), "states another claim than result.json"),
        (lambda f: (f / "program.py").write_text("def program(tokens):\n    return '&no'\n"), "states another claim"),
    ],
    ids=range(12),
)  # fmt: skip
def test_folders_that_were_spoilt(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Any, said: str
) -> None:
    shutil.copytree(folders / "hostile", tmp_path / "run")
    spoil(tmp_path / "run")
    bad(folders, tmp_path, capsys, said)


def test_only_is_for_benchmarks(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(folders / "hostile"), "--only", "x"]) == 2
    assert "--only" in capsys.readouterr().err


def test_a_shipped_circuit_is_drawn(tmp_path: Path) -> None:
    relucid.distill("bracket_depth", out=tmp_path, request=relucid.ProofRequest(backends=["enumerate"]))
    found = examined(read_run(tmp_path))
    assert found.run.graph is not None
    between_nodes = [
        e for e in found.run.graph.edges if e.source[0].isdigit() and e.target[0].isdigit()
    ]  # the others come from words, or go there
    assert len(between_nodes) == result(tmp_path)["distillation"]["circuit"]["edges_kept"]
    reader = check_frame(distillation_page(found))
    assert [tag for tag, _ in reader.tags].count("svg") == 1


def test_what_is_no_run() -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_run(Path("/nosuch"))


def test_a_result_that_somebody_has_edited_steers_nothing(folders: Path, tmp_path: Path) -> None:
    """The program in result.json is text like any other: it is shown, and what does not print is
    spelled out.
    """
    shutil.copytree(folders / "hostile", tmp_path / "run")
    facts(
        tmp_path / "run", program="def f(tokens):\n\treturn '\u202e\x1b[31m</pre><script>alert(1)</script>'\n"
    )
    text = distillation_page(examined(read_run(tmp_path / "run")))
    assert "\u202e" not in text and "\x1b" not in text and "<script>alert" not in text
    assert "    return '\\u202e\\x1b[31m</pre><script>alert(1)</script>'" in Reader(text).text


def test_what_the_label_depends_on_is_shown_escaped(
    pages: dict[str, tuple[Examined, str]], folders: Path
) -> None:
    found, text = pages["hostile"]
    sentences = found.run.facts["findings"]["sentences"]
    assert (
        any("depends only on how often" in s for s in sentences)
        and "What the circuit's label depends on" in text
    )
    assert NASTY in "".join(sentences) and NASTY not in text
    assert "ot shown for the others" in pages["sampled"][1]


def test_results_of_earlier_versions_are_read(folders: Path, tmp_path: Path) -> None:
    """They have no findings and no front; what is there must have the right form."""
    old = tmp_path / "old"
    shutil.copytree(folders / "hostile", old)
    given = result(old)["distillation"]
    bare = {key: value for key, value in given.items() if key not in ("findings", "front")}
    change(old, distillation=bare)
    assert read_run(old).facts.get("findings") is None
    change(old, distillation={**bare, "findings": {"inputs": 1}})
    with pytest.raises(InputError, match=r"distillation\.findings\.whole is not what"):
        read_run(old)
    change(old, distillation={**bare, "front": [{"program": 1}]})
    with pytest.raises(InputError, match=r"distillation\.front\[0\]\.program is not what"):
        read_run(old)
