"""Cases of Resize, Einsum, HardSigmoid and of operators on constants for `test_onnx_ops.py`: graph in text
form, constants, options.
"""

from __future__ import annotations

import numpy as np
from onnx_cases import IMAGE, half, ints, quarters


def floats(*values):
    return np.array(values, dtype=np.float32)


def folded(name, *, opset=13, **constants):
    """x times what the operator makes of constants a, b."""
    given = ", ".join(constants)
    return f"c = {name}({given})\ny = Mul(x, c)", constants, {"opset": opset}


def compared(name, a, b):
    return f"m = {name}(a, b)\nz = Sub(x, x)\ny = Where(m, x, z)", {"a": a, "b": b}, {"opset": 16}


NEAREST = 'mode="nearest", coordinate_transformation_mode="{}", nearest_mode="{}"'
LINEAR_CASES = {
    "Upsample": [
        ("y = Upsample(x, s)", {"s": floats(1, 1, 2, 3)}, {**IMAGE, "opset": 9}),
        ("y = Upsample<scales=[1.0, 1.0, 2.0, 1.5]>(x)", {}, {**IMAGE, "opset": 8}),
    ],
    "Resize": [
        ("y = Resize(x, s)", {"s": floats(1, 1, 2, 2)}, {**IMAGE, "opset": 10}),
        ("y = Resize(x, s)", {"s": floats(1, 1, 0.5, 0.5)}, {**IMAGE, "opset": 10}),
        (f"y = Resize<{NEAREST.format('asymmetric', 'floor')}>(x, , s)", {"s": floats(1, 1, 2, 2)}, IMAGE),
        (f"y = Resize<{NEAREST.format('align_corners', 'round_prefer_ceil')}>(x, , , n)", {"n": ints(1, 2, 9, 3)}, IMAGE),
        (
            f"y = Resize<{NEAREST.format('tf_crop_and_resize', 'floor')}, extrapolation_value=2.5>(x, r, , n)",
            {"r": floats(0, 0, 0.25, -0.5, 1, 1, 1.5, 0.5), "n": ints(1, 2, 4, 7)},
            IMAGE,
        ),
        (f"y = Resize<{NEAREST.format('half_pixel', 'ceil')}, axes=[3, 2]>(x, , , n)", {"n": ints(2, 9)}, {**IMAGE, "opset": 18}),
        ("z = Resize(w, , n)\ny = Add(x, z)", {"w": quarters(1, 3), "n": floats(1, 2)}, {}),
    ],
    "Einsum": [
        ('y = Einsum<equation="bi,ij->bj">(x, w)', {"w": quarters(6, 4)}, {}),
        ('y = Einsum<equation="bi, oi -> bo">(x, w)', {"w": quarters(4, 6)}, {}),
        ('y = Einsum<equation="bchw,cd->b">(x, w)', {"w": quarters(2, 3)}, IMAGE),
        ('y = Einsum<equation="...ij,jk">(x, w)', {"w": quarters(4, 2)}, IMAGE),
        ('y = Einsum<equation="ii,i->i">(x, w)', {"w": quarters(4)}, {"shape": (4, 4)}),
        ('y = Einsum<equation="ij,jk,kl->li">(v, x, w)', {"v": quarters(2, 3), "w": quarters(2, 4)}, {"shape": (3, 2)}),
        ('e = Expand(x, n)\ny = Einsum<equation="ij->j">(e)', {"n": ints(3, 6)}, {}),
        ('w = Einsum<equation="ij,jk->ki">(a, b)\ny = MatMul(x, w)', {"a": quarters(3, 2), "b": quarters(2, 6)}, {}),
    ],
    "HardSigmoid": [
        ("y = HardSigmoid<alpha=0.25, beta=0.5>(x)", {}, {}),
        ("y = HardSigmoid(x)", {}, {}),
        ("y = HardSigmoid<alpha=-0.5, beta=0.25>(x)", {}, {}),
        ("y = HardSigmoid<alpha=0.0, beta=2.0>(x)", {}, {}),
    ],
    "Mod": [
        ("m = Mod(a, b)\ny = Gather<axis=1>(x, m)", {"a": ints(7, -7, -1), "b": ints(4, 4, 5)}, {}),
        ("m = Mod<fmod=1>(a, b)\ny = Gather<axis=1>(x, m)", {"a": ints(7, -7, 1), "b": ints(4, 4, -5)}, {}),
        ("m = Mod<fmod=1>(a, b)\ny = Mul(x, m)", {"a": quarters(6), "b": floats(0.75, -1, 2, 1.25, -0.5, 3)}, {}),
    ],
    "Pow": [
        folded("Pow", a=quarters(6), b=np.float32(2)),
        folded("Pow", a=floats(0.5, 2, 4, 1, -2, 8), b=np.float32(-1)),
        folded("Pow", a=floats(2, 3, 0.25, 9, 1, 0), b=floats(0.5, 1.5, -0.5, 0.5, 7, 0)),
    ],
    "Reciprocal": [folded("Reciprocal", a=floats(0.5, -2, 3, 8, 1, 4))],
    "Sqrt": [folded("Sqrt", a=floats(4, 0.25, 0, 2, 3, 100)), folded("Sqrt", a=np.float64(2).astype(np.float32))],
    "Floor": [folded("Floor", a=quarters(6))],
    "Ceil": [folded("Ceil", a=quarters(6))],
    "Round": [folded("Round", a=floats(0.5, 1.5, -0.5, -1.5, 2.25, -2.75))],
    "Equal": [compared("Equal", quarters(6), quarters(1)), compared("Equal", ints(1, 2, 3, 1, 2, 3), ints(2))],
    "Less": [compared("Less", quarters(6), floats(0))],
    "LessOrEqual": [compared("LessOrEqual", floats(0, 1, 2, 3, -1, 1), floats(1))],
    "Greater": [compared("Greater", ints(1, 2, 3, 1, 2, 3), ints(2))],
    "GreaterOrEqual": [compared("GreaterOrEqual", floats(0, 1, 2, 3, -1, 1), floats(1))],
    "And": [compared("And", np.array([True, False, True, True, False, False]), np.array([True]))],
    "Or": [compared("Or", np.array([True, False, True, True, False, False]), np.array([False]))],
    "Not": [("m = Not(a)\nz = Sub(x, x)\ny = Where(m, x, z)", {"a": np.array([True, False, True, True, False, False])}, {})],
    "ReduceL1": [("c = ReduceL1<axes=[1]>(a)\ny = Mul(x, c)", {"a": quarters(6, 3)}, {"shape": (6, 1)})],
    "ReduceL2": [
        ("c = ReduceL2(a, i)\ny = Mul(x, c)", {"a": quarters(6, 3), "i": ints(1)}, {"shape": (6, 1), "opset": 18}),
        ("c = ReduceL2<keepdims=0>(a)\ny = Mul(x, c)", {"a": floats(3, 0, 4)}, {}),
    ],
    "ReduceSumSquare": [("c = ReduceSumSquare<axes=[-1], keepdims=0>(a)\ny = Mul(x, c)", {"a": quarters(6, 3)}, {})],
    "ReduceProd": [("c = ReduceProd<axes=[1], keepdims=0>(a)\ny = Mul(x, c)", {"a": quarters(6, 2)}, {})],
    "DequantizeLinear": [
        ("w = DequantizeLinear(q, s, z)\ny = MatMul(x, w)", {"q": np.int8([[1], [-128], [127], [3], [0], [-7]]), "s": np.float32(0.25), "z": np.int8(-2)}, {}),
        ("w = DequantizeLinear<axis=0>(q, s)\ny = MatMul(x, w)", {"q": np.uint8(np.arange(12).reshape(6, 2)), "s": quarters(6)}, {}),
        (
            "w = DequantizeLinear<axis=-1>(q, s, z)\ny = MatMul(x, w)",
            {"q": np.uint8(np.arange(12).reshape(6, 2)), "s": quarters(2), "z": np.uint8([7, 250])},
            {},
        ),
        (
            "w = DequantizeLinear<axis=0, block_size=4>(q, s, z)\ny = MatMul(x, w)",
            {"q": np.int16(np.arange(12).reshape(6, 2) - 5), "s": quarters(2, 2), "z": np.int16([[1, 2], [3, -4]])},
            {"opset": 21},
        ),
        ("w = DequantizeLinear(q, s)\ny = MatMul(x, w)", {"q": np.int32([[5], [-6], [2**20], [0], [1], [2]]), "s": np.float32(0.5)}, {"opset": 10}),
    ],
    "ai.onnx.ml.Scaler": [
        ("y = ai.onnx.ml.Scaler<offset=[0.5,-1.0,2.0,0.0,0.25,1.0], scale=[1.0,2.0,-0.5,0.25,4.0,1.0]>(x)", {}, {}),
        ("y = ai.onnx.ml.Scaler<offset=[0.5], scale=[2.0]>(x)", {}, {"shape": (2, 3)}),
        ("y = ai.onnx.ml.Scaler<offset=[0.1,0.2,0.3], scale=[0.7,1.3,3.0]>(x)", {}, {"shape": (1, 3)}),
    ],
    "ai.onnx.ml.LinearRegressor": [
        ("y = ai.onnx.ml.LinearRegressor<coefficients=[0.5,-1.0,2.0,0.0,0.25,1.0], intercepts=[0.75]>(x)", {}, {}),
        ("y = ai.onnx.ml.LinearRegressor<coefficients=[0.5,-1.0,2.0,0.0,0.25,1.0], targets=2>(x)", {}, {"shape": (1, 3)}),
    ],
}  # fmt: skip
LINEAR_REFUSED = {
    "a regressor that transforms": (
        'y = ai.onnx.ml.LinearRegressor<coefficients=[1.0,1.0,1.0,1.0,1.0,1.0], post_transform="SOFTMAX">(x)',
        {},
        {},
        "post_transform b'SOFTMAX' is not supported",
    ),
    "coefficients that do not fit": (
        "y = ai.onnx.ml.LinearRegressor<coefficients=[1.0]>(x)",
        {},
        {},
        "do not fit 1 results of 6 features",
    ),
    "offsets that do not fit": (
        "y = ai.onnx.ml.Scaler<offset=[1.0,2.0]>(x)",
        {},
        {},
        "its offset has 2 numbers for 6 features",
    ),
    "linear resize": (
        'y = Resize<mode="linear">(x, , s)',
        {"s": floats(1, 1, 2, 2)},
        IMAGE,
        "mode 'linear' is not supported, only nearest is",
    ),
    "neighbours that rounding decides": (
        f"y = Resize<{NEAREST.format('asymmetric', 'floor')}>(x, , s)",
        {"s": floats(1, 1 / 3)},
        {"shape": (1, 9)},
        "float32 rounds",
    ),
    "a region of an axis that stays as long": (
        f"y = Resize<{NEAREST.format('tf_crop_and_resize', 'floor')}>(x, r, , n)",
        {"r": floats(0, 0.5, 1, 1), "n": ints(1, 6)},
        {},
        "onnxruntime ignores the region of an axis that stays as long",
    ),
    "scales of values": ("y = Resize(x, , x)", {}, {}, "the scales must be a constant"),
    "a scale of nothing": ("y = Resize(x, , s)", {"s": floats(1, 0.1)}, {}, "makes an empty tensor"),
    "a scale that is not positive": (
        "y = Resize(x, , s)",
        {"s": floats(1, -2)},
        {},
        "a scale is not positive",
    ),
    "a huge size": ("y = Resize(x, , , n)", {"n": ints(1, 2**40)}, {}, "over the limit of 16777216"),
    "a product of values": (
        'y = Einsum<equation="bi,bi->b">(x, x)',
        {},
        {},
        "it multiplies two values that depend on the input",
    ),
    "an equation that does not fit": (
        'y = Einsum<equation="b,i->b">(x, w)',
        {"w": quarters(6)},
        {},
        "does not fit an operand of 2 axes",
    ),
    "labels of two lengths": (
        'y = Einsum<equation="bi,i->b">(x, w)',
        {"w": quarters(5)},
        {},
        "label 'i' is 6 long and 5",
    ),
    "a label from nowhere": (
        'y = Einsum<equation="bi,i->z">(x, w)',
        {"w": quarters(6)},
        {},
        "one that no operand has",
    ),
    "a huge einsum": (
        'y = Einsum<equation="bi,jk->bjk">(x, w)',
        {"w": half(2**11, 2**12)},
        {},
        "over the limit of 16777216",
    ),
    "hard swish": ("y = HardSwish(x)", {}, {"opset": 14}, "the operator is not supported"),
    "modulo of a value": ("y = Mod<fmod=1>(x, b)", {"b": half(6)}, {}, "its operand depends on the input"),
    "modulo zero": (
        "m = Mod(a, a)\nf = Cast<to=1>(m)\ny = Mul(x, f)",
        {"a": ints(0)},
        {},
        "it divides by zero",
    ),
    "a norm over no axes": (
        "c = ReduceL2<noop_with_empty_axes=1>(a)\ny = Mul(x, c)",
        {"a": half(6)},
        {"opset": 18},
        "nothing is reduced, where onnxruntime and the ONNX text differ",
    ),
    "a norm of a value": ("y = ReduceL2<axes=[1]>(x)", {}, {}, "its operand depends on the input"),
    "a root of a negative number": (
        "s = Sqrt(c)\ny = Mul(x, s)",
        {"c": np.float32(-2)},
        {},
        "a root of a negative number",
    ),
    "a power that is no root": (
        "p = Pow(a, b)\ny = Mul(x, p)",
        {"a": np.float32(2), "b": np.float32(0.25)},
        {},
        "2 to the power of 0.25",
    ),
    "quantised values": (
        "q = QuantizeLinear(x, s)\ny = DequantizeLinear(q, s)",
        {"s": np.float32(0.5)},
        {},
        "the operator is not supported",
    ),
    "scales that do not fit": (
        "w = DequantizeLinear<axis=0>(q, s)\ny = MatMul(x, w)",
        {"q": np.int8([[1], [2], [3], [4], [5], [6]]), "s": half(5)},
        {},
        "a scale of shape [5] does not fit axis 0 of [6, 1]",
    ),
}
