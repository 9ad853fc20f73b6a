"""What training a network costs, estimated before anything is built: parameters, memory, operations, disk.

Numbers come from :mod:`segcore.catalog.costs`, measured once on the networks of the catalogue and put together here. An
estimate is within a third of what was measured for pairs that were not used to make it (``tests/workspace/test_costs.py``).
"""

from dataclasses import dataclass

from segcore.catalog.costs import DECODER_COSTS, ENCODER_COSTS, Cost
from segcore.config import ModelConfig, TrainConfig

FLOAT = 4
FRAMEWORK = 600 << 20
"""Bytes of TensorFlow itself, measured at the start of a run on a CPU."""
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
        disk: Bytes of one run: best weights, checkpoint, masks by epoch.
        operations: Floating-point operations of a training step for one image.
    """

    parameters: int
    memory: int
    disk: int
    operations: float


def network_cost(model: ModelConfig) -> Cost:
    """Return the cost of a network: its encoder's, and what its architecture added to the encoder it was measured with."""
    encoder, decoder = ENCODER_COSTS[model.encoder], DECODER_COSTS[model.architecture]
    return Cost(
        max(encoder.parameters + decoder.parameters, 0.05),
        max(encoder.activations + decoder.activations, 1.0),
        max(encoder.operations + decoder.operations, 1.0),
    )


def training_bytes(
    model: ModelConfig, size: tuple[int, int], batch: int, num_classes: int, optimizer: str = "adam", precision: str = "float32"
) -> int:
    """Estimate the memory of a training step.

    Parameters, their gradients and the optimizer's copies, and for each image the activations that the backward pass needs and
    five float maps of the logits (loss, softmax, gradients).

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
    return int(FRAMEWORK + FLOAT * copies * cost.parameters * 1e6 + pixels * (width * cost.activations + 5 * FLOAT * num_classes))


def estimate(config: TrainConfig, num_classes: int) -> Estimate:
    """Estimate what a run takes before it is started."""
    cost = network_cost(config.model)
    parameters = round(cost.parameters * 1e6)
    copies = 1 + OPTIMIZER_COPIES.get(config.recipe.optimizer, 2)
    pixels = config.size[0] * config.size[1]
    masks = 4 * min(config.recipe.epochs, KEPT_EPOCHS) * pixels * MASK_BYTES_A_PIXEL
    return Estimate(
        parameters,
        training_bytes(config.model, config.size, config.recipe.batch_size, num_classes, config.recipe.optimizer, config.recipe.precision),
        int(FLOAT * parameters * (1 + copies) + masks),
        3000 * pixels * cost.operations,
    )
