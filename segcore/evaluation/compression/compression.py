"""What a merge of labels does to every score, exactly, from counts alone.

A label map m sends C labels to K groups; with its 0/1 matrix M (C, K) the merged counts are
C_m = M' C M, so no network runs again. Accuracy can only rise under merging, hence it is shown
with what is lost (entropy, information) and what a random merge of the same sizes would
have gained.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from segcore.errors import SegcoreError
from segcore.evaluation.compression.information import choose_prior, entropy, label_priors, xlog2
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.labels import LabelMap

Floats = npt.NDArray[np.float64]
Assignments = npt.NDArray[np.int64]
"""(M, C) group index 0..C-1 of each class, one row for each label map."""

_BYTES = 32 << 20


def fold(counts: npt.NDArray[Any], label_map: LabelMap) -> npt.NDArray[Any]:
    """Merge rows and columns, C_m = M' C M: (..., C, C) -> (..., K, K), dtype kept.

    Raises:
        SegcoreError: The map is for another number of classes.
    """
    counts = np.asarray(counts)
    if counts.shape[-1] != label_map.num_classes:
        raise SegcoreError(
            f"Expected a label map over {counts.shape[-1]} classes, received one over "
            f"{label_map.num_classes}: change it."
        )
    order = np.argsort(label_map.group_of, kind="stable")
    starts = np.cumsum([0, *(len(g) for g in label_map.groups[:-1])])
    rows = np.add.reduceat(counts[..., order, :], starts, axis=-2)
    return np.add.reduceat(rows[..., order], starts, axis=-1)


def merge_probabilities(probabilities: npt.NDArray[Any], label_map: LabelMap) -> npt.NDArray[Any]:
    """Sum probabilities over each group, (H, W, C) -> (H, W, K) float32; no retraining is needed.

    At least as good as merging after the argmax where probabilities are calibrated.
    """
    membership = np.zeros((label_map.num_classes, label_map.num_groups), np.float32)
    membership[np.arange(label_map.num_classes), label_map.group_of] = 1
    return np.asarray(probabilities, np.float32) @ membership


def fold_images(counts: SampleCounts, label_map: LabelMap) -> SampleCounts:
    """Merge rows and columns of each image's counts: (N, C, C) -> (N, K, K).

    Raises:
        SegcoreError: The map is for another number of classes.
    """
    fold(np.zeros((counts.num_classes, counts.num_classes)), label_map)
    true, predicted = np.divmod(counts.cells.indices, counts.num_classes)
    groups = label_map.num_groups
    places = label_map.group_of[true] * groups + label_map.group_of[predicted]
    cells = csr_array(
        (counts.cells.data.copy(), places, counts.cells.indptr.copy()),
        shape=(len(counts), groups * groups),
    )
    cells.sum_duplicates()
    return SampleCounts(cells, groups)


@dataclass(frozen=True)
class MapScore:
    """Every score of one label map; NaN for what is undefined.

    Attributes:
        label_map: The map.
        accuracy: Share of right pixels after the merge, 0..1; never below that before.
        mean_iou: Mean IoU over the groups that occur, 0..1; may fall.
        composition: The part of the change in mean IoU that comes from averaging fewer, larger
            classes while every confusion still counts as an error.
        resolved_confusion: The rest: what merging confused labels resolved. Only this speaks for
            duplicates.
        kappa: Agreement beyond chance.
        mcc: Multiclass Matthews correlation.
        entropy_bits: Entropy H of the merged labels under the chosen prior, bits.
        retained_entropy: That over the entropy before the merge, 0..1.
        lost_bits: Entropy given up under the chosen prior, bits.
        retained: Retained entropy under every known prior.
        information_bits: Mutual information I of merged truth and merged prediction, pixel weights,
            bits.
        retained_information: That over the information before the merge, 0..1.
        honest_accuracy: I / H under pixel weights, 0..1: Theil's uncertainty coefficient (Theil
            1970).
        itca: -sum_g C_gg / N ln p_g, nats (Zhang et al., JMLR 2022).
        expected_accuracy: Mean accuracy of a random merge of the same group sizes.
        lift: (accuracy - expected) / (1 - expected).
        truth_cost_bits: I(Y; prediction) - I(mY; prediction), bits: near 0 when the merged labels
            are answered alike.
        rate: Points of accuracy gained for each point of retained entropy sold, against no merge.
    """

    label_map: LabelMap
    accuracy: float
    mean_iou: float
    composition: float
    resolved_confusion: float
    kappa: float
    mcc: float
    entropy_bits: float
    retained_entropy: float
    lost_bits: float
    retained: Mapping[str, float]
    information_bits: float
    retained_information: float
    honest_accuracy: float
    itca: float
    expected_accuracy: float
    lift: float
    truth_cost_bits: float
    rate: float

    def to_json(self, ids: Sequence[int] | None = None) -> dict[str, Any]:
        """Return a row for JSON; groups hold the user's ids when given, else indices."""
        names = range(self.label_map.num_classes) if ids is None else ids
        row: dict[str, Any] = {
            "groups": self.label_map.in_ids(names),
            "num_groups": self.label_map.num_groups,
        }
        for key, value in vars(self).items():
            if key == "retained":
                row[key] = {prior: _plain(v) for prior, v in value.items()}
            elif key != "label_map":
                row[key] = _plain(value)
        return row


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def to_assignments(maps: Sequence[LabelMap]) -> Assignments:
    """Stack label maps as (M, C) int64 group indices."""
    return np.stack([m.group_of for m in maps])


