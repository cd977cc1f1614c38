"""``cvat-cli task auto-annotate``: objects of another video, found and followed in a task.

::

    hodor track part.mp4 --masks first.png --out out --save-references objects.safetensors
    cvat-cli task auto-annotate ID --function-module hodor.integrations.cvat_frames \\
        -p references=str:objects.safetensors -p names=str:1=cat,2=dog --allow-unmatched-labels

CVAT gives a task's frames in their order, and what one frame shows is used in the next.
"""

from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from hodor.errors import HodorError
from hodor.formats import joined, outline
from hodor.integrations.needed import needed
from hodor.tracking import References, Tracker
from hodor.weights import DEFAULT


class DetectionContext(Protocol):
    """What is used of CVAT's ``DetectionFunctionContext``."""

    conf_threshold: float | None
    """In [0, 1]; what is found with less confidence is not wanted"""
    conv_mask_to_poly: bool
    """Whether CVAT takes polygons for masks"""


class DetectionFunction:
    """CVAT's interface ``DetectionFunction``: masks, grouped by the object.

    Args:
        tracker: knows its objects already.
        names: labels by object id; objects without one are called "object".
        tolerance: how far, in pixels, polygons may leave the edges of masks.

    Raises:
        HodorError: cvat-sdk is not installed.
    """

    def __init__(self, tracker: Tracker, names: dict[int, str], *, tolerance: float = 1.0) -> None:
        self._tracker = tracker
        self._tolerance = tolerance
        self._cvat = needed("cvat_sdk.auto_annotation", "cvat")
        self._masks = needed("cvat_sdk.masks", "cvat")
        labels = [names.get(i, "object") for i in tracker.ids]
        numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
        self._label = {i: numbers[label] for i, label in zip(tracker.ids, labels, strict=True)}
        self._spec = self._cvat.DetectionFunctionSpec(
            labels=[self._cvat.label_spec(label, number) for label, number in numbers.items()]
        )

    @property
    def spec(self) -> object:
        """What CVAT is told: the labels."""
        return self._spec

    def detect(self, context: DetectionContext, image: Image.Image) -> list[object]:
        """The objects in the next frame, as masks, or as polygons where CVAT asks for them."""
        result = self._tracker.step(np.asarray(image.convert("RGB")))
        least = context.conf_threshold or 0.0
        found: list[object] = []
        for i in result.ids:
            mask = result.mask(i)
            if not mask.any() or result.confidence[i] < least:
                continue
            if context.conv_mask_to_poly:
                points = joined(outline(mask, self._tolerance)).ravel().tolist()
                found.append(self._cvat.polygon(self._label[i], points, group=i))
            else:
                points = self._masks.encode_mask(mask)
                found.append(self._cvat.mask(self._label[i], points, group=i))
        return found


def create(
    references: str,
    names: str = "",
    *,
    model: str = DEFAULT,
    size: int | None = None,
    device: str = "auto",
    tolerance: float = 1.0,
) -> DetectionFunction:
    """What ``cvat-cli`` calls, with ``-p NAME=TYPE:VALUE`` as arguments.

    references: file of ``hodor track --save-references``. names: such as "1=cat,2=dog".
    Raises HodorError if the file is missing or of another model.
    """
    tracker = Tracker.from_pretrained(model, size=size, device=device)
    tracker.add_references(References.load(Path(references)))
    return DetectionFunction(tracker, _names(names), tolerance=tolerance)


def _names(text: str) -> dict[int, str]:
    names = {}
    for pair in filter(None, text.split(",")):
        number, _, name = pair.partition("=")
        if not number.strip().isdecimal() or not name:
            raise HodorError(f"names: expected such as 1=cat,2=dog, found {text!r}")
        names[int(number)] = name
    return names
