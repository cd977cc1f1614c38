"""Tasks of Label Studio: what is in an export, which annotation counts, and which regions."""

from typing import Required, TypedDict
from urllib.parse import unquote

from hodor.formats.frame_numbers import UPLOAD
from hodor.formats.left_out import LeftOut
from hodor.formats.reading import FILE_SUFFIX
from hodor.formats.track import UNNAMED
from hodor.types import JsonObject
from hodor.video.limits import frame_size


class Region(TypedDict, total=False):
    """What is used of something drawn."""

    id: str
    type: str
    """Such as brushlabels, polygon, videorectangle"""
    from_name: str
    to_name: str
    original_width: int
    original_height: int
    """Of the image, in pixels"""
    image_rotation: int
    value: Required[JsonObject]
    """What is drawn, and its labels: each type has fields of its own"""
    score: float
    """In [0, 1]"""


class Drawn(TypedDict, total=False):
    """What is used of an annotation or a prediction."""

    result: list[Region]
    was_cancelled: bool
    model_version: str
    score: float
    """In [0, 1], mean of the regions'"""


class Task(TypedDict, total=False):
    """What is used of a task."""

    data: JsonObject
    """Addresses and numbers, under names that the project chooses"""
    annotations: list[Drawn] | None
    drafts: list[Drawn] | None
    predictions: list[Drawn] | None


def regions_of(task: Task, kind: str) -> list[Region]:
    """Regions of a kind in a task's annotation that counts, or else its latest prediction."""
    return [one for one in chosen(task, LeftOut()) if one.get("type") == kind]


def chosen(task: Task, left_out: LeftOut) -> list[Region]:
    """Regions of the annotation that counts: the last one that was not skipped."""
    given = list(task.get("annotations") or ())
    submitted = [one for one in given if not one.get("was_cancelled")]
    left_out.add("skipped annotations", len(given) - len(submitted))
    left_out.add("earlier annotations of a task", max(len(submitted) - 1, 0))
    if not submitted and not given:
        left_out.add("drafts", len(task.get("drafts") or ()))
        submitted = list(task.get("predictions") or ())
    return list(submitted[-1].get("result") or ()) if submitted else []


KINDS = ("brush", "polygon", "ellipse")


def kind_of(region: Region) -> str:
    """ "brush" of "brushlabels", as which a region counts that has its label from elsewhere."""
    return str(region.get("type", "")).removesuffix("labels") or "labels"


def with_pixels(regions: list[Region], left_out: LeftOut) -> list[Region]:
    """Regions of KINDS, with their labels; others with a place in the image are counted.

    In projects where one tag draws and another names, a region stands there twice under one id.
    """
    kept = [one for one in regions if _has_pixels(one)]
    drawn = {one.get("id") for one in kept} - {None}
    labels = {
        one["id"]: one["value"]["labels"]
        for one in regions
        if one.get("type") == "labels" and one.get("id") in drawn and one["value"].get("labels")
    }
    for one in regions:
        # What has no size is no region, and what has another's id says something of that one.
        if not _has_pixels(one) and "original_width" in one and one.get("id") not in drawn:
            left_out.add(f"regions of kind {kind_of(one)}")
    return [_labelled(one, labels) for one in kept]


def _has_pixels(region: Region) -> bool:
    kind = kind_of(region)
    return kind in KINDS and (kind != "brush" or "rle" in region["value"])


def _labelled(region: Region, labels: dict[str, list[str]]) -> Region:
    own = region.get("id", "")
    if own not in labels or _labels(region):
        return region
    return {**region, "value": {**region["value"], "labels": labels[own]}}


def _labels(region: Region) -> list[str]:
    value = region["value"]
    return list(value.get(region["type"]) or value.get("labels") or ())


def label_of(region: Region) -> str:
    """The first of a region's labels."""
    labels = _labels(region)
    return str(labels[0]) if labels else UNNAMED


def size_of(regions: list[Region]) -> tuple[int, int] | None:
    """(H, W) of the image that regions of whatever kind are drawn on; None if none says it."""
    for one in regions:
        if "original_height" in one and "original_width" in one:
            return frame_size(one["original_height"], one["original_width"])
    return None


def image_file(data: JsonObject) -> str:
    """Name of a task's image file, with folders; without what an upload puts before it.

    Projects call it as they like: what is not called ``image`` or ``img`` is the only text that
    ends as files of images do.
    """
    named = data.get("image", data.get("img"))
    if named is None:
        texts = [_address(text) for text in data.values() if isinstance(text, str)]
        files = [text for text in texts if FILE_SUFFIX.search(text)]
        address = files[0] if len(files) == 1 else ""
    else:
        address = _address(str(named))
    folder, _, name = address.rpartition("/")
    name = UPLOAD.sub("", name) if "/upload" in folder else name
    return f"{folder}/{name}" if folder else name


def _address(text: str) -> str:
    return unquote(text.partition("?d=")[2] or text.partition("?")[0])
