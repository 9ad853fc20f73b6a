"""The CRF search: temperature first, then halving over candidates, "off" among them."""

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np

from segcore.catalog import CRF_OBJECTIVES
from segcore.config import CRFSearchConfig, to_json
from segcore.data.health.interval_groups import drawn_by
from segcore.errors import SegcoreError
from segcore.evaluation.comparison import crf_effect
from segcore.evaluation.comparison.crf_effect import Outcome
from segcore.evaluation.counts.bootstrap import Interval
from segcore.evaluation.metrics.calibration import fit_temperature
from segcore.light_worker.journal import Arrays, Journal
from segcore.light_worker.members import find_members, scored_samples
from segcore.light_worker.pool import map_ahead
from segcore.light_worker.progress import Progress
from segcore.light_worker.steps import (
    Counts,
    SearchTask,
    Step,
    StepCounts,
    count_steps,
    draw_pixels,
    objective_score,
    outcome_of,
    plain_filters,
)
from segcore.postprocess.crf_gain import DISTANCES
from segcore.postprocess.crf_search import Candidate, Choice, draw_candidates, search_parameters
from segcore.postprocess.dense_crf import require_available
from segcore.runs.folder.run_folder import RunFolder

DOCUMENT = "crf_search"
ROUNDS = 3
FIT_IMAGES = 60
"""Temperature is fitted on so many images, spread over the split."""


class _Search:
    """One attempt at a search: what was counted so far, by step and image."""

    def __init__(
        self,
        run: RunFolder,
        config: CRFSearchConfig,
        executor: Executor | None,
        should_stop: Callable[[], bool],
        ahead: int,
    ) -> None:
        self.run, self.config, self._executor, self._should_stop, self._ahead = (
            run,
            config,
            executor,
            should_stop,
            ahead,
        )
        self.members = find_members(run, config.dataset, config.members, config.split)
        self.samples = scored_samples(self.members)
        key = json.dumps(
            [to_json(config), self.members.made_from(), self.members.dataset.fingerprint]
        )
        self._tasks = [
            SearchTask(
                replace(self.members, dataset=replace(self.members.dataset, samples=(sample,))),
                config,
            )
            for sample in self.samples
        ]
        self.filters = plain_filters(float(np.median([s.height * s.width for s in self.samples])))
        self.counted: dict[tuple[int, int], StepCounts] = {}
        self._steps: list[Step] = []
        self.temperature = 0.0
        self._journal = Journal(run, key, self._remember)

    def _remember(self, record: Arrays) -> None:
        if "temperature" in record:
            self.temperature = float(record["temperature"])
        else:
            self._note(int(record["image"]), record["steps"].tolist(), record["rows"])

    def _note(self, image: int, steps: Sequence[int], rows: Counts) -> None:
        self.counted.update(
            {(step, image): StepCounts.of(row) for step, row in zip(steps, rows, strict=True)}
        )

    def clear(self) -> None:
        """Remove what was kept for another attempt."""
        self._journal.clear()

    def fit(self) -> float:
        """Fit the temperature of the combined probabilities (rounded to 1e-6)."""
        if not self.temperature:
            chosen = self._tasks[:: max(1, math.ceil(len(self._tasks) / FIT_IMAGES))]
            progress = Progress(
                self.run, len(chosen), 0, self._should_stop, "images for the temperature"
            )
            drawn = []
            for pixels in map_ahead(
                draw_pixels, chosen, self._executor, self._ahead, progress.tick
            ):
                drawn.append(pixels)
                progress.advance()
            fitted = fit_temperature(
                np.concatenate([p for p, _ in drawn]), np.concatenate([t for _, t in drawn])
            )
            self.temperature = round(fitted * 1e6) / 1e6
            self._journal.append({"temperature": np.array(self.temperature)})
        return self.temperature

    def candidates(self) -> list[Choice]:
        """Draw the candidates; all but the start as it is have the fitted temperature."""
        start = self.config.start
        drawn = draw_candidates(
            self.config.candidates,
            np.random.default_rng(self.config.seed),
            replace(start, temperature=self.temperature),
        )
        choices: list[Choice] = [
            None,
            start,
            *(replace(c, temperature=self.temperature) for c in drawn if c is not None),
        ]
        return list(dict.fromkeys(choices))

    def search(self) -> list[Candidate]:
        """Search, counting what is not yet counted."""
        choices = self.candidates()
        self._steps = [*choices, *self.filters]
        progress = Progress(
            self.run,
            _steps_in_all(len(choices) - 1, len(self.filters), len(self.samples)),
            len(self.counted),
            self._should_stop,
            "refined images",
        )

        def count(images: Sequence[int], alive: Sequence[Choice]) -> Iterator[Iterator[Counts]]:
            wanted = [self._steps.index(choice) for choice in alive]
            refined = sum(choice is not None for choice in alive)
            progress.unit = f"refined images, {refined} of {len(choices) - 1} candidates still in"
            filters = list(range(len(choices), len(self._steps)))
            missing = {
                i: [s for s in wanted + filters if (s, i) not in self.counted] for i in images
            }
            tasks = [
                replace(self._tasks[i], steps=tuple(self._steps[s] for s in steps))
                for i, steps in missing.items()
                if steps
            ]
            places = [(i, steps) for i, steps in missing.items() if steps]
            for (i, steps), rows in zip(
                places,
                map_ahead(count_steps, tasks, self._executor, self._ahead, progress.tick),
                strict=True,
            ):
                self._note(i, steps, rows)
                self._journal.append({"image": np.array(i), "steps": np.array(steps), "rows": rows})
                progress.advance(len(steps))
            for i in images:
                yield (self.counted[s, i].unpack() for s in wanted)

        generator = np.random.default_rng([self.config.seed, 1])
        return search_parameters(
            choices,
            len(self.samples),
            count,
            lambda c: objective_score(c, self.config.objective),
            generator,
            rounds=ROUNDS,
        )

    def outcome(self, step: Step, images: Sequence[int] | None = None) -> Outcome:
        """What was counted after a step, over some images or all, in the order of the dataset."""
        number = self._steps.index(step)
        chosen = range(len(self.samples)) if images is None else sorted(images)
        return outcome_of([self.counted[number, i] for i in chosen])


