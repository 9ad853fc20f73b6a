"""Which masks belong to which image, by their names; where that is not one, the reason."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

from segcore.data.files.names import name_keys
from segcore.data.formats.importers.pairs.pairing import Pairing, Stopwatch
from segcore.data.formats.importers.pairs.places import (
    IMAGE_AFFIX,
    MASK_AFFIX,
    Place,
    bare_stem,
    unnumbered,
)
from segcore.data.formats.importers.report import Problem
from segcore.errors import SegcoreError
from segcore.labels import list_names, plural

MAX_NAMED = 4
Key = Callable[[Place], tuple[str, ...]]


@dataclass
class Partners:
    """Images and their masks.

    Attributes:
        images: The images, in order.
        free: Masks that belong to no image so far.
        masks: The masks of each image that has any: several only where they are parts of one.
        reasons: Why an image has none, where there is more to say than that.
        settled: Images that no later rule may touch.
    """

    images: Sequence[Place]
    free: list[Place]
    masks: dict[PurePosixPath, tuple[Place, ...]] = field(default_factory=dict)
    reasons: dict[PurePosixPath, str] = field(default_factory=dict)
    settled: set[PurePosixPath] = field(default_factory=set)
    all_masks: Sequence[Place] = ()

    def __post_init__(self) -> None:
        """Keep which masks there were at first."""
        self.all_masks = self.all_masks or tuple(self.free)

    def match(self, image: Place, masks: Sequence[Place]) -> None:
        """Give an image its masks."""
        self.masks[image.path] = tuple(masks)
        self.settled.add(image.path)
        self.reasons.pop(image.path, None)
        self._take(masks)

    def refuse(self, images: Sequence[Place], masks: Sequence[Place], final: bool) -> None:
        """Note why images have no mask; where that is final, nobody else gets these masks."""
        names = list_names([str(m.path) for m in masks], MAX_NAMED)
        shared = list_names([str(i.path) for i in images], MAX_NAMED)
        for image in images:
            what = (
                f"The image {image.path.name} has {len(masks)} masks ({names}): keep one, or join "
                "them into one."
                if len(images) == 1
                else f"The images {shared} share the mask {names}: rename or remove all but one."
            )
            self.reasons.setdefault(image.path, what)
            if final:
                self.settled.add(image.path)
        if final:
            self._take(masks)

    def set_apart(self, image: Place, masks: Sequence[Place]) -> None:
        """Note that masks of an image's name lie in folders of other images."""
        names = list_names([str(m.path) for m in masks], MAX_NAMED)
        self.reasons.setdefault(
            image.path,
            f"The image {image.path} has no mask in its split or folder; {names} is of its name and "
            "lies elsewhere: move it there if it is meant.",
        )

    def _take(self, masks: Sequence[Place]) -> None:
        taken = {m.path for m in masks}
        self.free = [m for m in self.free if m.path not in taken]

    def groups(self, image_key: Key, mask_key: Key) -> list[tuple[list[Place], list[Place]]]:
        """Return unsettled images and free masks that share a key."""
        by_key: dict[tuple[str, ...], tuple[list[Place], list[Place]]] = defaultdict(
            lambda: ([], [])
        )
        for image in self.images:
            if image.path not in self.settled:
                by_key[image_key(image)][0].append(image)
        for mask in self.free:
            if (key := mask_key(mask)) in by_key:
                by_key[key][1].append(mask)
        return [(images, masks) for images, masks in by_key.values() if masks]

    def belongs_elsewhere(self, image: Place, mask: Place) -> bool:
        """Whether folders say that an image and a mask of one name are not of each other.

        They do where both lie in splits or folders of different names, and images as well as masks
        lie in each of these: numbers that begin anew in each folder must not be mixed up.
        """
        if image.scope == mask.scope:
            return False
        if image.split and mask.split and image.split != mask.split:
            return True
        return mask.scope in self._image_scopes and image.scope in self._mask_scopes

    @cached_property
    def _image_scopes(self) -> frozenset[tuple[str, ...]]:
        return frozenset(image.scope for image in self.images)

    @cached_property
    def _mask_scopes(self) -> frozenset[tuple[str, ...]]:
        return frozenset(mask.scope for mask in self.all_masks)


