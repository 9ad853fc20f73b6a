"""A network cut where its encoder ends: what the encoder gives, and what the decoder makes of it."""

import math
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from segcore.errors import SegcoreError
from segcore.models.build import is_encoder_layer

Shape = tuple[int, ...]


@keras.saving.register_keras_serializable(package="segcore")
class Unpack(keras.layers.Layer):
    """Cut a row of numbers into maps of given shapes.

    Args:
        shapes: Shape of each map, without the batch.
        **kwargs: Passed to :class:`keras.layers.Layer`.
    """

    def __init__(self, shapes: list[Shape], **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.shapes = [tuple(int(side) for side in shape) for shape in shapes]

    def call(self, row: Any) -> list[Any]:
        """Return maps (B, ...) from rows (B, L), L the number of values of all maps together."""
        maps, start = [], 0
        for shape in self.shapes:
            end = start + math.prod(shape)
            maps.append(ops.reshape(row[:, start:end], (-1, *shape)))
            start = end
        return maps

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> list[Any]:
        """Return the maps' shapes."""
        return [(input_shape[0], *shape) for shape in self.shapes]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "shapes": [list(shape) for shape in self.shapes]}


@dataclass(frozen=True, eq=False)
class SplitNetwork:
    """The two parts of a network; they share its layers.

    Attributes:
        encoder: Images (B, H, W, 3) to the list of maps that the decoder takes.
        head: Rows (B, L) of these maps, one after another, to logits (B, H, W, C).
        values: L.
    """

    encoder: keras.Model
    head: keras.Model
    values: int


def split_network(model: keras.Model) -> SplitNetwork:
    """Cut a network between its encoder and its decoder.

    Raises:
        SegcoreError: A layer of the encoder takes what the decoder made, so there is no such cut.
    """
    maps = _border(model.output)
    for tensor in maps:
        if any(not is_encoder_layer(op) for op in _above(tensor)):
            raise SegcoreError(
                f"Expected a network whose decoder follows its encoder, received {model.name!r}, "
                "which goes back and forth: train it without cached features."
            )
    shapes = [tuple(int(side) for side in tensor.shape[1:]) for tensor in maps]
    values = sum(map(math.prod, shapes))
    row = keras.Input((values,), name="features")
    unpacked = Unpack(shapes, name="decoder_unpack")(row)
    logits = _again(model.output, dict(zip(map(id, maps), unpacked, strict=True)))
    return SplitNetwork(keras.Model(model.input, maps), keras.Model(row, logits), values)


def pooled_encoder(model: keras.Model) -> keras.Model:
    """Return the encoder with its deepest maps averaged over the image: (B, H, W, 3) to (B, D).

    Raises:
        SegcoreError: The network has no encoder whose maps lie in rows and columns.
    """
    maps = [tensor for tensor in _border(model.output) if len(tensor.shape) == 4]
    if not maps:
        raise SegcoreError(
            f"Expected a network with an encoder, found none in {model.name!r}: compare images by "
            "their predictions."
        )
    deepest = min(maps, key=lambda tensor: (tensor.shape[1] * tensor.shape[2], -tensor.shape[3]))
    pooled = keras.layers.GlobalAveragePooling2D(dtype="float32", name="pooled")(deepest)
    return keras.Model(model.input, pooled)


def _again(output: Any, known: dict[int, Any]) -> Any:
    """Call the layers that lead to a tensor once more, on other tensors.

    ``keras.Model`` from inner tensors does it too, but leaves a network that cannot be saved.

    Args:
        output: A tensor of a network.
        known: What stands for each tensor by its id; grows by all that is computed.
    """
    todo = [output]
    while todo:
        tensor = todo[-1]
        operation, number, _ = tensor._keras_history
        node = operation._inbound_nodes[number]
        waiting = [one for one in node.input_tensors if id(one) not in known]
        if id(tensor) in known:
            todo.pop()
        elif waiting:
            todo += waiting
        else:
            args, kwargs = node.arguments.fill_in(known)
            answers = keras.tree.flatten(operation(*args, **kwargs))
            known.update(zip(map(id, node.output_tensors), answers, strict=True))
    return known[id(output)]


def _border(output: Any) -> list[Any]:
    """Return the encoder's tensors that decoder layers take, each once, going up from the output."""
    border: dict[int, Any] = {}
    seen: set[int] = set()
    todo = [output]
    while todo:
        tensor = todo.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        operation = tensor._keras_history.operation
        if is_encoder_layer(operation):
            border[id(tensor)] = tensor
        else:
            todo += _inputs(tensor)
    return list(border.values())


def _above(tensor: Any) -> list[Any]:
    """Return every operation that a tensor comes from, its own included."""
    operations: dict[int, Any] = {}
    seen: set[int] = set()
    todo = [tensor]
    while todo:
        one = todo.pop()
        if id(one) not in seen:
            seen.add(id(one))
            operation = one._keras_history.operation
            operations[id(operation)] = operation
            todo += _inputs(one)
    return list(operations.values())


def _inputs(tensor: Any) -> list[Any]:
    operation, node, _ = tensor._keras_history
    return list(operation._inbound_nodes[node].input_tensors)
