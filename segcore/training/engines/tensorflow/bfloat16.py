"""Coarse layers in bfloat16: most of the work at a fraction of the time, hardly any rounding.

A processor that multiplies in bfloat16 is two to eight times as fast at it as in float32. A whole
network rounded so answers otherwise on one or two pixels in a hundred; nearly all of that comes
from the few layers near full resolution, whose rounding reaches the scores as it is. What is
rounded on coarse maps is averaged over many channels and smoothed on the way up. So only
convolutions on maps of some stride and coarser are rounded; sums, normalisation and everything fine
stay in float32.
"""

import math
from typing import Any

import tensorflow as tf

STRIDES = (4, 8, 16)
"""From which stride on layers may be rounded, the fastest first."""

WORTH = 1e9
"""Floating-point operations an image below which nothing is gained that a person would notice."""

_FLOAT, _HALF = tf.float32.as_datatype_enum, tf.bfloat16.as_datatype_enum


def operations(frozen: Any) -> float:
    """Return the floating-point operations of a frozen graph's convolutions, an image."""
    return sum(
        2.0 * math.prod(op.outputs[0].shape[1:]) * math.prod(op.inputs[1].shape[:3])
        for op in _convolutions(frozen).values()
    )


def round_coarse(frozen: Any, stride: int) -> Any | None:
    """Return a frozen graph whose coarse convolutions multiply in bfloat16 and add in float32.

    Args:
        frozen: A concrete function of (B, h, w, 3) with fixed sizes and the weights as constants.
        stride: From which stride on: maps of at most h w / stride^2 positions.

    Returns:
        A function of the same; None where there is nothing to round.
    """
    _, height, width, _ = frozen.inputs[0].shape
    coarse = {
        name
        for name, op in _convolutions(frozen).items()
        if op.inputs[0].dtype == tf.float32
        and math.prod(op.outputs[0].shape[1:3]) * stride**2 <= height * width
    }
    if not coarse:
        return None
    source = frozen.graph.as_graph_def()
    graph = tf.compat.v1.GraphDef(versions=source.versions, library=source.library)
    for node in source.node:
        if node.name not in coarse:
            graph.node.add().CopyFrom(node)
            continue
        rounded = [
            _cast(graph, f"{node.name}/half_{i}", name, _FLOAT, _HALF)
            for i, name in enumerate(node.input)
        ]
        half = graph.node.add()
        half.CopyFrom(node)
        half.name, half.attr["T"].type = f"{node.name}/half", _HALF
        half.ClearField("input")
        half.input.extend(rounded)
        _cast(graph, node.name, half.name, _HALF, _FLOAT)
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    return wrapped.prune(frozen.inputs[0].name, [frozen.outputs[0].name])


def _convolutions(frozen: Any) -> dict[str, Any]:
    return {op.name: op for op in frozen.graph.get_operations() if op.type == "Conv2D"}


def _cast(graph: Any, name: str, source: str, old: int, new: int) -> str:
    node = graph.node.add(name=name, op="Cast", input=[source])
    node.attr["SrcT"].type, node.attr["DstT"].type, node.attr["Truncate"].b = old, new, False
    return name
