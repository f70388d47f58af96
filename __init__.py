"""relucid: distil a neural circuit into a short Python program and prove that they are equal.

The public API in a few names.  They are imported on first use, so that `import relucid` stays quick.
"""

from __future__ import annotations

from .version import __version__

TYPE_CHECKING = False  # as type checkers know it; nothing is imported before `__main__.py` catches interrupts
if TYPE_CHECKING:
    from typing import Any

    from .common.errors import InputError
    from .models.claims.claim_file import load_claim
    from .models.claims.domain import Domain
    from .models.program.program import Program
    from .pipeline.distillation import distill
    from .verifiers.prove import prove
    from .verifiers.verdict import Proved, Refuted, Unknown

__all__ = [
    "Domain",
    "InputError",
    "Program",
    "Proved",
    "Refuted",
    "Unknown",
    "__version__",
    "distill",
    "load_claim",
    "prove",
]

_HOME = {
    "Domain": "models.claims.domain",
    "InputError": "common.errors",
    "Program": "models.program.program",
    "Proved": "verifiers.verdict",
    "Refuted": "verifiers.verdict",
    "Unknown": "verifiers.verdict",
    "distill": "pipeline.distillation",
    "load_claim": "models.claims.claim_file",
    "prove": "verifiers.prove",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module 'relucid' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
