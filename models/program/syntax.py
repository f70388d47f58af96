"""From text to a syntax tree, and the words in which constructs outside the subset are refused.

Where reading a program begins.  `program_file.py` takes the tree apart; `statements.py`, `calls.py` and
`expressions.py` compile its parts.
"""

from __future__ import annotations

import ast
import warnings

from ...common.errors import ProgramError
from .source import check_strings, check_text

__all__ = ["ProgramError", "parse"]

DEPTH_LIMIT = 60  # how deep statements and expressions may be nested
BUILTINS = (
    "abs",
    "all",
    "any",
    "bool",
    "chr",
    "divmod",
    "enumerate",
    "int",
    "len",
    "max",
    "min",
    "ord",
    "range",
    "reversed",
    "set",
    "sorted",
    "str",
    "sum",
    "tuple",
    "zip",
)
ITERATORS = ("enumerate", "range", "reversed", "zip")
# methods of values, each with the numbers of arguments that it may take
METHODS: dict[str, tuple[int, ...]] = {
    "count": (1,),
    "index": (1,),
    "find": (1,),
    "get": (1, 2),
    "startswith": (1,),
    "endswith": (1,),
    "isalnum": (0,),
    "isalpha": (0,),
    "isdigit": (0,),
    "islower": (0,),
    "isupper": (0,),
    "lower": (0,),
    "upper": (0,),
}

# Constructs that people try, by syntax node: what they are called, and what to write instead.
MENDS: dict[str, tuple[str, str]] = {
    "Import": ("import", "write the function without it"),
    "ImportFrom": ("import", "write the function without it"),
    "Attribute": ("attribute access", "only calls such as .count(x) are known"),
    "Lambda": ("lambda", "write a function of this file"),
    "ListComp": (
        "list comprehension",
        "use a for loop, or a generator expression inside sum, any, all, min, max, sorted or tuple",
    ),
    "SetComp": ("set comprehension", "use a for loop"),
    "DictComp": ("dict comprehension", "use a for loop"),
    "GeneratorExp": (
        "generator expression on its own",
        "use it inside sum, any, all, min, max, sorted or tuple",
    ),
    "List": ("list", "write a tuple: (a, b)"),
    "Set": ("set", "write a tuple: (a, b)"),
    "JoinedStr": ("f-string", "add strings with +"),
    "NamedExpr": ("walrus :=", "assign on a line of its own"),
    "Starred": ("starred expression", "write the elements out"),
    "Global": ("global", "use locals"),
    "Nonlocal": ("nonlocal", "use locals"),
    "With": ("with", "leave it out"),
    "Try": ("try", "test before, with if"),
    "TryStar": ("try", "test before, with if"),
    "Raise": ("raise", "return a label instead"),
    "Assert": ("assert", "use if"),
    "Delete": ("del", "leave it out"),
    "Match": ("match", "use if and elif"),
    "FunctionDef": ("function inside a function", "move it to the top of the file"),
    "AsyncFunctionDef": ("async function", "write def"),
    "ClassDef": ("class", "write a function"),
    "AsyncFor": ("async for", "write for"),
    "Await": ("await", "leave it out"),
    "Yield": ("yield", "return one label"),
    "YieldFrom": ("yield", "return one label"),
    "Div": ("division /", "use // (there are no floats)"),
    "Invert": ("operator ~", "use not"),
    "LShift": ("operator <<", "multiply"),
    "RShift": ("operator >>", "use //"),
    "MatMult": ("operator @", "use *"),
}


def parse(source: str, origin: str) -> ast.Module:
    """Return the syntax tree of a file's text.

    `origin` is the file's name in messages.  Raises ProgramError.
    """
    check_text(source, origin)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except SyntaxError as e:
        raise ProgramError(f"{origin}:{e.lineno or 1}", f"not Python: {e.msg}", "mend the syntax") from None
    except (RecursionError, MemoryError):
        raise ProgramError(origin, "the source is nested too deeply", "split it into statements") from None
    except ValueError as e:
        raise ProgramError(origin, f"not Python: {e}", "write plain UTF-8 text") from None
    check_strings(tree, source, origin)
    return tree
