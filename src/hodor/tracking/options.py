"""What can be chosen when following objects."""

import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Final, Literal, TypedDict, get_args

import numpy as np

from hodor.errors import HodorError
from hodor.types import Json, JsonObject

RELEASED_ASPECT = 864 / 448  # published_behaviour 5: long side limited to MAX_DIM / MIN_DIM
FARTHEST = 1_000_000  # a search radius or crop margin past any frame; more would only overflow
OFF: Final = "off"
"""In place of a value: the option does nothing, whatever the model's file says"""
CAN_BE_OFF = (
    "keep_every",
    "search_radius",
    "crop_margin",
    "min_confidence_ratio",
    "min_confidence",
    "min_similarity",
    "min_matched",
    "object_bias",
)

Merge = Literal["max", "logsumexp"]
Fit = Literal["pad", "stretch"]

NEVER_OFF = frozenset({"size", "window", "long_side"})
"""Options that do something at every value; the defaults of all others do nothing."""


@dataclass(frozen=True)
class TrackerOptions:
    """Options of a tracker. The defaults are the paper's; a model's file may carry its own.

    Raises:
        HodorError: a value is out of range, or of another kind than its default.
    """

    size: int = 512
    """Shorter side, in pixels, at which the network sees a frame."""
    window: int = 7
    """Frames whose descriptors are remembered (section 3.3)."""
    keep_reference: bool = False
    """Keep descriptors of given masks for good, beside the window (off in the paper)."""
    keep_every: int = 0
    """Of every so many frames one is kept as a map too, with what was found there. When the next
    one is there, it is matched like frames with given masks, at a tenth of their weight, and more
    for an object that is seen larger than it was given: what turns round shows sides that no given
    mask has. Two are kept, however long the video (0: none, as in
    the paper). For networks that match."""
    skip_lost: bool = False
    """Take no descriptor of an object from a frame in which it is not visible (off: paper)."""
    search_radius: float | None = None
    """How far outside its last box an object is expected, as a share of the shorter side of what
    the network sees and of the box; as much again for each frame that it stays lost. Beyond, its
    logits are lowered by 6: only a clear match is followed there. None: it is expected everywhere
    (paper)."""
    crop_margin: float | None = None
    """Look closer: the network sees the part of a frame, of its aspect, that holds the last boxes
    of all objects and this margin around each: a share of the frame's shorter side and of the box,
    and as much again for each frame that an object stays lost. ``size`` is then that part's. On
    CPUs what is far from all objects is cut off its longer side. None: it sees the whole frame
    (paper)."""
    object_bias: float = 0.0
    """Added to objects' logits where results are made, not where masks are fed back (0: paper).
    Below 0, masks are smaller."""
    merge: Merge = "max"
    """How the background's planes count where a label map is made: the greatest of them (as
    released), or all together, as networks learn it whose loss merges them so. The next frame looks
    back at what beats the greatest of them either way: so it is in training."""
    min_confidence_ratio: float = 0.0
    """Share of its running confidence below which an object is taken to be lost (0: paper): its
    mask is empty, and with ``skip_lost`` nothing is learned from it. The running confidence is the
    mean over the last ten frames, or about that, in which it was visible; a share, because small
    objects are never found with much confidence."""
    min_confidence: float = 0.0
    """The network's own confidence, the mean probability of what an object wins, below which it is
    taken to be lost (0: paper), as with ``min_confidence_ratio``, if its similarity to the given
    masks is under 0.8, too. It is not what results tell, where a model's file has a curve by which
    they expect its J."""
    min_similarity: float = 0.0
    """Similarity to the given masks below which what is found is taken to be another thing (0: no
    such doubt, as in the paper), if the network's own confidence is under 0.85, too; the object is
    then lost, as with ``min_confidence_ratio``. Similarity is the cosine of its descriptor and the
    nearest of those of its given masks."""
    min_matched: float = 0.0
    """How likely an object must be where it was found, by matching with frames of given masks and
    what ``keep_every`` keeps (0: no such doubt, as in the paper): the mean over its mask, in
    likelihoods of what is likeliest, so that look-alikes do not count against one another. With
    less, and with a confidence of less than 0.85, it is lost, as with ``min_similarity``. For
    networks that match."""
    keep_apart: bool = False
    """Of objects that look alike none gets what another is (off: paper): a thing is in one place.
    What an object wins apart from where it was, together with another that looks like it, is that
    one's; and that it looks even more like one that is elsewhere is no doubt for ``min_matched``.
    For networks that match."""
    thin_parts: bool = False
    """Follow what of a given mask is narrower than a cell of the network, such as ropes, pixel by
    pixel, where colour and contrast tell it from what is around it and the network loses it (off:
    paper). It is shown; the network does not see it."""
    decode_new: bool = False
    """Let a new object take part in decoding the frame that its mask comes with (as released).
    Without it, its mask is set in afterwards, and nothing else changes in that frame."""
    long_side: float = RELEASED_ASPECT
    """Longest side, in units of ``size``; a longer frame is shrunk further."""
    fit: Fit = "pad"
    """How sides become multiples of 32: with zeros below and right, at the frame's aspect (as
    released), or stretched to the nearest ones, as in training, where no picture has such zeros: by
    at most 16 pixels, but a side under 16 becomes 32. What is stretched is also smoothed wherever
    it is made smaller."""

    def __post_init__(self) -> None:
        for field in fields(self):
            plain = _plain(field.name, getattr(self, field.name), field.default)
            object.__setattr__(self, field.name, plain)
        for name, value in (
            ("search_radius", self.search_radius),
            ("crop_margin", self.crop_margin),
        ):
            if value is not None and not 0 < value <= FARTHEST:
                raise HodorError(
                    f"tracker options: {name} {value} must be a number over 0 and at most "
                    f"{FARTHEST:,}, or None (off)"
                )
        for name, least in (
            ("min_confidence_ratio", self.min_confidence_ratio),
            ("min_confidence", self.min_confidence),
            ("min_similarity", self.min_similarity),
            ("min_matched", self.min_matched),
        ):
            if not 0 <= least < 1:
                raise HodorError(f"tracker options: {name} {least} must be in [0, 1)")
        for name, word, words in (("merge", self.merge, Merge), ("fit", self.fit, Fit)):
            if word not in get_args(words):
                either = " or ".join(get_args(words))
                raise HodorError(f"tracker options: {name} {reprlib.repr(word)} must be {either}")
        if self.keep_every < 0:
            raise HodorError(
                f"tracker options: keep_every {self.keep_every} must be at least 1, or 0 (off)"
            )
        if self.size < 32 or self.window < 1 or self.long_side < 1:
            raise HodorError(
                f"tracker options: size {self.size} must be at least 32, window {self.window} at "
                f"least 1, long_side {self.long_side} at least 1"
            )

    @property
    def doubts(self) -> bool:
        """Whether what is found may be taken for something else."""
        least = self.min_confidence_ratio, self.min_confidence, self.min_similarity
        return max(*least, self.min_matched) > 0

    @property
    def compares(self) -> bool:
        """Whether what is found is compared with the given masks, by descriptors."""
        return max(self.min_confidence, self.min_similarity) > 0

    @classmethod
    def stated_by(cls, metadata: Mapping[str, Json]) -> "TrackerOptions":
        """What a model's file says, and the paper's where it says nothing.

        Raises:
            HodorError: a value is out of range.
        """
        return cls().changed(metadata.get("tracking", {}))

    def changed(self, values: Mapping[str, Json]) -> "TrackerOptions":
        """These options with the values that are not None put in; ``off`` is a value too.

        Raises:
            HodorError: a value is out of range, or cannot be off; or there is no such option.
        """
        names = [field.name for field in fields(self)]
        for name in values:
            if name not in names:
                close = get_close_matches(name, names, 1) or names
                raise HodorError(
                    f"tracker options: no option {name[:60]}; there is {', '.join(close)}"
                )
        chosen = {name: value for name, value in values.items() if value is not None}
        if wrong := [n for n, v in chosen.items() if v == OFF and n not in CAN_BE_OFF]:
            raise HodorError(
                f"tracker options: {wrong[0]} cannot be off; {', '.join(CAN_BE_OFF)} can"
            )
        paper = TrackerOptions  # its defaults do nothing
        return replace(self, **{n: getattr(paper, n) if v == OFF else v for n, v in chosen.items()})


