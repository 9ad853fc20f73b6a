"""Bands of datasets that keep their values: their figures, and which of them are shown."""

import dataclasses
from collections.abc import Callable, Sequence

from segcore.data.bands.display import BandDisplay, load_display, save_display
from segcore.data.statistics.band_statistics import (
    BandFigures,
    bands_of,
    collect_band_statistics,
)
from segcore.errors import disk_error, unknown
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.rights import writes

Progress = Callable[[int, int, str], None]


class DatasetBands:
    """The bands of the datasets of a workspace."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets

    def channels(self, name: str) -> tuple[str, ...]:
        """Return the names of the channels that networks see; () for a dataset of pictures.

        Raises:
            SegcoreError: There is no such dataset.
        """
        bands = self._datasets.open(name).bands
        return () if bands is None else bands.channels

    def figures(
        self, name: str, split: str | None = None, progress: Progress | None = None
    ) -> tuple[BandFigures, ...]:
        """Return the figures of each channel over a split, measured once; None for all images.

        Raises:
            SegcoreError: There is no such dataset or split, it holds pictures, or an image cannot
                be read.
        """
        return collect_band_statistics(self._datasets.open(name), split, None, progress)

    def display(self, name: str) -> BandDisplay:
        """Return which channels are shown, and between which limits.

        Raises:
            SegcoreError: There is no such dataset, or it holds pictures.
        """
        dataset = self._datasets.open(name)
        bands_of(dataset)
        return load_display(dataset.folder)

    @writes("choose bands", "Chose the bands {channels} to show of the dataset {name}")
    def show(self, name: str, channels: Sequence[str]) -> BandDisplay:
        """Choose the channels that are shown from now on; a network sees nothing of it.

        Args:
            name: Name of the dataset.
            channels: One channel for grey, or three for red, green and blue, by name.

        Raises:
            SegcoreError: There is no such dataset or channel, they are neither one nor three, or
                the folder cannot be written.
        """
        known = [channel.casefold() for channel in self.channels(name)]
        for channel in channels:
            if channel.casefold() not in known:
                raise unknown("channel", channel, self.channels(name))
        places = tuple(known.index(channel.casefold()) for channel in channels)
        display = dataclasses.replace(self.display(name), shown=places)
        folder = self._datasets.open(name).folder
        try:
            save_display(folder, display)
        except OSError as error:
            raise disk_error("write", folder, error) from error
        return display
