"""Write Python: literals, conditions on tokens, loops and whole functions, all within the readable subset."""

from __future__ import annotations

import ast
import keyword
import re
import unicodedata
from collections.abc import Iterable, Sequence

from ..common.text import literal, visible
from ..models.program.syntax import BUILTINS
from .problem import SearchProblem, TokenSet


def tuple_of(values: Iterable[object]) -> str:
    """Write a tuple."""
    parts = [literal(v) for v in values]
    return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"


def nothing(problem: SearchProblem) -> str:
    """Return a string that is not a token: what a token variable holds while there is none."""
    names = ("", "none", *(f"none{i}" for i in range(problem.size + 1)))
    return next(name for name in names if name not in problem.tokens)


def is_in(problem: SearchProblem, members: TokenSet, variable: str = "token", negate: bool = False) -> str:
    """Write the condition that a variable holds one of these tokens, in its shorter form."""
    rest = [t for i, t in enumerate(problem.tokens) if i not in members]
    inside = [problem.tokens[i] for i in members]
    if len(inside) <= len(rest) or not rest:
        return f"{variable} {one_of(inside, negate)}"
    return f"{variable} {one_of(rest, not negate)}"


def one_of(values: Sequence[object], negate: bool = False) -> str:
    """Write `== x` or `in (x, y)`, which goes behind a variable."""
    if len(values) == 1:
        return f"{'!=' if negate else '=='} {literal(values[0])}"
    return f"{'not in' if negate else 'in'} {tuple_of(values)}"


def indent(lines: Iterable[str], levels: int = 1) -> tuple[str, ...]:
    """Indent lines by four blanks a level."""
    return tuple("    " * levels + line for line in lines)


def function_name(task: str) -> str:
    """Turn a task's name into a Python identifier that hides no built-in function."""
    text = unicodedata.normalize("NFKC", task)  # as Python reads identifiers
    letters = "".join(c if f"x{c}".isidentifier() else "_" for c in text)  # narrower than \w
    name = re.sub("_+", "_", letters).strip("_").lower() or "program"
    taken = keyword.iskeyword(name) or name in BUILTINS or name == "tokens"
    return name if name.isidentifier() and not taken else f"task_{name}"


def parenthesised(condition: str, joiner: str) -> str:
    """Write a condition as it may stand beside `and` or `or`."""
    node = ast.parse(condition, mode="eval").body
    weaker = isinstance(node, ast.IfExp) or (
        joiner == "and" and isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or)
    )
    return f"({condition})" if weaker else condition


def docstring(text: str) -> str:
    """Write the literal of a docstring, a line for each paragraph; several end with a line of quotes."""
    paragraphs = [part.replace("\n", " ").strip() for part in text.split("\n\n")]
    flat = "\n\n".join(visible(part.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')) for part in paragraphs)
    if len(paragraphs) > 1:
        return f'"""{flat}\n"""'
    return f'"""{flat + " " if flat.endswith(chr(34)) else flat}"""'


def function(lines: Sequence[str], name: str, doc: str = "", constants: Sequence[str] = ()) -> str:
    """Write a whole function `name(tokens)`, with the constants of the file before it."""
    head = docstring(doc).split("\n") if doc else []
    above = (*constants, "", "") if constants else ()
    body = (line if not line else indent([line])[0] for line in (*head, *lines))
    return "\n".join((*above, f"def {function_name(name)}(tokens):", *body)) + "\n"


def depth_loop(
    problem: SearchProblem,
    pair: tuple[TokenSet, TokenSet],
    more: tuple[str, ...] = ("depth += 1",),
    less: tuple[str, ...] = ("depth -= 1",),
) -> tuple[str, ...]:
    """Write the loop that counts one set up and the other down; `more` and `less` replace the steps."""
    up, down = pair
    return (
        "depth = 0",
        "for token in tokens:",
        f"    if {is_in(problem, up)}:",
        *indent(more, 2),
        f"    elif {is_in(problem, down)}:",
        *indent(less, 2),
    )
