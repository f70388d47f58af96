"""torch modules and the networks that they become: the same outputs, and one clear line where
that cannot be.
"""

import numpy as np
import pytest
import torch
from relucid.common.errors import InputError
from relucid.models.network.runtime import OnnxRuntime
from relucid.models.onnx.reader import read_onnx
from relucid.models.onnx.torch_import import from_torch

nn = torch.nn
torch.set_num_threads(1)
P, A = 4, 3
IDS = np.random.default_rng(5).integers(0, A, size=(20, P))
VECTORS = np.eye(A, dtype=np.float32)[IDS].reshape(20, P * A)


def dyadic(module):
    """Weights on multiples of 1/8, so that torch and the exact network agree exactly."""
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.round(p * 16) / 8)
    return module


STACKS = {
    "linear": lambda: nn.Linear(12, 2),
    "mlp": lambda: nn.Sequential(nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 2, bias=False)),
    "nested": lambda: nn.Sequential(
        nn.Sequential(nn.Identity(), nn.Linear(12, 5), nn.LeakyReLU(0.25)), nn.Dropout(0.5), nn.Linear(5, 2)
    ),
    "flattened": lambda: nn.Sequential(nn.Flatten(), nn.Linear(12, 2), nn.ReLU()),
    "per position": lambda: nn.Sequential(nn.Linear(A, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)),
    "embedding": lambda: nn.Sequential(
        nn.Embedding(A, 2), nn.Flatten(), nn.Linear(8, 3), nn.ReLU(), nn.Linear(3, 2)
    ),
    "embedding, then per position": lambda: nn.Sequential(
        nn.Embedding(5, 2), nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Flatten(1)
    ),
}


@pytest.mark.parametrize("name", STACKS)
def test_stacks_equal_torch(name):
    torch.manual_seed(0)
    module = dyadic(STACKS[name]()).eval()
    net = read_onnx(from_torch(module, positions=P, alphabet=A), origin=name, positions=P, alphabet=A)
    assert net.encoding == ("ids" if "embedding" in name else "one_hot")
    if net.encoding == "ids":
        entry = torch.tensor(IDS)
    else:
        entry = torch.tensor(VECTORS).reshape(
            (20, P, A) if name in ("flattened", "per position") else (20, P * A)
        )
    with torch.no_grad():
        want = module(entry).reshape(20, -1).numpy()
    np.testing.assert_array_equal(
        net.evaluate(VECTORS).astype(np.float64) / net.scale, want.astype(np.float64)
    )
    np.testing.assert_array_equal(OnnxRuntime(net).run(IDS if net.encoding == "ids" else VECTORS), want)


def test_positions_follow_from_the_layers():
    net = read_onnx(from_torch(STACKS["embedding"]()), origin="n", positions=P, alphabet=A)
    assert net.input_size == P * A


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.out = nn.Linear(12, 12), nn.Linear(12, 2)

    def forward(self, x):
        return self.out(torch.relu(self.inner(x)) - 0.5 * x)


class Branching(Residual):
    def forward(self, x):
        return self.out(x) if x.sum() > 0 else self.out(-x)


def test_other_modules_go_through_the_exporter():
    torch.manual_seed(0)
    module = dyadic(Residual()).train()
    net = read_onnx(
        from_torch(module, example_input=torch.zeros(1, 12)), origin="residual", positions=P, alphabet=A
    )
    assert module.training
    with torch.no_grad():
        want = module(torch.tensor(VECTORS)).numpy()
    np.testing.assert_array_equal(
        net.evaluate(VECTORS).astype(np.float64) / net.scale, want.astype(np.float64)
    )


def test_hooks_are_not_lost():
    module = dyadic(nn.Sequential(nn.Linear(12, 2)))
    module[0].register_forward_hook(lambda m, args, out: out * 2)
    net = read_onnx(from_torch(module, positions=P, alphabet=A), origin="hooked", positions=P, alphabet=A)
    with torch.no_grad():
        want = module(torch.tensor(VECTORS)).numpy()
    np.testing.assert_array_equal(
        net.evaluate(VECTORS).astype(np.float64) / net.scale, want.astype(np.float64)
    )


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (
            Residual,
            {},
            "Residual: is not a plain stack of layers; give example_input=, or export it to ONNX yourself",
        ),
        (Branching, {"example_input": torch.zeros(1, 12)}, "Branching: torch cannot export it"),
        (lambda: nn.Embedding(3, 2), {}, "Embedding: the number of positions is open; give positions="),
        (lambda: nn.Sequential(nn.ReLU()), {}, "Sequential: the size of the input is open"),
        (
            lambda: nn.Sequential(nn.Linear(12, 3), nn.Linear(2, 2)),
            {},
            "layer 1 (Linear): takes 2 values, the layer before gives 3",
        ),
        (
            lambda: nn.Sequential(nn.Embedding(3, 2, max_norm=1.0)),
            {"positions": 2},
            "an embedding must come first and have no max_norm",
        ),
        (
            lambda: nn.Sequential(nn.Flatten(0), nn.Linear(12, 2)),
            {"positions": 4, "alphabet": 3},
            "flattens axes 0 to -1",
        ),
    ],
)
def test_what_cannot_be_written(make, options, message):
    with pytest.raises(InputError) as error:
        from_torch(make(), **options)
    assert message in str(error.value) and "\n" not in str(error.value)