def _plain(name: str, value: object, default: object) -> bool | int | float | str | None:
    """A value as a word or in Python's own kind of number, as a saved state holds it.

    Raises:
        HodorError: it is of another kind than the default.
    """
    if value is None and default is None:
        return None
    if isinstance(default, str):
        if isinstance(value, str):
            return value
        wanted = "a word"
    elif isinstance(default, bool):
        if isinstance(value, (bool, np.bool_)):
            return bool(value)
        wanted = "True or False"
    elif isinstance(default, int):
        if isinstance(value, Integral) and not isinstance(value, bool):
            return int(value)
        wanted = "a whole number"
    else:
        if isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value):
            return value if isinstance(value, int) else float(value)
        wanted = "a number" if default is not None else "a number, or None (off)"
    # A damaged state may hold anything, of any length.
    raise HodorError(f"tracker options: {name} {reprlib.repr(value)} must be {wanted}")


class OptionChanges(TypedDict, total=False):
    """``TrackerOptions`` as keywords; None, or nothing, keeps the model's own way."""

    size: int | None
    window: int | None
    keep_reference: bool | None
    keep_every: int | Literal["off"] | None
    skip_lost: bool | None
    search_radius: float | Literal["off"] | None
    crop_margin: float | Literal["off"] | None
    object_bias: float | Literal["off"] | None
    merge: Merge | None
    min_confidence_ratio: float | Literal["off"] | None
    min_confidence: float | Literal["off"] | None
    min_similarity: float | Literal["off"] | None
    min_matched: float | Literal["off"] | None
    keep_apart: bool | None
    thin_parts: bool | None
    decode_new: bool | None
    long_side: float | None
    fit: Fit | None


