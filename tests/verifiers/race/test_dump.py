"""Dumped formulas, solved again by programs that know nothing of relucid: the answers are the known ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from known_claims import CORPUS
from relucid.cli.main import main
from relucid.models.claims.claim_file import load_word_claim

CLAIMS = ("count_near_miss", "count_sign_l3", "depth_where_context", "mod3")


def bitwuzla(path: Path) -> tuple[bool, dict[str, bool]]:
    import bitwuzla as b

    options = b.Options()
    options.set(b.Option.PRODUCE_MODELS, True)
    parser = b.Parser(b.TermManager(), options)
    parser.parse(str(path), parse_only=True, parse_file=True)
    solver = parser.bitwuzla()
    if solver.check_sat() == b.Result.UNSAT:
        return False, {}
    values = ((t.symbol(), solver.get_value(t)) for t in parser.get_declared_funs())
    return True, {name: bool(v.value()) for name, v in values if not v.sort().is_bv()}


def cvc5(path: Path) -> tuple[bool, dict[str, bool]]:
    import cvc5 as c

    solver = c.Solver(c.TermManager())
    solver.setOption("produce-models", "true")
    parser = c.InputParser(solver)
    parser.setFileInput(c.InputLanguage.SMT_LIB_2_6, str(path))
    said = ""
    while not (command := parser.nextCommand()).isNull():
        said = command.invoke(solver, parser.getSymbolManager()).strip() or said
    assert said in ("sat", "unsat")
    declared = parser.getSymbolManager().getDeclaredTerms() if said == "sat" else []
    return said == "sat", {
        t.getSymbol(): solver.getValue(t).getBooleanValue() for t in declared if t.getSort().isBoolean()
    }


def z3(path: Path) -> tuple[bool, dict[str, bool]]:
    import z3 as z

    solver = z.Solver()
    solver.from_file(str(path))
    if solver.check() == z.unsat:
        return False, {}
    model = solver.model()
    return True, {d.name(): z.is_true(model[d]) for d in model.decls()}


def highs(path: Path) -> tuple[bool, dict[str, bool]]:
    import highspy

    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    assert solver.readModel(str(path)) == highspy.HighsStatus.kOk
    solver.run()
    status = solver.getModelStatus()
    assert status in (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kInfeasible), status
    if status == highspy.HighsModelStatus.kInfeasible:
        return False, {}
    lp = solver.getLp()
    return True, {
        name: value > 0.5 for name, value in zip(lp.col_names_, solver.getSolution().col_value, strict=True)
    }


def cpsat(path: Path) -> tuple[bool, dict[str, bool]]:
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    assert model.Proto().parse_text_format(path.read_text())
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    status = solver.solve(model)
    assert status in (cp_model.OPTIMAL, cp_model.FEASIBLE, cp_model.INFEASIBLE)
    if status == cp_model.INFEASIBLE:
        return False, {}
    return True, {
        v.name: value == 1
        for v, value in zip(model.Proto().variables, solver.response_proto.solution, strict=True)
    }


def sat(path: Path) -> tuple[bool, dict[str, bool]]:
    from pysat.formula import CNF
    from pysat.solvers import Glucose4

    with Glucose4(bootstrap_with=CNF(from_file=str(path))) as solver:
        return solver.solve(), {}


def pseudo_boolean(path: Path) -> tuple[bool, dict[str, bool]]:
    """The OPB text read by a few lines here, solved by z3."""
    import z3 as z

    solver = z.Solver()
    for line in path.read_text().splitlines():
        if line.startswith("*"):
            continue
        *terms, relation, bound, _ = line.split()
        total = z.Sum(
            [z.If(z.Bool(v), int(c), 0) for c, v in zip(terms[::2], terms[1::2], strict=True)]
            or [z.IntVal(0)]
        )
        solver.add(total == int(bound) if relation == "=" else total >= int(bound))
    return solver.check() == z.sat, {}


OTHERS = {  # folder and ending -> programs that are asked
    ("z3-bv", "smt2"): (bitwuzla, cvc5),
    ("bitwuzla", "smt2"): (z3,),
    ("z3-real", "smt2"): (cvc5,),
    ("cvc5", "smt2"): (z3,),
    ("highs", "lp"): (highs,),
    ("scip", "mps"): (highs,),
    ("highs.tighten", "lp"): (highs,),
    ("cpsat", "pbtxt"): (cpsat,),
    ("cadical", "cnf"): (sat,),
    ("exact", "opb"): (pseudo_boolean,),
}
BACKENDS = "z3-bv,bitwuzla,z3-real,cvc5,highs,scip,highs:tighten,cpsat,cadical,exact"


@pytest.mark.parametrize("name", CLAIMS)
def test_other_programs_give_the_known_answer(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = CORPUS / name / "claim.toml"
    expected = json.loads((CORPUS / name / "expected.json").read_text())["verdict"]
    assert main(["prove", str(file), "--dump", str(tmp_path / "dump"), "--backends", BACKENDS, "-q"]) == (
        expected == "refuted"
    )
    index = json.loads((tmp_path / "dump" / "index.json").read_text())
    claim, asked = load_word_claim(file), 0
    assert index["digest"] == claim.digest and "z3 -smt2" in (tmp_path / "dump" / "README.txt").read_text()
    for (folder, ending), programs in OTHERS.items():
        files = [
            f
            for e in index["files"]
            for f in e["files"]
            if f.startswith(f"{folder}/") and f.endswith(f".{ending}")
        ]
        assert len(files) == sum(
            len(claim.decision.rivals(i))
            for i in range(len(claim.decision.labels))
            if i in claim.language.labels
        )
        for program in programs:
            answers = [program(tmp_path / "dump" / f) for f in files]
            assert any(found for found, _ in answers) == (expected == "refuted"), (folder, program)
            for found, values in answers:
                word = [
                    s
                    for t in range(claim.domain.max_length)
                    for s in range(len(index["alphabet"]))
                    if values.get(f"x{t}_{s}")
                ]
                if found and word:  # a model, read with what index.json and README.txt say
                    asked += 1
                    network = claim.decision.labels[int(claim.network_labels(np.array([word]))[0])]
                    assert network != claim.program_label(claim.domain.unpadded(tuple(word))), (
                        folder,
                        program,
                        word,
                    )
    assert asked >= 5 * (expected == "refuted")


def test_what_bounds_settle_is_written_too_and_says_so(tmp_path: Path) -> None:
    settled = 0
    for name in ("one_label_only", "compare_counts", "all_some_none"):
        main(
            [
                "prove",
                str(CORPUS / name / "claim.toml"),
                "--dump",
                str(tmp_path / name),
                "--backends",
                "z3-bv",
                "-q",
            ]
        )
        for entry in json.loads((tmp_path / name / "index.json").read_text())["files"]:
            if entry["settled_by_bounds"]:
                settled += 1
                assert not bitwuzla(tmp_path / name / entry["files"][0])[0]
    assert settled


@pytest.mark.parametrize(
    ("there", "backends", "said"),
    [
        ("file", "z3-bv", "is not a folder"),
        ("full", "z3-bv", "is not empty"),
        ("new", "enumerate,reach", "none of these backends has formulas"),
    ],
)
def test_refusals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], there: str, backends: str, said: str
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    assert (
        main(
            [
                "prove",
                str(CORPUS / CLAIMS[0] / "claim.toml"),
                "--dump",
                str(tmp_path / there),
                "--backends",
                backends,
            ]
        )
        == 2
    )
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.count("\n") == 1
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")) == ["file", "full", "full/mine"]


def test_nothing_is_left_where_time_is_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim = str(CORPUS / "count_length_12" / "claim.toml")
    assert main(["prove", claim, "--dump", str(tmp_path / "new"), "--timeout", "0.000001"]) == 2
    assert "not written in time" in capsys.readouterr().err and not list(tmp_path.iterdir())
