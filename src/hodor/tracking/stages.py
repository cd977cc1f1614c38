"""What a step of the tracker is made of, in order: from a frame's size to what is remembered."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from hodor.tracking.apart import handed_over, pieces_elsewhere, places_of
from hodor.tracking.at_once import Answer, Asked
from hodor.tracking.boxes import Crop, LastBox, crop_around
from hodor.tracking.descriptors import FrameDescriptors
from hodor.tracking.doubts import (
    BEYOND_RADIUS,
    Area,
    doubtful,
    either,
    judged,
    plane_shifts,
    search_areas,
    unlike,
    unmatched,
    unsure,
)
from hodor.tracking.geometry import Geometry
from hodor.tracking.given import Given
from hodor.tracking.key_frames import EarlierKeys, KeyFrame, RememberedPlaces
from hodor.tracking.logits import ArrayT, Logits
from hodor.tracking.memory import Memory
from hodor.tracking.options import TrackerOptions
from hodor.tracking.prior import (
    CarriedMasks,
    LastFrame,
    carried_masks,
    change_of_objects,
    looked_back,
)
from hodor.tracking.result import Result, label_map_of
from hodor.tracking.runtime import FeaturesT, Runtime
from hodor.tracking.thin_parts import ThinParts, followed_together
from hodor.types import IdMap
from hodor.video import Carried, small_grey

# Share of grey levels by which objects may change while tokens are taken from the frame before:
# who crouches, spins or comes out of hiding is looked at anew (docs, Runs).
MOST_CHANGE = 0.3


@dataclass(frozen=True)
class Stages(Generic[ArrayT, FeaturesT]):
    """The stages of a step. What is called ``remember`` alone changes anything: the memory."""

    runtime: Runtime[ArrayT, FeaturesT]
    memory: Memory[ArrayT]
    options: TrackerOptions

    def geometry(self, frame: tuple[int, int], labels: IdMap | None) -> Geometry:
        """The sizes that a frame (H, W) goes through, with given ids (H, W).

        Where time grows with size, what is far from all objects is left out.
        """
        crop = self.crop(frame, labels)
        geometry = Geometry.of(frame, self.options, crop)
        # Frames with given masks are remembered for good, with all that is around the objects.
        if crop is None or labels is not None or not self.runtime.time_grows_with_size:
            return geometry
        memory = self.memory
        boxes = [*memory.last_boxes.values(), *memory.next_boxes.values()]
        return geometry.narrowed(boxes, self.options)

    def crop(self, frame: tuple[int, int], labels: IdMap | None) -> Crop | None:
        """The part of a frame (H, W) to look at, with given ids (H, W); None for all of it."""
        margin, boxes = self.options.crop_margin, dict(self.memory.last_boxes)
        if labels is not None:
            boxes |= {int(i): LastBox.of(labels == i) for i in np.unique(labels) if i}
        if margin is None or not boxes or not boxes.keys() >= set(self.memory.ids):
            return None
        size = min(Geometry.of(frame, self.options).inner)
        return crop_around(boxes.values(), frame, margin, size)

    def grey(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """A frame (H, W, 3) small, (h, w), as a refiner looks at it; None: there is no refiner."""
        return small_grey(frame) if self.runtime.config.refiner_channels else None

    def look_back(self, grey: NDArray[np.uint8] | None, geometry: Geometry) -> Carried | None:
        """Where the cells of logits, (h/4, w/4), were in the frame before; None: not known.

        grey: the frame small, (h, w), from ``grey``.
        """
        if grey is None or not self.memory.ids:
            return None
        return looked_back(self.memory.last, grey, geometry)

    def extract(
        self, frame: NDArray[np.uint8], index: int, at: Carried | None, geometry: Geometry
    ) -> FeaturesT:
        """What the network sees in a frame.

        Tokens are taken from the frame before where that is asked and objects look as they did.

        Args:
            frame: (H, W, 3).
            index: its number.
            at: where its cells were in the frame before, from ``look_back``; None: not known, or
                nothing may be taken from there.
            geometry: of the frame.
        """
        memory = self.memory
        carries = index % self.runtime.tokens_every > 0 and memory.newest == index - 1
        if not carries or at is None or memory.last is None or memory.last_map is None:
            return self.runtime.extract(frame, geometry)
        if change_of_objects(memory.last, at) >= MOST_CHANGE:
            return self.runtime.extract(frame, geometry)
        earlier = EarlierKeys.of(memory.last_map, at, geometry)
        return self.runtime.extract(frame, geometry, earlier)

    def given(self, labels: IdMap | None, geometry: Geometry) -> Given[ArrayT] | None:
        """Given masks, from ids (H, W), at the network's size."""
        if labels is None:
            return None
        resize = partial(self.runtime.given_mask, geometry=geometry)
        return Given.of(labels[geometry.crop.area], resize, self.options.size)

    def decode(
        self, features: FeaturesT, given: Given[ArrayT] | None, geometry: Geometry
    ) -> Logits[ArrayT] | None:
        """Logits (K + O, h/4, w/4) of objects that were known before; None where there was none.

        Far from where they were last seen they are lowered, if that is asked.
        """
        known, options, runtime = self.memory.ids, self.options, self.runtime
        if not known:
            return None
        fresh = {i: m for i, m in given.masks.items() if i not in known} if given else {}
        extra = []
        if fresh and options.decode_new:
            described = runtime.encode_given(features, fresh)
            # Only objects: the background of this encoding counts other objects as background.
            extra = [replace(described, background=None, alone={})]
        ids = sorted({*known, *(fresh if extra else ())})
        logits = runtime.decode(features, self.memory.recall(ids, extra), ids)
        if options.search_radius is None:
            return logits
        boxes = self.memory.last_boxes
        areas = search_areas(logits.ids, boxes, geometry, options.search_radius)
        return runtime.lower_outside(logits, areas, BEYOND_RADIUS)

    def refine(
        self,
        features: FeaturesT,
        logits: Logits[ArrayT] | None,
        at: Carried | None,
        geometry: Geometry,
    ) -> Logits[ArrayT] | None:
        """Logits corrected from pixels and from the last masks; all that follows is made of them.

        at: where the cells of logits, (h/4, w/4), were in the frame before, from ``look_back``.
        """
        if logits is None or not self.runtime.config.refiner_channels:
            return logits
        carried = carried_masks(self.memory.last, at, logits.ids, geometry)
        memory, keys = self.memory, self.runtime.keys(features)
        remembered = []
        if keys is not None:
            given, last = memory.matched_maps, [] if memory.last_map is None else [memory.last_map]
            remembered = [
                RememberedPlaces.of(given, logits.ids, nearby=False, instead=last),
                RememberedPlaces.of(last, logits.ids, nearby=True, instead=given),
            ]
        refined = self.runtime.refine(features, logits, carried, remembered, geometry)
        return self.kept_apart(refined, carried)

    def kept_apart(self, logits: Logits[ArrayT], carried: CarriedMasks) -> Logits[ArrayT]:
        """Logits (K + O, h/4, w/4) in which no object is in the place of its double.

        carried: where objects were, (O, h/4, w/4).
        """
        if not self._keeps_apart(len(logits.ids)):
            return logits
        pieces = pieces_elsewhere(self.runtime.winners(logits), carried.masks)
        if not pieces:
            return logits
        handed = handed_over(pieces, self.runtime.matched(logits))
        return self.runtime.hand_over(logits, handed) if handed else logits

    def at_once(
        self,
        frame: NDArray[np.uint8],
        given: Given[ArrayT] | None,
        at: Carried | None,
        geometry: Geometry,
    ) -> Answer[ArrayT, FeaturesT] | None:
        """All of this in one go, where the runtime does that; None: the stages, one by one.

        Args:
            frame: (H, W, 3).
            given: masks (h, w); a frame that has any goes by stages.
            at: see ``refine``.
            geometry: of the frame.
        """
        memory, options = self.memory, self.options
        if not self.runtime.takes_at_once or given is not None or not memory.ids:
            return None
        ids, radius = tuple(memory.ids), options.search_radius
        carried = None
        if self.runtime.config.refiner_channels:
            carried = carried_masks(memory.last, at, ids, geometry)
        areas: list[Area | None] = [None] * len(ids)
        if radius is not None:
            areas = search_areas(ids, memory.last_boxes, geometry, radius)
        ratio = options.min_confidence_ratio
        asked = Asked(
            ids,
            memory.recall(ids),
            areas,
            carried,
            memory.matched_maps,
            memory.last_map,
            [memory.given(i) if options.compares else [] for i in ids],
            [ratio * memory.running_confidence_of(i) for i in ids],
            options,
        )
        answer = self.runtime.at_once(frame, asked, geometry)
        if answer is None or self._may_be_confused(answer, carried):
            return None
        return answer

    def _keeps_apart(self, objects: int) -> bool:
        """Whether so many objects are kept apart: a network that matches knows what looks alike."""
        matches = self.runtime.config.match_channels > 0
        return self.options.keep_apart and matches and objects > 1

    def _may_be_confused(
        self, answer: Answer[ArrayT, FeaturesT], carried: CarriedMasks | None
    ) -> bool:
        """Whether an object may be in the place of its double, or be doubted for its looks."""
        count = len(answer.confidence)
        if not self._keeps_apart(count) or carried is None:
            return False
        if pieces_elsewhere(answer.winners, carried.masks):
            return True
        homes = places_of(answer.winners, count).homes
        lost = [not value for value in answer.confidence.values()]
        # Without rivals elsewhere it may be likely enough where it is.
        doubted = any(gone and home >= 0 for gone, home in zip(lost, homes, strict=True))
        return self.options.min_matched > 0 and doubted and len(set(homes)) > 1

    def answered(self, answer: Answer[ArrayT, FeaturesT], index: int, geometry: Geometry) -> Result:
        """What ``step`` gives for frame ``index``; the label map (H, W) is at the frame's size."""
        visible = {i: value > 0 for i, value in answer.confidence.items()}
        carried = None if answer.carried is None else geometry.placed(answer.carried)
        return Result(
            index, geometry.placed(answer.labels), answer.shown.ids, answer.confidence, visible,
            (), answer.shown, geometry, None, self.runtime, carried, answer.own,
        )  # fmt: skip

    def encode(
        self, features: FeaturesT, logits: Logits[ArrayT] | None, given: Given[ArrayT] | None
    ) -> FrameDescriptors[ArrayT]:
        """Describe the frame from its own masks; objects, (C,) each, by id, sorted."""
        if logits is not None:
            return self.runtime.encode(features, logits, given)
        return self.runtime.encode_given(features, given.masks if given else {})

    def judge(
        self,
        logits: Logits[ArrayT] | None,
        descriptors: FrameDescriptors[ArrayT],
        given: Given[ArrayT] | None,
        geometry: Geometry,
    ) -> tuple[Logits[ArrayT] | None, dict[int, float], dict[int, float]]:
        """Logits (K + O, h/4, w/4) as shown, and the confidence of each object; 0 for a lost one.

        Also the network's own confidence. What is fed back to the network stays as it gave it.
        """
        if logits is None:
            return None, {}, {}
        options, runtime, memory = self.options, self.runtime, self.memory
        if options.object_bias:
            bias = [0.0] * logits.backgrounds + [options.object_bias] * len(logits.ids)
            logits = runtime.shift(logits, bias)
        predicted = doubtful(logits.ids, given.masks if given else ())
        asked = predicted if options.compares else []
        homes: Sequence[int] | None = None
        if self._keeps_apart(len(logits.ids)) and options.min_matched > 0:
            homes = places_of(runtime.winners(logits), len(logits.ids)).homes
        own, likely, similarities = runtime.evidence(
            logits,
            geometry,
            [descriptors.objects[i] for i in asked],
            [memory.given(i) for i in asked],
            matched=options.min_matched > 0,
            homes=homes,
        )
        similarity = dict(zip(asked, similarities, strict=True))
        ratio = options.min_confidence_ratio
        confidence = judged(
            own,
            runtime.metadata.get("calibration", []),
            [ratio * memory.running_confidence_of(i) for i in logits.ids],
            either(
                unlike(logits.ids, similarity, own, options.min_similarity),
                unsure(logits.ids, similarity, own, options.min_confidence),
                unmatched([i in predicted for i in logits.ids], own, likely, options.min_matched),
            ),
        )
        shifts = plane_shifts(logits.backgrounds, confidence, lost_get_no_pixel=options.doubts)
        shown = logits if shifts is None else runtime.shift(logits, shifts)
        told = dict(zip(logits.ids, confidence, strict=True))
        found = {i: value if told[i] else 0.0 for i, value in zip(logits.ids, own, strict=True)}
        return shown, told, found

    def result(
        self,
        descriptors: FrameDescriptors[ArrayT],
        logits: Logits[ArrayT] | None,
        given: Given[ArrayT] | None,
        geometry: Geometry,
    ) -> Result:
        """What ``step`` gives; the label map (H, W) is at the frame's size."""
        logits, confidence, own = self.judge(logits, descriptors, given, geometry)
        ids = tuple(descriptors.objects)
        sure = dict.fromkeys(given.masks if given else (), 1.0)
        values = dict.fromkeys(ids, 0.0) | confidence | sure
        labels, carried = self.labels(logits, ids, given, geometry), None
        if logits is not None and self.options.merge == "logsumexp":
            carried = geometry.placed(labels)
            labels = self.labels(self.runtime.merged(logits), ids, given, geometry)
        return Result(
            descriptors.index, geometry.placed(labels), ids, values,
            {i: value > 0 for i, value in values.items()}, given.warnings if given else (),
            logits, geometry, given, self.runtime, carried,
            dict.fromkeys(ids, 0.0) | own | sure,
        )  # fmt: skip

    def labels(
        self,
        logits: Logits[ArrayT] | None,
        ids: tuple[int, ...],
        given: Given[ArrayT] | None,
        geometry: Geometry,
    ) -> IdMap:
        """The label map (H', W') of the crop.

        Args:
            logits: (K + O, h/4, w/4); None: of no object.
            ids: of all objects, given ones too.
            given: masks (h, w) of the frame.
            geometry: of the frame.
        """
        if logits is not None and given is None:
            return self.runtime.label_map(logits, geometry)
        full = self.runtime.probabilities(logits, geometry, None)
        return label_map_of(full, logits.ids if logits else (), ids, given)

    def remember(
        self,
        features: FeaturesT,
        frame: FrameDescriptors[ArrayT],
        result: Result,
        given: Given[ArrayT] | None,
        geometry: Geometry,
    ) -> None:
        """Take in a frame, and let the window slide.

        Args:
            features: of the frame; a network that matches keeps its keys.
            frame: its descriptors, (C,) an object.
            result: what was found in it, its label map (H, W).
            given: masks (h, w) that the user gave for it; None: there are none.
            geometry: of the frame.
        """
        memory, options = self.memory, self.options
        sure = given.masks if given else {}
        if sure:
            # What was predicted of a corrected object is not trusted any more.
            memory.forget(sure, references=False)
            memory.add_reference(frame.only(sure))
        if options.skip_lost:
            frame = frame.without(i for i, seen in result.visible.items() if not seen)
        memory.push(frame)
        if options.min_confidence_ratio > 0:
            found = {i: c for i, c in result.confidence.items() if i not in sure}
            memory.note_confidence(found)
        if options.search_radius is not None or options.crop_margin is not None:
            memory.note_boxes(result.carried, result.ids, geometry)
        keys = self.runtime.keys(features)
        if keys is not None:
            seen = [i for i, visible in result.visible.items() if visible]
            whole = KeyFrame.of(keys, result.carried, result.ids, geometry)
            memory.note_maps(result.index, whole, sure, seen)

    def with_thin_parts(
        self,
        frame: NDArray[np.uint8],
        result: Result,
        given: Given[ArrayT] | None,
        geometry: Geometry,
    ) -> tuple[Result, dict[int, ThinParts]]:
        """The result with what objects have that is too thin for the network; and that, by id.

        Args:
            frame: (H, W, 3).
            result: of the network, its label map (H, W).
            given: masks (h, w) that the user gave for it; None: there are none.
            geometry: of the frame.
        """
        if not self.options.thin_parts:
            return result, {}
        sure = given.masks if given else {}
        new = {i: ThinParts.of(frame, result.mask(i), geometry) for i in sure}
        parts = {i: one for i, one in new.items() if one is not None}
        known = {i: one for i, one in self.memory.thin_parts.items() if i not in sure}
        followed, found = followed_together(known, frame, result.label_map)
        return result.with_thin_parts(found), parts | followed

    def remember_thin_parts(self, parts: dict[int, ThinParts]) -> None:
        """Keep what ``with_thin_parts`` found."""
        self.memory.thin_parts = parts

    def remember_small(self, grey: NDArray[np.uint8] | None, result: Result) -> None:
        """Keep a frame, small (h, w), and its label map (H, W): the next one looks back at it."""
        if grey is not None:
            self.memory.last = LastFrame.of(grey, result.carried, result.own_confidence)
