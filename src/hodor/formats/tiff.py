"""TIFF stacks of label maps, a page for each frame, as ImageJ, Fiji and napari keep them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from hodor.files import whole_file
from hodor.formats.format import Format
from hodor.formats.reading import Look, ReadOptions
from hodor.formats.track import Labelled, Track, some_frames, survey
from hodor.formats.writing import WriteOptions
from hodor.video import count_pages, hold_ids, mask_pages, open_picture, read_label_map
from hodor.video.limits import frame_count
from hodor.video.scale import scale_of

TIFF_SUFFIXES = (".tif", ".tiff")


def write_tiff(track: Track, path: Path, _: WriteOptions) -> None:
    """A page for each frame: 8-bit greyscale of ids, or 16-bit for ids above 254.

    255 is kept for 16 bits, so that no reader takes an object for white.
    """
    highest = max(survey(track).ids, default=0)
    kind = np.uint8 if highest < 255 else np.uint16
    pages = (Image.fromarray(frame.label_map.astype(kind)) for frame in some_frames(track))
    with whole_file(path) as temporary:
        first = next(pages)
        first.save(
            temporary, "TIFF", save_all=True, append_images=pages, compression="tiff_adobe_deflate"
        )


def read_tiff(path: Path, options: ReadOptions) -> Track:
    """A file whose pages are the frames of the video, from the first on; ids are the values.

    Scale and time between frames are those that ImageJ or OME wrote into it.
    """
    pages = mask_pages(path)
    with open_picture(path) as image:
        scale = scale_of(image)
    rate = options.fps or scale.rate or options.rate
    frame_count(len(pages))
    white_is_id = hold_ids([path])

    def frames() -> Iterator[Labelled]:
        for index, page in enumerate(pages):
            label_map = read_label_map(path, white_is_id=white_is_id, page=page)
            yield Labelled(index, options.name_of(index), index / rate, label_map)

    return Track(
        frames, path.stem, rate, warnings=[f"{path}: {scale.left_out}"] if scale.left_out else [],
        timed=scale.rate is not None, um_per_pixel=scale.um_per_pixel,
    )  # fmt: skip


def looks_like_tiff(look: Look) -> bool:
    """A file with more than one page; one with a single page is a mask by itself."""
    return look.suffix in TIFF_SUFFIXES and count_pages(look.path) > 1


TIFF = Format(
    title="Label maps (TIFF stack)",
    about="A page of ids for each frame, as ImageJ has them",
    what="TIFF stack of label maps",
    read=read_tiff,
    write=write_tiff,
    file="tiff.tif",
    looks_like=looks_like_tiff,
)
