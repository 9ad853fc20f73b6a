"""A batch of images for annotation tools: the images, what a network proposes, the classes.

CVAT's "Segmentation mask 1.1" is Pascal VOC's layout with colours in ``labelmap.txt``; Label Studio's
brush labels are tasks with predictions in run lengths, see :mod:`segcore.data.formats.brush_rle`.
"""

import io
import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.files.images import encode_png
from segcore.data.files.scanning import Progress
from segcore.data.formats.brush_rle import encode_brush
from segcore.data.formats.exporters import copy_image, flat_name
from segcore.errors import SegcoreError, disk_error, unknown
from segcore.labels import Color, LabelSet, color_to_hex
from segcore.palette import class_colors
from segcore.whole_files import write_bytes

TOOLS: dict[str, str] = {"cvat": "CVAT", "label-studio": "Label Studio"}
"""Annotation tools by name, with their titles."""

BACKGROUND = "background"
Propose = Callable[[str], npt.NDArray[Any] | None]


def write_batch(
    dataset: Dataset,
    ids: Sequence[str],
    destination: Path,
    tool: str,
    propose: Propose,
    progress: Progress | None = None,
) -> Path:
    """Write images, pre-annotations and class list for an annotation tool.

    Images are named after their ids with "__" for "/"; the answer is matched by these names.

    Args:
        dataset: The dataset.
        ids: Ids of the images, labelled or not.
        destination: A new folder.
        tool: A name in :data:`TOOLS`.
        propose: Returns the mask (H, W) of class indices that is proposed for an image; None for
            none.
        progress: Called with (done, total, what).

    Returns:
        The folder, with a README.txt that says how the tool takes it.

    Raises:
        SegcoreError: The tool is unknown, the folder exists, two images share a name, or a file
            cannot be read or written; nothing is left behind then.
    """
    if tool not in TOOLS:
        raise unknown("annotation tool", tool, TOOLS)
    samples = [dataset.sample(one) for one in ids]
    names = [flat_name(sample) for sample in samples]
    if not samples or len(set(names)) < len(names):
        raise SegcoreError(
            f"Expected one image or more with names of their own, received {len(samples)}: choose "
            "others."
        )
    if destination.exists():
        raise SegcoreError(
            f"Expected a new folder for the batch, received {destination}, which exists: choose "
            "another."
        )
    partial = destination.with_name(f".{destination.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    write = _write_cvat if tool == "cvat" else _write_label_studio
    try:
        write(dataset, samples, partial, propose, progress)
        partial.rename(destination)
    except OSError as error:
        raise disk_error("write", destination, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return destination


def tool_colors(labels: LabelSet) -> list[Color]:
    """Return a colour of each class, all different and none black, which is the tools' background."""
    own = [one.color for one in labels.classes]
    if len(set(own)) == len(own) and (0, 0, 0) not in own:
        return own
    return [(max(r, 1), g, b) for r, g, b in class_colors(labels.class_names)]


def _write_cvat(
    dataset: Dataset,
    samples: Sequence[Sample],
    folder: Path,
    propose: Propose,
    progress: Progress | None,
) -> None:
    labels = dataset.label_set
    colors = tool_colors(labels)
    table = np.zeros((labels.ignore_index + 1, 3), np.uint8)
    table[: labels.num_classes] = colors
    rows = ["# label:color_rgb:parts:actions", f"{BACKGROUND}:0,0,0::"]
    rows += [
        f"{name.replace(':', ' ')}:{','.join(map(str, color))}::"
        for name, color in zip(labels.class_names, colors, strict=True)
        if name != BACKGROUND
    ]
    if BACKGROUND in labels.class_names:
        table[labels.class_names.index(BACKGROUND)] = 0
    packed = io.BytesIO()
    listed = []
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for done, sample in enumerate(samples, 1):
            copy_image(dataset, sample, folder / "images" / flat_name(sample))
            mask = propose(sample.id)
            if mask is not None:
                listed.append(flat_name(sample))
                png = encode_png(np.ascontiguousarray(table[mask]))
                archive.writestr(f"SegmentationClass/{flat_name(sample)}.png", png)
            if progress:
                progress(done, len(samples), "images written")
        archive.writestr("labelmap.txt", "\n".join(rows) + "\n")
        archive.writestr("ImageSets/Segmentation/default.txt", "\n".join(listed) + "\n")
    write_bytes(folder / "annotations.zip", packed.getvalue())
    raw = [
        {"name": name, "color": color_to_hex(color), "attributes": []}
        for name, color in zip(labels.class_names, colors, strict=True)
    ]
    write_bytes(folder / "labels.json", json.dumps(raw, indent=1, ensure_ascii=False).encode())
    write_bytes(folder / "README.txt", _CVAT.encode())


_CVAT = """\
CVAT
1. Create a task; paste labels.json into the raw view of the label constructor.
2. Select the files of images/ and submit.
3. In the task's menu, upload annotations: format "Segmentation mask 1.1", file annotations.zip.
4. Correct the masks, then export the task as "Segmentation mask 1.1", with or without images.
5. Give the exported archive to Segscope: tab Label next, or segscope label-answer DATASET ARCHIVE.
"""


def _write_label_studio(
    dataset: Dataset,
    samples: Sequence[Sample],
    folder: Path,
    propose: Propose,
    progress: Progress | None,
) -> None:
    tasks = []
    for done, sample in enumerate(samples, 1):
        image = copy_image(dataset, sample, folder / "images" / flat_name(sample))
        task: dict[str, Any] = {
            "data": {"image": f"/data/local-files/?d={folder_name(folder)}/images/{image.name}"}
        }
        mask = propose(sample.id)
        if mask is not None:
            results = _brushes(mask, dataset.label_set)
            task["predictions"] = [{"model_version": "segscope", "result": results}]
        tasks.append(task)
        if progress:
            progress(done, len(samples), "images written")
    write_bytes(folder / "tasks.json", json.dumps(tasks, ensure_ascii=False).encode())
    rows = [
        f"    <Label value={quoteattr(name)} background={quoteattr(color_to_hex(color))}/>"
        for name, color in zip(
            dataset.label_set.class_names, tool_colors(dataset.label_set), strict=True
        )
    ]
    config = [
        "<View>",
        '  <Image name="image" value="$image" zoom="true"/>',
        '  <BrushLabels name="tag" toName="image">',
        *rows,
        "  </BrushLabels>",
        "</View>",
    ]
    write_bytes(folder / "labels.xml", ("\n".join(config) + "\n").encode())
    write_bytes(folder / "README.txt", _LABEL_STUDIO.encode())


def folder_name(partial: Path) -> str:
    """Return the name that a folder in the making will have."""
    return partial.name.removeprefix(".").removesuffix(".partial")


def _brushes(mask: npt.NDArray[Any], labels: LabelSet) -> list[dict[str, Any]]:
    """Return a brush region of each class that a mask holds."""
    height, width = mask.shape
    present = [c for c in np.unique(mask).tolist() if c < labels.num_classes]
    return [
        {
            "id": f"class{index}",
            "type": "brushlabels",
            "from_name": "tag",
            "to_name": "image",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {
                "format": "rle",
                "rle": encode_brush(mask == index),
                "brushlabels": [labels.class_names[index]],
            },
        }
        for index in present
    ]


_LABEL_STUDIO = """\
Label Studio
1. Start it with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and
   LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT set to the folder that this folder lies in.
2. Create a project; paste labels.xml as the code of its labelling interface.
3. Add this folder as local storage (Settings, Cloud storage), then import tasks.json.
4. Correct the regions and submit, then export as JSON.
5. Give the exported file to Segscope: tab Label next, or segscope label-answer DATASET FILE.
"""
