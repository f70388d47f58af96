"""`python -m relucid.experiments.circuits`: goes on where it was, and its table.  The road itself is in
models/circuits/test_training.py (slow).
"""

import json
import sys

import pytest
from relucid.experiments import circuits
from relucid.models.circuits.training.registry import NAMES

SIZES = {
    "model_edges": 1037,
    "nodes": 31,
    "edges": 32,
    "loss": 0.0351,
    "seconds": {"train": 20.4, "prune": 30.6},
    "cpu_seconds": {"train": 18.0},
}


def row(name, **more):
    program = f'def {name}(tokens):\n    """Distilled."""\n    return "a"\n'
    return {"task": name, "inputs": 2916, "verdict": "proved", "program": program, **SIZES, **more}


def test_the_table_has_both_models_and_says_where_one_is_missing():
    lines = circuits.table(
        [row("with_as"), row("for_while")],
        [{**row("with_as"), "edges": 4000, "cpu_seconds": {"train": 5.0, "prune": 7.2}}],
    )
    lines = lines.splitlines()
    assert [line.count("|") for line in lines] == [12] * 4
    assert lines[2] == (
        "| `with_as` | 2,916 | 1,037, 1,037 | 31, 31 | 32, 4,000 | 0.035, 0.035 | 10 characters | 20 + 31 | 18 | 12 | proved |"
    )
    assert "| 1,037, ? | 31, ? | 32, ? | 0.035, ? |" in lines[3]
    assert "| none | 20 + 31 | 18 | ? | not learnt |" in circuits.table(
        [{**row("x"), "program": "", "verdict": "not learnt"}], []
    )


def test_what_has_a_line_is_not_run_again(tmp_path, monkeypatch, capsys):
    ran = []

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["circuits", "--out", str(tmp_path), *arguments])
        circuits.main()

    def stopped_at(name):
        def fake(task, out):
            if task == name:
                raise KeyboardInterrupt
            ran.append(task)
            return row(task)

        return fake

    monkeypatch.setattr(circuits, "KINDS", {"sparse": stopped_at(NAMES[3]), "dense": stopped_at(None)})
    with pytest.raises(KeyboardInterrupt):
        run("--models", "sparse")
    assert ran == list(NAMES[:3]) and len((tmp_path / "sparse.jsonl").read_text().splitlines()) == 3
    monkeypatch.setattr(circuits, "KINDS", {"sparse": stopped_at(None), "dense": stopped_at(None)})
    run("--only", "with_as|for_while")
    wanted = [name for name in NAMES if name in ("with_as", "for_while")]
    assert ran == [*NAMES[:3], *wanted, *wanted]
    run()
    assert sorted(ran) == sorted(NAMES * 2)
    done = [json.loads(line)["task"] for line in (tmp_path / "sparse.jsonl").read_text().splitlines()]
    assert done == [*NAMES[:3], *wanted, *(name for name in NAMES[3:] if name not in wanted)]
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"| `{done[-1]}` | 2,916 | 1,037, 1,037 |")
