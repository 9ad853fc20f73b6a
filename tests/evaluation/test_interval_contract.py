"""One contract for every caller of an interval: order, plain loop, groups, coverage, and who refuses."""

import numpy as np
import pytest

from segcore.evaluation.comparison.ablation_verdicts import Spread, draw_score, mean_over_pairs
from segcore.evaluation.comparison.comparison import compare_reports
from segcore.evaluation.comparison.crf_effect import Outcome, judge
from segcore.evaluation.comparison.learning_curve import learning_curve
from segcore.evaluation.comparison.subsets import Tallies, score_subsets
from segcore.evaluation.compression.compression import fold
from segcore.evaluation.compression.evidence import merge_support
from segcore.evaluation.compression.risk_control import mean_loss
from segcore.evaluation.compression.stability import map_intervals
from segcore.evaluation.compression.tiers import compare_tiers
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import bootstrap, paired
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.counts.scores import Margins
from segcore.evaluation.counts.verdicts import UNDETERMINED, judge_difference, judge_many
from segcore.evaluation.metrics.pixel_metrics import PixelMetrics
from segcore.evaluation.metrics.report import evaluate
from segcore.evaluation.metrics.robustness import summarise
from segcore.evaluation.metrics.slices import Slice, score_slices
from segcore.labels import LabelClass, LabelMap, LabelSet
from segcore.postprocess.weightings import marginal_shares, subset_weights
from tests.evaluation.plain_loop import plain_interval

LABELS = LabelSet(tuple(LabelClass(i, name, (i, i, i)) for i, name in enumerate("abc")))
MERGE = LabelMap.merging(3, [(1, 2)])


def population(images, seed, skill):
    """Counts (N, 3, 3) whose true pixels follow from the seed alone, and skill from image to image."""
    truth = np.random.default_rng(seed)
    true = truth.integers(50, 400, (images, 3))
    rng = np.random.default_rng([seed, int(100 * skill)])
    out = np.zeros((images, 3, 3), np.int64)
    for i in range(images):
        own = np.clip(rng.normal(skill, 0.12), 0.05, 0.98)
        for c in range(3):
            chances = np.full(3, (1 - own) / 2)
            chances[c] = own
            out[i, c] = rng.multinomial(true[i, c], chances)
    return out


def ids(counts):
    return [f"image {i}" for i in range(len(counts))]


def report(counts, groups):
    return evaluate(counts, ids(counts), LABELS, "test", groups=groups)


def in_report(name):
    return lambda a, b, groups: report(a, groups).intervals[name][0].ends()


def against(a, b, groups):
    return compare_reports(report(a, groups), report(b, groups)).difference.ends()


def by_slice(a, b, groups):
    return score_slices(a, [Slice("all", tuple(range(len(a))))], groups=groups)[0].interval


def under_corruption(a, b, groups):
    return summarise(a, {("blur", 1): b}, groups=groups).curves[0].interval


def by_crf(a, b, groups):
    def outcome(counts):
        images = len(counts)
        shape = (images, 3, 2)
        changes = np.zeros((3, 4), np.int64), np.zeros((images, 1, 4), np.int64)
        return Outcome(SampleCounts.of(counts), np.ones(shape, np.int64), *changes)

    return judge(outcome(b), outcome(a), groups)["gain"]["mean_iou"]["interval"]


