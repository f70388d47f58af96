"""How far a copy with rounded weights is from its original: the table of docs/theory/performance.md.

`python -m relucid.experiments.quantised FOLDER NUMBER [BITS]`: the NUMBER-th instance of a folder with an
instances.csv.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from ..benchmarks.instances import instances, there
from ..models.claims.vnnlib import load_vnnlib
from ..models.onnx.reader import load_onnx, read_onnx
from ..verifiers.boxes.compare import compare


def quantised(source: bytes, bits: int) -> bytes:
    """Return ONNX bytes with every float32 matrix rounded to `bits` bits, one scale per matrix."""
    import onnx
    from onnx import numpy_helper

    model = onnx.ModelProto.FromString(source)
    for tensor in model.graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if weights.dtype == np.float32 and weights.ndim >= 2 and np.abs(weights).max() > 0:
            step = np.abs(weights).max() / 2 ** (bits - 1)
            tensor.CopyFrom(
                numpy_helper.from_array((np.rint(weights / step) * step).astype(np.float32), tensor.name)
            )
    result: bytes = model.SerializeToString()
    return result


def main(folder: Path, number: int, bits: int = 8, seconds: float = 15.0) -> None:
    instance = instances(folder)[number]
    network = load_onnx(there(folder / instance.network))
    copy = read_onnx(quantised(network.source, bits), origin="copy")
    case = load_vnnlib(there(folder / instance.stated)).cases[0]
    began = time.monotonic()
    found = compare(network, copy, case.lower, case.upper, deadline=began + seconds)
    spent = time.monotonic() - began
    print(
        f"{instance.network} {instance.stated}: proved {found.bound:.4g}, seen {float(found.seen):.4g}, "
        f"{found.parts} parts, {spent:.1f} s"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:4]))
