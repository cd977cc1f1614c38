"""A session: who is followed, which masks were given, what was found. It alone changes its folder.

Every change comes through here, one at a time, raises the revision and is told to whoever listens:
two pages on one session see the same.
"""

import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from hodor.errors import MALFORMED, HodorError, MaskError, one_line
from hodor.studio.folder import SessionFolder
from hodor.studio.objects import Object, new_object, objects_from
from hodor.studio.plan import GONE, Bools, Origins, Wanted, fingerprints_of, runs_of, wanted
from hodor.studio.settings import Video, noted_model, same_video
from hodor.studio.undo import Edit, Given, Undo
from hodor.types import JsonObject
from hodor.video import LabelMap
from hodor.video.limits import whole

Event = JsonObject


class Conflict(HodorError):
    """A change that was made of something that another page has changed in the meantime."""


class Session:
    """The state of one session.

    Raises:
        HodorError: the folder is of another video, is damaged, or cannot be written.
    """

    def __init__(self, folder: SessionFolder, video: Video, model: str | None = None) -> None:
        self.folder, self.video = folder, video
        self.revision = 0
        self.edits = 0
        """Changes by the user since the server began; tracking plans anew when it rises"""
        self._mutex = threading.RLock()
        self._listeners: list[Callable[[Event], None]] = []
        self._undo = Undo()
        settings = folder.read_settings() or {}
        try:
            same_video(folder.root, settings.get("video"), video)
            self.model = model or noted_model(settings.get("model"))
            self.objects = objects_from(settings.get("objects", []))
            self._gone = {
                int(t): frozenset(whole(i, "an id") for i in ids)
                for t, ids in settings.get("gone", {}).items()
            }
        except MALFORMED as error:
            raise HodorError(
                f"{folder.root / 'session.json'}: is damaged ({one_line(error)}); restore it or "
                "begin anew"
            ) from error
        self._fingerprints: dict[int, dict[int, int]] = {}
        for frame in sorted({*folder.maps("given"), *self._gone}):
            self._index(frame)
        self._origins = folder.read_origins(video.frames)
        self._save()

    # What is there

    @property
    def ids(self) -> list[int]:
        """Objects that are not removed."""
        return [o.id for o in self.objects if not o.removed]

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call ``listener`` with every change, from any thread; gives what ends that."""
        with self._mutex:
            self._listeners.append(listener)

        def end() -> None:
            with self._mutex, suppress(ValueError):
                self._listeners.remove(listener)

        return end

    def tell(self, event: Event) -> None:
        """Tell listeners something."""
        with self._mutex:
            for listener in self._listeners:
                listener({**event, "revision": self.revision})

    def state(self) -> Event:
        """All but masks and curves, for a page that opens."""
        with self._mutex:
            v = self.video
            about = {"name": v.name, "path": v.path, "frames": v.frames, "fps": v.fps}
            return {
                "revision": self.revision,
                "video": {**about, "height": v.size[0], "width": v.size[1]},
                "folder": str(self.folder.root),
                "model": self.model,
                "objects": [o.to_dict() for o in self.objects if not o.removed],
                **self._marks(),
            }

    def _marks(self) -> Event:
        """What a change of masks or objects can change on the page."""
        ids = self.ids
        return {
            "given": {i: sorted(self._fingerprints.get(i, {})) for i in ids},
            "gone": {i: sorted(t for t, gone in self._gone.items() if i in gone) for i in ids},
            "stale": {i: runs_of(need.stale) for i, need in self.needs().items()},
            "undo": bool(self._undo.done),
            "redo": bool(self._undo.undone),
        }

    def curves(self) -> dict[int, list[float | None]]:
        """Confidence of results by object and frame; None where there is none yet."""
        with self._mutex:
            none = Origins(self.video.frames)
            return {i: self._origins.get(i, none).curve() for i in self.ids}

    def labels(self, frame: int) -> LabelMap:
        """What is known of a frame: results, and over them what was given. (H, W) uint8."""
        with self._mutex:
            self._check(frame)
            found = self._results(frame)
            given = self.given(frame)
            said = {*np.unique(given).tolist(), *self._gone.get(frame, ())} - {0}
            hidden = [*said, *(o.id for o in self.objects if o.removed)]
            if hidden:
                found[np.isin(found, hidden)] = 0
            shown = np.where(given > 0, given, found)
            return np.asarray(shown, np.uint8)

    def given(self, frame: int) -> LabelMap:
        """Masks (H, W) given in a frame, without removed objects'; zeros where there are none."""
        with self._mutex:
            labels = self.folder.read_map("given", frame)
            if labels is None:
                return np.zeros(self.video.size, np.uint8)
            removed = [o.id for o in self.objects if o.removed]
            return np.where(np.isin(labels, removed), 0, labels) if removed else labels

    def gone(self, frame: int) -> frozenset[int]:
        """Objects that the user says are gone from this frame on."""
        return self._gone.get(frame, frozenset())

    def edited(self, frame: int) -> int:
        """What tells a frame's given masks from others; 0 where there are none."""
        with self._mutex:
            marks = {i: p[frame] for i, p in self._fingerprints.items() if frame in p}
            return zlib.crc32(repr(sorted(marks.items())).encode()) if marks else 0

    def needs(self) -> dict[int, Wanted]:
        """What is to be tracked, by object; objects without any given mask need nothing."""
        with self._mutex:
            return {
                i: wanted(self._fingerprints[i], self._origins.get(i) or Origins(self.video.frames))
                for i in self.ids
                if self._fingerprints.get(i)
            }

    def said(self) -> dict[int, dict[int, int]]:
        """Prints of all that was given, by frame and object; GONE where an object is gone."""
        with self._mutex:
            by_frame: dict[int, dict[int, int]] = {}
            for i in self.ids:
                for frame, mark in self._fingerprints.get(i, {}).items():
                    by_frame.setdefault(frame, {})[i] = mark
            return by_frame

    def confidences(self, frame: int) -> dict[int, float]:
        """Confidence in a frame, by object, as far as it is known."""
        with self._mutex:
            found = {i: self._origins[i].confidence[frame] for i in self.ids if i in self._origins}
            values = {i: float(c) for i, c in found.items() if c == c}
            for i in self.ids:
                if frame in self._fingerprints.get(i, {}):
                    values[i] = 0.0 if self._fingerprints[i][frame] == GONE else 1.0
            return values

    # What the user changes

    def add_object(self) -> Object:
        """A new object with a name and a colour of its own."""
        with self._mutex:
            fresh = new_object(self.objects)
            self._change_objects((*self.objects, fresh))
            return fresh

    def change_object(self, number: int, name: str | None, colour: str | None) -> None:
        """Give an object another name or colour. Raises HodorError if there is none."""
        with self._mutex:
            self._known(number)
            self._change_objects(
                tuple(o.changed(name, colour) if o.id == number else o for o in self.objects)
            )

    def remove_object(self, number: int) -> None:
        """Remove an object with all its masks; undoing brings them back."""
        with self._mutex:
            self._known(number)
            gone = (
                Object(o.id, o.name, o.colour, o.removed or o.id == number) for o in self.objects
            )
            self._change_objects(tuple(gone))

    def give(self, frame: int, number: int, mask: Bools, *, base: int | None = None) -> None:
        """Give an object's mask (H, W) in a frame; it takes its pixels from other given masks.

        base: the frame's ``edited`` that the mask was drawn on. An empty mask says that the object
        is gone from here on.
        Raises Conflict if the frame was edited since, HodorError if it cannot be saved.
        """
        with self._mutex:
            labels = self._editable(frame, number, base)
            labels[labels == number] = 0
            labels[mask] = number
            gone = self.gone(frame) - {number} | (frozenset() if mask.any() else {number})
            self._change(frame, Given.of(labels, gone))

    def take_back(self, frame: int, number: int, *, base: int | None = None) -> None:
        """Take back what was given of an object in a frame: it is tracked there again."""
        with self._mutex:
            labels = self._editable(frame, number, base)
            labels[labels == number] = 0
            self._change(frame, Given.of(labels, self.gone(frame) - {number}))

    def accept(self, frame: int, number: int) -> None:
        """Make what was found of an object in a frame a given mask."""
        with self._mutex:
            mask = self.labels(frame) == number
            if not mask.any():
                raise MaskError("the object has no mask in this frame that could be kept")
            self.give(frame, number, mask)

    def undo(self) -> int | None:
        """Take back the last change; gives the frame that it was in, None if in none."""
        return self._step_back(forward=False)

    def redo(self) -> int | None:
        """Make the change again that was taken back last."""
        return self._step_back(forward=True)

    # What tracking changes

    def keep(
        self,
        frame: int,
        labels: LabelMap,
        confidence: Mapping[int, float],
        origins: Mapping[int, tuple[int, int]],
    ) -> bool:
        """Take in a frame's result for some objects; pixels of others stay as they are.

        labels: (H, W), of all that were followed. confidence: by object. origins: for each object
        to keep the frame and the print of the given mask that it comes from. Results whose given
        mask has been changed since are not kept; gives whether any was.
        """
        with self._mutex:
            needs = self.needs()
            ids = [
                i for i, origin in origins.items() if i in needs and _is(needs[i], frame, origin)
            ]
            if not ids:
                return False
            old = self._results(frame)
            ours = np.isin(labels, ids) | np.isin(old, ids)
            self.folder.write_map("results", frame, np.where(ours, labels, old).astype(np.uint8))
            for i in ids:
                one = self._origins.setdefault(i, Origins(self.video.frames))
                one.frame[frame], one.print[frame] = origins[i]
                one.confidence[frame] = confidence.get(i, 0.0)
            self.folder.note(frame, self._origins)
            self.revision += 1
            known = {i: round(float(confidence.get(i, 0.0)), 3) for i in ids}
            self.tell({"type": "result", "frame": frame, "confidence": known})
            return True

    def flush(self) -> None:
        """Make all that was written survive a power failure."""
        with self._mutex:
            self.folder.flush(now=True)

    def tell_marks(self) -> None:
        """Tell what is given and what is out of date."""
        with self._mutex:
            self.tell({"type": "marks", **self._marks()})

    # How changes are made

    def _check(self, frame: int) -> None:
        if not 0 <= frame < self.video.frames:
            raise HodorError(f"frame {frame}: the video has frames 0 to {self.video.frames - 1}")

    def _known(self, number: int) -> None:
        if number not in self.ids:
            raise HodorError(f"object {number} is not there any more; undo brings it back")

    def _editable(self, frame: int, number: int, base: int | None) -> NDArray[np.uint8]:
        """A frame's given label map, to be changed."""
        self._check(frame)
        self._known(number)
        if base is not None and base != self.edited(frame):
            raise Conflict("this frame was changed in another tab; its masks were loaded again")
        labels = self.folder.read_map("given", frame)
        found = np.zeros(self.video.size, np.uint8) if labels is None else labels
        return found.astype(np.uint8)

    def _results(self, frame: int) -> NDArray[np.uint8]:
        labels = self.folder.read_map("results", frame)
        fits = labels is not None and labels.shape == self.video.size
        found = labels if labels is not None and fits else np.zeros(self.video.size, np.uint8)
        return found.astype(np.uint8)

    def _change(self, frame: int, after: Given) -> None:
        edit = Edit(frame, self._said(frame), after)
        if edit.before != edit.after:
            self._apply(edit.frame, edit.after)
            self._remember(edit)

    def _change_objects(self, after: tuple[Object, ...]) -> None:
        if after != self.objects:
            edit = Edit(None, self.objects, after)
            self._apply(None, after)
            self._remember(edit)

    def _remember(self, edit: Edit) -> None:
        self._undo.remember(edit)
        self._tell_edit(edit.frame)

    def _step_back(self, *, forward: bool) -> int | None:
        with self._mutex:
            edit = self._undo.last(forward=forward)
            self._apply(edit.frame, edit.after if forward else edit.before)
            self._undo.step(forward=forward)
            self._tell_edit(edit.frame)
            return edit.frame

    def _tell_edit(self, frame: int | None) -> None:
        """Tell a change: of one frame's masks, or of the objects (None) and so of all masks."""
        shown = [o.to_dict() for o in self.objects if not o.removed]
        self.tell({"type": "edit", "objects": shown, "frame": frame, **self._marks()})

    def _apply(self, frame: int | None, what: Given | tuple[Object, ...]) -> None:
        """Write a change; if that fails, all is as before."""
        if isinstance(what, tuple):
            before, self.objects = self.objects, what
            try:
                self._save()
            except HodorError:
                self.objects = before
                raise
        elif frame is not None:
            self._write_given(frame, what)
        self.revision += 1
        self.edits += 1

    def _write_given(self, frame: int, what: Given) -> None:
        self.folder.write_map("given", frame, what.label_map(self.video.size))
        before = dict(self._gone)
        self._gone.pop(frame, None)
        if what.gone:
            self._gone[frame] = what.gone
        if before != self._gone:
            self._save()
        self._index(frame)

    def _said(self, frame: int) -> Given:
        labels = self.folder.read_map("given", frame)
        return Given.of(np.zeros(0, np.uint8) if labels is None else labels, self.gone(frame))

    def _index(self, frame: int) -> None:
        """Note the fingerprints of what is given in a frame."""
        found = fingerprints_of(self.folder.read_map("given", frame))
        found |= dict.fromkeys(self.gone(frame), GONE)
        for fingerprints in self._fingerprints.values():
            fingerprints.pop(frame, None)
        for i, mark in found.items():
            self._fingerprints.setdefault(i, {})[frame] = mark

    def _save(self) -> None:
        self.folder.write_settings(
            {
                "video": self.video.to_dict(),
                "model": self.model,
                "objects": [o.to_dict() for o in self.objects],
                "gone": {str(t): sorted(ids) for t, ids in self._gone.items()},
            }
        )


def _is(need: Wanted, frame: int, origin: Sequence[int]) -> bool:
    return (int(need.frame[frame]), int(need.print[frame])) == tuple(origin)
