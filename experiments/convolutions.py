"""Time and memory of `relucid verify` on convolutional networks as large as VNN-COMP's, made here.

`python -m relucid.experiments.convolutions [SECONDS]` makes the table of docs/theory/performance.md.  The
networks are trained for a few steps (torch) on ten noisy patterns; the question is whether another label can
win within a distance of one image.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..benchmarks.attempt import run_command
from ..models.onnx.reader import load_onnx

# channels, kernel, stride, padding of every convolution; neurons of the hidden dense layer
NETWORKS: dict[str, tuple[tuple[tuple[int, int, int, int], ...], int]] = {
    "small": (((16, 4, 2, 1), (32, 4, 2, 1)), 100),
    "four": (((16, 3, 1, 1), (16, 4, 2, 1), (32, 3, 1, 1), (32, 4, 2, 1)), 128),
    "wide": (((16, 3, 1, 1), (32, 4, 2, 1), (64, 3, 2, 1), (64, 3, 1, 1)), 256),
}
RADII = (0.004, 0.03)


def trained(
    convolutions: tuple[tuple[int, int, int, int], ...], hidden: int, steps: int = 40
) -> tuple[Any, np.ndarray, int]:
    """Train a network.  Returns it with an image that it labels right, and the label."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers: list[nn.Module] = []
    channels = 3
    for made, kernel, stride, padding in convolutions:
        layers += [nn.Conv2d(channels, made, kernel, stride, padding), nn.ReLU()]
        channels = made
    size = nn.Sequential(*layers)(torch.zeros(1, 3, 32, 32)).numel()
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    patterns = nn.functional.interpolate(torch.rand(10, 3, 8, 8), 32, mode="bilinear")
    optimiser = torch.optim.Adam(network.parameters(), 1e-3, weight_decay=1e-4)

    def batch() -> tuple[Any, Any]:
        labels = torch.randint(0, 10, (64,))
        return (patterns[labels] + 0.15 * torch.randn(64, 3, 32, 32)).clamp(0, 1), labels

    for _ in range(steps):
        images, labels = batch()
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    images, labels = batch()
    right = int((network(images).argmax(1) == labels).nonzero()[0])
    return network, images[right].reshape(-1).numpy(), int(labels[right])


def write(folder: Path, name: str) -> None:
    """Write the network and its questions as files."""
    import torch

    network, image, label = trained(*NETWORKS[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, 32, 32),),
            str(folder / f"{name}.onnx"),
            dynamo=False,
            opset_version=13,
        )
    for radius in RADII:
        lines = [f"(declare-const Y_{j} Real)" for j in range(10)]
        for i, v in enumerate(image):
            low, high = max(0.0, v - radius), min(1.0, v + radius)
            lines.append(
                f"(declare-const X_{i} Real)(assert (>= X_{i} {low:.6f}))(assert (<= X_{i} {high:.6f}))"
            )
        lines.append(
            f"(assert (or {' '.join(f'(and (>= Y_{j} Y_{label}))' for j in range(10) if j != label)}))"
        )
        (folder / f"{name} {radius}.vnnlib").write_text("\n".join(lines), encoding="utf-8")


def main(seconds: float = 100.0) -> None:
    print("| network | ReLUs | distance | answer | seconds | MB |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        for name in NETWORKS:
            write(Path(place), name)
            network = Path(place) / f"{name}.onnx"
            relus = load_onnx(network, real_size=3 * 32 * 32).relu_count
            for radius in RADII:
                files = [str(network), str(Path(place) / f"{name} {radius}.vnnlib")]
                command = [
                    sys.executable,
                    "-P",
                    "-m",
                    "relucid",
                    "verify",
                    *files,
                    "--timeout",
                    f"{seconds:g}",
                    "--json",
                ]
                found = json.loads(run_command(command, seconds, None, threading.Event()).out)
                told = f"{found['word']} | {found['seconds']:.1f} | {found['peak_mb']:.0f}"
                print(f"| {name} | {relus} | {radius} | {told} |", flush=True)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