@dataclass(frozen=True, kw_only=True)
class TrackerOverrides:
    """What a user chooses where a model is opened; None keeps the model's own way.

    ``device``, ``precision`` and ``step`` are as for ``Tracker``, the others as in
    ``TrackerOptions``; a search radius and a crop margin may be words of a command line.

    Raises:
        HodorError: such a word is neither a number nor ``off``.
    """

    size: int | None = None
    window: int | None = None
    keep_reference: bool | None = None
    keep_every: int | None = None
    search_radius: float | str | None = None
    crop_margin: float | str | None = None
    min_confidence_ratio: float | None = None
    min_confidence: float | None = None
    min_similarity: float | None = None
    min_matched: float | None = None
    keep_apart: bool | None = None
    thin_parts: bool | None = None
    device: str = "auto"
    precision: str = "auto"
    step: str = "plain"

    def __post_init__(self) -> None:
        for name in ("search_radius", "crop_margin"):
            object.__setattr__(self, name, _number_or_off(name, getattr(self, name)))

    @property
    def by_name(self) -> JsonObject:
        """These alone, as ``Tracker.from_pretrained`` takes them."""
        return {field.name: getattr(self, field.name) for field in fields(TrackerOverrides)}


def _number_or_off(name: str, value: float | str | None) -> float | Literal["off"] | None:
    """A value of a command line."""
    if value is None:
        return None
    if value == OFF:
        return OFF
    try:
        return float(value)
    except ValueError as error:
        flag = name.replace("_", "-")
        raise HodorError(f"--{flag} {value}: give a number such as 0.1, or {OFF}") from error
