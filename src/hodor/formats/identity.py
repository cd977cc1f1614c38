"""Which object a shape is: the ids of a file stay, and shapes without one get their own.

Most tools let people leave the id out. A shape without one is the object of its label that it
overlaps in the frame before, else a new object.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hodor.errors import counted
from hodor.formats.track import HIGHEST_ID
from hodor.video.limits import some

Box = tuple[float, float, float, float]
"""First column, first row, last column and last row, ends excluded, in pixels."""

LEAST_OVERLAP = 0.3
"""Intersection over union of boxes from which on a shape goes on: what trackers by overlap take."""

MOST_GAP = 10
"""Frames of the file for which an object may be gone and still go on."""

MOST_PAIRS = 1_000_000
"""Pairs of shapes and objects that are compared in a frame: 1,000 shapes are far more than people
draw."""


@dataclass(frozen=True)
class Instance:
    """A shape before it has an object id.

    wanted: what the file says of its id, None for nothing. label: what it is called. box: where it
    is, None where that is not known. lane: what it has in common with the other shapes of its
    object by the tool's rule, such as a track, if there is such a rule.
    """

    wanted: object
    label: str
    box: Box | None = None
    lane: object = None


@dataclass
class Objects:
    """Ids (by frame, in the order of its instances), and what objects are called."""

    ids: list[list[int]]
    names: dict[int, str]


def identify(
    frames: Sequence[Sequence[Instance]],
    warnings: list[str],
    *,
    what: str,
    lanes: Sequence[object] = (),
    label_is_object: bool = False,
) -> Objects:
    """Give each instance of each frame, in the order of time, an object id.

    Ids from 1 to 65535 stay. Others (0, text, too large) get a free number each, and so do shapes
    without one, unless they overlap an object of their label in its last frame.

    Args:
        frames: instances of each frame.
        warnings: told how many had no id, and which were numbered anew.
        what: ids are called in the file, such as "track id".
        lanes: of instances, in the order in which they are numbered.
        label_is_object: whether a label that no frame has twice is one object throughout, as
            people use it in tools where they draw picture by picture.
    """
    wanted = [i.wanted for frame in frames for i in frame if i.wanted is not None]
    given = _given(wanted, warnings, what)
    linker = _Linker(set(given.values()))
    linker.number(lanes)
    single = _single_labels(frames) if label_is_object else frozenset()
    ids: list[list[int]] = []
    for frame in frames:
        fixed = [
            linker.lanes.get(i.lane) if i.wanted is None else given[_key(i.wanted)] for i in frame
        ]
        ids.append(linker.complete(frame, fixed, single))
    if linker.without:
        warnings.append(linker.told(what, some_have_one=bool(wanted)))
    names: dict[int, str] = {}
    for frame, numbers in zip(frames, ids, strict=True):
        for instance, number in zip(frame, numbers, strict=True):
            names.setdefault(number, instance.label)
    return Objects(ids, names) if not linker.full else _by_place(frames, warnings, what)


def id_of(value: object) -> int | None:
    """A number from 1 to 65535 that a file has as a number or text, else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 9:
        value = int(value)
    return value if isinstance(value, int) and 1 <= value <= HIGHEST_ID else None


def renumbered(values: Iterable[object], warnings: list[str], *, what: str) -> dict[object, int]:
    """Ids for what a file calls its objects, one for each: those that can be ids stay.

    Two values of one number, such as folders "1" and "001", get different ids.
    """
    ids: dict[object, int] = {}
    others = []
    for value in dict.fromkeys(values):
        number = id_of(value)
        if number is None or number in ids.values():
            others.append(value)
        else:
            ids[value] = number
    _number_anew(others, ids, warnings, what)
    return ids


def _key(value: object) -> object:
    number = id_of(value)
    return str(value) if number is None else number


def _given(wanted: list[object], warnings: list[str], what: str) -> dict[object, int]:
    keys = list(dict.fromkeys(_key(value) for value in wanted))
    ids: dict[object, int] = {key: key for key in keys if isinstance(key, int)}
    others = [key for key in keys if key not in ids]
    _number_anew(others, ids, warnings, what)
    return ids


def _number_anew(
    others: list[object], ids: dict[object, int], warnings: list[str], what: str
) -> None:
    free = _Free(set(ids.values()))
    for value in others:
        ids[value] = free.take()
    if others:
        told = some(f"{value} became {ids[value]}" for value in others)
        warnings.append(
            f"{what}s are not all numbers from 1 to {HIGHEST_ID}, and {len(others)} were numbered "
            f"anew: {told}"
        )


