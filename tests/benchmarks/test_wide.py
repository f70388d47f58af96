"""The folder of small networks on wide boxes: the same each time, exact in every file, and what it says is
what is climbed to.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clocks import later
from relucid.benchmarks.instances import instances
from relucid.experiments import wide
from relucid.models.claims.vnnlib import load_vnnlib
from relucid.models.network.exact_point import exact_outputs
from relucid.models.onnx.reader import load_onnx
from relucid.verifiers.boxes.decide import decide
from relucid.verifiers.boxes.options import BoxOptions

SIZES = (12, 6, 5, 3)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(wide, "NETWORKS", ((SIZES, 0.5),))
    assert wide.make(tmp_path) == 2
    return tmp_path


def test_the_folder_is_the_same_each_time(small: Path) -> None:
    before = {path: path.read_bytes() for path in sorted(small.rglob("*")) if path.is_file()}
    wide.make(small)
    assert len(before) == 4 and before == {
        path: path.read_bytes() for path in sorted(small.rglob("*")) if path.is_file()
    }


def test_network_and_property_are_what_was_made(small: Path) -> None:
    layers = wide.layers_of(np.random.default_rng(0), SIZES)
    for number, instance in enumerate(instances(small)):
        network, stated = load_onnx(small / instance.network), load_vnnlib(small / instance.stated)
        (case,), count = stated.cases, wide.ROWS[number]
        assert all(b - a == 1 for a, b in zip(case.lower, case.upper, strict=True))
        ((*rows,),) = case.unsafe
        assert len(rows) == count and len({r.constant for r in rows}) == 1
        point = [float(a) for a in case.lower]
        exact = exact_outputs(network, [Fraction(v) for v in point])
        assert wide.outputs(layers, np.array([point]))[0].tolist() == [float(v) for v in exact]
        assert decide(network, stated, BoxOptions(deadline=later())).outcome != "unknown"
