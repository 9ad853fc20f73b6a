"""What tests of importers share: files are written as people have them, and read back as a dataset."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segcore.data.dataset.dataset import Dataset
from segcore.data.formats.importers import ImportRules, import_dataset
from segcore.data.formats.importers.report import ImportReport


@dataclass(frozen=True)
class Imported:
    """A dataset that was imported."""

    report: ImportReport
    dataset: Dataset

    @property
    def names(self) -> list[str]:
        """Names of the scored classes."""
        return self.report.label_set.class_names

    @property
    def ids(self) -> list[int]:
        """Ids of the scored classes."""
        return self.report.label_set.class_ids

    @property
    def said(self) -> str:
        """All that the import reports."""
        return "\n".join(problem.sentence for problem in self.report.problems)

    def mask(self, sample: str) -> np.ndarray:
        """Class indices of a sample; the ignored value is -1."""
        mask = self.dataset.read_mask(self.dataset.sample(sample)).astype(int)
        mask[mask == self.report.label_set.ignore_index] = -1
        return mask

    def pixels(self) -> dict[int, int]:
        """Pixels of each class index over all samples, -1 for ignored ones."""
        values, counts = np.unique(
            np.concatenate([self.mask(s.id).ravel() for s in self.dataset.samples]),
            return_counts=True,
        )
        return dict(zip(values.tolist(), counts.tolist(), strict=True))


class Folder:
    """A folder of files to import."""

    def __init__(self, root: Path) -> None:
        self.root = root / "in"
        self._out = root
        self._imports = 0

    def save(self, name: str, pixels, **how) -> Path:
        """Write an array, or a Pillow image, as an image file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.asarray(pixels))
        image.save(path, **how)
        return path

    def photo(self, name: str, height: int, width: int, **how) -> Path:
        """Write a picture of noise."""
        rng = np.random.default_rng(sum(map(ord, name)))
        return self.save(name, rng.integers(0, 255, (height, width, 3), np.uint8), **how)

    def text(self, name: str, text: str | bytes) -> Path:
        """Write a text file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def bring_in(self, below: str = "", *, copy: bool = True, **rules) -> Imported:
        """Import the folder, or one below it."""
        self._imports += 1
        name = f"set{self._imports}"
        report = import_dataset(
            self.root / below, self._out / name, name, ImportRules(**rules), copy=copy
        )
        return Imported(report, Dataset.open(self._out / name))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder to fill and import."""
    return Folder(tmp_path)
