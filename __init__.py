"""relucid: distil a neural circuit into a short Python program and prove that they are equal.

These names are the public Python API (docs/guide/python.md).  They are imported on first use, so that `import
relucid` stays quick.
"""

from __future__ import annotations

from .version import __version__

# The name that type checkers know.  `typing` is not imported, because `__main__.py` has to catch interrupts
# first.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .common.errors import InputError
    from .models.claims.at_hand import make_claim
    from .models.claims.claim import Claim
    from .models.claims.claim_file import load_claim
    from .models.claims.decision import Decision
    from .models.claims.domain import Domain
    from .models.program.program import Program
    from .pipeline.distillation import CircuitRequest, distill
    from .pipeline.steps import NoProgram
    from .verifiers.proof.format import LimitReached, Rejected
    from .verifiers.prove import prove
    from .verifiers.race.backend import Budget
    from .verifiers.race.request import ProofRequest
    from .verifiers.verdict import Proved, Refuted, Unknown
    from .verifiers.verify import check, verify

__all__ = [
    "Budget",
    "CircuitRequest",
    "Claim",
    "Decision",
    "Domain",
    "InputError",
    "LimitReached",
    "NoProgram",
    "Program",
    "ProofRequest",
    "Proved",
    "Refuted",
    "Rejected",
    "Unknown",
    "__version__",
    "check",
    "distill",
    "load_claim",
    "make_claim",
    "prove",
    "verify",
]

_HOME = {
    "Budget": "verifiers.race.backend",
    "CircuitRequest": "pipeline.distillation",
    "Claim": "models.claims.claim",
    "Decision": "models.claims.decision",
    "Domain": "models.claims.domain",
    "InputError": "common.errors",
    "LimitReached": "verifiers.proof.format",
    "NoProgram": "pipeline.steps",
    "Program": "models.program.program",
    "ProofRequest": "verifiers.race.request",
    "Proved": "verifiers.verdict",
    "Refuted": "verifiers.verdict",
    "Rejected": "verifiers.proof.format",
    "Unknown": "verifiers.verdict",
    "check": "verifiers.verify",
    "distill": "pipeline.distillation",
    "load_claim": "models.claims.claim_file",
    "make_claim": "models.claims.at_hand",
    "prove": "verifiers.prove",
    "verify": "verifiers.verify",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module 'relucid' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
