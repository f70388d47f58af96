"""What `relucid verify` answers, as data: for people in the competition's words, for scripts as DESIGN §3's JSON object.

Last in the flow of `verifiers/boxes`.  An answer travels from the child process to its parent as JSON, so everything here
is plain: rationals are strings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any, Literal, NoReturn

from ...common.text import rational
from ..evidence import Tiling

Verdict = Literal["proved", "refuted", "unknown"]
WORDS = {"proved": "unsat", "refuted": "sat", "unknown": "unknown"}
BACKENDS = (
    "race",
    "split",
    "lp",
    "milp",
)  # what may be asked to decide; the first, all of them, is the default
STATUS = {"proved": 0, "refuted": 1, "unknown": 3}


@dataclass(frozen=True)
class Witness:
    """A counterexample: `input` lies in the box and `output` is the exact result there; both rationals.

    `runtime_input`: the nearest numbers of the file's own input type (shortest text that gives them back), `runtime_output` what
    onnxruntime makes of them (None where it cannot run the file), `distance`: the largest |input - runtime_input|.  Of an input
    that is larger than all numbers of that type, `runtime_input` are float64 numbers, and nothing is run.
    """

    input: tuple[str, ...]
    output: tuple[str, ...]
    runtime_input: tuple[str, ...]
    runtime_output: tuple[str, ...] | None
    distance: str


@dataclass(frozen=True)
class Step:
    """One engine's part in the answer, as DESIGN's `attempts` has them."""

    backend: str
    outcome: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class Answer:
    """`timeout`: unknown because time ran out, which the competition has a word for."""

    verdict: Verdict
    reason: str | None = None
    backend: str | None = None
    seconds: float = 0.0
    witness: Witness | None = None
    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = field(default=())
    timeout: bool = False
    peak_mb: float | None = None
    epsilon: str | None = (
        None  # with --against: the proved bound on the difference, and the largest difference seen
    )
    seen: str | None = None
    proof: str | None = None
    evidence: Tiling | None = None  # of a proof, which there is not without
    checked: bool = False  # a proof was written that the checker has accepted
    certificate: str = ""  # what there is to say about that proof, or why there is none

    def __post_init__(self) -> None:
        if self.verdict == "proved" and not isinstance(self.evidence, Tiling):
            raise ValueError("proved needs evidence")
        if self.verdict not in STATUS:
            raise ValueError(f"{self.verdict!r} is no verdict")
        if (self.verdict == "unknown") != (self.reason is not None):
            raise ValueError("unknown has a reason, and only unknown has")
        if self.verdict == "refuted" and self.witness is None:
            raise ValueError("refuted needs a witness")

    def __bool__(self) -> NoReturn:
        raise TypeError("an answer is not a bool: look at its verdict")

    @property
    def word(self) -> str:
        """The competition's."""
        return "timeout" if self.timeout else WORDS[self.verdict]

    @property
    def status(self) -> int:
        """Exit status."""
        return STATUS[self.verdict]

    @property
    def trust(self) -> str:
        """ "float": the word of a solver with tolerances."""
        if self.checked:
            return "checked"
        return "float" if self.evidence is not None and self.evidence.by_word else "exact"

    def to_plain(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Answer:
        """Raises TypeError, ValueError or KeyError on anything that no answer looks like."""
        found = dict(plain)
        if found.get("witness") is not None:
            w: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in found["witness"].items()
            }
            found["witness"] = Witness(**w)
        found["steps"] = tuple(Step(**s) for s in found["steps"])
        found["warnings"] = tuple(found["warnings"])
        if found.get("evidence") is not None:
            found["evidence"] = Tiling.from_plain(found["evidence"])
        return cls(**found)


def rationals(values: Sequence[Fraction]) -> tuple[str, ...]:
    return tuple(rational(v) for v in values)


def answer_json(answer: Answer, version: str) -> dict[str, Any]:
    """DESIGN §3's object; `witness`, `warnings` and `word` are more than it asks for."""
    w = answer.witness
    shown = None if w is None else {"input": list(w.input), "output": list(w.output)}
    return {
        "verdict": answer.verdict,
        "trust": answer.trust if answer.verdict == "proved" else None,
        "reason": answer.reason,
        "backend": answer.backend,
        "seconds": round(answer.seconds, 3),
        "domain_size": None,
        "counterexample": shown if answer.verdict == "refuted" else None,
        "proof": answer.proof,
        "attempts": [
            {
                "backend": s.backend,
                "version": version,
                "outcome": s.outcome,
                "seconds": s.seconds,
                "peak_mb": None,
                "detail": s.detail,
            }
            for s in answer.steps
        ],
        "word": answer.word,
        "witness": None if w is None else asdict(w),
        "peak_mb": answer.peak_mb,
        "epsilon": answer.epsilon,
        "seen": answer.seen,
        "warnings": list(answer.warnings),
        "certificate": (answer.certificate or None) if answer.verdict == "proved" else None,
        "evidence": None
        if answer.verdict != "proved" or answer.evidence is None
        else _counted(answer.evidence),
    }


def _counted(evidence: Tiling) -> dict[str, Any]:
    return {
        "cases": evidence.cases,
        "polyhedra": evidence.polyhedra,
        "parts": {how.lower(): n for how, n in evidence.settled},
    }


def witness_text(witness: Witness) -> str:
    """The competition's form: ((X_0 1.5) ... (Y_0 -2)), the numbers onnxruntime took and gave (exact outputs where it cannot run)."""
    outputs = witness.output if witness.runtime_output is None else witness.runtime_output
    pairs = [f"(X_{i} {v})" for i, v in enumerate(witness.runtime_input)] + [
        f"(Y_{j} {v})" for j, v in enumerate(outputs)
    ]
    return "(" + "\n ".join(pairs) + ")"
