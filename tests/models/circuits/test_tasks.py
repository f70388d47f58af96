"""The registered tasks: right by CPython, whole, and invisible to search."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from relucid.common.errors import InputError
from relucid.models.circuits.training.registry import NAMES, get_task


@pytest.mark.parametrize("name", NAMES)
def test_a_task_is_its_whole_domain_with_the_right_labels(name):
    """Against brute force: CPython runs `where` and `label` on every sequence."""
    task = get_task(name)
    ids, right = task.examples.ids, task.examples.right
    words = [tuple(task.vocabulary[i] for i in row) for row in ids]
    assert all(w[0] == "<bos>" and w[-1] == "<next>" for w in words)
    bodies = {w[1:-1]: task.labels[y] for w, y in zip(words, right, strict=True)}
    expected = {b: task.label(b) for b in itertools.product(task.tokens, repeat=task.length) if task.where(b)}
    assert bodies == expected and len(bodies) == len(ids)
    assert len(ids) > 500 and np.bincount(right, minlength=len(task.labels)).min() > len(ids) / 8, (
        "each label is well represented"
    )


KNOWN = {
    "single_double_quote": ("a ' b = a b", "'"), "bracket_counting": ("[ [ a ] , [ a", "]]"), "with_as": ("if f ( with f (", "as"),
    "set_or_string_fixedvarname": ('x = "" ; x x', "+="), "for_while": ("while for x x x x", ":"), "else_elif": ("if a : x elif a", "else"),
    "if_ternary": ("a = b if a b", "else"), "bracket_brace": ("[ a { , a a", "}"), "fstring_brace": ("{ a } b { a", "}"),
    "var_swap": ("c b a a , b = b ,", "a"), "lambda_func": ("lambda x : f( x ,", ")"), "while_return_true": ("return not x x x True", "<nl>"),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_known_answers(name):
    body, label = KNOWN[name]
    task = get_task(name)
    assert task.where(tuple(body.split())) and task.label(tuple(body.split())) == label


def test_an_unknown_task_is_one_line():
    with pytest.raises(InputError) as caught:
        get_task("os")
    assert str(caught.value) == f"os: there is no such task; tasks are {', '.join(NAMES)}"


def test_distilling_sees_no_task():
    code = (
        "import sys, relucid.pipeline.distillation, relucid.search.synthesise, relucid.models.circuits.load\n"
    )
    code += "print([m for m in sys.modules if 'circuits.tasks' in m])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )
