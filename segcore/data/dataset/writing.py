"""How a dataset folder comes to be: written next to its place, then renamed into it whole."""

import dataclasses
import json
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import Dataset, Sample, check_sample_id, digest_mask
from segcore.data.dataset.documents import check_name, name_taken
from segcore.data.dataset.journal import Journal
from segcore.data.dataset.staging import JOURNAL, Staging, reserve
from segcore.data.files.images import encode_png, image_size
from segcore.errors import SegcoreError
from segcore.labels import LabelSet


@dataclass(frozen=True)
class ArraySample:
    """One sample in memory, as :func:`write_dataset` takes it.

    Attributes:
        id: Sample id.
        image: (H, W, 3) uint8 RGB, 0..255.
        mask: (H, W) integer class indices 0..C-1, or the label set's ``ignore_index``.
        split: Split, or "".
        group: Group, or "".
    """

    id: str
    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[Any]
    split: str = ""
    group: str = ""


class DatasetWriter:
    """Writes a dataset into ``.<folder>.partial`` and renames it when all went well.

    Use as a context manager: leaving it by an exception removes what was written (an interruption
    keeps it where there is a key); leaving it normally after :meth:`finish` leaves the whole
    dataset in place. :meth:`add` may be called from several threads.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        label_set: LabelSet,
        source: str = "",
        staging: Staging | None = None,
        key: str = "",
    ) -> None:
        """Prepare to write.

        Args:
            folder: Where the dataset shall lie; must not exist.
            name: Name of the dataset.
            label_set: Its classes.
            source: Where it comes from, for display.
            staging: The reservation of ``folder`` where the caller holds one; None to make it.
            key: What is written and from what, to continue with what a writer of the same key left
                (see ``reserve``); "" to start over.

        Raises:
            SegcoreError: The name is not allowed, or the folder exists.
        """
        self.folder = Path(folder)
        self.name = check_name(name)
        self.label_set = label_set
        self.source = source
        self.partial = Staging(self.folder).partial
        self._reserved = staging is not None
        self._held = ExitStack()
        self._made: set[str] = set()
        self._copied: dict[Path, str] = {}
        self._copying = Lock()
        self._key = key
        self._journal: Journal | None = None
        if self.folder.exists():
            raise name_taken(name)

    def __enter__(self) -> "DatasetWriter":
        """Reserve the place and make the temporary folder, without what a killed import left there.

        Raises:
            SegcoreError: Somebody else is writing a dataset of this name.
        """
        if not self._reserved:
            self._held.enter_context(reserve(self.folder))
        if self._key:
            self._journal = Journal(self.partial, self._key)
        for part in ("images", "masks"):
            (self.partial / part).mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the temporary folder if it is still there, unless it can be continued."""
        if self._journal is not None:
            self._journal.close()
        if self._journal is None or kind is None or issubclass(kind, Exception):
            shutil.rmtree(self.partial, ignore_errors=True)
        self._held.close()

    def known(self, sample_id: str, split: str = "", group: str = "") -> Sample | None:
        """Return a sample that a writer of the same key has written already, or None."""
        sample = None if self._journal is None else self._journal.known(sample_id)
        return None if sample is None else dataclasses.replace(sample, split=split, group=group)

    def add(
        self,
        sample_id: str,
        image: Path | npt.NDArray[np.uint8],
        mask: npt.NDArray[Any] | None,
        split: str = "",
        group: str = "",
        *,
        copy: bool = True,
        mask_bytes: bytes | None = None,
    ) -> Sample:
        """Write one sample's files.

        Args:
            sample_id: Its id.
            image: A file, or (H, W, 3) uint8 RGB.
            mask: (H, W) of the label set's ``mask_dtype``: class indices or ``ignore_index``; None
                for none.
            split: Split, or "".
            group: Group, or "".
            copy: Whether an image file is copied in; else it is referred to where it lies.
            mask_bytes: The PNG of ``mask`` where it exists already, to spare encoding it.

        Returns:
            The sample, for :meth:`finish`.

        Raises:
            SegcoreError: Image and mask differ in size, or an index stands for no class.
        """
        check_sample_id(sample_id)
        height, width = image_size(image) if isinstance(image, Path) else image.shape[:2]
        if mask is not None:
            self._check_mask(sample_id, mask, height, width)
        if isinstance(image, Path) and not copy:
            image_place = str(image.resolve())
        elif isinstance(image, Path):
            image_place = self._copy(image, sample_id)
        else:
            image_place = f"images/{sample_id}.png"
            self._place(image_place).write_bytes(encode_png(image))
        mask_place, digest = None, ""
        if mask is not None:
            mask_place, digest = f"masks/{sample_id}.png", digest_mask(mask)
            self._place(mask_place).write_bytes(mask_bytes or encode_png(mask))
        sample = Sample(sample_id, image_place, mask_place, split, height, width, group, digest)
        return self._noted(sample)

    def add_window(
        self,
        draft: Sample,
        scene: Path,
        mask: npt.NDArray[Any] | None,
        *,
        copy: bool = True,
    ) -> Sample:
        """Write the mask of a sample that is a part of a larger image.

        Args:
            draft: Its id (that of the scene before the last "/"), split, size, group and window; the
                rest is filled in.
            scene: The image file that it is a part of.
            mask: As in :meth:`add`.
            copy: Whether the image file is copied in, once for all its windows.

        Raises:
            SegcoreError: As :meth:`add`.
        """
        check_sample_id(draft.id)
        place, digest = None, ""
        if mask is not None:
            self._check_mask(draft.id, mask, draft.height, draft.width)
            place, digest = f"masks/{draft.id}.png", digest_mask(mask)
            self._place(place).write_bytes(encode_png(mask))
        image = str(scene.resolve())
        if copy:
            with self._copying:
                if scene not in self._copied:
                    self._copied[scene] = self._copy(scene, draft.id.rpartition("/")[0])
            image = self._copied[scene]
        return self._noted(dataclasses.replace(draft, image=image, mask=place, mask_digest=digest))

    def _noted(self, sample: Sample) -> Sample:
        if self._journal is not None:
            self._journal.note(sample)
        return sample

    def _copy(self, image: Path, name: str) -> str:
        """Copy an image in under a name without ending; return its place."""
        place = f"images/{name}{image.suffix.lower()}"
        shutil.copyfile(image, self._place(place))
        return place

    def is_staged(self, file: Path) -> bool:
        """Whether a file lies in the reservation, is gone afterwards and so must be copied."""
        return file.is_relative_to(Staging(self.folder).unpacked)

    def _place(self, relative: str) -> Path:
        target = self.partial / relative
        parent = relative.rpartition("/")[0]
        if parent not in self._made:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(parent)
        return target

    def _check_mask(self, sample_id: str, mask: npt.NDArray[Any], height: int, width: int) -> None:
        if mask.shape != (height, width):
            raise SegcoreError(
                f"Expected a mask of {height} x {width} pixels (height x width) like the "
                f"image of {sample_id!r}, received "
                f"{' x '.join(map(str, mask.shape))}: give both the same size."
            )
        if mask.dtype != self.label_set.mask_dtype:
            raise SegcoreError(
                f"Expected a {self.label_set.mask_dtype} mask for {sample_id!r}, received "
                f"{mask.dtype}: convert it."
            )
        wrong = (mask >= self.label_set.num_classes) & (mask != self.label_set.ignore_index)
        if wrong.any():
            raise SegcoreError(
                f"Expected mask indices below {self.label_set.num_classes} or "
                f"{self.label_set.ignore_index} in {sample_id!r}, received "
                f"{int(mask[wrong][0])}: declare that class."
            )

    def note(self, file: str, data: dict[str, Any]) -> None:
        """Put a JSON file next to ``dataset.json``."""
        (self.partial / file).write_text(json.dumps(data, indent=1, ensure_ascii=False), "utf-8")

    def finish(self, samples: Iterable[Sample], pool: Iterable[Sample] = ()) -> Dataset:
        """Write ``dataset.json`` and put the folder in its place.

        Args:
            samples: What :meth:`add` returned, in the order of the dataset.
            pool: The images without a mask that wait for one.

        Raises:
            SegcoreError: There is no sample, or another dataset took the place meanwhile.
        """
        kept = tuple(samples)
        if not kept:
            raise SegcoreError("Expected at least one sample, received none: check the source.")
        Dataset(self.partial, self.name, self.label_set, kept, self.source, tuple(pool)).save()
        if self._journal is not None:
            self._journal.close()
            (self.partial / JOURNAL).unlink()
        try:
            self.partial.rename(self.folder)
        except OSError as error:
            raise SegcoreError(
                f"The dataset could not be put in {self.folder} ({error.strerror}): "
                "choose another name."
            ) from error
        return Dataset.open(self.folder)


def write_dataset(
    folder: Path, name: str, label_set: LabelSet, samples: Iterable[ArraySample], source: str = ""
) -> Dataset:
    """Write a dataset from arrays; memory stays at one sample when ``samples`` is a generator.

    Args:
        folder: Where it shall lie; must not exist.
        name: Its name.
        label_set: Its classes.
        samples: Images and masks with ids and splits.
        source: Where it comes from, for display.

    Returns:
        The dataset, opened.

    Raises:
        SegcoreError: A name, size or index does not fit; nothing is left behind then.
    """
    with DatasetWriter(Path(folder), name, label_set, source) as writer:
        rows = []
        for sample in samples:
            mask = np.asarray(sample.mask)
            if (
                mask.dtype.kind not in "iu"
                or int(mask.min(initial=0)) < 0
                or int(mask.max(initial=0)) > label_set.ignore_index
            ):
                raise SegcoreError(
                    f"Expected indices of 0 to {label_set.ignore_index} in the mask of "
                    f"{sample.id!r}: convert it."
                )
            typed = np.ascontiguousarray(mask, label_set.mask_dtype)
            rows.append(writer.add(sample.id, sample.image, typed, sample.split, sample.group))
        return writer.finish(rows)
