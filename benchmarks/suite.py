"""What is run: the claims of a suite, and the columns (a backend alone, or the race) that try each of them.

The first step of `bench.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..common.errors import InputError
from ..common.text import decimal, parsed_json
from ..models.claims.claim_file import load_word_claim
from ..verifiers.attempts import Trust
from ..verifiers.race.choose import choose
from ..verifiers.race.registry import all_backends
from .families import specs
from .tokens import Seeds, matches, write_suite

RACE = "race"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class BenchClaim:
    """A claim of the suite, and what reports group it by."""

    name: str
    path: Path
    digest: str
    family: str
    domain_size: int
    length: int
    tokens: int
    known: str | None = None  # the answer, where the claim's folder tells it: "verdict" in expected.json

    @property
    def size_text(self) -> str:
        return decimal(self.domain_size)


@dataclass(frozen=True)
class Column:
    """One column: backend names for `prove --backends` (None: the race), the trust of its answers, and its
    version.
    """

    name: str
    backends: str | None
    trust: Trust
    version: str
    options: tuple[str, ...] = ()


def columns(names: Sequence[str] | None) -> tuple[Column, ...]:
    """Return the columns of these names (None: the race and every installed backend).  Raises InputError."""
    if names is None:
        installed = [b.name for b in all_backends().values() if b.available()]
        names = [RACE, *installed]
    return tuple(_column(name) for name in dict.fromkeys(names))


def _column(name: str) -> Column:
    from ..version import __version__

    if name == RACE:
        return Column(name, None, "exact", __version__)
    (backend,) = choose([name])
    version = backend.available()
    if version is None:
        raise InputError("--backends", f"{name} is not installed", "see `relucid backends`")
    trust: Trust = "float" if backend.capabilities.trust == "float" else "exact"
    return Column(
        name, name, trust, version, tuple(name.split(":")[1:]) if name not in all_backends() else ()
    )


def cases(suite: str, out: Path, seeds: Seeds, only: str, progress: Progress) -> tuple[BenchClaim, ...]:
    """Return the claims: those in a folder or file, or those of "tokens".

    The latter are made first where they are not in `out`/claims yet.
    """
    if suite == "tokens":
        folder = out / "claims"
        _same_seeds(folder, seeds)
        entries = write_suite(folder, seeds, progress, only=only)
        current = {spec.name for spec in specs()}  # the folder may hold claims of an older suite
        paths = [folder / e["name"] / "claim.toml" for e in entries if e["name"] in current]
    else:
        folder = Path(suite)
        paths = claim_paths(folder)
    found = []
    for path in paths:
        name = _name(folder, path)
        if matches(only, name):
            progress(f"reading {name}")
            found.append(_case(name, path))
    if not found:
        raise InputError("--only", f"{only!r} matches no claim of {suite}", "leave it out")
    return tuple(found)


def _same_seeds(folder: Path, seeds: Seeds) -> None:
    """Raise InputError where the folder holds results about claims of the other seed set."""
    try:
        there = parsed_json((folder / "suite.json").read_text(encoding="utf-8-sig"))["seeds"]
    except (OSError, ValueError, KeyError):
        return
    if there != seeds:
        raise InputError(
            str(folder),
            f"holds the claims of the seeds {there!r}",
            f"add --seeds {there}, or choose another --out",
        )


def claim_paths(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise InputError(str(folder), "is no suite", 'give "tokens", or a folder of claim files')
    if (folder / "instances.csv").is_file():
        raise InputError(
            str(folder),
            "holds instances of VNN-COMP (instances.csv), not claims",
            "see `relucid bench vnncomp`",
        )
    paths = sorted(
        p
        for p in folder.rglob("*.toml")
        if not any(part.startswith(".") for part in p.relative_to(folder).parts)
    )
    if not paths:
        raise InputError(
            str(folder), "holds no claim file (*.toml)", 'give "tokens", or a folder of claim files'
        )
    return paths


def _name(folder: Path, path: Path) -> str:
    """Return the claim folder's name, where the file is called claim.toml; else the file's name without its
    ending.
    """
    if path == folder:
        return path.parent.name if path.stem == "claim" else path.stem
    place = path.relative_to(folder)
    return (
        str(place.parent) if place.stem == "claim" and place.parent != Path() else str(place.with_suffix(""))
    )


def _case(name: str, path: Path) -> BenchClaim:
    claim = load_word_claim(path)
    family = _beside(path, "made.json", "family") or "other"
    known = _beside(path, "expected.json", "verdict") if path.stem == "claim" else None
    known = known if known in ("proved", "refuted") else None
    return BenchClaim(
        name,
        path,
        claim.digest,
        family,
        claim.domain_size,
        claim.domain.max_length,
        len(claim.domain.tokens),
        known,
    )


def _beside(path: Path, file: str, key: str) -> str | None:
    """Read a JSON file beside the claim, if there is one."""
    try:
        return str(parsed_json((path.parent / file).read_text(encoding="utf-8-sig"))[key])
    except (OSError, ValueError, KeyError, TypeError):
        return None
