"""Where the files of a claim about boxes are: paths only, which are read elsewhere.

Nothing heavy is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path


@dataclass(frozen=True)
class BoxFiles:
    """Where the parts of a claim about boxes are.

    network, network_b: ONNX files; the second is None if the claim is about one network.
    stated: a VNN-LIB file.
    epsilon: how far apart the outputs of two networks may be.  None: labels are compared, and the label is
        the number of the largest output.
    """

    network: Path
    stated: Path
    network_b: Path | None = None
    epsilon: Fraction | None = None
