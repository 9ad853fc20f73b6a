"""What an import says about itself: what came in, and what did not and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segcore.errors import SegcoreError
from segcore.labels import LabelSet


@dataclass(frozen=True)
class Problem:
    """Something that did not fit, and its fix.

    Attributes:
        sample: Id or file it concerns; "" for the whole source.
        what: What was found.
        fix: What the user can do.
        scored: Names of the classes, scored when imported, that it asks about: it is answered once
            each of them is renamed or ignored.
        ignored: The same of classes that the import ignores: once renamed or scored.
    """

    sample: str
    what: str
    fix: str
    scored: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    @staticmethod
    def of(sample: str, error: SegcoreError) -> "Problem":
        """Turn an error sentence ("what: fix.") into a problem."""
        what, _, fix = str(error).rpartition(": ")
        return Problem(sample, what or fix, fix if what else "")

    @property
    def is_task(self) -> bool:
        """Whether it leaves the user something to decide about the whole source."""
        return not self.sample and bool(self.fix) and not self.fix.startswith("nothing")

    @property
    def sentence(self) -> str:
        """One sentence, with the sample in front."""
        text = f"{self.what}: {self.fix}" if self.fix else self.what
        return f"{self.sample}: {text}" if self.sample else text

    def to_json(self) -> dict[str, Any]:
        """Return ``{"sample", "what", "fix"}``, and the classes that it asks about where it does."""
        asked = {"scored": [*self.scored], "ignored": [*self.ignored]}
        return {
            "sample": self.sample,
            "what": self.what,
            "fix": self.fix,
            **{kind: names for kind, names in asked.items() if names},
        }


def found_none(expected: str, problems: Sequence[Problem], found: str = "none") -> SegcoreError:
    """Build the error for files none of which can be used; it names the first problem and carries all.

    Args:
        expected: What was expected, such as "at least one sound mask".
        problems: What was wrong with them.
        found: What was found instead.
    """
    first = f"; the first problem is {problems[0].sentence.rstrip('.')}" if problems else ""
    error = SegcoreError(f"Expected {expected}, found {found}{first}.")
    if len(problems) > 1:
        error.details = tuple(problem.sentence for problem in problems)
    return error


def is_answered(problem: Mapping[str, Any], label_set: LabelSet) -> bool:
    """Return whether the classes of today answer what an import asked about its classes.

    Args:
        problem: As :meth:`Problem.to_json` wrote it.
        label_set: The classes of today.
    """
    scored, ignored = set(problem.get("scored", ())), set(problem.get("ignored", ()))
    asked = bool(scored or ignored)
    still = scored & set(label_set.class_names) | ignored & {c.name for c in label_set.ignored}
    return asked and not still


@dataclass(frozen=True)
class ImportReport:
    """The outcome of an import.

    Attributes:
        name: Name of the dataset.
        layout: Which form of dataset was recognised.
        num_samples: Samples that came in.
        splits: Samples of each split, in order; empty when the source has no splits.
        label_set: The classes found.
        problems: What did not fit.
        bands: What each image is, in words, where bands keep their values; "" for pictures.
        num_unlabelled: Images without a mask that came in; they are no samples.
        classes_from: The file, or the publication, that declares the classes; "" where none does.
    """

    name: str
    layout: str
    num_samples: int
    splits: dict[str, int]
    label_set: LabelSet
    problems: tuple[Problem, ...]
    bands: str = ""
    num_unlabelled: int = 0
    classes_from: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping with the attributes as keys."""
        about = {"bands": self.bands} if self.bands else {}
        return about | {
            "name": self.name,
            "layout": self.layout,
            "num_samples": self.num_samples,
            "num_unlabelled": self.num_unlabelled,
            "splits": self.splits,
            "label_set": self.label_set.to_json(),
            "classes_from": self.classes_from,
            "problems": [p.to_json() for p in self.problems],
        }