class _Free:
    """Hands out the lowest ids that nothing has."""

    def __init__(self, taken: set[int]) -> None:
        self._taken = taken
        self._next = 1

    def take(self) -> int:
        """Raises ValueError if all are taken."""
        while self._next in self._taken:
            self._next += 1
        if self._next > HIGHEST_ID:
            raise ValueError(f"there are more than {HIGHEST_ID} objects")
        self._taken.add(self._next)
        return self._next


@dataclass
class _Linker:
    """Goes through the frames; knows where each object was last."""

    taken: set[int]
    last: dict[str, dict[int, tuple[int, Box | None]]] = field(default_factory=dict)
    """By label and object: frame (by its place in the file) and box"""
    by_label: dict[str, int] = field(default_factory=dict)
    lanes: dict[object, int] = field(default_factory=dict)
    at: int = 0
    without: int = 0
    fresh: int = 0
    full: bool = False

    def __post_init__(self) -> None:
        self._free = _Free(self.taken)

    def number(self, lanes: Sequence[object]) -> None:
        """Give each lane an id."""
        self.lanes = {lane: self._new() for lane in lanes}
        self.fresh = 0

    def complete(
        self, frame: Sequence[Instance], fixed: Sequence[int | None], single: frozenset[str]
    ) -> list[int]:
        """Ids of a frame's instances, of which some are fixed."""
        numbers = list(fixed)
        here = {number for number in fixed if number is not None}
        for at, number in self._overlapping(frame, numbers, here):
            if numbers[at] is None and number not in here:
                numbers[at] = number
                here.add(number)
        done = []
        for at, instance in enumerate(frame):
            known = numbers[at]
            self.without += fixed[at] is None
            if known is None and instance.label in single:
                known = self.by_label.get(instance.label)
            number = self._new() if known is None else known
            self.by_label.setdefault(instance.label, number)
            done.append(number)
        for instance, number in zip(frame, done, strict=True):
            self.last.setdefault(instance.label, {})[number] = self.at, instance.box
        self.at += 1
        return done

    def told(self, what: str, *, some_have_one: bool) -> str:
        """What was done with shapes that have no id."""
        none = f"there are no {what}s"
        if some_have_one:
            none = f"{counted(self.without, 'shape')} had no {what}"
        return (
            f"{none}: shapes of one label that overlap from frame to frame were taken for one "
            f"object, others for objects of their own ({counted(self.fresh, 'object')})"
        )

    def _overlapping(
        self, frame: Sequence[Instance], numbers: Sequence[int | None], here: set[int]
    ) -> list[tuple[int, int]]:
        """Places and ids that may belong together, those with the most overlap first."""
        pairs = []
        recent = {label: self._recent(label, here) for label in {one.label for one in frame}}
        if len(frame) * max(map(len, recent.values()), default=0) > MOST_PAIRS:
            return []
        for at, instance in enumerate(frame):
            if numbers[at] is None and instance.box is not None:
                for number, box in recent[instance.label]:
                    share = _overlap(instance.box, box)
                    if share >= LEAST_OVERLAP:
                        pairs.append((-share, at, number))
        return [(at, number) for _, at, number in sorted(pairs)]

    def _recent(self, label: str, here: set[int]) -> list[tuple[int, Box]]:
        """Objects of a label that were seen not long ago; others are forgotten."""
        known = self.last.get(label, {})
        for number in [n for n, (at, _) in known.items() if at < self.at - MOST_GAP]:
            del known[number]
        return [(n, box) for n, (_, box) in known.items() if box is not None and n not in here]

    def _new(self) -> int:
        self.fresh += 1
        try:
            return self._free.take()
        except ValueError:
            self.full = True
            return HIGHEST_ID


def _single_labels(frames: Sequence[Sequence[Instance]]) -> frozenset[str]:
    """Labels without any id that no frame has twice."""
    labels: set[str] = set()
    several: set[str] = set()
    for frame in frames:
        counts = Counter(instance.label for instance in frame)
        several |= {label for label, count in counts.items() if count > 1}
        several |= {instance.label for instance in frame if instance.wanted is not None}
        labels |= counts.keys()
    return frozenset(labels - several)


def _by_place(frames: Sequence[Sequence[Instance]], warnings: list[str], what: str) -> Objects:
    """Where there are more shapes than ids: numbers for each frame on its own."""
    warnings.append(
        f"there are more than {HIGHEST_ID} objects, counting shapes without a {what}: objects are "
        "numbered in each frame on its own, so that a number may mean different objects in "
        "different frames"
    )
    names: dict[int, str] = {}
    for frame in frames:
        if len(frame) > HIGHEST_ID:
            raise ValueError(f"a frame has {len(frame)} objects; up to {HIGHEST_ID} are read")
        for number, instance in enumerate(frame, 1):
            names.setdefault(number, instance.label)
    return Objects([list(range(1, len(frame) + 1)) for frame in frames], names)


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (_area(one) + _area(other) - both)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
