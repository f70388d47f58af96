"""Claim files, as docs/reference/claim-files.md has them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path


class Rejected(Exception):
    """The proof does not prove the claim, or the claim is no claim."""


class Unsupported(Exception):
    """Something that this checker does not understand."""


@dataclass(frozen=True)
class Claim:
    network: Path
    program: tuple[Path, str]
    where: tuple[Path, str] | None
    tokens: tuple[str, ...]
    shortest: int
    longest: int
    prefix: tuple[int, ...]  # symbols of the network's alphabet
    suffix: tuple[int, ...]
    alphabet: int  # how many symbols the network sees
    encoding: str
    kind: str
    labels: tuple
    every: bool = False  # a label at every position
    per_prefix: bool = False
    position: int | None = None  # of a part

    @property
    def pad(self) -> int | None:
        """The symbol of the padding; only sequences of several lengths have any."""
        return len(self.tokens) if self.shortest < self.longest else None

    @property
    def positions(self) -> int:
        return len(self.prefix) + self.longest + len(self.suffix)

    @property
    def width(self) -> int:
        """Outputs that a label is read from."""
        return 1 if self.kind == "sign" else len(self.labels)

    def at(self, i: int) -> Claim:
        """The claim about position i."""
        return replace(self, position=i, shortest=max(self.shortest, i + 1))

    def label_index(self, value: object) -> int:
        for i, label in enumerate(self.labels):
            if type(label) is type(value) and label == value:
                return i
        raise Rejected(f"the program returns {value!r}, which is no label")

    def rivals(self, c: int) -> list[tuple[dict[int, int], int]]:
        """Combinations of output columns and thresholds: the rival wins iff combination >= threshold, over
        integers.
        """
        if self.kind == "sign":
            return [({0: 1}, 1) if c == 0 else ({0: -1}, 0)]
        return [({j: 1, c: -1}, 1 if j > c else 0) for j in range(len(self.labels)) if j != c]


def read(path: Path) -> Claim:
    path = Path(path)
    path = path / "claim.toml" if path.is_dir() else path
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    domain, decision = data["domain"], data["decision"]
    if set(data) - {"network", "program", "domain", "input", "decision"}:
        raise Unsupported(f"keys of the claim: {sorted(data)}")

    def function(reference: str) -> tuple[Path, str]:
        file, name = reference.rsplit(":", 1)
        return path.parent / file, name

    length = domain["length"]
    shortest, longest = (length, length) if isinstance(length, int) else length
    alphabet = list(domain["tokens"]) + ([domain["pad"]] if "pad" in domain else [])
    for word in [*domain.get("prefix", []), *domain.get("suffix", [])]:
        if word not in alphabet:
            alphabet.append(word)
    kind, labels = decision.get("kind", "argmax"), tuple(decision["labels"])
    if kind not in ("argmax", "sign") or (kind == "sign" and len(labels) != 2):
        raise Rejected("the decision is no decision")
    every = decision.get("position") == "every"
    if ("position" in decision) != every or set(decision) - {"kind", "labels", "position", "per_prefix"}:
        raise Unsupported(f"keys of the decision: {sorted(decision)}")
    return Claim(
        network=path.parent / data["network"],
        program=function(data["program"]),
        where=function(domain["where"]) if "where" in domain else None,
        tokens=tuple(domain["tokens"]),
        shortest=shortest,
        longest=longest,
        prefix=tuple(alphabet.index(w) for w in domain.get("prefix", [])),
        suffix=tuple(alphabet.index(w) for w in domain.get("suffix", [])),
        alphabet=len(alphabet),
        encoding=data.get("input", {}).get("encoding", "one_hot"),
        kind=kind,
        labels=labels,
        every=every,
        per_prefix=decision.get("per_prefix", False),
    )
