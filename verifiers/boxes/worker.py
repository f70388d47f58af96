"""The child's side of `relucid verify`: reads both files, decides, and sends its answer as a message.

`process.py` starts it as a supervised child, and ends it where it is over its limits.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from ...common.processes.inside import Parent

LEAST_SECONDS = 2.0  # for a proof that nobody asked for; it may take as long as deciding did
# Seconds.  HiGHS solves a program in as many, and each time its thread waits that long for Python's lock.
SWITCH = 0.0005


def main(request: IO[bytes], parent: Parent) -> None:
    """Answer the request (JSON: files, deadline and options) with one message."""
    sys.setswitchinterval(SWITCH)
    job = json.load(request)
    parent.send(_answer(job, parent.progress if job["progress"] else lambda text: None, parent.send))


def _warned(answer: Any, reading: Any) -> Any:
    """Add to the verdict what was noticed when the files were read, and is not said yet."""
    said = " ".join(answer.warnings)
    not_run = tuple(why for why in reading.not_run if why not in said)
    return replace(answer, warnings=(*replace(reading, not_run=not_run).warnings, *answer.warnings))


def _of_two(network: Any, other: Any, stated: Any, job: dict[str, Any], progress: Any) -> Any:
    from fractions import Fraction

    from .against import decide_against
    from .agreement import check_labels, decide_same_label
    from .options import BoxOptions

    options = BoxOptions(job["deadline"], job["seed"], job["threads"], progress=progress)
    if job["same_label"]:
        check_labels(network, job["network"])
        return decide_same_label(network, other, stated, options)
    epsilon = None if job["epsilon"] is None else Fraction(job["epsilon"])
    return decide_against(network, other, stated, epsilon, options)


def _certified(
    answer: Any, subject: Any, job: dict[str, Any], began: float, stands: Any, progress: Any
) -> Any:
    """Add the proof that was asked for, or one that is affordable; `stands` first tells the answer without
    it.
    """
    from ...common.clock import now
    from ..proof.certify import OURS, certified, checked_where_affordable
    from ..verdict import Proved

    if job["proof"] is not None or job["trust"] == "checked":
        place = Path(job["proof"]) if job["proof"] else None
        form = None if job["format"] == OURS else job["format"]
        return certified(subject, answer, place, job["deadline"], progress, form)
    if not isinstance(answer, Proved) or not answer.certifiable:
        return answer
    stands()
    until = min(job["deadline"], now() + max(LEAST_SECONDS, now() - began))
    return checked_where_affordable(subject, answer, until, progress)


def _answer(job: dict[str, Any], progress: Any, send: Any) -> dict[str, Any]:
    from ...common.clock import now
    from ...common.errors import InputError, TooLarge, Unsupported
    from ...models.claims.box_files import read_box_files
    from ...models.claims.box_paths import BoxFiles
    from ..verdict import Contradiction
    from . import verdicts
    from .decide import decide
    from .options import BoxOptions

    began = now()
    try:
        progress(f"reading {job['network']}")
        other = None if job["against"] is None else Path(job["against"])
        reading = read_box_files(
            BoxFiles(Path(job["network"]), Path(job["property"]), other), job["deadline"]
        )
        network, stated = reading.networks[0], reading.stated

        def told(answer: Any) -> dict[str, Any]:
            return {"answer": verdicts.to_plain(_warned(answer, reading))}

        if other is not None:
            return told(_of_two(network, reading.networks[1], stated, job, progress))
        trust = "float" if job["trust"] == "float" else "exact"
        limits = job["deadline"], job["seed"], job["threads"]
        options = BoxOptions(*limits, job["backend"], trust, progress)
        about = None
        if network.head is None:
            answer = decide(network, stated, options)
        else:
            from .heads import decide_on_logits

            answer, about = decide_on_logits(network, stated, options)
        if job["proof"] is not None or job["trust"] in (None, "checked"):
            from ..proof.boxes.subject import BoxSubject

            subject = BoxSubject(network, about or stated, stated.source, job["threads"])

            def stands() -> None:
                send({"decided": told(answer)["answer"]})

            answer = _certified(answer, subject, job, began, stands, progress)
        return told(answer)
    except Contradiction as error:
        return {"contradiction": [str(error).split("; artefacts are in ")[0], error.artefacts]}
    except TooLarge as error:
        return {"answer": verdicts.to_plain(verdicts.unknown(str(error)))}
    except InputError as error:
        return {"input_error": [error.where, error.what, error.mend]}
    except Unsupported as error:
        return {"answer": verdicts.to_plain(verdicts.unknown(str(error)))}
    except MemoryError:
        return {"answer": verdicts.to_plain(verdicts.unknown("ran out of memory"))}
