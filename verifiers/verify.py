"""`relucid.verify` and `relucid.check`: properties of networks with real inputs from Python, and proof files
of every kind.

What the user has at hand becomes files (`models/claims/box_at_hand.py`), because a child process within
limits decides.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from ..common.errors import InputError
from ..common.files import as_path
from ..common.scratch import scratch
from ..models.apart import check_apart
from ..models.claims.at_hand import LOAD_IT, NetworkLike
from ..models.claims.box_at_hand import PropertyLike, box_files_of, box_files_of_claim
from ..models.claims.box_paths import BoxFiles
from ..models.claims.claim import Claim
from ..models.claims.position_claims import PositionClaims
from ..models.claims.reduce import reduced
from ..models.claims.word_claim import WordClaim
from ..models.claims.words import Words
from .boxes.process import decide_box_files
from .boxes.verdicts import BACKENDS
from .proof.boxes.subject import check_files
from .proof.certificate import Certificate, Subject, check_file
from .proof.certify import check_place
from .proof.words.positions_subject import PositionsSubject
from .proof.words.subject import WordSubject
from .race.backend import Budget
from .race.request import ProofRequest, asked
from .verdict import Proved, Verdict

NO_PROOFS_OF_TWO = "there are no proofs about two networks over a box"
Progress = Callable[[str], None]


def verify(
    network: NetworkLike,
    stated: PropertyLike,
    *,
    network_b: NetworkLike | None = None,
    epsilon: Fraction | int | str | None = None,
    budget: Budget | None = None,
    request: ProofRequest | None = None,
    progress: Progress | None = None,
) -> Verdict:
    """Decide whether a network with real inputs can give an output that a property calls unsafe.

        relucid.verify("net.onnx", "property.vnnlib")
        relucid.verify("net.onnx", "property.vnnlib", network_b="quantised.onnx", epsilon="0.01")

    Arguments:
        network: a path to an ONNX file, its bytes, a torch module that takes [1, inputs], or a `Network`.
        stated: a path to a VNN-LIB file (.gz read in place), or a `Property`.
        network_b: a second network.  The question is then whether both agree on the boxes of the property;
            what it says of outputs is not looked at.  They agree where the same output is the largest, ties
            go to the first.
        epsilon: of two networks: all outputs, not the labels, are compared, and may differ by so much.
        budget: seconds for all of it, megabytes and threads (`workers`) of the process that decides, and the
            seed.  None: 60 seconds and every core.
        request: how far a proof must be trusted, where the proof is written, and one of the backends race,
            split, lp and milp.
        progress: called with a line of text now and then.

    Returns `Proved` (nothing unsafe comes out), `Refuted` with a point that was replayed exactly, or
    `Unknown` with the reason.
    Raises InputError for what cannot be read or does not fit, and Contradiction where the checker rejects a
    proof: a bug.
    """
    with scratch() as folder:
        files = box_files_of(network, stated, network_b, epsilon, folder)
        return verify_box_files(files, budget, request, progress)


def verify_claim(
    claim: Claim,
    budget: Budget | None = None,
    request: ProofRequest | None = None,
    progress: Progress | None = None,
) -> Verdict:
    """Decide a claim about boxes; see `verify`."""
    with scratch() as folder:
        return verify_box_files(box_files_of_claim(claim, folder), budget, request, progress)


def verify_box_files(
    files: BoxFiles,
    budget: Budget | None = None,
    request: ProofRequest | None = None,
    progress: Progress | None = None,
) -> Verdict:
    """Decide the claim that files about boxes state; see `verify`."""
    budget, request = asked(budget, request)
    two = files.network_b is not None
    request = replace(request, backends=(_backend(budget, request, two),))
    if request.place is not None:
        read = [files.network, files.stated, *([files.network_b] if files.network_b else [])]
        check_apart([("path", request.place)], read)
        check_place(request.place)
    verdict = decide_box_files(files, budget, request, progress)
    if two and request.trust is None and isinstance(verdict, Proved):
        return replace(verdict, certificate=f"not checked: {NO_PROOFS_OF_TWO}")
    return verdict


def _backend(budget: Budget, request: ProofRequest, two: bool) -> str:
    """The backend that is asked for.  Raises InputError for a request that claims about boxes do not have."""
    names = request.backends
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",") if name.strip()]
    names = BACKENDS[:1] if names is None else names
    if len(names) != 1 or names[0] not in BACKENDS:
        what = f"a claim about a box is decided by one of {', '.join(BACKENDS)}"
        raise InputError("backends", what, "name one of them, or leave it out")
    if names[0] != BACKENDS[0] and (two or request.path is not None):
        raise InputError("backends", f"{names[0]} writes no proofs and compares no networks", "leave it out")
    if two and request.certify:
        raise InputError("path" if request.path is not None else "trust", NO_PROOFS_OF_TWO, "leave it out")
    if request.form not in ("relucid", "aptp"):
        raise InputError(
            "form", f"there is no proof format {request.form!r} for boxes", "use relucid or aptp"
        )
    only_words = {
        "count": request.count,
        "checkpoint": budget.checkpoint is not None,
        "counterexamples": budget.counterexamples != 1,
    }
    for name, wanted in only_words.items():
        if wanted:
            raise InputError(name, "is for claims about tokens, and this one is about a box", "leave it out")
    return names[0]


def check(
    claim: Claim | WordClaim | NetworkLike,
    proof: str | os.PathLike[str],
    stated: PropertyLike | None = None,
    *,
    seconds: float = math.inf,
    progress: Progress | None = None,
) -> Certificate:
    """Check a proof, or the witness of a refutation, without any solver and without rounding.

        relucid.check(relucid.load_claim("claim.toml"), "claim.proof")
        relucid.check("net.onnx", "net.proof", "property.vnnlib")

    Arguments:
        claim: what the proof is about: a `Claim`, or the `claim` of what `distill` returns; or a network, as
            `verify` takes it, with the property in `stated`.
        proof: the file that `prove` or `verify` has written.
        stated: the property, if `claim` is a network.
        seconds: after so many the check is given up.
        progress: called with a line of text now and then.

    Returns what the file shows.  Raises Rejected where it does not show what it says, LimitReached where the
    check would take too long, and InputError for what cannot be read.
    """
    said = progress or (lambda text: None)
    place = as_path("proof", proof, "name the file that prove or verify has written")
    stands = isinstance(claim, Claim | WordClaim)
    if stands == (stated is not None):
        what = "a claim says its property itself" if stands else "a network needs a property"
        raise InputError("stated", what, f"check a claim, or a network and a property; {LOAD_IT}")
    if isinstance(claim, WordClaim):
        return check_file(WordSubject(claim), place, seconds, said)
    if isinstance(claim, Claim) and isinstance(claim.input_set, Words):
        return check_file(subject_of(reduced(claim)), place, seconds, said)
    with scratch() as folder:
        if isinstance(claim, Claim):
            files = box_files_of_claim(claim, folder)
        else:
            assert stated is not None
            files = box_files_of(claim, stated, None, None, folder)
        if files.network_b is not None:
            raise InputError(str(place), NO_PROOFS_OF_TWO, "check claims about one")
        return check_files(files.network, files.stated, place, seconds, said)


def subject_of(claim: WordClaim | PositionClaims) -> Subject:
    """Return what a proof about words is about."""
    return PositionsSubject(claim) if isinstance(claim, PositionClaims) else WordSubject(claim)
