"""Measure the cost column of the catalogue: parameters, activations and operations of each model.

Each model is traced at 256 x 256 with twelve classes, as a training step calls it. Every floating-
point output of an operation is an activation; convolutions and matrix products make up the
operations. A batch normalisation counts as the three arrays that it takes unfused (squared
difference, scaled, shifted), also where one fused operation does it: so the first rows were
measured, and a row does not change with how it is computed.

An encoder's cost is that of FCN-32s with it; an architecture's what it has beyond FCN-32s, with the
encoders "tiny" and "resnet50".

    make costs                       # all rows: hours on two cores
    make costs ONLY="unet tiny"      # these rows

What differs by more than one percent from the catalogue is printed and written into it.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from segcore import catalog
from segcore.catalog import ARCHITECTURES, ENCODERS, Cost
from segcore.config import ModelConfig
from segcore.models.build import build_model
from segcore.models.encoders.encoders import build_encoder

SIDE, CLASSES = 256, 12
UNFUSED = 3
"""Arrays of the input's size that a batch normalisation computes where it is not fused."""
FILE = Path(catalog.__file__).with_name("networks.py")


def measure(architecture: str, encoder: str) -> Cost:
    """Build a model, trace its training call, and count."""
    keras.backend.clear_session()
    model = build_model(ModelConfig(architecture, encoder, "none"), CLASSES, (SIDE, SIDE))
    call = tf.function(lambda image: model(image, training=True))
    graph = call.get_concrete_function(tf.TensorSpec((1, SIDE, SIDE, 3), tf.float32)).graph
    activations, operations = 0.0, 0.0
    for op in _operations(graph):
        for output in op.outputs:
            if output.dtype.is_floating and output.shape.is_fully_defined() and len(output.shape):
                fused = op.type.startswith("FusedBatchNorm") and output is op.outputs[0]
                arrays = UNFUSED if fused else 1
                activations += arrays * output.shape.num_elements()
        operations += _flops(op)
    pixels = SIDE * SIDE
    return Cost(model.count_params() / 1e6, activations / pixels, operations / pixels / 1e3)


def _operations(graph: Any) -> Iterator[Any]:
    """The operations of a graph and of the functions that it calls, without reads and constants."""
    skipped = {"Const", "Placeholder", "ReadVariableOp", "Identity", "NoOp"}
    functions = {f.name.decode(): f for f in graph._functions.values()}
    yield from (op for op in graph.get_operations() if op.type not in skipped)
    for function in functions.values():
        inner = getattr(function, "graph", None)
        if inner is not None:
            yield from (op for op in inner.get_operations() if op.type not in skipped)


def _flops(op: Any) -> float:
    """Floating-point operations of a convolution or matrix product; 0 for any other."""
    out = op.outputs[0].shape if op.outputs else None
    if out is None or not out.is_fully_defined():
        return 0.0
    if op.type == "Conv2D":
        height, width, inside, _ = op.inputs[1].shape
        return 2.0 * out.num_elements() * height * width * inside
    if op.type == "DepthwiseConv2dNative":
        height, width, _, _ = op.inputs[1].shape
        return 2.0 * out.num_elements() * height * width
    if op.type == "Conv2DBackpropInput":  # a transpose convolution
        height, width, _, outside = op.inputs[1].shape
        image = op.inputs[2].shape
        return 2.0 * image.num_elements() * height * width * outside / 1.0
    if op.type in ("MatMul", "BatchMatMulV2"):
        return 2.0 * out.num_elements() * op.inputs[0].shape[-1]
    return 0.0


def width_of(encoder: str) -> int:
    """Channels of an encoder's features at the strides 4, 8, 16 and 32 together."""
    keras.backend.clear_session()
    features = build_encoder(encoder, keras.Input((SIDE, SIDE, 3)))[1]
    return sum(int(features[stride].shape[-1]) for stride in (4, 8, 16, 32))


def minus(cost: Cost, other: Cost) -> Cost:
    """The difference of two costs."""
    return Cost(*(a - b for a, b in zip(vars(cost).values(), vars(other).values(), strict=True)))


def written(cost: Cost) -> str:
    """A cost as the catalogue writes it, with three digits."""
    return f"Cost({', '.join(f'{value:.3g}' for value in vars(cost).values())})"


def differs(cost: Cost, known: Cost) -> bool:
    """Whether two costs differ by more than a percent, or by more than rounding where small."""
    return any(
        abs(a - b) > max(0.011 * abs(b), 1e-3)
        for a, b in zip(vars(cost).values(), vars(known).values(), strict=True)
    )


def write(name: str, table: str, pattern: str, text: str) -> None:
    """Replace what a pattern finds in a row of the catalogue."""
    source = FILE.read_text()
    start = source.index(f"{table}: dict")
    row = source.index(f'    "{name}": ', start)
    end = source.index("\n    ),", row)
    changed, count = re.subn(pattern, text, source[row:end], flags=re.S)
    if count != 1:
        raise SystemExit(f"Expected one {pattern!r} in the row {name!r}, found {count}.")
    FILE.write_text(source[:row] + changed + source[end:])


def main() -> None:
    """Measure the rows that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="architectures and encoders; all by default")
    parser.add_argument("--check", action="store_true", help="print differences, write nothing")
    options = parser.parse_args()
    names = options.names or [*ENCODERS, *ARCHITECTURES]
    for name in names:
        if name in ENCODERS:
            known = ENCODERS[name]
            cost, width = measure("fcn_32s", name), width_of(name)
            changed = differs(cost, known.cost) or width != known.width
            print(f"{name}: {written(cost)}, width {width}{' (changed)' if changed else ''}")
            if changed and not options.check:
                write(name, "ENCODERS", r"cost=Cost\([^)]*\)", f"cost={written(cost)}")
                write(name, "ENCODERS", r"width=\d+", f"width={width}")
        if name in ARCHITECTURES:
            pair = [
                minus(measure(name, encoder), measure("fcn_32s", encoder))
                for encoder in ("tiny", "resnet50")
            ]
            changed = any(map(differs, pair, ARCHITECTURES[name].costs))
            text = f"({written(pair[0])}, {written(pair[1])})"
            print(f"{name}: {text}{' (changed)' if changed else ''}")
            if changed and not options.check:
                pattern = r"costs=\(Cost\([^)]*\), Cost\([^)]*\)\)"
                write(name, "ARCHITECTURES", pattern, f"costs={text}")
        if name not in ENCODERS and name not in ARCHITECTURES:
            raise SystemExit(f"Expected an architecture or encoder, received {name!r}.")


if __name__ == "__main__":
    main()
