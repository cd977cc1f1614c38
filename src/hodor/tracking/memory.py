"""The tracker's memory: descriptors of past frames, and for a refiner a few frames as maps."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Generic, NamedTuple

import numpy as np

from hodor.tracking.boxes import LastBox
from hodor.tracking.descriptors import FrameDescriptors, Recalled
from hodor.tracking.geometry import Geometry
from hodor.tracking.key_frames import FOUND_WEIGHT, MAX_FOUND, MAX_GIVEN, KeyFrame
from hodor.tracking.logits import ArrayT
from hodor.tracking.options import TrackerOptions
from hodor.tracking.prior import LastFrame
from hodor.tracking.thin_parts import ThinParts
from hodor.types import IdMap

RUNNING_FRAMES = 10
MAX_REFERENCES = 8  # given frames kept for good; the first and the latest, when there are more


class RunningConfidence(NamedTuple):
    """With how much confidence an object is found as a rule."""

    confidence: float = 0.0
    frames: int = 0
    """Over how many it is the mean; when there are many, later frames weigh more"""

    def with_one_more(self, confidence: float) -> "RunningConfidence":
        """The same after one more frame."""
        frames = min(self.frames + 1, RUNNING_FRAMES)
        return RunningConfidence(self.confidence + (confidence - self.confidence) / frames, frames)


class Memory(Generic[ArrayT]):
    """A sliding window of frames, those with given masks, each object's last box and confidence.

    Args:
        options: what they say of memory, such as the window.
    """

    def __init__(self, options: TrackerOptions) -> None:
        self.options = options
        self.recent: list[FrameDescriptors[ArrayT]] = []
        self.references: list[FrameDescriptors[ArrayT]] = []
        self.last_seen: dict[int, FrameDescriptors[ArrayT]] = {}
        self.last_boxes: dict[int, LastBox] = {}
        """In shares of the frame"""
        self.next_boxes: dict[int, LastBox] = {}
        """Each stretched to where it will be if it moves on as it did"""
        self.running_confidence: dict[int, RunningConfidence] = {}
        self.thin_parts: dict[int, ThinParts] = {}
        """Of objects that have some"""
        self.last: LastFrame | None = None
        """The newest frame, for networks with a refiner"""
        self.given_maps: list[KeyFrame[ArrayT]] = []
        """Frames with given masks, for networks that match"""
        self.last_map: KeyFrame[ArrayT] | None = None
        """The newest frame, for them"""
        self.found_maps: list[KeyFrame[ArrayT]] = []
        """Frames kept by ``keep_every``, of which the newest waits until there is another one"""

    @property
    def matched_maps(self) -> list[KeyFrame[ArrayT]]:
        """Frames that are matched near and far: those with given masks, and one that was found."""
        return [*self.given_maps, *self.found_maps[:-1]]

    @property
    def ids(self) -> list[int]:
        """Objects that are remembered, sorted."""
        frames = [*self.recent, *self.references, *self.last_seen.values()]
        return sorted({i for frame in frames for i in frame.objects})

    @property
    def newest(self) -> int | None:
        """Number of the newest frame that is remembered."""
        return self.recent[-1].index if self.recent else None

    def push(self, frame: FrameDescriptors[ArrayT]) -> None:
        """Remember one more frame, (C,) an object; what leaves the window is forgotten.

        An object whose only descriptor leaves the window keeps it until it is seen again.
        """
        for i in frame.objects:
            self.last_seen.pop(i, None)
        self.recent.append(frame)
        while len(self.recent) > self.options.window:
            leaving = self.recent.pop(0)
            for i in leaving.objects:
                if not any(i in later.objects for later in self.recent):
                    self.last_seen[i] = leaving.only([i])

    def note_boxes(self, label_map: IdMap, ids: Iterable[int], geometry: Geometry) -> None:
        """Take in where objects are in the newest frame, whose label map is (H, W)."""
        seen = label_map[geometry.crop.area]
        small = seen[::2, ::2]
        for i in ids:
            mask = small == i
            if not mask.any():
                mask = seen == i  # a few pixels may lie between those
            before = self.last_boxes.get(i)
            if mask.any():
                box = self.last_boxes[i] = geometry.box_of(mask)
                self.next_boxes[i] = box if before is None else box.moving_on(before)
            elif before is not None:
                self.last_boxes[i] = before._replace(frames_ago=before.frames_ago + 1)
                self.next_boxes.pop(i, None)

    def running_confidence_of(self, i: int) -> float:
        """With how much confidence an object is found as a rule; 0 before it was found once."""
        return self.running_confidence.get(i, RunningConfidence()).confidence

    def note_confidence(self, found: Mapping[int, float]) -> None:
        """Take in the newest frame's confidences; 0, of an object out of sight, does not count."""
        for i, confidence in found.items():
            if confidence > 0:
                before = self.running_confidence.get(i, RunningConfidence())
                self.running_confidence[i] = before.with_one_more(confidence)

    def given(self, i: int) -> list[ArrayT]:
        """Descriptors (C,) of an object's given masks."""
        return [frame.objects[i] for frame in self.references if i in frame.objects]

    def add_reference(self, frame: FrameDescriptors[ArrayT]) -> None:
        """Remember descriptors, (C,) an object, of given masks."""
        self.references.append(frame)
        if len(self.references) > MAX_REFERENCES:
            self._drop_a_reference()

    def add_foreign(self, frames: Iterable[FrameDescriptors[ArrayT]]) -> None:
        """Remember descriptors, (C,) an object, of another video, under numbers below 0."""
        for number, frame in enumerate(frames):
            self.add_reference(frame.at(-1 - number))

    def _drop_a_reference(self) -> None:
        """Forget the oldest but the first whose objects all have another one."""
        for position, frame in enumerate(self.references[1:], 1):
            others = self.references[:position] + self.references[position + 1 :]
            if all(any(i in other.objects for other in others) for i in frame.objects):
                del self.references[position]
                return

    def note_maps(
        self, index: int, frame: KeyFrame[ArrayT], given: Iterable[int], visible: Iterable[int]
    ) -> None:
        """Take in the newest frame as a map.

        Args:
            index: its number.
            frame: keys (C, J), with masks (J,) of all objects.
            given: those whose masks were given: it is kept for them.
            visible: those that were found, or given.
        """
        sure, seen = set(given), set(visible)
        self.last_map = frame.without(i for i in frame.masks if i not in seen)
        every = self.options.keep_every
        if every and index % every == 0:
            found = replace(self.last_map.without(sure), weight=FOUND_WEIGHT)
            self.found_maps = [*self.found_maps, found][-MAX_FOUND:]
        if not (sure and self.options.keep_reference):
            return
        self.given_maps.append(frame.without(i for i in frame.masks if i not in sure))
        if len(self.given_maps) > MAX_GIVEN:
            del self.given_maps[1]

    def forget(self, ids: Iterable[int], *, references: bool = True) -> None:
        """Drop what is known of objects; with ``references`` false, only what was predicted."""
        gone = list(ids)
        given = {(frame.index, i) for frame in self.references for i in frame.objects}
        self.recent = [
            frame.without(i for i in gone if references or (frame.index, i) not in given)
            for frame in self.recent
        ]
        for i in gone:
            self.last_seen.pop(i, None)
            self.last_boxes.pop(i, None)
            self.next_boxes.pop(i, None)
            self.running_confidence.pop(i, None)
            self.thin_parts.pop(i, None)
        if self.last is not None:
            self.last = self.last.without(gone)
        if self.last_map is not None:
            self.last_map = self.last_map.without(gone)
        self.found_maps = [frame.without(gone) for frame in self.found_maps]
        if references:
            kept = [frame.without(gone) for frame in self.references]
            self.references = [frame for frame in kept if frame.objects]
            maps = [frame.without(gone) for frame in self.given_maps]
            self.given_maps = [frame for frame in maps if frame.masks]

    def frames(self) -> list[FrameDescriptors[ArrayT]]:
        """The T frames, (C,) an object, that decoding listens to, oldest first."""
        within = {frame.index for frame in self.recent}
        kept = [
            frame
            for frame in self.references
            # A reference that is still in the window is not counted twice. One from another video
            # is all that is known of its objects at first.
            if frame.index not in within and (self.options.keep_reference or frame.foreign)
        ]
        return [*kept, *self._last_descriptors(), *self.recent]

    def _last_descriptors(self) -> list[FrameDescriptors[ArrayT]]:
        """Objects that no frame in the window describes, as one frame: fewer keys to attend to."""
        if not self.last_seen:
            return []
        objects = {i: frame.objects[i] for i, frame in self.last_seen.items()}
        alone = {i: frame.alone[i] for i, frame in self.last_seen.items() if i in frame.alone}
        newest = max(frame.index for frame in self.last_seen.values())
        return [FrameDescriptors(newest, objects, None, alone)]

    def recall(
        self, ids: Sequence[int], extra: Sequence[FrameDescriptors[ArrayT]] = ()
    ) -> Recalled[ArrayT]:
        """The history of ``ids``, (C,) an object and frame, in that order."""
        frames = [*self.frames(), *extra]
        objects = [[frame.objects.get(i) for i in ids] for frame in frames]
        if any(frame.alone for frame in frames):
            own = [[frame.alone.get(i) for i in ids] for frame in frames]
            return Recalled(objects, own, np.ones(len(frames), bool))
        # The scene of another video is only a stand-in until this one's is known.
        home = any(frame.background is not None and not frame.foreign for frame in frames)
        scenes = [[None if home and frame.foreign else frame.background] for frame in frames]
        known = np.array([scene[0] is not None for scene in scenes])
        return Recalled(objects, scenes, known)
