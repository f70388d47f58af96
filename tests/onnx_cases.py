"""Cases of the operators over windows, of pieces and of shapes for `test_onnx_ops.py`: graph in text form,
constants, options.
"""

from __future__ import annotations

import numpy as np

rng = np.random.default_rng(11)


def quarters(*shape):
    return (rng.integers(-12, 13, size=shape) / 4).astype(np.float32)


def ints(*values):
    return np.array(values, dtype=np.int64)


def half(*shape):
    return np.full(shape, 0.5, dtype=np.float32)


IMAGE = {"shape": (1, 2, 5, 4)}
MORE_CASES = {
    "Conv": [
        ("y = Conv(x, w)", {"w": quarters(3, 2, 3, 2)}, IMAGE),
        (
            "y = Conv<pads=[1,0,2,1], strides=[2,1]>(x, w, b)",
            {"w": quarters(3, 2, 3, 2), "b": quarters(3)},
            IMAGE,
        ),
        (
            "y = Conv<dilations=[2,1], group=2, kernel_shape=[2,3]>(x, w, b)",
            {"w": quarters(4, 1, 2, 3), "b": quarters(4)},
            IMAGE,
        ),
        ('y = Conv<auto_pad="SAME_UPPER", strides=[2,3]>(x, w)', {"w": quarters(1, 2, 2, 2)}, IMAGE),
        ('y = Conv<auto_pad="SAME_LOWER", strides=[2,2]>(x, w)', {"w": quarters(1, 2, 4, 2)}, IMAGE),
        ('y = Conv<auto_pad="VALID">(x, w)', {"w": quarters(1, 2, 4, 2)}, IMAGE),
        ("y = Conv<pads=[1,1], strides=[2]>(x, w)", {"w": quarters(2, 3, 3)}, {"shape": (1, 3, 5)}),
        ("y = Conv(x, w)", {"w": quarters(2, 1, 2, 2, 1)}, {"shape": (1, 1, 3, 2, 2)}),
        ("c = Concat<axis=1>(x, x)\ny = Conv(c, w)", {"w": quarters(2, 4, 2, 2)}, IMAGE),
        (
            "c = Conv<pads=[1,1,1,1]>(x, w)\nr = Relu(c)\ns = Add(r, x)\ny = Conv<strides=[2,2]>(s, w)",
            {"w": quarters(2, 2, 3, 3)},
            IMAGE,
        ),
    ],
    "ConvTranspose": [
        ("y = ConvTranspose(x, w)", {"w": quarters(2, 3, 2, 3)}, IMAGE),
        (
            "y = ConvTranspose<strides=[2,1], pads=[1,0,1,1]>(x, w, b)",
            {"w": quarters(2, 3, 3, 3), "b": quarters(3)},
            IMAGE,
        ),
        (
            "y = ConvTranspose<strides=[3,2], output_padding=[1,1], dilations=[1,2]>(x, w)",
            {"w": quarters(2, 1, 2, 2)},
            IMAGE,
        ),
        ("y = ConvTranspose<output_shape=[8,7], strides=[2,2]>(x, w)", {"w": quarters(2, 1, 2, 2)}, IMAGE),
        ('y = ConvTranspose<auto_pad="SAME_UPPER", strides=[2,2]>(x, w)', {"w": quarters(2, 1, 3, 3)}, IMAGE),
        ("y = ConvTranspose<group=2>(x, w, b)", {"w": quarters(2, 2, 2, 2), "b": quarters(4)}, IMAGE),
    ],
    "MaxPool": [
        ("y = MaxPool<kernel_shape=[2,2]>(x)", {}, IMAGE),
        ("y = MaxPool<kernel_shape=[3,2], strides=[2,2], pads=[1,0,1,1]>(x)", {}, IMAGE),
        ("y = MaxPool<kernel_shape=[2,2], strides=[2,3], ceil_mode=1>(x)", {}, IMAGE),
        ("y = MaxPool<kernel_shape=[2,2], dilations=[3,2]>(x)", {}, IMAGE),
        ('y = MaxPool<kernel_shape=[3], auto_pad="SAME_UPPER">(x)', {}, {"shape": (1, 2, 5)}),
    ],
    "GlobalMaxPool": [("y = GlobalMaxPool(x)", {}, IMAGE)],
    "AveragePool": [
        ("y = AveragePool<kernel_shape=[2,2], strides=[1,2]>(x)", {}, IMAGE),
        ("y = AveragePool<kernel_shape=[2,2], pads=[1,1,0,0]>(x)", {}, IMAGE),
        ("y = AveragePool<kernel_shape=[3,2], pads=[1,0,1,1], count_include_pad=1>(x)", {}, IMAGE),
        ("y = AveragePool<kernel_shape=[2,2], strides=[2,2], ceil_mode=1>(x)", {}, IMAGE),
    ],
    "GlobalAveragePool": [
        ("y = GlobalAveragePool(x)", {}, IMAGE),
        ("y = GlobalAveragePool(x)", {}, {"shape": (1, 3, 4)}),
    ],
    "BatchNormalization": [
        (
            "y = BatchNormalization<epsilon=0.0>(x, s, b, m, v)",
            {"s": quarters(2), "b": quarters(2), "m": quarters(2), "v": np.float32([4, 0.25])},
            IMAGE,
        ),
        (
            "y = BatchNormalization(x, s, b, m, v)",
            {"s": quarters(3), "b": quarters(3), "m": quarters(3), "v": np.float32([2, 0.3, 7])},
            {"shape": (1, 3)},
        ),
    ],
    "Max": [
        ("y = Max(x, b)", {"b": quarters(6)}, {}),
        ("r = Neg(x)\ny = Max(x, r, b)", {"b": quarters(1)}, {}),
        ("c = Max(a, b)\ny = Add(x, c)", {"a": quarters(6), "b": quarters(6)}, {}),
        ("y = Max(x)", {}, {}),
    ],
    "Min": [
        ("y = Min(x, b)", {"b": quarters(2, 6)}, {}),
        ("c = Min(a, b)\ny = Add(x, c)", {"a": quarters(6), "b": quarters(1)}, {}),
    ],
    "Abs": [("y = Abs(x)", {}, {}), ("a = Abs(c)\ny = Add(x, a)", {"c": quarters(6)}, {})],
    "Sign": [("s = Sign(c)\ny = Mul(x, s)", {"c": np.float32([-2, 0, 3, 1, -0.5, 0])}, {})],
    "Clip": [
        ("y = Clip(x, a, b)", {"a": np.float32(-0.75), "b": np.float32(1.25)}, {}),
        ("y = Clip(x, , b)", {"b": np.float32(0.5)}, {}),
        ("y = Clip(x, a)", {"a": np.float32(0.25)}, {}),
        ("y = Clip<min=-1.0, max=0.5>(x)", {}, {"opset": 10}),
        ("y = Clip<min=-3.4028235e38, max=3.4028235e38>(x)", {}, {"opset": 10}),
        ("y = Clip<max=-3.4028235e38>(x)", {}, {"opset": 7}),
        ("y = Clip<min=3.4028235e38>(x)", {}, {"opset": 9}),
        ("c = Clip(d, a, b)\ny = Add(x, c)", {"d": quarters(6), "a": np.float32(-1), "b": np.float32(1)}, {}),
    ],
    "PRelu": [
        ("y = PRelu(x, s)", {"s": quarters(6)}, {}),
        ("y = PRelu(x, s)", {"s": quarters(2, 1, 1)}, IMAGE),
    ],
    "ReduceSum": [
        ("y = ReduceSum(x, a)", {"a": ints(1, -1)}, IMAGE),
        ("y = ReduceSum<keepdims=0>(x)", {}, IMAGE),
        ("y = ReduceSum<axes=[2], keepdims=0>(x)", {}, {**IMAGE, "opset": 11}),
        ("c = Concat<axis=1>(x, x)\ny = ReduceSum(c, a)", {"a": ints(1)}, IMAGE),
        ("c = ReduceSum(w, a)\ny = Add(x, c)", {"w": quarters(3, 6), "a": ints(0)}, {}),
        (
            "z = Slice(x, s, s, a)\nr = ReduceSum(z, a)\ny = Add(x, r)",
            {"s": ints(2), "a": ints(1)},
            {},
        ),  # of nothing: 0
        ("y = ReduceSum<noop_with_empty_axes=1>(x)", {}, {}),
    ],
    "ReduceMean": [
        ("y = ReduceMean<axes=[2,3]>(x)", {}, IMAGE),
        ("y = ReduceMean(x, a)", {"a": ints(3)}, {**IMAGE, "opset": 18}),
        ("c = ReduceMean<axes=[0]>(w)\ny = Add(x, c)", {"w": quarters(4, 6)}, {}),
    ],
    "ReduceMax": [
        ("y = ReduceMax<axes=[1], keepdims=0>(x)", {}, IMAGE),
        ("c = ReduceMax(w)\ny = Add(x, c)", {"w": quarters(4, 6)}, {}),
    ],
    "ReduceMin": [("y = ReduceMin<axes=[-1]>(x)", {}, IMAGE)],
    "Sum": [("r = Relu(x)\ny = Sum(x, r, b)", {"b": quarters(6)}, {}), ("y = Sum(x, x)", {}, {})],
    "Sqrt": [("s = Sqrt(c)\ny = Div(x, s)", {"c": np.float32([4, 0.25, 1, 9, 16, 2.25])}, {})],
    "Shape": [
        ("s = Shape(x)\ne = Expand(b, s)\ny = Add(e, x)", {"b": quarters(1)}, {}),
        (
            "s = Shape<start=1, end=3>(x)\nf = Cast<to=1>(s)\ny = Mul(x, f)",
            {},
            {"shape": (1, 3, 2), "opset": 15},
        ),
    ],
    "Size": [("n = Size(x)\nf = Cast<to=1>(n)\ny = Mul(x, f)", {}, {})],
    "ConstantOfShape": [
        ("c = ConstantOfShape<value = float[1] {0.5}>(s)\ny = Add(x, c)", {"s": ints(1, 6)}, {}),
        ("c = ConstantOfShape(s)\ny = Add(x, c)", {"s": ints(6)}, {}),
    ],
    "Expand": [("y = Expand(x, s)", {"s": ints(3, 1, 6)}, {})],
    "Tile": [("y = Tile(x, r)", {"r": ints(2, 3)}, {})],
    "Slice": [
        (
            "y = Slice(x, a, b, c, d)",
            {"a": ints(0, 3), "b": ints(5, 0), "c": ints(2, 3), "d": ints(2, -1)},
            IMAGE,
        ),
        (
            "y = Slice(x, a, b, c, d)",
            {"a": ints(-1), "b": ints(-(2**63)), "c": ints(-1), "d": ints(-2)},
            IMAGE,
        ),
        ("y = Slice<starts=[1], ends=[2147483647], axes=[1]>(x)", {}, {"opset": 9}),
        ("y = Slice(x, a, b)", {"a": ints(0, 1), "b": ints(1, -1)}, {}),
        (
            "z = Slice(x, a, b, c, d)\ny = Concat<axis=1>(z, x)",
            {"a": ints(-100), "b": ints(-1000), "c": ints(1), "d": ints(-1)},
            {},
        ),
        (
            "z = Slice(x, a, b, c, d)\ny = Concat<axis=1>(z, x)",
            {"a": ints(2), "b": ints(-1), "c": ints(1), "d": ints(-1)},
            {},
        ),
        (
            "z = Slice(x, a, b, c, d)\ny = Concat<axis=1>(z, x)",
            {"a": ints(2**63 - 1), "b": ints(1), "c": ints(-1), "d": ints(-(2**40))},
            {},
        ),
        (
            "z = Slice(x, a, b, c, d)\ny = Concat<axis=1>(z, x)",
            {"a": ints(-6), "b": ints(-7), "c": ints(-1), "d": ints(-2)},
            {},
        ),
        (
            "z = Slice(x, s, s, a)\nr = Relu(z)\nl = LeakyRelu(r)\nm = Abs(l)\ny = Concat<axis=1>(x, m)",
            {"s": ints(2), "a": ints(1)},
            {},
        ),
        (
            "z = Slice(x, s, s, a)\nd = Mul(z, w)\nm = MatMul(d, e)\ny = Add(m, x)",
            {"s": ints(2), "a": ints(1), "w": quarters(1), "e": quarters(0, 6)},
            {},
        ),
    ],
    "Split": [
        (
            "a, b = Split<axis=1>(x, s)\nr = Relu(a)\nc = Concat<axis=1>(b, r)\ny = Neg(c)",
            {"s": ints(2, 4)},
            {},
        ),
        ("a, b = Split<axis=-1>(x)\ny = Sub(a, b)", {}, {}),
        ("a, b, c = Split<axis=1, split=[1,2,3]>(x)\ny = Neg(b)", {}, {"opset": 11}),
    ],
    "Pad": [
        ("y = Pad(x, p, v)", {"p": ints(0, 0, 1, 2, 0, 1, 0, 1), "v": np.float32(0.75)}, IMAGE),
        ("y = Pad(x, p)", {"p": ints(0, 1, 0, 2)}, {}),
        ("y = Pad(x, p)", {"p": ints(0, -1, 0, 2)}, {}),
        ("y = Pad(x, p)", {"p": ints(0, -4, 0, -1)}, {}),
        ("y = Pad(x, p)", {"p": ints(0, -6, 0, 3)}, {}),
        ('y = Pad<mode="reflect">(x, p)', {"p": ints(0, 0, 1, 2, 0, 0, 0, 1)}, IMAGE),
        ('y = Pad<mode="edge">(x, p)', {"p": ints(0, 0, 1, 2, 0, 0, 0, 1)}, IMAGE),
        ("y = Pad<pads=[0,1,0,1], value=-0.5>(x)", {}, {"opset": 10}),
        ("c = Pad(w, p)\ny = Add(x, c)", {"w": quarters(1, 4), "p": ints(0, 1, 0, 1)}, {}),
    ],
    "Where": [
        (
            "y = Where(c, x, b)",
            {"c": np.array([True, False, True, True, False, False]), "b": quarters(6)},
            {},
        ),
        (
            "d = Where(c, a, b)\ny = Add(x, d)",
            {"c": np.array([True, False, True, True, False, False]), "a": quarters(1), "b": quarters(6)},
            {},
        ),
    ],
    "Range": [
        (
            "r = Range(a, b, c)\ny = Gather<axis=1>(x, r)",
            {"a": np.int64(5), "b": np.int64(-1), "c": np.int64(-2)},
            {},
        )
    ],
}
MORE_REFUSED = {
    "sign of a value": ("y = Sign(x)", {}, {}, "it jumps at 0, and its operand depends on the input"),
    "root of a value": ("y = Sqrt(x)", {}, {}, "its operand depends on the input"),
    "limits crossed": (
        "y = Clip(x, a, b)",
        {"a": np.float32(1), "b": np.float32(0)},
        {},
        "its lower limit is above its upper limit",
    ),
    "limit of the input": ("y = Clip(x, a)", {"a": quarters(6)}, {}, "its limit min is not a scalar"),
    "window too large": ("y = Conv(x, w)", {"w": quarters(1, 2, 9, 2)}, IMAGE, "does not fit an axis of 5"),
    "groups": ("y = Conv<group=3>(x, w)", {"w": quarters(3, 1, 2, 2)}, IMAGE, "3 groups do not fit"),
    "channels": ("y = Conv(x, w)", {"w": quarters(3, 1, 2, 2)}, IMAGE, "do not fit [1, 2, 5, 4]"),
    "kernel shape": (
        "y = Conv<kernel_shape=[3,3]>(x, w)",
        {"w": quarters(3, 2, 2, 2)},
        IMAGE,
        "kernel_shape [3, 3] does not fit",
    ),
    "strides": (
        "y = Conv<strides=[0,1]>(x, w)",
        {"w": quarters(3, 2, 2, 2)},
        IMAGE,
        "its strides, dilations or pads do not fit",
    ),
    "kernel of the input": ("y = Conv(x, x)", {}, IMAGE, "the weights must be a constant"),
    "output shape": (
        "y = ConvTranspose<output_shape=[9,9]>(x, w)",
        {"w": quarters(2, 1, 2, 2)},
        IMAGE,
        "output_shape [9, 9] is larger than",
    ),
    "output shape that is not valid": (
        'y = ConvTranspose<output_shape=[5,4], auto_pad="VALID">(x, w)',
        {"w": quarters(2, 1, 2, 2)},
        IMAGE,
        "output_shape contradicts auto_pad VALID",
    ),
    "output shape of groups": (
        "y = ConvTranspose<output_shape=[5,4], group=2>(x, w)",
        {"w": quarters(2, 1, 2, 2)},
        IMAGE,
        "takes it for the channels of one group",
    ),
    "output shape that is smaller": (
        "y = ConvTranspose<output_shape=[4,4]>(x, w)",
        {"w": quarters(2, 1, 2, 2)},
        IMAGE,
        "output_shape [4, 4] is smaller than what it is made of",
    ),
    "shapes of opset 7": (
        "y = Max(x, c)",
        {"c": quarters(6)},
        {"opset": 7},
        "which opset 8 is the first to allow",
    ),
    "sums of opset 7": (
        "y = Sum(x, c)",
        {"c": quarters(6)},
        {"opset": 7},
        "which opset 8 is the first to allow",
    ),
    "axes from the end": (
        "y = Squeeze<axes=[-2]>(x)",
        {},
        {"opset": 9},
        "opset 11 is the first to count from the end",
    ),
    "pads beyond the window": (
        "y = MaxPool<kernel_shape=[2,2], pads=[2,0,0,0]>(x)",
        {},
        IMAGE,
        "pads as large as the window",
    ),
    "negative variance": (
        "y = BatchNormalization(x, s, s, s, v)",
        {"s": quarters(2), "v": np.float32([1, -1])},
        IMAGE,
        "variance + epsilon of channel 1 is not positive",
    ),
    "channels of the norm": (
        "y = BatchNormalization(x, s, s, s, s)",
        {"s": quarters(3)},
        IMAGE,
        "its parameters do not fit 2 channels",
    ),
    "split": (
        "a, b = Split<axis=1>(x, s)\ny = Neg(a)",
        {"s": ints(2, 2)},
        {},
        "sizes [2, 2] do not fit an axis of 6",
    ),
    "crop beyond": (
        "y = Pad(x, p)",
        {"p": ints(0, 6, 0, -7)},
        {},
        "pads [0, 6, 0, -7] take away more than there is",
    ),
    "crop of both ends": ("y = Pad(x, p)", {"p": ints(0, -4, 0, -3)}, {}, "take away more than there is"),
    "reflection beyond": (
        'y = Pad<mode="reflect">(x, p)',
        {"p": ints(0, 2, 0, -4)},
        {},
        "reflect more than there is",
    ),
    "a window that is moved": (
        'y = Conv<auto_pad="SAME_UPPER", strides=[3,1]>(x, w)',
        {"w": quarters(1, 2, 1, 1)},
        IMAGE,
        "SAME_UPPER with a stride beyond",
    ),
    "a pool that is moved": (
        'y = MaxPool<kernel_shape=[1,1], auto_pad="SAME_LOWER", strides=[3,1]>(x)',
        {},
        IMAGE,
        "SAME_LOWER with a stride beyond",
    ),
    "same and dilated": (
        'y = MaxPool<kernel_shape=[2,2], auto_pad="SAME_UPPER", dilations=[2,1]>(x)',
        {},
        IMAGE,
        "SAME_UPPER with dilations",
    ),
    "same and dilated in a convolution": (
        'y = Conv<auto_pad="SAME_UPPER", dilations=[1,2]>(x, w)',
        {"w": quarters(1, 2, 2, 2)},
        IMAGE,
        "SAME_UPPER with dilations: onnxruntime does not run it",
    ),
    "same and ceiled": (
        'y = AveragePool<kernel_shape=[2,2], auto_pad="SAME_LOWER", ceil_mode=1>(x)',
        {},
        IMAGE,
        "SAME_LOWER with ceil_mode: onnxruntime and",
    ),
    "far padding": (
        "y = ConvTranspose<output_padding=[1,0]>(x, w)",
        {"w": quarters(2, 1, 2, 2)},
        IMAGE,
        "output_padding [1, 0] is not below",
    ),
    "axes twice": (
        "y = Slice(x, a, b, c)",
        {"a": ints(0, 1), "b": ints(4, 5), "c": ints(1, -1)},
        {},
        "its axes [1, -1] repeat",
    ),
    "to an end that two read in two ways": (
        "y = Slice(x, a, b, c, d)",
        {"a": ints(2), "b": ints(2**63 - 1), "c": ints(1), "d": ints(-1)},
        {},
        "onnxruntime goes to the first element",
    ),
    "mean of nothing": (
        "z = Slice(x, s, s, a)\ny = ReduceMean<axes=[1]>(z)",
        {"s": ints(2), "a": ints(1)},
        {},
        "it takes the mean of no values",
    ),
    "largest of nothing": (
        "z = Slice(x, s, s, a)\ny = ReduceMax<axes=[1]>(z)",
        {"s": ints(2), "a": ints(1)},
        {},
        "the largest of no values",
    ),
    "image of nothing": (
        "z = Slice(x, s, s, a)\ny = GlobalMaxPool(z)",
        {"s": ints(1), "a": ints(1)},
        IMAGE,
        "it takes images, and there are no values",
    ),
    "pads": ("y = Pad(x, p)", {"p": ints(0, 1)}, {}, "pads [0, 1] do not fit 2 axes"),
    "steps": ("y = Slice(x, a, a, a, a)", {"a": ints(0)}, {}, "its starts, ends, axes and steps do not fit"),
    "condition": ("y = Where(c, x, x)", {"c": np.array([True, False])}, {}, "its shapes do not fit"),
    "maximum of types": ("y = Max(x, d)", {"d": np.float64(1)}, {}, "its operands have several types"),
    "a huge tensor of one value": (
        "c = ConstantOfShape(s)\ny = Add(x, c)",
        {"s": ints(2**40)},
        {},
        "over the limit of 16777216",
    ),
    "tiled": ("y = Tile(x, r)", {"r": ints(2**20, 2**20)}, {}, "over the limit of 16777216"),
}
