"""Programs made of a program: its answer on a prefix of the tokens, and one element of its answer.

For claims about every position (`claims/positions.py`).  The new function is added to the program's own text,
so that it is interpreted, shown, digested and checked as any other program.
"""

from __future__ import annotations

from dataclasses import replace

from .program import Program
from .program_file import ProgramFile


def on_prefix(program: Program, length: int) -> Program:
    """Return the program that gives what `program` gives on the first `length` tokens."""
    tokens = _other("tokens", program)
    return _with(program, tokens, f"return {program.name}({tokens}[:{length}])")


def element(program: Program, position: int) -> Program:
    """Return the program that gives the element at `position` of the tuple that `program` gives.

    It gives None, which is no label, or raises, unless that is a tuple with one element for each token.
    """
    tokens, answer = _other("tokens", program), _other("answer", program)
    return _with(
        program,
        tokens,
        f"{answer} = {program.name}({tokens})",
        f"if len({answer}) != len({tokens}) or {answer} != tuple({answer}):",
        "    return None",
        f"return {answer}[{position}]",
    )


def _other(name: str, program: Program) -> str:
    """Return the name, or another where the program has it."""
    return name if name != program.name else f"{name}_"


def _with(program: Program, parameter: str, *body: str) -> Program:
    file = ProgramFile(program.source, program.origin)
    name = f"at_position_{program.name}"
    while name in file.functions or name in file.constants:
        name += "_"
    text = "\n".join([f"def {name}({parameter}):", *(f"    {line}" for line in body)])
    return replace(program, source=f"{program.source}\n\n\n{text}\n", name=name)
