"""What is said beside a balance plan."""

from types import SimpleNamespace

import numpy as np

from segcore.data.balance.crop_shares import CropShares
from segcore.ui.balance.alternatives import crops_verdict, rarest


def test_the_rarest_classes_are_those_that_occur() -> None:
    """Three absent classes do not use up the three places."""
    names = ("sky", "cat", "dog", "road", "pole")
    part = SimpleNamespace(
        label_set=SimpleNamespace(class_names=names), pixels=np.array([90, 0, 0, 7, 0])
    )
    assert rarest(part) == ["road", "sky"]


def test_crops_are_said_to_help_from_the_measured_size_on() -> None:
    """The demo's case: only the smallest crops are better balanced than crops anywhere."""
    even, uneven = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    helps, hurts = CropShares(uneven, uneven, even, 4), CropShares(even, even, uneven, 4)
    assert "crops of 1/8 of a side or less" in crops_verdict({0.5: hurts, 0.125: helps})
    assert "Not even crops of 1/8" in crops_verdict({0.5: helps, 0.125: hurts})
