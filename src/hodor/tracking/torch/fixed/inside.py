"""The memory of one room: all that a passage reads lies at addresses that do not change."""

from collections.abc import Sequence

import torch
from torch import Tensor

from hodor.model import HodorConfig, Prior, Remembered
from hodor.tracking.at_once import Asked
from hodor.tracking.geometry import KEYS_STRIDE, STRIDE, Geometry
from hodor.tracking.key_frames import KeyFrame, RememberedPlaces
from hodor.tracking.torch.fixed.packed import Packed
from hodor.tracking.torch.fixed.passage import Told
from hodor.tracking.torch.fixed.ring import Ring
from hodor.tracking.torch.fixed.shapes import (
    Room,
    room_for_frames,
    room_for_objects,
    room_for_places,
)


def room_for(image: tuple[int, int], asked: Asked[Tensor], config: HodorConfig) -> Room:
    """The room that a frame with an image (h, w) needs."""
    given = last = 0
    if config.match_channels:
        places = image[0] // KEYS_STRIDE * (image[1] // KEYS_STRIDE)
        total = sum(frame.keys.shape[1] for frame in asked.matched_maps or _last(asked))
        given = room_for_places(total, places)
        heard = [*_last(asked), *asked.matched_maps]
        last = heard[0].keys.shape[1] if heard else places
    return Room(
        image,
        room_for_objects(len(asked.ids)),
        room_for_frames(len(asked.recalled.objects)),
        room_for_objects(max(len(those) for those in asked.references)),
        given,
        last,
    )


