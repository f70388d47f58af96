"""`--dump DIR`: every backend's formulas as files, with what one needs to solve them without relucid.

A folder per backend, a file per query (and format), and `index.json`, which says what the names in them mean.
Queries that bounds settle are written too: whoever reruns them need not trust the bounds' last step.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...common.deadline import LIMITS
from ...common.errors import InputError, Unsupported
from ...common.scratch import scratch
from ...models.claims.word_claim import WordClaim
from ...version import __version__
from ..backends.shared.queries import QueryBackend, formulas, too_big
from .choose import choose

READ_ME = """\
Formulas of the claim {name}, written by relucid {version}.  See index.json for which is which.

Each file asks: is there an input on which the program gives one label and the network prefers a rival?
  satisfiable (feasible) in any file of a backend's folder    network and program differ on an input
  unsatisfiable in all files of a backend's folder            network = program on the whole domain

  z3 -smt2 z3-bv/1.smt2        bitwuzla z3-bv/1.smt2        cvc5 z3-real/1.smt2
  highs highs/1.lp             scip -f highs/1.mps          sat_runner --input=cpsat/1.pbtxt
  roundingsat exact/1.opb      cadical cadical/1.cnf

In a model, x<t>_<s> says that position t holds symbol s of the alphabet in index.json (positions and
symbols from 0; where symbols make no difference, one stands for all of them).  Clauses and pseudo-Boolean
files number their variables.
"""


def dump_claim(
    claim: WordClaim,
    names: Sequence[str] | None,
    folder: Path,
    seconds: float,
    progress: Callable[[str], None],
) -> int:
    """Write the formulas of these backends (None: of all) into a new folder.  Returns how many files.

    All or nothing: an interrupt or an error leaves no folder behind.  Raises InputError.
    """
    check_new(folder)
    chosen = [b for b in choose(names) if isinstance(b, QueryBackend) and b.export is not None]
    if not chosen:
        raise InputError(
            "--dump", "none of these backends has formulas", "name solver backends, such as z3-bv or highs"
        )
    deadline = time.monotonic() + seconds
    folder.parent.mkdir(parents=True, exist_ok=True)
    with scratch(".relucid-dump-", folder.parent) as working:
        place = working / "dump"
        try:
            entries = [
                entry for backend in chosen for entry in _dumped(claim, backend, place, deadline, progress)
            ]
            index = {
                "relucid": __version__,
                "claim": claim.name,
                "digest": claim.digest,
                "alphabet": list(claim.domain.alphabet),
                "labels": list(claim.decision.labels),
                "files": entries,
            }
            (place / "index.json").write_text(
                json.dumps(index, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
            )
            (place / "README.txt").write_text(
                READ_ME.format(name=claim.name, version=__version__), encoding="utf-8"
            )
            os.rename(place, folder)  # over an empty folder, never through a link
        except LIMITS:
            raise
        except OSError as error:
            raise InputError(
                "--dump",
                f"cannot write {folder} ({error.strerror or error})",
                "make room or choose another folder",
            ) from None
    return sum(len(entry["files"]) for entry in entries)


def check_new(folder: Path) -> None:
    """Raise InputError where something is there already."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError("--dump", f"{folder} is not a folder", "choose a new one")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError("--dump", f"{folder} is not empty", "choose a new folder")


def _dumped(
    claim: WordClaim, backend: QueryBackend, place: Path, deadline: float, progress: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Write one backend's files.  Returns them as entries of the index."""
    base, *options = backend.name.split(":")
    about = {"backend": base, "options": options, "version": backend.available()}
    why = too_big(claim)
    if why is not None:
        return [{**about, "query": None, "label": None, "settled_by_bounds": None, "files": [], "note": why}]
    assert backend.export is not None
    where = place / ".".join([base, *options])
    where.mkdir(parents=True)
    entries = []
    try:
        for number, (formula, label, _) in enumerate(
            formulas(claim, deadline, progress, backend.tighten, Counter()), start=1
        ):
            progress(f"writing {backend.name}, {formula.name}")
            entry = {
                **about,
                "query": formula.name,
                "label": claim.decision.labels[label],
                "settled_by_bounds": formula.settled,
            }
            try:
                texts, note = backend.export(formula), None
            except Unsupported as error:
                texts, note = {}, str(error)
            for ending, text in texts.items():
                (where / f"{number}.{ending}").write_text(text, encoding="utf-8")
            entries.append(
                {**entry, "files": [f"{where.name}/{number}.{ending}" for ending in texts], "note": note}
            )
    except LIMITS:
        raise
    except TimeoutError:
        raise InputError(
            "--dump",
            f"{backend.name}'s formulas are not written in time",
            "raise --timeout or name fewer backends",
        ) from None
    return entries
