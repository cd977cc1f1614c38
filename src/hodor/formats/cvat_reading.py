"""Reading CVAT 1.1 XML, for video and for images: tracks, shapes, tasks."""

import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hodor.errors import MaskError
from hodor.formats.frame_numbers import numbers_in
from hodor.formats.identity import Box, Instance, Objects, identify
from hodor.formats.left_out import LeftOut
from hodor.formats.polygons import Polygon, box_of_corners, ellipse
from hodor.formats.reading import ReadOptions, stem
from hodor.formats.track import (
    Mask,
    Shapes,
    Track,
    flattened,
)
from hodor.formats.videos import of_one_video, one_video
from hodor.video import fill_polygons
from hodor.video.limits import filling_runs, frame_count, frame_index, frame_size, whole

FILLED = ("mask", "polygon", "ellipse")
OTHERS = ("box", "polyline", "points", "cuboid", "skeleton", "tag")


def mask_of_runs(runs: list[int], size: tuple[int, int]) -> Mask:
    """The mask (H, W) of `runs_of`. Raises ValueError if the runs do not fill it."""
    lengths = np.array(runs, np.int64)
    filling_runs(lengths, size, "the runs of a mask")
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, lengths).reshape(size)


@dataclass(frozen=True)
class _Shape:
    """A mask, polygon or ellipse as the file has it; it becomes pixels when its frame comes."""

    kind: str
    attributes: Mapping[str, str]

    def mask(self, size: tuple[int, int]) -> Mask:
        """The pixels (H, W). Raises ValueError if it is no shape of such a frame."""
        if self.kind != "mask":
            return fill_polygons([self.corners()], size)
        left, top, width, height = self._sides()
        if min(left, top) < 0 or left + width > size[1] or top + height > size[0]:
            raise ValueError(
                f"a mask of {width} x {height} at ({left}, {top}) leaves its frame of {size[1]} x "
                f"{size[0]} pixels"
            )
        runs = [int(number) for number in self.attributes["rle"].split(",")]
        mask = np.zeros(size, np.bool_)
        mask[top : top + height, left : left + width] = mask_of_runs(runs, (height, width))
        return mask

    def corners(self) -> Polygon:
        """Of a polygon or an ellipse, (N, 2)."""
        if self.kind == "ellipse":
            cx, cy, rx, ry = (float(self.attributes[name]) for name in ("cx", "cy", "rx", "ry"))
            return ellipse((cx, cy), (rx, ry), float(self.attributes.get("rotation", 0)))
        pairs = self.attributes["points"].split(";")
        return np.array([[float(number) for number in pair.split(",")] for pair in pairs])

    def box(self) -> Box | None:
        """Columns and rows that it covers."""
        if self.kind == "mask":
            left, top, width, height = self._sides()
            return left, top, left + width, top + height
        return box_of_corners(self.corners())

    def _sides(self) -> tuple[int, int, int, int]:
        left, top, width, height = (
            int(float(self.attributes[name])) for name in ("left", "top", "width", "height")
        )
        return left, top, width, height


@dataclass
class _Task:
    """What a file states of a video."""

    words: tuple[str, ...]
    """What it is called: its source file, its name, its number"""
    size: tuple[int, int] | None
    frames: int


@dataclass
class _Lane:
    """A track, or a shape of a picture, that belongs to one object."""

    label: str
    group: object
    task: str | None
    pictures: bool = False
    shapes: dict[int, tuple[int, _Shape]] = field(default_factory=dict)
    """By frame: depth and shape"""

    @property
    def is_track(self) -> bool:
        """Whether it is an object of its own by CVAT's rule: a track that is no lone mask."""
        if self.pictures or self.group is not None:
            return False
        return len(self.shapes) > 1 or any(s.kind != "mask" for _, s in self.shapes.values())


@dataclass
class _Image:
    """A picture of a file of images."""

    index: int
    file: str
    size: tuple[int, int]
    task: str | None


@dataclass
class _Found:
    """What is in a file."""

    tasks: list[_Task] = field(default_factory=list)
    lanes: list[_Lane] = field(default_factory=list)
    images: list[_Image] = field(default_factory=list)
    size: tuple[int, int] | None = None
    frames: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)


def read_cvat(path: Path, options: ReadOptions) -> Track:
    """CVAT for video or for images, masks, polygons and ellipses; shapes lie by their z_order.

    An object's id is its group. A track without one is an object of its own; masks of single
    frames, and shapes of images, are linked by label and overlap. Frames are named as those of the
    video, where it is at hand. Boxes and other shapes are left out, which a warning counts.
    """
    found = _parse(path)
    video = _choose(path, found, options)
    size = found.size or options.size
    if size is None and not found.images:
        raise MaskError(
            f"{path} does not state its video's size (original_size); export a whole task as CVAT "
            "for video 1.1, or name the video by --source."
        )
    warnings: list[str] = []
    found.left_out.tell(path.name, warnings)
    by_frame = _by_frame(found)
    objects = _identified(by_frame, found, warnings)
    ids = dict(zip(by_frame, objects.ids, strict=True))
    images = {image.index: image for image in found.images}

    def frames() -> Iterator[Shapes]:
        for index in sorted(images) if images else range(_length(path, found)):
            name, sides = options.name_of(index), size or (0, 0)
            if index in images:
                name, sides = stem(images[index].file), images[index].size
            numbered = zip(by_frame.get(index, []), ids.get(index, []), strict=True)
            shapes = sorted(numbered, key=lambda one: one[0].shapes[index][0])
            masks = ((i, lane.shapes[index][1].mask(sides)) for lane, i in shapes)
            yield Shapes(index, name, index / options.rate, sides, masks)

    return Track(flattened(frames, warnings), video, options.rate, objects.names, warnings)