@dataclass(frozen=True)
class Rule:
    """One way to compare names.

    Attributes:
        image_key: What of an image's place is compared.
        mask_key: What of a mask's place.
        final: Whether several partners by this rule decide.
    """

    image_key: Key
    mask_key: Key
    final: bool = True


def _full(place: Place) -> tuple[str, ...]:
    return (*place.scope, place.stem)


def _bare_image(place: Place) -> tuple[str, ...]:
    return (*place.scope, bare_stem(place.stem, IMAGE_AFFIX))


def _bare_mask(place: Place) -> tuple[str, ...]:
    return (*place.scope, bare_stem(place.stem, MASK_AFFIX))


def _part_of_mask(place: Place) -> tuple[str, ...]:
    return (*place.scope, bare_stem(unnumbered(place.stem), MASK_AFFIX))


def _loose(key: Key, names_only: bool) -> Key:
    def folded(place: Place) -> tuple[str, ...]:
        *scope, stem = key(place)
        bare = name_keys(stem)[2]
        return (bare,) if names_only else (*(part.casefold() for part in scope), bare)

    return folded


RULES: tuple[Rule, ...] = (
    Rule(_full, _full),
    Rule(_full, _bare_mask),
    Rule(_bare_image, _bare_mask),
    Rule(_full, _part_of_mask),
    Rule(_bare_image, _part_of_mask),
    Rule(_loose(_full, False), _loose(_full, False)),
    Rule(_loose(_full, False), _loose(_bare_mask, False)),
    Rule(lambda p: (p.stem,), lambda p: (p.stem,), final=False),
    Rule(
        lambda p: (bare_stem(p.stem, IMAGE_AFFIX),),
        lambda p: (bare_stem(p.stem, MASK_AFFIX),),
        final=False,
    ),
    Rule(_loose(_full, True), _loose(_full, True), final=False),
    Rule(_loose(_full, True), _loose(_bare_mask, True), final=False),
)
"""Tried in this order: within split and folders, then anywhere by a name that stands once."""


def _shortened(place: Place) -> tuple[str, ...]:
    return (*place.scope, re.sub(r"[_\-. ][^_\-. ]*$", "", place.stem))


LOOSE_RULES: tuple[Rule, ...] = (
    Rule(_full, _shortened),
    Rule(_shortened, _shortened, final=False),
)


def pair_places(
    images: Sequence[Place], masks: Sequence[Place], *, loose: bool = False
) -> Partners:
    """Find each image's masks by their names.

    Args:
        images: The images.
        masks: The masks.
        loose: Whether names also count that agree but for their last word: 21_training, 21_manual1.
    """
    partners = Partners(images, list(masks))
    for rule in (*RULES, *(LOOSE_RULES if loose else ())):
        for own, theirs in partners.groups(rule.image_key, rule.mask_key):
            if len(own) == 1 and any(partners.belongs_elsewhere(own[0], m) for m in theirs):
                partners.set_apart(own[0], theirs)
            elif len(own) == 1 and (len(theirs) == 1 or _are_parts(theirs)):
                partners.match(own[0], theirs)
            else:
                partners.refuse(own, theirs, rule.final)
    _add_parts(partners)
    _pair_by_beginning(partners)
    _pair_by_folder(partners)
    return partners


def _add_parts(partners: Partners) -> None:
    """Add to an image's mask what bears its name and a number: a_mask_1 beside a_mask."""
    further: dict[tuple[str, ...], list[Place]] = defaultdict(list)
    for mask in partners.free:
        if unnumbered(mask.stem) != mask.stem:
            further[(*mask.scope, unnumbered(mask.stem))].append(mask)
    for image in partners.images:
        own = partners.masks.get(image.path, ())
        parts = further.get(_full(own[0]), []) if len(own) == 1 else []
        if parts:
            partners.match(image, (*own, *parts))


