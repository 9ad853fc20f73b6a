"""The peer of ``bench_training.py`` and ``bench_engines.py``: segmentation_models.pytorch; run by an interpreter that has it.

It prints the same seconds as ``training_engine.py``, counted from the start of the process too.
"""

import time

BEGAN = time.monotonic()

import json  # noqa: E402
import sys  # noqa: E402

import segmentation_models_pytorch as smp  # noqa: E402
import torch  # noqa: E402
from training_task import CLASSES, ENCODER, batch_of, measure  # noqa: E402

PEER_ENCODER = "resnet18" if ENCODER == "tiny" else ENCODER  # a rehearsal: it has no "tiny"
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def torch_smp(steps: int, precision: str) -> dict[str, float]:
    """segmentation_models.pytorch, channels last."""
    imported = time.monotonic() - BEGAN
    images, masks = batch_of()
    model = smp.Unet(PEER_ENCODER, encoder_weights=None, classes=CLASSES).to(
        DEVICE, memory_format=torch.channels_last
    )
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    loss = torch.nn.CrossEntropyLoss(ignore_index=255)
    built = time.monotonic() - BEGAN - imported
    x = (
        torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
        .float()
        .div(255)
        .to(DEVICE, memory_format=torch.channels_last)
    )
    y = torch.from_numpy(masks).long().to(DEVICE)

    def step() -> float:
        optimizer.zero_grad()
        with torch.autocast(DEVICE, torch.bfloat16, enabled=precision == "mixed_bfloat16"):
            value = loss(model(x).float(), y)
        value.backward()
        optimizer.step()
        return float(value)

    step()
    return {**measure(BEGAN, steps, step), "imports": imported, "build": built}


SIDES = {"smp": torch_smp}


if __name__ == "__main__":
    name, steps, precision = sys.argv[1:]
    print(json.dumps(SIDES[name](int(steps), precision)))
