"""Estimated cost of training: parameters, memory, operations, disk.

Numbers come from the rows of the catalogue, which ``make costs`` measures, and are put together
here. For pairs that were not used to make the table, parameters come out within 20 %,
activations within 15 % and operations within a third of what was measured
(``tests/workspace/launch/test_preflight.py``).
"""

from dataclasses import dataclass

from segcore.catalog import ALL_ENCODERS, ARCHITECTURES, Cost
from segcore.config import ModelConfig, TrainConfig

FLOAT = 4
FRAMEWORK = 800 << 20
"""Bytes of TensorFlow and a small dataset: the smallest network takes 0.9 GiB on a CPU."""
OPTIMIZER_COPIES = {"sgd": 1, "rmsprop": 1, "adam": 2, "adamw": 2}
"""Further numbers that an optimizer keeps of each parameter."""
KEPT_EPOCHS = 100
MASK_BYTES_A_PIXEL = 0.06
"""Measured: a predicted mask, packed."""


@dataclass(frozen=True)
class Estimate:
    """What a run will take.

    Attributes:
        parameters: Of the network.
        memory: Bytes while it trains.
        disk: Bytes of one run: best weights, checkpoint, masks by epoch; not its predictions.
        operations: Floating-point operations of a training step for one image.
    """

    parameters: int
    memory: int
    disk: int
    operations: float


def network_cost(model: ModelConfig) -> Cost:
    """Return the cost of a network.

    That of FCN-32s with the encoder, and what the architecture has beyond it: known for the
    encoders "tiny" and "resnet50", and taken on the line through these two at this encoder's number
    of channels.
    """
    encoder, width = ALL_ENCODERS[model.encoder].cost, ALL_ENCODERS[model.encoder].width
    narrow, wide = (ALL_ENCODERS[name].width for name in ("tiny", "resnet50"))
    small, large = ARCHITECTURES[model.architecture].costs
    share = max(0.0, (width - narrow) / (wide - narrow))

    def total(own: float, least: float, most: float, floor: float) -> float:
        return max(own + least + share * (most - least), floor)

    return Cost(
        total(encoder.parameters, small.parameters, large.parameters, 0.01),
        total(encoder.activations, small.activations, large.activations, 1.0),
        total(encoder.operations, small.operations, large.operations, 0.1),
    )


def training_bytes(
    model: ModelConfig,
    size: tuple[int, int],
    batch: int,
    num_classes: int,
    optimizer: str = "adam",
    precision: str = "float32",
) -> int:
    """Estimate the memory of a training step.

    Parameters, their gradients and the optimizer's copies, and for each image the activations that
    the backward pass needs and five float maps of the logits (loss, softmax, gradients).

    Args:
        model: Which network.
        size: (height, width), pixels.
        batch: Images a step.
        num_classes: C.
        optimizer: A name in ``catalog.OPTIMIZERS``.
        precision: A name in ``catalog.PRECISIONS``; the mixed ones keep activations in two bytes.
    """
    cost = network_cost(model)
    copies = 2 + OPTIMIZER_COPIES.get(optimizer, 2)
    width = FLOAT if precision == "float32" else 2
    pixels = size[0] * size[1] * batch
    return int(
        FRAMEWORK
        + FLOAT * copies * cost.parameters * 1e6
        + pixels * (width * cost.activations + 5 * FLOAT * num_classes)
    )


def estimate(config: TrainConfig, num_classes: int) -> Estimate:
    """Estimate what a run takes before it is started."""
    cost = network_cost(config.model)
    parameters = round(cost.parameters * 1e6)
    copies = 1 + OPTIMIZER_COPIES.get(config.recipe.optimizer, 2)
    pixels = config.size[0] * config.size[1]
    masks = 4 * min(config.recipe.epochs, KEPT_EPOCHS) * pixels * MASK_BYTES_A_PIXEL
    return Estimate(
        parameters,
        training_bytes(
            config.model,
            config.size,
            config.recipe.batch_size,
            num_classes,
            config.recipe.optimizer,
            config.recipe.precision,
        ),
        int(FLOAT * parameters * (1 + copies) + masks),
        3000 * pixels * cost.operations,
    )
