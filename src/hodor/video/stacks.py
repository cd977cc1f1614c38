"""A TIFF file whose pages are frames, such as a stack of ImageJ."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from PIL import Image

from hodor.errors import SourceError
from hodor.video.frames import DEFAULT_FPS, Closing, Frame, numbered_name
from hodor.video.images import TIFF_SUFFIXES, find_levels, opened_image, pages_of_choice
from hodor.video.pages import Slice, brightest, channel_in_page, page_sides
from hodor.video.pictures import AUTO, Intensity, as_rgb, count_channels
from hodor.video.scale import Scale, scale_of


@dataclass(frozen=True)
class Stack:
    """What an image file holds. pages: numbers of those of each frame, from 0: one, or several of
    which the brightest values are seen. within: which channel of a page is seen, from 1; None: all
    of it. scale: what the file says of it.
    """

    pages: Sequence[Sequence[int]]
    within: int | None = None
    scale: Scale = field(default_factory=Scale)


def look_at(path: Path, seen: Intensity, *, alone: bool = True) -> Stack:
    """What an image file holds; one that is no TIFF has one frame.

    The first page is read, to find out now whether it can be.

    Args:
        path: of the file.
        seen: which channel and slice are to be seen; None: whatever it holds.
        alone: whether the file is a video by itself, so that slices without frames are frames.

    Raises:
        SourceError: it cannot be read, there is no such channel or slice, or one has to be chosen.
    """
    with opened_image(path) as image:
        image.load()
        _check_channel(path, image, seen.channel)
        _check_slice(path, image, seen.z_slice, alone)
        if image.format != "TIFF":
            return Stack([[0]], seen.channel)
        within = channel_in_page(image, seen.channel)
        return Stack(pages_of_choice(path, image, seen), within, scale_of(image))


def _check_channel(path: Path, image: Image.Image, channel: int | None) -> None:
    pages = page_sides(image).channels
    there = pages if pages > 1 else count_channels(image)
    if channel is not None and channel > there:
        colours = " (red, green, blue)" if there == 3 and pages == 1 else ""
        raise SourceError(
            f"--channel {channel}: {path} has {there} channel{'s' * (there > 1)}{colours}, "
            "numbered from 1"
        )


def _check_slice(path: Path, image: Image.Image, z_slice: Slice | None, alone: bool) -> None:
    if z_slice is None:
        return
    sides = page_sides(image)
    if sides.slices == 1:
        raise SourceError(f"--slice {z_slice}: {path} has one slice a frame: leave --slice out")
    if alone and sides.frames == 1:
        raise SourceError(
            f"--slice {z_slice}: {path} has {sides.slices} slices and no frames, so that its "
            "slices are taken for frames: leave --slice out"
        )
    if isinstance(z_slice, int) and z_slice > sides.slices:
        raise SourceError(f"--slice {z_slice}: {path} has {sides.slices} slices, numbered from 1")


def is_of_frames(path: Path) -> bool:
    """Whether a file says that it is a stack of several frames, so that it is a video by itself."""
    if path.suffix.lower() not in TIFF_SUFFIXES:
        return False
    with suppress(SourceError), opened_image(path) as image:
        return page_sides(image).frames > 1
    return False


class StackSource(Closing):
    """The frames of one TIFF file, of one channel and slice, as a video of constant rate."""

    live = False

    def __init__(
        self,
        path: Path,
        stack: Stack,
        *,
        fps: float | None = None,
        intensity: Intensity = AUTO,
    ) -> None:
        """stack: what `look_at` found. fps: in place of the file's."""
        self._path, self._stack, self._intensity = path, stack, intensity
        self.name = path.stem
        rate = fps or stack.scale.rate
        self.fps, self.timed = rate or DEFAULT_FPS, rate is not None
        self.um_per_pixel = stack.scale.um_per_pixel
        self.length = self.estimated_length = len(stack.pages)
        self.warnings: list[str] = []
        if stack.scale.left_out:
            self.warnings.append(f"{path}: {stack.scale.left_out}")

    @cached_property
    def _levels(self) -> tuple[float, float] | None:
        pictures = [partial(self._picture, pages) for pages in self._stack.pages]
        return find_levels(pictures, self._intensity, self.warnings)

    @contextmanager
    def _picture(self, pages: Sequence[int]) -> Iterator[Image.Image]:
        with opened_image(self._path) as image:
            yield brightest(image, pages)

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """One frame per page, or per slices of one. Raises SourceError where one cannot be read."""
        levels = self._levels
        with opened_image(self._path) as image:
            for index in range(start, self.length):
                picture = brightest(image, self._stack.pages[index])
                pixels = as_rgb(picture.copy(), levels, self._stack.within)
                yield Frame(index, numbered_name(index), pixels, index / self.fps)
