"""Claims about boxes, read from ONNX and VNN-LIB files.

With one network, the claim is that the property in the VNN-LIB file holds.  With two, it is that both agree
on
the boxes in that file: they give the same label, or outputs within epsilon.  What the file says about outputs
is then ignored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..network.network import Network
from .box_paths import BoxFiles
from .build import equals_network, has_property
from .claim import Claim
from .decision import Decision
from .fit import check_property
from .property import Property


@dataclass(frozen=True, eq=False)
class BoxReading:
    """What is in the files of a claim about boxes: a network or two, and the property.

    not_run: why networks were not run in onnxruntime, if they were not.
    """

    networks: tuple[Network, ...]
    stated: Property
    not_run: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the property, and which networks were not compared with onnxruntime."""
        unsaid = (f"{why}: what was read was not compared with it" for why in self.not_run)
        return (*self.stated.empty, *unsaid)


def read_box_files(files: BoxFiles, deadline: float = math.inf) -> BoxReading:
    """Read the files of a claim about boxes.

    Networks are run in onnxruntime on points of the boxes, and refused where that computes something else; no
    such run is begun after `deadline` (by `time.monotonic`).  Raises InputError, TooLarge and Unsupported.
    """
    from ..onnx.reader import load_traced
    from .onnx_inputs import compare_on_boxes
    from .vnnlib import load_vnnlib

    stated = load_vnnlib(files.stated)
    wanted = stated.wanted if files.network_b is None else None
    networks, not_run = [], []
    for path in (files.network, files.network_b):
        if path is None:
            continue
        reading = load_traced(path, real_size=stated.inputs, wanted=wanted)
        check_property(reading.network, stated, str(files.stated))
        why = compare_on_boxes(reading, stated.cases, deadline)
        not_run += [why] if why else []
        networks.append(reading.network)
    return BoxReading(tuple(networks), stated, tuple(not_run))


def box_claim(files: BoxFiles, deadline: float = math.inf, name: str = "claim") -> Claim:
    """Return the claim that the files state.  Raises what `read_box_files` raises."""
    read = read_box_files(files, deadline)
    if files.network_b is None:
        return has_property(read.networks[0], read.stated, name, read.warnings)
    first, second = read.networks
    decision = None if files.epsilon is not None else Decision("argmax", tuple(range(first.output_size)))
    return equals_network(first, second, read.stated.boxes, decision, files.epsilon, name, read.warnings)