def to_map(assignment: npt.NDArray[Any], name: str = "") -> LabelMap:
    """Turn group numbers of each class, (C,), into a label map."""
    groups: dict[int, list[int]] = {}
    for index, group in enumerate(np.asarray(assignment).tolist()):
        groups.setdefault(group, []).append(index)
    return LabelMap(tuple(tuple(g) for g in groups.values()), name)


def measure_maps(
    confusion: npt.NDArray[Any], assignments: Assignments, priors: Mapping[str, Floats]
) -> dict[str, Floats]:
    """Score many label maps at once.

    Args:
        confusion: (C, C) pixel counts, rows true.
        assignments: (M, C) group of each class.
        priors: (C,) weights by name, from
            :func:`segcore.evaluation.compression.information.label_priors`.

    Returns:
        (M,) float64 by name: accuracy, mean_iou, separate_iou (mean IoU with inner confusion still
        an error), kappa, mcc, information, truth_information, itca, meet (chance that two labels
        share a group), and "entropy <prior>" in bits for each prior.
    """
    confusion = np.asarray(confusion, np.float64)
    size = len(confusion)
    block = max(1, _BYTES // (8 * size * size))
    parts = [
        _measure(confusion, assignments[i : i + block], priors)
        for i in range(0, len(assignments), block)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _fold_many(
    confusion: Floats, assignments: Assignments, member: Floats
) -> tuple[Floats, Floats]:
    """Fold by many maps: rows only, (M, K, C), and both ways, (M, K, K).

    One stacked product is fastest for few labels; for many, sums over sorted labels do far less
    work and need no threads of a linear-algebra library, which crawl when other processes hold the
    cores.
    """
    if len(confusion) <= 32:
        half = member.transpose(0, 2, 1) @ confusion
        return half, half @ member
    maps, _, width = member.shape
    half, folded = np.zeros((maps, width, len(confusion))), np.zeros((maps, width, width))
    for index, groups in enumerate(assignments):
        order = np.argsort(groups, kind="stable")
        starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
        count = len(starts)
        half[index, :count] = np.add.reduceat(confusion[order], starts, axis=0)
        folded[index, :count, :count] = np.add.reduceat(
            half[index, :count][:, order], starts, axis=1
        )
    return half, folded


def _measure(
    confusion: Floats, assignments: Assignments, priors: Mapping[str, Floats]
) -> dict[str, Floats]:
    size, width = len(confusion), int(assignments.max()) + 1
    member = (assignments[:, :, None] == np.arange(width)).astype(np.float64)  # (M, C, K)
    half, folded = _fold_many(confusion, assignments, member)
    d, r, s = scores.parts(folded)
    total = np.asarray(confusion.sum())
    whole = float(xlog2(total))
    truth, columns = xlog2(r).sum(-1), confusion.sum(0)
    share = scores.ratio(r, total)
    inner = np.diagonal(confusion) @ member  # (M, K) pixels right before the merge
    group_sizes = member.sum(1)
    out = {
        "accuracy": scores.ratio(d.sum(-1), np.broadcast_to(total, len(d))),
        "mean_iou": scores.mean_present(scores.ratio(d, r + s - d)),
        "separate_iou": scores.mean_present(scores.ratio(inner, r + s - inner)),
        "kappa": scores.kappa(folded),
        "mcc": scores.matthews(folded),
        "information": scores.ratio(
            xlog2(folded).sum((1, 2)) - truth - xlog2(s).sum(-1) + whole, total
        ),
        "truth_information": scores.ratio(
            xlog2(half).sum((1, 2)) - truth - xlog2(columns).sum() + whole, total
        ),
        "itca": 0.0
        - scores.ratio(
            (d * np.log(share, out=np.zeros(share.shape), where=share > 0)).sum(-1), total
        ),
        "meet": (group_sizes * (group_sizes - 1)).sum(-1) / (size * (size - 1))
        if size > 1
        else np.ones(len(d)),
    }
    out["information"] = np.maximum(out["information"], 0.0)
    for name, weights in priors.items():
        out[f"entropy {name}"] = entropy(weights @ member)
    return out


def score_maps(
    confusion: npt.NDArray[Any],
    maps: Sequence[LabelMap],
    priors: Mapping[str, Floats] | None = None,
    prior: str = "pixel",
) -> list[MapScore]:
    """Score label maps; see :class:`MapScore`.

    Args:
        confusion: (C, C) pixel counts, rows true.
        maps: Label maps over the C classes.
        priors: Known priors, from :func:`segcore.evaluation.compression.information.label_priors`;
            pixel and uniform by default.
        prior: The one that ``entropy_bits``, ``retained_entropy`` and ``rate`` use.

    Raises:
        SegcoreError: A map over another number of classes, or a prior that is not known.
    """
    confusion = np.asarray(confusion)
    size = len(confusion)
    for label_map in maps:
        if label_map.num_classes != size:
            raise SegcoreError(
                f"Expected a label map over {size} classes, received one over "
                f"{label_map.num_classes}: choose another map."
            )
    priors = label_priors(confusion) if priors is None else priors
    choose_prior(priors, prior)
    return _rows(
        measure_maps(confusion, to_assignments([LabelMap.identity(size), *maps]), priors),
        maps,
        priors,
        prior,
    )


def _rows(
    found: dict[str, Floats], maps: Sequence[LabelMap], priors: Mapping[str, Floats], prior: str
) -> list[MapScore]:
    """Turn measures, whose first entry is the identity, into rows for the others."""
    bits = [name for name in found if name == "information" or name.startswith("entropy ")]
    found = found | {
        name: np.where(
            found[name] > 1e-12, found[name], np.where(np.isnan(found[name]), np.nan, 0.0)
        )
        for name in bits
    }
    base = {name: values[0] for name, values in found.items()}
    now = {name: values[1:] for name, values in found.items()}
    retained = {
        name: scores.ratio(now[f"entropy {name}"], np.full(len(maps), base[f"entropy {name}"]))
        for name in priors
    }
    expected = base["accuracy"] + (1 - base["accuracy"]) * now["meet"]
    kept = retained[prior]
    pixel = now["entropy pixel"] if "pixel" in priors else np.full(len(maps), np.nan)
    columns = {
        "accuracy": now["accuracy"],
        "mean_iou": now["mean_iou"],
        "composition": now["separate_iou"] - base["mean_iou"],
        "resolved_confusion": now["mean_iou"] - now["separate_iou"],
        "kappa": now["kappa"],
        "mcc": now["mcc"],
        "entropy_bits": now[f"entropy {prior}"],
        "retained_entropy": kept,
        "lost_bits": base[f"entropy {prior}"] - now[f"entropy {prior}"],
        "information_bits": now["information"],
        "retained_information": scores.ratio(
            now["information"], np.full(len(maps), base["information"])
        ),
        "honest_accuracy": np.minimum(scores.ratio(now["information"], pixel), 1.0),
        "itca": now["itca"],
        "expected_accuracy": expected,
        "lift": scores.ratio(
            now["accuracy"] - expected, np.where(1 - expected > 1e-15, 1 - expected, 0)
        ),
        "truth_cost_bits": np.maximum(base["truth_information"] - now["truth_information"], 0.0),
        "rate": scores.ratio(
            now["accuracy"] - base["accuracy"], np.where(1 - kept > 1e-15, 1 - kept, 0)
        ),
    }
    return [
        MapScore(
            m,
            retained={name: float(v[i]) for name, v in retained.items()},
            **{key: float(v[i]) for key, v in columns.items()},
        )
        for i, m in enumerate(maps)
    ]
