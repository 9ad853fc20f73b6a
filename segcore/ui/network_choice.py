"""Two choices about the network that depend on its encoder: the weights it begins with, and the size of its input."""

import streamlit as st

from segcore.catalog import ENCODERS
from segcore.config import ModelConfig
from segcore.ui import starting


def choose_weights(encoder: str, begun: ModelConfig) -> str:
    """Draw what the encoder begins with; return "imagenet", "none" or the path of a file."""
    options = (["imagenet"] if ENCODERS[encoder].imagenet else []) + ["none", "file"]
    titles = {"imagenet": "ImageNet (downloaded once)", "none": "Random", "file": "From a file"}
    file = begun.weights if begun.weights not in titles and begun.encoder == encoder else ""
    start = "file" if file else begun.weights
    key = starting.key(f"weights_{encoder}")
    chosen = st.selectbox(
        "Encoder weights",
        options,
        index=options.index(start) if start in options else 0,
        format_func=lambda o: titles[o],
        key=key,
        help="What the encoder begins with; trained weights need fewer images and epochs.",
    )
    if chosen == "imagenet":
        st.caption("Keras downloads them on first use. Without internet choose random weights, or a file.")
    if chosen != "file":
        return str(chosen)
    path = st.text_input(
        "Weights file",
        file,
        placeholder="/weights/encoder.npz",
        help="A path on this machine: .npz (layer/variable arrays), .keras, .weights.h5, Keras' older .h5, .safetensors, or PyTorch's "
        ".pth or .pt.",
        key=starting.key(f"weights_file_{encoder}"),
    )
    if not path:
        st.caption(":orange[:material/warning:] No file is named yet: until then the encoder begins with random weights.")
    return path or "none"


def choose_size(rows: int, columns: int, architecture: str, encoder: str) -> tuple[int, int]:
    """Draw two number boxes, first set to the image's own size, at most 256 rows, rounded to what the network takes."""
    stride = ModelConfig(architecture, encoder, "none").stride
    scale = min(1.0, 256 / rows)
    start = [max(stride, round(side * scale / stride) * stride) for side in (rows, columns)]
    begun = starting.begun()
    if begun is not None and all(side % stride == 0 for side in begun.size):
        start = list(begun.size)
    sides = []
    for column, title, lines, side in zip(st.columns(2), ("Height", "Width"), ("rows", "columns"), start, strict=True):
        told, key = f"Images are resized to this many {lines}.", starting.key(f"{title.lower()}_{stride}")
        with column:
            sides.append(int(st.number_input(title, stride, 8192, side, step=stride, help=told, key=key)))
    st.caption(f"Multiples of {stride}. The images have {rows} x {columns} pixels; scores are taken at that size.")
    return sides[0], sides[1]