def _steps_in_all(crfs: int, filters: int, images: int) -> int:
    """How many times an image is refined or filtered in the whole search."""
    total, counted = 0, 0
    for number in range(ROUNDS + 1):
        until = images if number == ROUNDS else max(1, math.ceil(images / 2 ** (ROUNDS - number)))
        total += max(0, until - counted) * (crfs + 1 + filters)
        counted, crfs = max(counted, until), max(1, math.ceil(crfs / 2))
    return total


def crf_search_run(
    run: RunFolder,
    executor: Executor | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    ahead: int = 4,
) -> None:
    """Carry out a search, the document ``crf_search.json``; a stopped one continues where it was.

    Args:
        run: The run; its config says what to do.
        executor: Where images are worked on; None works on them here, with the same result.
        should_stop: Asked between images and every half second.
        ahead: Images in progress at a time.

    Raises:
        Stopped: ``should_stop`` said so.
        SegcoreError: pydensecrf is missing, or something on disk is missing, damaged, or does not
            fit.
    """
    config = run.config
    if not isinstance(config, CRFSearchConfig):
        raise SegcoreError(
            f"Expected a CRF search, received {run.id!r} of kind {config.kind!r}: start "
            "one on the Ensemble page."
        )
    require_available()
    search = _Search(run, config, executor, should_stop, ahead)
    search.fit()
    ranked = search.search()
    document = _document(search, ranked)
    run.write_json(DOCUMENT, document)
    run.write_status(
        mean_iou=document["crf"]["mean_iou"] if document["best"] else document["off"]["mean_iou"]
    )
    search.clear()


def _document(search: _Search, ranked: list[Candidate]) -> dict[str, Any]:
    config, images = search.config, len(search.samples)
    off = search.outcome(None)
    groups = drawn_by(search.members.dataset, [s.id for s in search.samples]).groups
    whole = [c for c in ranked if len(c.samples) == images]
    best = next(c.parameters for c in whole if c.parameters is not None)
    after = search.outcome(best)
    judged = crf_effect.judge(off, after, groups)
    sentences = [
        crf_effect.verdict(
            CRF_OBJECTIVES[name].title,
            Interval.from_difference(judged["gain"][name]),
            chosen_on=config.split,
        )
        for name in ("mean_iou", "boundary_iou")
        if judged["gain"][name]["difference"] is not None
    ]
    return {
        "run": search.run.id,
        "dataset": config.dataset,
        "members": list(config.members),
        "rule": config.rule,
        "weights": list(config.weights),
        "split": config.split,
        "objective": config.objective,
        "num_samples": images,
        "made_from": search.members.made_from(),
        "temperature": search.temperature,
        "off": crf_effect.judge(off, off, groups),
        "best": None if whole[0].parameters is None else dataclasses.asdict(best),
        "crf": {
            "parameters": dataclasses.asdict(best),
            **judged,
            "classes": crf_effect.by_class(
                off, after, search.members.label_set.class_names, groups
            ),
            "distances": crf_effect.by_distance(after, DISTANCES, groups),
        },
        "verdict": sentences,
        "candidates": [_row(search, candidate) for candidate in ranked],
        "alternatives": [
            {
                "kind": step.kind,
                "size": step.size,
                "title": step.describe(),
                **crf_effect.judge(off, search.outcome(step), groups),
            }
            for step in search.filters
        ],
    }


def _row(search: _Search, candidate: Candidate) -> dict[str, Any]:
    """A candidate's scores and those of no CRF on the same images."""
    mine, theirs = (
        search.outcome(step, candidate.samples).scores() for step in (candidate.parameters, None)
    )
    return {
        "parameters": None
        if candidate.parameters is None
        else dataclasses.asdict(candidate.parameters),
        "images": len(candidate.samples),
        "mean_iou": mine["mean_iou"],
        "boundary_iou": mine["boundary_iou"],
        "over_off": {name: mine[name] - theirs[name] for name in ("mean_iou", "boundary_iou")},
    }