class Inside:
    """What a passage of one room is told, filled for each frame.

    Args:
        room: its sizes.
        config: the network's.
        device: where the passage runs.
    """

    def __init__(self, room: Room, config: HodorConfig, device: torch.device) -> None:
        self.room, self._config = room, config
        h, w = room.image
        self._image = torch.zeros(1, 3, h, w, device=device)
        self._image = self._image.contiguous(memory_format=torch.channels_last)
        self._ring = Ring(room.frames, room.objects, config.cells, config.channels, device)
        self._packed = Packed(_shapes(room, config), device)
        self._references = torch.zeros(
            room.objects, room.references, config.channels, device=device
        )
        self._compared: list[Sequence[Tensor]] = []
        channels = config.match_channels * (2 if config.tokens != "none" else 1)
        self._given_keys = torch.zeros(1, channels, room.given_places, device=device)
        self._last_keys = torch.zeros(1, channels, room.last_places, device=device)
        known = (1, room.objects, room.given_places)
        self._given = Packed({"masks": known, "valid": known}, device)
        self._given_frames: tuple[tuple[int, ...], list[KeyFrame[Tensor]]] = ((), [])

    @property
    def numbers(self) -> Tensor:
        """(1 + O,), what planes are called in the label map."""
        return self._packed.tensors["numbers"]

    @property
    def told(self) -> Told:
        """What was filled in."""
        t = self._packed.tensors
        prior = places = None
        remembered: tuple[Remembered, ...] = ()
        if "masks" in t:
            prior = Prior(t["masks"], t["known"], t["confidence"], t["change"])
        if "places" in t:
            places = t["places"]
            g = self._given.tensors
            remembered = (
                Remembered(self._given_keys, g["masks"], g["valid"]),
                Remembered(self._last_keys, t["last masks"], t["last valid"], t["last places"]),
            )
        return Told(
            self._image, self._ring.objects, self._ring.background, t["described"], t["scenes"],
            t["present"], t["limits"], self._references, t["compared"], t["least"],
            t["min_confidence"], t["bias"], t["min_similarity"], t["min_matched"],
            t["lost_get_no_pixel"], prior, places, remembered,
        )  # fmt: skip

    def fill(self, image: Tensor, asked: Asked[Tensor], geometry: Geometry) -> None:
        """Take in a frame's image (1, 3, h, w), and what is asked of it."""
        a, count = self._packed.arrays, len(asked.ids)
        self._image.copy_(image)
        for array in a.values():
            array.fill(0)
        a["described"][:], a["scenes"][:] = self._ring.write(asked.recalled)
        a["present"][:count] = 1
        a["numbers"][1 : count + 1] = asked.ids
        a["least"][:count] = asked.least
        options = asked.options
        a["bias"][...] = options.object_bias
        a["min_confidence"][...] = options.min_confidence
        a["min_similarity"][...] = options.min_similarity
        a["min_matched"][...] = options.min_matched
        a["lost_get_no_pixel"][...] = options.doubts
        self._fill_limits(asked, geometry)
        self._fill_references(asked.references)
        if asked.carried is not None:
            for name, values in asked.carried._asdict().items():
                into = a[name][0] if name != "change" else a[name][0, 0]
                into[: len(values)] = values
        if "places" in a:
            a["places"][0] = geometry.places
            self._fill_given(asked)
            self._fill_last(asked)
        self._packed.send()

    def _fill_limits(self, asked: Asked[Tensor], geometry: Geometry) -> None:
        limits = self._packed.arrays["limits"]
        limits[:] = (0, geometry.padded[0], 0, geometry.padded[1])
        for row, area in zip(limits, asked.areas, strict=False):
            if area is not None:
                row[:] = (area[0].start, area[0].stop, area[1].start, area[1].stop)

    def _fill_references(self, references: Sequence[Sequence[Tensor]]) -> None:
        """Given descriptors, which are written when they change."""
        compared = self._packed.arrays["compared"]
        for row, those in zip(compared, references, strict=False):
            row[: len(those)] = 1
        same = len(references) == len(self._compared) and all(
            len(ours) == len(theirs) and all(a is b for a, b in zip(ours, theirs, strict=True))
            for ours, theirs in zip(references, self._compared, strict=True)
        )
        if same:
            return
        for number, those in enumerate(references):
            if those:
                self._references[number, : len(those)] = torch.stack(list(those)).float()
        self._compared = [list(those) for those in references]

    def _fill_given(self, asked: Asked[Tensor]) -> None:
        """Frames that are matched near and far, which are written when they change."""
        ids, frames = self._given_frames
        heard = list(asked.matched_maps or _last(asked))
        same = len(frames) == len(heard) and all(a is b for a, b in zip(frames, heard, strict=True))
        if ids == asked.ids and same:
            return
        given = asked.matched_maps
        told = RememberedPlaces.of(given, asked.ids, nearby=False, instead=_last(asked))
        a, count = self._given.arrays, told.masks.shape[1]
        for name, values in (("masks", told.masks), ("valid", told.valid)):
            a[name].fill(0)
            a[name][0, : len(asked.ids), :count] = values
        self._given.send()
        self._given_keys.zero_()
        if told.keys:
            self._given_keys[0, :, :count] = torch.cat(told.keys, 1)
        self._given_frames = (asked.ids, heard)

    def _fill_last(self, asked: Asked[Tensor]) -> None:
        given = asked.matched_maps
        told = RememberedPlaces.of(_last(asked), asked.ids, nearby=True, instead=given)
        if not told.keys:  # a place that says nothing
            self._last_keys.zero_()
            return
        a, count = self._packed.arrays, len(asked.ids)
        a["last masks"][0, :count] = told.masks
        a["last valid"][0, :count] = told.valid
        if told.places is not None:
            a["last places"][0] = told.places
        self._last_keys[0] = told.keys[0]


def _last(asked: Asked[Tensor]) -> list[KeyFrame[Tensor]]:
    return [] if asked.last_map is None else [asked.last_map]


def _shapes(room: Room, config: HodorConfig) -> dict[str, tuple[int, ...]]:
    """What is filled anew for every frame."""
    o, (h, w) = room.objects, room.image
    shapes: dict[str, tuple[int, ...]] = {
        "described": (room.frames, o),
        "scenes": (room.frames,),
        "present": (o,),
        "numbers": (1 + o,),
        "limits": (o, 4),
        "compared": (o, room.references),
        "least": (o,),
        "min_confidence": (),
        "bias": (),
        "min_similarity": (),
        "min_matched": (),
        "lost_get_no_pixel": (),
    }
    if config.refiner_channels:
        cells = (h // STRIDE, w // STRIDE)
        shapes |= {
            "masks": (1, o, *cells),
            "known": (1, o),
            "confidence": (1, o),
            "change": (1, 1, *cells),
        }
        if config.match_channels:
            shapes |= {
                "places": (1, 2, h // KEYS_STRIDE, w // KEYS_STRIDE),
                "last masks": (1, o, room.last_places),
                "last valid": (1, o, room.last_places),
                "last places": (1, 2, room.last_places),
            }
    return shapes
