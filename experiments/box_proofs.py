"""Time and size of proofs about boxes: every instance of a VNN-COMP folder, decided, proved and checked.

    python -m relucid.experiments.box_proofs FOLDER [--timeout SECONDS] [--only REGEX]

FOLDER has an instances.csv.  Runs in this process, one instance at a time; instances that are sat have no
line.  `--timeout` is for the proof alone.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from pathlib import Path

from ..benchmarks.instances import instances, there
from ..common.errors import Unsupported
from ..models.claims.vnnlib import load_text, read_vnnlib
from ..models.onnx.reader import load_onnx
from ..verifiers.boxes.decide import decide
from ..verifiers.boxes.options import BoxOptions
from ..verifiers.proof.boxes.checker import check_box_proof
from ..verifiers.proof.boxes.producer import HowProved, proof_lines
from ..verifiers.proof.boxes.subject import BoxSubject
from ..verifiers.proof.format import read_lines
from ..verifiers.proof.writing import write_lines
from ..verifiers.verdict import Proved

DECIDING = 60.0  # seconds


def measured(network_file: Path, spec_file: Path, seconds: float, place: Path) -> str | None:
    """Return a row of numbers, or what stood in the way; None where the property is not proved at all."""
    spec = load_text(spec_file)
    stated = read_vnnlib(spec, origin=str(spec_file))
    network = load_onnx(network_file, real_size=stated.inputs)
    answer = decide(network, stated, BoxOptions(deadline=time.monotonic() + DECIDING))
    if not isinstance(answer, Proved):
        return None
    names, started = BoxSubject(network, stated, spec).digests, time.monotonic()
    try:
        size = write_lines(
            place, proof_lines(network, stated, names, started + seconds, how=HowProved(answer.backend))
        )
    except (TimeoutError, Unsupported) as error:
        return f"{answer.seconds:8.2f} {time.monotonic() - started:8.2f}  no proof: {error}"
    written = time.monotonic()
    found = check_box_proof(network, stated, names, read_lines(place))
    checked = time.monotonic() - written
    times = f"{answer.seconds:8.2f} {written - started:8.2f} {checked:8.2f}"
    return f"{times} {found.parts:8} {found.leaves:8} {size:10}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Prove, write and check every instance of a folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for a proof")
    parser.add_argument("--only", default="", help="instances that match this regular expression")
    options = parser.parse_args()
    print(" decided  written  checked    parts   leaves      bytes  instance")
    for instance in instances(options.folder):
        if re.search(options.only, instance.name):
            network, spec = there(options.folder / instance.network), there(options.folder / instance.stated)
            with tempfile.TemporaryDirectory() as folder:
                row = measured(network, spec, options.timeout, Path(folder) / "proof.gz")
            if row is not None:
                print(f"{row}  {instance.name}", flush=True)


if __name__ == "__main__":
    main()
