"""Time and size of proofs about words: every claim of a folder, proved and checked.

    python -m relucid.experiments.proofs FOLDER [--timeout SECONDS] [--keep DIR] [--json FILE]

FOLDER holds claim folders (`*/claim.toml`), such as `python -m relucid.benchmarks.tokens --out DIR --seeds
report` makes.  Proving is the race at trust `exact`, in this process; the proof is then made, written and
read back as `relucid prove --proof` does it.  `--keep` keeps the proof files.  Ctrl-C prints what is done so
far.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..common.errors import InputError, Unsupported
from ..common.files import write
from ..common.text import number
from ..models.claims.claim_file import load_word_claim
from ..verifiers.proof.certificate import check_file
from ..verifiers.proof.format import Rejected
from ..verifiers.proof.words.producer import Unproved, proof_lines
from ..verifiers.proof.words.subject import WordSubject
from ..verifiers.proof.writing import write_lines
from ..verifiers.race.backend import Budget
from ..verifiers.race.race import prove_claim
from ..verifiers.race.request import ProofRequest
from ..verifiers.verdict import Proved

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 140


@dataclass(frozen=True)
class ProofRow:
    """`outcome`: checked, or what stood in the way; seconds of proving, making and checking the proof."""

    claim: str
    inputs: int
    outcome: str
    proving: float
    making: float = 0.0
    checking: float = 0.0
    bytes: int = 0
    parts: int = 0
    leaves: int = 0
    run: int = 0


def measured(claim_file: Path, seconds: float, place: Path) -> ProofRow:
    """Measure one claim; `place`: where its proof is written."""
    claim, name = load_word_claim(claim_file), claim_file.parent.name
    verdict = prove_claim(claim, budget=Budget(seconds), request=ProofRequest("exact"))
    if not isinstance(verdict, Proved):
        return ProofRow(name, claim.domain_size, type(verdict).__name__.lower(), verdict.seconds)
    started = time.monotonic()
    try:
        write_lines(place, proof_lines(claim, seconds))
    except (TimeoutError, Unsupported) as error:
        return ProofRow(
            name, claim.domain_size, f"no proof: {error}", verdict.seconds, time.monotonic() - started
        )
    except Unproved as error:
        return ProofRow(
            name, claim.domain_size, f"contradiction: {error}", verdict.seconds, time.monotonic() - started
        )
    making = time.monotonic() - started
    try:
        certificate = check_file(WordSubject(claim), place)
    except Rejected as why:
        return ProofRow(name, claim.domain_size, f"rejected: {why}", verdict.seconds, making)
    found = certificate.accepted
    assert found is not None
    counts = (found.parts, found.leaves, found.run)
    return ProofRow(
        name,
        claim.domain_size,
        "checked",
        verdict.seconds,
        making,
        certificate.seconds,
        certificate.size,
        *counts,
    )


def rows(folder: Path, seconds: float, keep: Path | None) -> Iterator[ProofRow]:
    files = sorted(folder.glob("*/claim.toml"))
    if not files:
        raise InputError(
            str(folder), "there is no claim in it", "give a folder of folders with a claim.toml each"
        )
    with tempfile.TemporaryDirectory(prefix="relucid-") as scratch:
        for file in files:
            yield measured(file, seconds, (keep or Path(scratch)) / f"{file.parent.name}.proof")


def table(found: list[ProofRow]) -> Table:
    from rich.table import Table

    out = Table(
        "claim",
        *(
            f"{head}"
            for head in (
                "inputs",
                "outcome",
                "proving s",
                "making s",
                "checking s",
                "bytes",
                "parts",
                "leaves",
                "run",
            )
        ),
    )
    for row in found:
        if row.outcome == "refuted":
            continue
        times = [f"{t:.2f}" for t in (row.proving, row.making, row.checking)]
        out.add_row(
            row.claim,
            number(row.inputs),
            row.outcome,
            *times,
            *(f"{n:,}" for n in (row.bytes, row.parts, row.leaves, row.run)),
        )
    return out


def summary(found: list[ProofRow]) -> str:
    """Return one paragraph: how many, and medians."""
    checked = [row for row in found if row.outcome == "checked"]
    proved = [row for row in found if row.outcome not in ("refuted", "unknown")]
    if not checked:
        return f"{len(found)} claims, none with a checked proof"
    ratio = statistics.median(row.checking / max(row.proving, 1e-3) for row in checked)
    return (
        f"{len(found)} claims, {len(proved)} proved, {len(checked)} of them with a checked proof; median "
        f"seconds: proving "
        f"{statistics.median(r.proving for r in checked):.2f}, making "
        f"{statistics.median(r.making for r in checked):.2f}, checking "
        f"{statistics.median(r.checking for r in checked):.2f} (median of checking / proving: {ratio:.2f}, "
        f"largest "
        f"{max(r.checking / max(r.proving, 1e-3) for r in checked):.1f}); bytes: median "
        f"{int(statistics.median(r.bytes for r in checked)):,}, "
        f"largest {max(r.bytes for r in checked):,}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m relucid.experiments.proofs", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--timeout", type=float, default=60.0, help="seconds for proving, and again for the proof"
    )
    parser.add_argument("--keep", type=Path, help="a folder for the proofs")
    parser.add_argument("--json", type=Path, help="a file for the numbers, one line per claim")
    given = parser.parse_args()
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)
    found: list[ProofRow] = []
    try:
        with suppress(KeyboardInterrupt):
            for row in rows(given.folder, given.timeout, given.keep):
                found.append(row)
                print(f"{row.claim}: {row.outcome}", file=sys.stderr)
    except InputError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    if given.json is not None:
        write(given.json, "".join(json.dumps(asdict(row)) + "\n" for row in found))
    from rich.console import Console

    console = Console()
    console = Console(width=max(console.width, WIDTH))  # one line per claim, whatever the terminal
    console.print(table(found))
    console.print(summary(found), soft_wrap=True)


if __name__ == "__main__":
    main()
