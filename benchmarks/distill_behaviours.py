"""The behaviours of `relucid bench distill`: a domain, labels, and a reference program each, in a TOML file.

`distill.toml` is the suite that ships; others have the same form (docs/reference/benchmark.md).  The
reference is what a teacher is made of, and the length of a found program is compared with it.  It is used for
nothing else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..common.errors import InputError
from ..models.automata.automaton import Automaton
from ..models.automata.labelled import Labelled
from ..models.claims.decision import Decision
from ..models.claims.domain import Domain
from ..models.claims.language import build_language
from ..models.claims.toml_table import known, read_table
from ..models.program.program import Program
from ..models.program.syntax import BUILTINS
from ..search.rank import description_length

DATA = Path(__file__).with_name("distill.toml")
PAD = "<pad>"
HIDING = re.compile(rf"(?m)^def ({'|'.join(sorted(BUILTINS))})\(")
KEYS = ("tokens", "length", "labels", "pad", "where", "large_length", "order", "program")


@dataclass(frozen=True)
class Behaviour:
    """One row of a suite.

    Args:
        name: of the row.
        domain: the inputs.
        labels: what the reference may return.
        reference: the program.
        large: the same behaviour on more inputs: the shortest and the longest length; None if that is not
            stated.
    """

    name: str
    domain: Domain
    labels: tuple[str, ...]
    reference: Program
    large: tuple[int, int] | None = None

    @cached_property
    def language(self) -> Automaton:
        """Return the domain with the reference's labels.  Raises InputError if one is not among `labels`."""
        return build_language(self.domain, self.reference, self.labels)

    @cached_property
    def labelled(self) -> Labelled:
        """Return every input of the domain with the reference's label."""
        parts = list(self.language.words())
        return Labelled(
            np.concatenate([words for words, _ in parts]), np.concatenate([labels for _, labels in parts])
        )

    @cached_property
    def inputs(self) -> int:
        """How many inputs the domain has."""
        return build_language(self.domain, None, None).size

    @property
    def reference_length(self) -> int:
        return description_length(self.reference.source)

    @cached_property
    def digest(self) -> str:
        """Return a digest of everything that a result depends on but the code."""
        domain = [self.domain.digest, self.domain.order]
        text = json.dumps([self.name, *domain, self.labels, self.reference.digest])
        return hashlib.sha256(text.encode()).hexdigest()

    def enlarged(self) -> Behaviour | None:
        """Return the behaviour on the large domain; None if there is none."""
        if self.large is None:
            return None
        shortest, longest = self.large
        domain = replace(self.domain, min_length=shortest, max_length=longest, pad=self.domain.pad or PAD)
        return replace(self, domain=domain, large=None)


def behaviours() -> tuple[Behaviour, ...]:
    """Return those that ship, in the order of the file."""
    return read_suite(DATA)


def read_suite(path: Path) -> tuple[Behaviour, ...]:
    """Read a suite.  Raises InputError for everything that does not have its form."""
    table = read_table(path)
    if not table:
        raise InputError(str(path), "holds no behaviour", "see docs/reference/benchmark.md")
    return tuple(_Row(path, name, row).behaviour() for name, row in table.items())


def suite_toml(behaviours: Iterable[Behaviour]) -> str:
    """Return the text of a suite, which `read_suite` reads back."""
    import tomli_w

    table: dict[str, dict[str, Any]] = {}
    for b in behaviours:
        domain = b.domain
        row = {"tokens": domain.tokens, "length": [domain.min_length, domain.max_length], "labels": b.labels}
        more = {
            "pad": domain.pad,
            "large_length": b.large,
            "order": domain.order,
            "where": domain.where and domain.where.source,
            "program": b.reference.source,
        }
        table[b.name] = row | {key: value for key, value in more.items() if value is not None}
    return tomli_w.dumps(table, multiline_strings=True)


def check_reference(behaviour: Behaviour) -> None:
    """Raise InputError if the domain is empty, or if the reference fails on some input."""
    if behaviour.language.empty:
        raise InputError(
            f"{behaviour.reference.origin}: where", "keeps no sequence of the domain", "loosen the predicate"
        )


@dataclass(frozen=True)
class _Row:
    """The table of one behaviour, in a file."""

    path: Path
    name: str
    table: Mapping[str, Any]

    def behaviour(self) -> Behaviour:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.name):  # names are those of folders, too
            raise self.error("", "is no name of a behaviour", "use letters, digits, _ and -")
        if not isinstance(self.table, Mapping):
            raise self.error("", "is not a section", f"write [{self.name}]")
        known(self.path, self.table, KEYS, f"[{self.name}] ")
        missing = next((k for k in ("tokens", "length", "labels", "program") if k not in self.table), None)
        if missing is not None:
            raise self.error(missing, "missing", f"add {missing}")
        labels = self.words("labels")
        try:
            Decision("argmax", labels)
            shortest, longest = self.lengths("length")
            large = self.lengths("large_length") if "large_length" in self.table else None
            varies = shortest < longest or "pad" in self.table
            pad = self.text("pad", PAD) if varies else None
            where = self.program("where") if "where" in self.table else None
            order = self.words("order") if "order" in self.table else None
            domain = Domain(self.words("tokens"), shortest, longest, pad, where, order=order)
            found = Behaviour(self.name, domain, labels, self.program("program"), large)
        except InputError as error:
            if not error.where.startswith("["):
                raise
            key = error.where.rpartition("]")[2].strip()
            raise self.error(key, error.what, error.mend) from None
        try:
            found.enlarged()
        except InputError as error:
            raise self.error("large_length", error.what, error.mend) from None
        return found

    def error(self, key: str, what: str, mend: str) -> InputError:
        return InputError(f"{self.path}: [{self.name}]{key and f' {key}'}", what, mend)

    def text(self, key: str, default: str) -> str:
        found = self.table.get(key, default)
        if not isinstance(found, str):
            raise self.error(key, "not a string", f"put {key} in quotes")
        return found

    def words(self, key: str) -> tuple[str, ...]:
        found = self.table[key]
        if not isinstance(found, list) or any(not isinstance(word, str) for word in found):
            raise self.error(key, "not a list of strings", f'write {key} = ["a", "b"]')
        return tuple(found)

    def lengths(self, key: str) -> tuple[int, int]:
        found = self.table[key]
        ends = found if isinstance(found, list) and len(found) == 2 else [found, found]
        if any(type(n) is not int or n < 0 for n in ends) or ends[0] > ends[1]:
            what = f"{found!r} is neither a length nor a shortest and a longest one"
            raise self.error(key, what, f"write {key} = 8 or {key} = [4, 8]")
        return ends[0], ends[1]

    def program(self, key: str) -> Program:
        """Read a program text: the function of the row's name, or else the last one.

        A function called like a built-in one gets another name here; what its body calls is the built-in one.
        """
        source = re.sub(HIDING, r"def task_\1(", self.text(key, "").lstrip("\n"))
        names = re.findall(r"(?m)^def (\w+)", source)
        own = [n for n in names if n in (self.name, self.name.replace("-", "_"), f"task_{self.name}")]
        return Program.from_source(source, next(iter((own or names)[-1:]), None), f"{self.path}:{self.name}")