def of_subsets(a, b, groups):
    counts = np.stack([a, b, (a + b) // 2], axis=1)
    counts[:, 2, :, :] = a  # the same true pixels in each
    table = subset_weights(2)
    shares = marginal_shares(table)
    found = score_subsets(
        Tallies.of(counts), table, ("a", "b"), shares, "validation", groups=groups
    )
    return found["values"][1]["interval"]  # that of b


def of_lift(a, b, groups):
    return merge_support(a, [MERGE], groups=groups).lifts[0].ends()


def of_merge(a, b, groups):
    return map_intervals(a, MERGE, groups=groups)["mean_iou"].ends()


def of_tier(a, b, groups, score="accuracy"):
    names = None if groups is None else dict(zip(ids(a), groups, strict=True))
    (tier,) = compare_tiers((ids(a), a), MERGE, {}, groups=names)
    return tier.gain[score].ends()


def of_learning_curve(a, b, groups):
    between = (a + b) // 2
    between[:, range(3), range(3)] += a.sum(2) - between.sum(2)  # the same true pixels
    return learning_curve([10, 20, 40], [[b], [between], [a]], 10, groups=groups).gain.ends()


def of_back_off(a, b, groups):
    wrong = a.sum((1, 2)) - a.trace(axis1=1, axis2=2)
    return mean_loss(wrong[:, None], a.sum((1, 2))[:, None], ids(a), groups)[0].ends()


def of_ablation(a, b, groups):
    mine, other = (draw_score(c, ids(c), 1000, groups=groups) for c in (a, b))
    return mean_over_pairs(
        [mine.observed - other.observed],
        [mine.draws - other.draws],
        Spread(0.0, 0),
        (mine.unit, len(mine.drawn)),
    ).ends()


def at_borders(a, b, groups):
    measured = PixelMetrics(3, 255)
    measured.sample_ids = ids(a)
    right = a.diagonal(axis1=1, axis2=2)
    measured.boundary = list(np.stack([right, a.sum(2) + a.sum(1) - right], axis=-1))
    return measured.borders(groups, a.sum(2) > 0).interval


CALLERS = {
    "report, mean IoU": in_report("mean_iou"),
    "report, classes in the truth": in_report("mean_iou_in_truth"),
    "report, accuracy": in_report("pixel_accuracy"),
    "report, class": in_report("iou"),
    "A against B": against,
    "slices": by_slice,
    "robustness": under_corruption,
    "CRF": by_crf,
    "subsets": of_subsets,
    "merge, lift": of_lift,
    "merge, mean IoU": of_merge,
    "tiers": of_tier,
    "ablation": of_ablation,
    "boundaries": at_borders,
    "learning curve": of_learning_curve,
    "back-off": of_back_off,
}


@pytest.fixture(params=CALLERS)
def caller(request):
    return CALLERS[request.param]


BY_CONTENT = [name for name in CALLERS if name not in ("ablation", "back-off")]
"""The others' draws follow from the images' names."""


@pytest.mark.parametrize("name", BY_CONTENT)
@pytest.mark.parametrize("grouped", [False, True])
def test_the_order_of_images_does_not_matter(name, grouped):
    a, b = population(24, 3, 0.8), population(24, 3, 0.6)
    groups = [f"g{i // 3}" for i in range(24)] if grouped else None
    order = np.random.default_rng(1).permutation(24)
    turned = [groups[i] for i in order] if groups else None
    wanted = CALLERS[name](a, b, groups)
    assert CALLERS[name](a[order], b[order], turned) == pytest.approx(wanted, abs=1e-12)


def test_groups_are_wider_where_images_of_one_are_alike(caller):
    a, b = population(10, 5, 0.8), population(10, 5, 0.6)
    groups = [f"g{i // 6}" for i in range(60)]
    a, b = np.repeat(a, 6, axis=0), np.repeat(b, 6, axis=0)
    single, whole = caller(a, b, None), caller(a, b, groups)
    assert whole[1] - whole[0] > 1.5 * (single[1] - single[0])


def test_few_units_have_no_interval(caller):
    a, b = population(30, 5, 0.8), population(30, 5, 0.6)
    assert caller(a[:5], b[:5], None) == [None, None]
    assert caller(a, b, [f"g{i % 5}" for i in range(30)]) == [None, None]
    assert None not in caller(a, b, [f"g{i % 6}" for i in range(30)])


def test_images_without_a_scored_pixel_say_nothing(caller):
    a, b = population(12, 5, 0.8), population(12, 5, 0.6)
    void = np.zeros((20, 3, 3), np.int64)
    wanted = caller(a, b, None)
    assert None not in wanted
    assert caller(np.vstack([a, void]), np.vstack([b, void]), None) == pytest.approx(wanted)
    assert caller(np.vstack([a[:5], void]), np.vstack([b[:5], void]), None) == [None, None]
    groups = [f"g{i}" for i in range(32)]
    assert caller(np.vstack([a, void]), np.vstack([b, void]), groups) == pytest.approx(
        caller(a, b, groups[:12])
    )


def mean_iou(counts):
    """A resample's, of a set whose truth holds every class."""
    return scores.mean_by_class(scores.iou, np.ones(counts.shape[-1], bool))(counts)


STATISTICS = {
    "report, mean IoU": lambda a, b: mean_iou(a),
    "report, accuracy": lambda a, b: scores.pixel_accuracy(a),
    "A against B": lambda a, b: mean_iou(a) - mean_iou(b),
    "CRF": lambda a, b: mean_iou(a) - mean_iou(b),
    "robustness": lambda a, b: mean_iou(a) - mean_iou(b),
    "slices": lambda a, b: mean_iou(a),
    "subsets": lambda a, b: mean_iou(b),
    "merge, mean IoU": lambda a, b: mean_iou(fold(a, MERGE)) - mean_iou(a),
    "tiers": lambda a, b: scores.pixel_accuracy(fold(a, MERGE)) - scores.pixel_accuracy(a),
}
COUNTS = {"robustness": 300, "slices": 500, "merge, mean IoU": 500}
PAIRS = ("A against B", "CRF", "robustness")


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("rare", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
def test_it_agrees_with_a_plain_loop(name, grouped, rare):
    """Also where many resamples' truth lacks a class that is predicted everywhere."""
    a, b = population(18, 7, 0.8), population(18, 7, 0.6)
    if rare:
        a[2:, 2] = b[2:, 2] = 0
    groups = [f"g{i % 7}" for i in range(18)] if grouped else None
    single = name not in PAIRS
    own = b if name == "subsets" else a
    twin = plain_interval(
        [own] if single else [a, b],
        (lambda x: STATISTICS[name](x, x)) if single else STATISTICS[name],
        groups,
        resamples=COUNTS.get(name, 1000),
    )
    assert CALLERS[name](a, b, groups) == pytest.approx(list(twin[1:]), abs=1e-12)


@pytest.mark.parametrize("name", ["report, mean IoU", "A against B", "report, class", "ablation"])
def test_it_contains_the_populations_value_about_as_often_as_it_says(name):
    """Thirty images of a population of 4,000, 120 times: 95 % but for what 120 draws may miss."""
    a, b = population(4000, 11, 0.8), population(4000, 11, 0.6)
    first, second = a.sum(0), b.sum(0)
    value = {
        "report, mean IoU": scores.mean_iou(first),
        "report, class": scores.iou(first)[0],
    }.get(name, scores.mean_iou(first) - scores.mean_iou(second))
    inside = 0
    for trial in range(120):
        chosen = np.random.default_rng(trial).integers(0, 4000, 30)
        low, high = CALLERS[name](a[chosen], b[chosen], None)
        inside += low <= value <= high
    assert inside / 120 >= 0.95 - 3 * (0.95 * 0.05 / 120) ** 0.5


def test_classes_that_do_not_differ_are_told_apart_in_few_tables():
    """A against B where either image was as likely A's: any false verdict in at most 5 % of tables."""
    wrong = alone = 0
    tables, classes = 120, 8
    for table in range(tables):
        rng = np.random.default_rng(table)
        true = rng.integers(50, 400, (30, classes))
        hits = rng.binomial(
            true[None], np.clip(rng.normal(0.7, 0.12, (2, 30, classes)), 0.05, 0.98)
        )
        a, b = (
            Margins(right, true, right + (true - right)[:, [*range(1, classes), 0]])
            for right in hits
        )
        (intervals,) = bootstrap([a, b], {"iou": paired(scores.iou)}, resamples=2000).values()
        wrong += any(word != UNDETERMINED for word in judge_many(intervals))
        alone += any(judge_difference(one) != UNDETERMINED for one in intervals)
    error = (0.05 * 0.95 / tables) ** 0.5
    assert wrong / tables <= 0.05 + 2 * error
    assert alone / tables > 0.05 + 2 * error  # eight at 95 % each are not one