def _choose(path: Path, found: _Found, options: ReadOptions) -> str:
    """Leave only one video in what was found; gives its name."""
    name = options.video or path.stem
    if len(found.tasks) > 1:
        task = found.tasks[one_video(path, [one.words for one in found.tasks], options.video)]
        found.lanes = [lane for lane in found.lanes if lane.task in task.words]
        found.images = [image for image in found.images if image.task in task.words]
        found.size, found.frames, name = task.size, task.frames, task.words[0]
    elif found.tasks:
        if options.video is not None:
            one_video(path, [(path.stem, *found.tasks[0].words)], options.video)
        found.size, found.frames = found.tasks[0].size, found.tasks[0].frames
    elif options.video is not None and not found.images:
        one_video(path, [(path.stem,)], options.video)
    if found.images:
        wanted = None if found.tasks else options.video
        kept, name = of_one_video(path, [one.file for one in found.images], wanted, name)
        found.images = [found.images[at] for at in kept]
        _renumber(found, options)
    return name


def _renumber(found: _Found, options: ReadOptions) -> None:
    """Give pictures the numbers in their names, where these say them; else CVAT's stay."""
    names = [stem(image.file) for image in found.images]
    numbers = numbers_in(names, options) or [image.index for image in found.images]
    if len(set(numbers)) < len(numbers):
        raise ValueError("two images have one id")
    new = {image.index: number for image, number in zip(found.images, numbers, strict=True)}
    found.images = [replace(image, index=new[image.index]) for image in found.images]
    found.lanes = [lane for lane in found.lanes if lane.shapes.keys() <= new.keys()]
    for lane in found.lanes:
        lane.shapes = {new[index]: shape for index, shape in lane.shapes.items()}


def _by_frame(found: _Found) -> dict[int, list[_Lane]]:
    """The lanes that have a shape in each frame that has any, in the order of frames."""
    lanes: dict[int, list[_Lane]] = defaultdict(list)
    for lane in found.lanes:
        for index in lane.shapes:
            lanes[index].append(lane)
    return dict(sorted(lanes.items()))


def _identified(by_frame: Mapping[int, list[_Lane]], found: _Found, warnings: list[str]) -> Objects:
    """Ids by frame and lane: those of groups, one for each track, or by label and overlap."""
    tracks = [lane for lane in found.lanes if lane.is_track]
    instances = [
        [
            Instance(
                lane.group,
                lane.label,
                lane.shapes[index][1].box(),
                id(lane) if lane.is_track else None,
            )
            for lane in lanes
        ]
        for index, lanes in by_frame.items()
    ]
    return identify(instances, warnings, what="group", lanes=[id(lane) for lane in tracks])


def _length(path: Path, found: _Found) -> int:
    """Frames of the video. Raises ValueError if a shape is beyond the frames that it states."""
    last = max((max(lane.shapes, default=-1) for lane in found.lanes), default=-1)
    if found.frames and last >= found.frames:
        raise ValueError(f"a shape is in frame {last}, but there are {found.frames} frames")
    return max(found.frames, last + 1)


def _parse(path: Path) -> _Found:
    found = _Found()
    image: _Image | None = None
    lane: _Lane | None = None
    root: str | None = None
    for event, element in ET.iterparse(path, events=("start", "end")):
        root = root or element.tag
        if root != "annotations":
            raise ValueError(f"its root is <{root}>, not <annotations>")
        about = element.attrib
        if event == "start" and element.tag == "track":
            lane = _Lane(about["label"], _group(about), about.get("task_id"))
            found.lanes.append(lane)
        elif event == "start" and element.tag == "image":
            sides = frame_size(about["height"], about["width"])
            image = _Image(frame_index(about["id"]), about["name"], sides, about.get("task_id"))
            found.images.append(image)
        elif event == "end" and element.tag == "meta":
            _read_meta(found, element)
        elif event == "end" and element.tag in FILLED:
            if image is not None:
                lane = _Lane(about["label"], _group(about), image.task, pictures=True)
                found.lanes.append(lane)
            if lane is None:
                raise ValueError(f"a {element.tag} is in no track and no image")
            if about.get("outside") != "1":
                index = frame_index(about["frame"]) if image is None else image.index
                depth = whole(about.get("z_order", 0), "a depth")
                lane.shapes[index] = depth, _Shape(element.tag, dict(about))
            element.clear()
        elif event == "end" and element.tag in OTHERS:
            found.left_out.add(f"shapes of kind {element.tag}", about.get("outside") != "1")
            element.clear()
        elif event == "end" and element.tag in ("track", "image"):
            image = lane = None
            element.clear()
    return found


def _group(attributes: Mapping[str, str]) -> object:
    """The group; None for none, as which CVAT also writes 0."""
    group = attributes.get("group_id")
    return None if group in (None, "", "0") else group


def _read_meta(found: _Found, meta: ET.Element) -> None:
    tasks = meta.findall("./project/tasks/task") or meta.findall("./task") or meta.findall("./job")
    for task in tasks:
        told = (task.findtext(part) for part in ("name", "source", "id"))
        words = tuple(dict.fromkeys(text for text in told if text))
        sides = task.find("./original_size")
        size = None
        if sides is not None:
            height, width = sides.findtext("height"), sides.findtext("width")
            if height is not None and width is not None:
                size = frame_size(height, width)
        stop = task.findtext("stop_frame")
        count = frame_count(task.findtext("size") or 0)
        if stop:
            count = max(count, frame_index(stop) + 1)
        found.tasks.append(_Task(words or ("",), size, count))
