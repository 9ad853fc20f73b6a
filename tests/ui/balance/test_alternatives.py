"""What is said beside a balance plan."""

from types import SimpleNamespace

import numpy as np

from segcore.ui.balance.alternatives import rarest


def test_the_rarest_classes_are_those_that_occur() -> None:
    """Three absent classes do not use up the three places."""
    names = ("sky", "cat", "dog", "road", "pole")
    part = SimpleNamespace(
        label_set=SimpleNamespace(class_names=names), pixels=np.array([90, 0, 0, 7, 0])
    )
    assert rarest(part) == ["road", "sky"]
