"""Dataset health: what is wrong, or could be; each finding with its samples and a fix."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.files.scanning import Progress
from segcore.data.formats.importers.report import is_answered
from segcore.data.health.findings import Evidence, Finding
from segcore.data.health.image_hashes import hash_images, near_groups
from segcore.data.health.interval_groups import interval_groups
from segcore.data.health.sequences import (
    SharedSequence,
    find_sequences,
    neighbours,
    shared_sequences,
)
from segcore.data.health.split_groups import choose_split, find_torn_groups
from segcore.data.splits.blocks import neighbouring
from segcore.data.statistics.statistics import ClassStatistics

NEAR_BITS = 6
"""Images whose 64-bit difference hashes differ in at most this many bits are near-duplicates.

On CamVid no two frames of different drives are within 6 bits; 983 pairs of one drive are.
"""

SINGLE_CLASS_SHARE = 0.995

TOUCHING_SHARE = 0.5
"""Share of the windows outside train that may touch another split's before it is a warning."""

PAIRS = 6
"""Pairs that a finding shows at most."""


def check_health(
    dataset: Dataset,
    statistics: ClassStatistics,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> list[Finding]:
    """Run every check of :data:`CHECKS`.

    Args:
        dataset: The dataset.
        statistics: Its class counts, as ``collect_statistics`` gives them.
        executor: As :func:`segcore.data.files.scanning.scan`.
        progress: Called with (done, total, what) while images are hashed (once for a dataset).

    Returns:
        The findings, problems first.
    """
    hashes, readable = hash_images(dataset, executor, progress)
    evidence = Evidence(dataset, _of_every_sample(dataset, statistics), hashes, readable)
    findings = [finding for check in CHECKS.values() for finding in check(evidence)]
    return sorted(findings, key=lambda f: ("problem", "warning", "note").index(f.level))


def _of_every_sample(dataset: Dataset, statistics: ClassStatistics) -> ClassStatistics:
    """Statistics with a row per sample in dataset order; zeros where there is no mask."""
    rows = {sample_id: row for row, sample_id in enumerate(statistics.sample_ids)}
    nowhere = len(rows)
    order = np.array([rows.get(sample.id, nowhere) for sample in dataset.samples], np.intp)
    counts = np.concatenate(
        [statistics.counts, np.zeros((1, dataset.label_set.num_classes), np.int64)]
    )[order]
    ignored = np.append(statistics.ignored, 0)[order]
    ids, splits = tuple(s.id for s in dataset.samples), tuple(s.split for s in dataset.samples)
    return replace(statistics, sample_ids=ids, splits=splits, counts=counts, ignored=ignored)


def _some(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


def find_left_out(evidence: Evidence) -> list[Finding]:
    """Problems of the import that remain: orphans, sizes that differ, unnamed classes, corrupt files."""
    file = evidence.dataset.folder / "import.json"
    if not file.is_file():
        return []
    problems = json.loads(file.read_bytes())["problems"]
    known = {sample.id for sample in evidence.dataset.samples}
    return [
        Finding(
            "left_out",
            "warning",
            (p["sample"],) if p["sample"] in known else (),
            f"{p['sample']}: {p['what']}" if p["sample"] else p["what"],
            p.get("fix") or p.get("mend", ""),
        )
        for p in problems
        if not is_answered(p, evidence.dataset.label_set)
    ]


def find_unreadable(evidence: Evidence) -> list[Finding]:
    """Images that cannot be read any more."""
    ids = evidence.ids(~evidence.readable)
    what = (
        f"{_some(len(ids), 'image')} that cannot be read: moved, removed or damaged after the "
        "import"
    )
    return (
        [Finding("unreadable", "problem", ids, what, "restore them, or import again")]
        if ids
        else []
    )


def find_bare_masks(evidence: Evidence) -> list[Finding]:
    """Masks without labelled pixels, or with hardly more than one class."""
    counts = evidence.statistics.counts
    total = counts.sum(1)
    has_mask = np.array([sample.mask is not None for sample in evidence.dataset.samples])
    empty = has_mask & (total == 0)
    single = (total > 0) & (counts.max(1) >= SINGLE_CLASS_SHARE * total)
    findings = []
    if empty.any():
        what = f"{_some(int(empty.sum()), 'mask')} without a labelled pixel"
        findings.append(
            Finding(
                "bare_masks",
                "warning",
                evidence.ids(empty),
                what,
                "label them or leave them out: a model learns nothing from them",
            )
        )
    if single.any():
        what = (
            f"{_some(int(single.sum()), 'mask')} with one class only (at least "
            f"{SINGLE_CLASS_SHARE:.1%} of the labelled pixels)"
        )
        findings.append(
            Finding(
                "bare_masks",
                "note",
                evidence.ids(single),
                what,
                "check whether the labels are complete",
            )
        )
    if not has_mask.all():
        what = f"{_some(int((~has_mask).sum()), 'image')} without a mask"
        findings.append(
            Finding(
                "bare_masks",
                "note",
                evidence.ids(~has_mask),
                what,
                "they can be predicted, not trained on or scored",
            )
        )
    return findings


def find_duplicates(evidence: Evidence) -> list[Finding]:
    """Images that are the same, byte for byte or to the eye; across splits that is a leak."""
    samples = evidence.dataset.samples
    exact = [group for group in _same_bytes(evidence) if len(group) > 1]
    bits = np.bitwise_count(evidence.hashes)
    textured = np.flatnonzero(evidence.readable & (bits >= NEAR_BITS) & (bits <= 64 - NEAR_BITS))
    near: dict[int, list[int]] = defaultdict(list)
    if len(textured):
        for index, group in zip(
            textured.tolist(),
            near_groups(evidence.hashes[textured], NEAR_BITS).tolist(),
            strict=True,
        ):
            near[group].append(index)
    known = {frozenset(group) for group in exact}
    similar = [group for group in near.values() if len(group) > 1 and frozenset(group) not in known]
    findings = []
    for kind, groups in (
        ("the same, byte for byte", exact),
        (f"nearly the same (at most {NEAR_BITS} of 64 hash bits differ)", similar),
    ):
        leaking = [g for g in groups if len({samples[i].split for i in g} - {""}) > 1]
        quiet = [g for g in groups if g not in leaking]
        for level, chosen, where, fix in (
            (
                "problem",
                leaking,
                " and in different splits",
                "keep each group in one split: scores on the others are too high",
            ),
            (
                "warning" if kind.startswith("the same") else "note",
                quiet,
                "",
                "keep each group in one split, or drop the copies",
            ),
        ):
            ids = tuple(samples[i].id for group in chosen for i in group)
            if ids:
                what = f"{len(ids)} images in {_some(len(chosen), 'group')} are {kind}{where}"
                pairs = tuple(_two_of([samples[i] for i in group]) for group in chosen[:PAIRS])
                findings.append(Finding("duplicates", level, ids, what, fix, pairs))
    return findings


def _two_of(group: list[Sample]) -> tuple[str, str]:
    """The first sample of a group and another one, of another split where there is one."""
    first = group[0]
    return first.id, next((s.id for s in group[1:] if s.split != first.split), group[1].id)


def _same_bytes(evidence: Evidence) -> list[list[int]]:
    by_hash: dict[int, list[int]] = defaultdict(list)
    for index, value in enumerate(evidence.hashes.tolist()):
        if evidence.readable[index]:
            by_hash[value].append(index)
    by_bytes: dict[str, list[int]] = defaultdict(list)
    for group in by_hash.values():
        for index in group if len(group) > 1 else ():
            sample = evidence.dataset.samples[index]
            data = (
                evidence.dataset.image_path(sample).read_bytes()
                if sample.window is None
                else evidence.dataset.read_image(sample).tobytes()
            )
            by_bytes[hashlib.sha256(data).hexdigest()].append(index)
    return list(by_bytes.values())


def find_shared_sequences(evidence: Evidence) -> list[Finding]:
    """Videos that are in two splits: neighbours in time are near-duplicates."""
    samples = evidence.dataset.samples
    sequences = find_sequences(samples, evidence.hashes, evidence.readable)
    shared = shared_sequences(samples, sequences)
    fix = (
        "split by whole sequences (method 'grouped', by prefix): scores on such neighbours are "
        "too high"
    )
    findings = []
    for one in shared:
        level, what = (
            "problem" if one.num_between else "warning",
            _describe(one, len(evidence.dataset.select(one.split))),
        )
        pairs = neighbours(samples, one, PAIRS)
        findings.append(Finding("sequences", level, one.ids, what, fix, pairs, "grouped"))
    return findings


def _describe(shared: SharedSequence, split_size: int) -> str:
    every = {0: "", 1: ", every frame", 2: ", every second frame"}.get(
        shared.step, f", mostly every {shared.step}th frame"
    )
    sentence = (
        f"{len(shared.ids)} of the {split_size} samples of {shared.split} are frames "
        f"{shared.first} to {shared.last}{every} of the video "
        f"{shared.sequence.name!r}, which also gives {shared.num_other} samples of {shared.other}"
    )
    if shared.before is not None and shared.after is not None:
        sentence += (
            f"; they lie inside it, between the {shared.other} frames {shared.before} and "
            f"{shared.after}"
        )
    elif shared.num_between:
        sentence += f"; {shared.num_between} of them lie between frames of {shared.other}"
    return sentence


def find_groups_in_several_splits(evidence: Evidence) -> list[Finding]:
    """Folders whose images lie in several splits; videos and windows have checks of their own."""
    dataset = evidence.dataset
    drawn = interval_groups(dataset)
    if (drawn.by == "prefix" and not drawn.chosen) or any(s.window for s in dataset.samples):
        return []
    split_of = {sample.id: sample.split for sample in dataset.samples}
    torn = find_torn_groups(dataset, [split_of])
    if not torn.members:
        return []
    ids = tuple(i for members in torn.members.values() for i in members)
    pairs = tuple(
        _two_of([dataset.sample(i) for i in members])
        for members in [*torn.members.values()][:PAIRS]
    )
    fix = (
        f"split by whole groups (method 'grouped', by {torn.by}): images of one group are alike, so "
        "scores and intervals flatter"
    )
    return [Finding("groups", "warning", ids, str(torn), fix, pairs, "grouped")]


def find_neighbouring_windows(evidence: Evidence) -> list[Finding]:
    """Windows of one raster that touch or overlap and are in different splits."""
    samples = evidence.dataset.samples
    pairs = [
        (samples[i], samples[j])
        for i, j in neighbouring(samples).tolist()
        if samples[i].split and samples[j].split and samples[i].split != samples[j].split
    ]
    if not pairs:
        return []
    scored = [s for s in samples if s.split not in ("", "train")]
    touching = {s.id for pair in pairs for s in pair}
    leaking = tuple(s.id for s in scored if s.id in touching)
    shared = [pair for pair in pairs if _overlap(*pair)]
    what = f"{len(leaking)} of the {len(scored)} windows outside train touch one of another split"
    if shared:
        what += f", and {_some(len(shared), 'pair')} of them share pixels"
    much = bool(shared) or len(leaking) > TOUCHING_SHARE * len(scored)
    level = "problem" if shared else "warning" if much else "note"
    fix = "split by blocks, with a gap if scores shall hold for new ground (method 'blocks', --gap)"
    examples = tuple((a.id, b.id) for a, b in (shared or pairs)[:PAIRS])
    return [Finding("neighbours", level, leaking, what, fix, examples, "blocks")]


def _overlap(one: Sample, other: Sample) -> bool:
    (top, left), (row, column) = one.window or (0, 0), other.window or (0, 0)
    return (
        row < top + one.height
        and top < row + other.height
        and column < left + one.width
        and left < column + other.width
    )


def find_missing_classes(evidence: Evidence) -> list[Finding]:
    """Classes that no sample contains, or that one split contains and another lacks."""
    names, splits = evidence.dataset.label_set.class_names, evidence.dataset.splits
    everywhere = evidence.statistics.images
    absent = np.flatnonzero(everywhere == 0)
    findings = []
    if len(absent):
        what = f"no mask contains {_listed([names[c] for c in absent])}"
        fix = "a model cannot learn them: check the declared ids, or remove these classes"
        findings.append(Finding("classes", "warning", (), what, fix))
    images = {split: evidence.statistics.select(split).images for split in splits}
    for split in splits:
        lacking = np.flatnonzero((images[split] == 0) & (everywhere > 0))
        for few in (False, True):
            chosen = lacking[(everywhere[lacking] < len(splits)) == few]
            if len(chosen):
                findings.append(_lacking(evidence, split, chosen, few))
    return findings


def _lacking(evidence: Evidence, split: str, classes: npt.NDArray[Any], few: bool) -> Finding:
    """One finding for the classes that a split lacks; ``few``: too few images for every split."""
    names, statistics = evidence.dataset.label_set.class_names, evidence.statistics
    what = (
        f"{split} lacks {_some(len(classes), 'class', 'classes')}: "
        f"{_listed([names[c] for c in classes])}"
    )
    method = "" if few else choose_split(evidence.dataset, len(evidence.dataset.splits)).method
    if few:
        most = int(statistics.images[classes].max())
        what += f" (in {'only 1 image' if most == 1 else f'at most {most} images'} of the dataset)"
        fix = "no split can give every part one: collect more, merge the class, or score without it"
    else:
        fix = f"make new splits by the method '{method}'"
        if method != "stratified":  # which would part images that belong together
            fix += f" with another seed or a larger {split} split"
    has_any = np.any(statistics.counts[:, classes] > 0, axis=1)
    ids = evidence.ids(np.asarray(has_any, bool))[:50]
    level = "problem" if split == "train" else "warning"
    return Finding("classes", level, ids, what, fix, (), method)


def _listed(names: list[str], most: int = 12) -> str:
    """Name up to ``most`` classes, in quotes, and count the rest."""
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


CHECKS: dict[str, Callable[[Evidence], list[Finding]]] = {
    "left_out": find_left_out,
    "unreadable": find_unreadable,
    "bare_masks": find_bare_masks,
    "duplicates": find_duplicates,
    "sequences": find_shared_sequences,
    "groups": find_groups_in_several_splits,
    "neighbours": find_neighbouring_windows,
    "classes": find_missing_classes,
}
"""Every check, in the order its findings are listed."""
