"""A second checker of proofs, for tests: written from docs/reference/proof-format.md alone and sharing no
code with relucid.

It reads claims, ONNX files and programs by its own means, computes in rationals (python-flint) and walks one
bound at a time, recursively, over dictionaries.  Programs are run by CPython itself, so it is for our own
claims only.

    check(claim, proof) -> None, or raises Rejected; Unsupported where it cannot say
    check_box(network, specification, proof): the same about networks with real inputs
"""

from .boxes import check_box
from .checker import check
from .claim import Rejected, Unsupported

__all__ = ["Rejected", "Unsupported", "check", "check_box"]