def _are_parts(masks: Sequence[Place]) -> bool:
    """Whether masks of one image differ in numbers only, as a_mask_1 and a_mask_2."""
    bare = {re.sub(r"\d+", "#", m.stem) for m in masks}
    return len(bare) == 1 and len({m.stem for m in masks}) == len(masks)


def _pair_by_beginning(partners: Partners) -> None:
    """Give masks to the image whose name theirs begins with: parts, or one strange ending."""
    for names_only in (False, True):
        index: dict[tuple[str, ...], list[Place]] = defaultdict(list)
        for image in partners.images:
            if image.path not in partners.settled:
                index[(image.stem,) if names_only else _full(image)].append(image)
        groups: dict[tuple[str, ...], list[tuple[Place, str]]] = defaultdict(list)
        for mask in partners.free:
            for cut in reversed([m.start() for m in re.finditer(r"[_\-. ]", mask.stem)]):
                key = (mask.stem[:cut],) if names_only else (*mask.scope, mask.stem[:cut])
                if len(index.get(key, ())) == 1:
                    if not partners.belongs_elsewhere(index[key][0], mask):
                        groups[key].append((mask, mask.stem[cut:]))
                    break
        endings = Counter(found[0][1] for found in groups.values() if len(found) == 1)
        for key, found in groups.items():
            masks, ending = [mask for mask, _ in found], found[0][1]
            if len(masks) > 1 and not _are_parts(masks):
                partners.refuse(index[key], masks, True)
            elif len(masks) > 1 or (endings[ending] > 1 and len(endings) == 1):
                partners.match(index[key][0], masks)


def _pair_by_folder(partners: Partners) -> None:
    """Give the masks of a folder to its only image, in sets of one folder for each image."""
    in_scope = Counter(image.scope for image in partners.images)
    stems = Counter(mask.stem for mask in partners.free)
    for own, theirs in partners.groups(lambda p: p.scope, lambda p: p.scope):
        if len(own) != 1 or not own[0].folders or in_scope[own[0].scope] != 1:
            continue
        once = all(stems[mask.stem] == 1 for mask in theirs)
        if len(theirs) == 1 or once or _are_parts(theirs):
            partners.match(own[0], theirs)
        else:
            partners.refuse(own, theirs, True)


def pair_by_rule(
    images: Sequence[Place], masks: Sequence[Place], pairing: Pairing, problems: list[Problem]
) -> Partners:
    """Find each image's masks by the user's rule: within split and folders, then by a key anywhere.

    Raises:
        SegcoreError: The rule matches no name, or takes too long.
    """
    watch = Stopwatch.start()
    keys: dict[PurePosixPath, str] = {}
    strange: list[PurePosixPath] = []
    for place in (*images, *masks):
        watch.check()
        key = pairing.key(place.stem)
        if key is None:
            strange.append(place.path)
        else:
            keys[place.path] = key
    images, masks = [p for p in images if p.path in keys], [p for p in masks if p.path in keys]
    if not images or not masks:
        raise SegcoreError(
            "Expected names of images and masks that the rule matches, received "
            f"{len(images)} and {len(masks)}"
            + (f"; {strange[0].name} for one does not" if strange else "")
            + ": correct the rule."
        )
    if strange:
        what = (
            f"{plural(len(strange), 'name')} that the rule does not match, left out, for example "
            f"{strange[0]}"
        )
        problems.append(Problem("", what, "correct the rule if they belong to the dataset"))
    partners = Partners(images, list(masks))
    for names_only in (False, True):

        def key_of(place: Place, names_only: bool = names_only) -> tuple[str, ...]:
            return (keys[place.path],) if names_only else (*place.scope, keys[place.path])

        for own, theirs in partners.groups(key_of, key_of):
            if len(own) == 1 and (len(theirs) == 1 or _are_parts(theirs)):
                partners.match(own[0], theirs)
            else:
                partners.refuse(own, theirs, final=not names_only)
    return partners
