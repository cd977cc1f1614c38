"""Label maps in files: reading what other tools save without guessing, and writing ours."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from hodor.errors import MaskError, explained
from hodor.files import replacing
from hodor.types import AnyArray
from hodor.video.black_and_white import black_and_white
from hodor.video.drawing import davis_palette
from hodor.video.frames import LabelMap
from hodor.video.pages import frame_pages
from hodor.video.pictures import UNREADABLE, open_picture
from hodor.video.smoothing import find_smoothing

# Formats that keep every pixel's number. GIF is not among them: writers renumber its palette.
EXACT_FORMATS = frozenset({"PNG", "BMP", "TIFF"})
MASK_SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg", ".webp", ".gif")

# Measured on label maps of 1920 x 1080: levels 1 and 3 take 6.4 ms, 6 takes 15 ms; 1 gives 15 kB,
# 3 gives 13 kB, 6 gives 5 kB.
PNG_LEVEL = 3

WHITE, WIDE_WHITE = 255, 65535

MOST_PIXELS = 1 << 27
"""Of a mask: 16K (15,360 x 8,640) fits."""

COMPRESSION, PHOTOMETRIC = 259, 262
"""Tags of TIFF 6.0; PHOTOMETRIC is 0 where 0 is white."""

FAX = (2, 3, 4)
"""Ways of compressing that are made for fax machines."""

LISTED = 8
"""At most so many values are listed in a message."""

MOTS_IGNORED = 10_000
"""In PNGs of MOTS (https://www.vision.rwth-aachen.de/page/mots): a region that is no object."""

IGNORED_REGIONS = "regions to be ignored (10000, in MOTS)"
"""In what is told of files that hold some."""

MOTS_IDS = range(1_000, 3_000)
"""In them: 1000 times the class, 1 (car) or 2 (pedestrian), plus the object's number."""

HOW_TO_SAVE = (
    "Draw with a hard brush and resize with nearest-neighbour, then save as a palette or 8-bit "
    "greyscale PNG whose numbers are the object ids."
)


def read_label_map(
    path: str | Path,
    shaded: list[Path] | None = None,
    *,
    white_is_id: bool = False,
    ignored: bool = False,
    page: int | None = None,
) -> LabelMap:
    """Read a mask file as (H, W) uint8, or uint16 if an id is above 255. 0 is background.

    Palette images (mode P) give their indices, never their colours. In 8-bit and 16-bit greyscale
    images the values are the ids, with one exception: where the only value beside 0 is the
    greatest one (255, or 65535 in 16 bits; white in a bilevel image) the image is a binary mask
    and its object gets the id 1. So does what is white in a black-and-white picture in colours or
    of a format that changes pixels; where edges have shades, pixels from 128 of 255 on are white.

    Args:
        path: of the file.
        shaded: gets the path where shades were split into black and white.
        white_is_id: whether the greatest value is an id like any other, since other files of the
            folder hold ids; see `hold_ids`.
        ignored: whether 10000 is a region to be ignored, which is background then; see
            `with_ignored`.
        page: which one of a file with several, from 0; None for a file that must have only one.

    Raises:
        MaskError: the ids would have to be guessed: colours, smoothed edges, greys in JPEG,
            several pages. The message lists what was found, with areas in pixels.
    """
    path = Path(path)
    with _opened(path) as image:
        if page is not None:
            image.seek(page)
        elif image.format in EXACT_FORMATS and (pages := len(frame_pages(image))) > 1:
            raise MaskError(
                f"{path} holds {pages} pages, and a mask has one; give it as the masks of a whole "
                "video (a TIFF stack), or save the page by itself."
            )
        ids = _ids(image, path, [] if shaded is None else shaded, white_is_id=white_is_id)
    return np.where(ids == MOTS_IGNORED, ids.dtype.type(0), ids) if ignored else ids


def count_pages(path: str | Path) -> int:
    """How many frames an image file has. Raises MaskError if it cannot be read."""
    return len(mask_pages(path))


def mask_pages(path: str | Path) -> list[int]:
    """Numbers of the pages of an image file that are frames, from 0; see `frame_pages`.

    Raises MaskError if it cannot be read, or does not say which page is which frame.
    """
    with _opened(Path(path)) as image:
        return frame_pages(image)


def hold_ids(files: Iterable[str | Path]) -> bool:
    """Whether the files of a folder hold ids, so that white (255) is an id in all of them.

    They do if a greyscale file has a value that is neither 0 nor white, or a palette file has the
    index 255: what 255 means is decided once for a folder, never file by file.

    Raises:
        MaskError: a file cannot be read.
    """
    return any(_holds_ids(Path(file)) for file in files)


def _holds_ids(path: Path) -> bool:
    with _opened(path) as image:
        for page in frame_pages(image) if image.format == "TIFF" else [0]:
            image.seek(page)
            values = _stored(image) if image.mode in ("L", "P") or image.mode[0] in "IF" else None
            if values is None or image.format not in EXACT_FORMATS:
                continue
            if image.mode == "P":
                if values.max(initial=0) == WHITE:
                    return True
                continue
            white = WHITE if values.dtype == np.uint8 else WIDE_WHITE
            if ((values != 0) & (values != white)).any():
                return True
    return False


def with_ignored(files: Iterable[str | Path], *, pass_over_damaged: bool = False) -> list[Path]:
    """Files of a folder that hold regions to be ignored, which are the value 10000, as of MOTS.

    There are some only if every value of every file is one that MOTS knows, and one of them an
    object's: elsewhere 10000 is an id like any other.

    Args:
        files: of the folder.
        pass_over_damaged: whether a file that cannot be read has no say, since who reads it later
            tells of it.

    Raises:
        MaskError: a file cannot be read.
    """
    holding, objects = [], False
    for file in map(Path, files):
        try:
            values = _values(file)
        except MaskError:
            if pass_over_damaged:
                continue
            raise
        others = values - {0, MOTS_IGNORED}
        if not all(value in MOTS_IDS for value in others):
            return []
        objects = objects or bool(others)
        holding += [file] if MOTS_IGNORED in values else []
    return holding if objects else []


def _values(path: Path) -> set[int]:
    """Values of a greyscale file; of others one that is none of MOTS."""
    with _opened(path) as image:
        if image.format not in EXACT_FORMATS or image.mode[0] not in "IF":
            return {1}
        return set(np.unique(_integers(image, path)).tolist())


MADE_BY = {
    ".roi": ", as ImageJ's plugin LaRoMe makes of ROIs (ROIs to Label Image)",
    ".zip": ", as ImageJ's plugin LaRoMe makes of ROIs (ROIs to Label Image)",
    ".npy": ", as Cellpose saves by Save masks as PNG/tif",
}
"""What makes masks of what is none, by suffix"""


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with open_picture(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise MaskError(
                    f"{path} is {image.width} x {image.height} pixels; masks of up to "
                    f"{MOST_PIXELS:,} are read."
                )
            yield image
    except MaskError:
        raise
    except FileNotFoundError as error:
        raise MaskError(f"{path} does not exist; check the path.") from error
    except UnidentifiedImageError as error:
        made = MADE_BY.get(path.suffix.lower(), "")
        raise MaskError(
            f"{path} cannot be read as a mask (it is no image); give a PNG or TIFF in which each "
            f"object has a number of its own{made}, or a format that hodor convert reads."
        ) from error
    except UNREADABLE as error:
        reason = " ".join(str(error).split())
        raise MaskError(f"{path} cannot be read as a mask ({reason}); save it again.") from error


def label_map_objects(label_map: LabelMap) -> dict[int, int]:
    """Object ids of a label map (H, W) and their areas in pixels, by id; background is left out."""
    areas = np.bincount(label_map.ravel())
    return {int(number): int(areas[number]) for number in np.flatnonzero(areas) if number != 0}


def write_label_map(path: str | Path, label_map: LabelMap, *, wide: bool = False) -> None:
    """Write a label map (H, W) as a PNG that appears whole or not at all.

    A palette PNG with the DAVIS colours, or 16-bit greyscale if `wide`. Raises MaskError if an id
    is above 255 and `wide` is not set, HodorError if the file cannot be written.
    """
    path = Path(path)
    highest = int(label_map.max(initial=0))
    if highest > 255 and not wide:
        raise MaskError(f"{path}: id {highest} is above 255; write this run's masks in 16 bits.")
    if wide:
        image = Image.fromarray(label_map.astype(np.uint16))
    else:
        image = Image.fromarray(label_map.astype(np.uint8))
        image.putpalette(davis_palette().tobytes())
    with explained(path), replacing(path) as temporary:
        image.save(temporary, "PNG", compress_level=PNG_LEVEL)


def _ids(image: Image.Image, path: Path, shaded: list[Path], *, white_is_id: bool) -> LabelMap:
    exact = image.format in EXACT_FORMATS
    if not exact or image.mode in ("LA", "RGB", "RGBA"):
        found = black_and_white(image, exact=exact)
        if found is not None:
            shaded += [path] if found.shades else []
            return found.white.astype(np.uint8) * np.uint8(WHITE if white_is_id else 1)
    if not exact:
        raise MaskError(
            f"{path} is a {image.format} file, which changes pixels; a mask must keep them. "
            f"{_found(image)} {HOW_TO_SAVE}"
        )
    if image.mode == "P":
        return np.array(image)
    if image.mode == "1":
        return _stored(image).astype(np.uint8)
    if image.mode == "L" or image.mode[0] in "IF":
        return _grey_ids(_integers(image, path), path, white_is_id=white_is_id)
    raise MaskError(
        f"{path} holds colours (mode {image.mode}), and which colour is which object would have to "
        f"be guessed. {_found(image)} Give each object a number instead. {HOW_TO_SAVE}"
    )


def _stored(image: Image.Image) -> AnyArray:
    """The numbers (H, W) of a picture as its file has them.

    Where a TIFF says that 0 is white, as of ImageJ's inverted tables of colours and of bits that
    tifffile writes, Pillow turns them; what a fax machine would read stays as it is seen.
    """
    values = np.array(image)
    tags = image.tag_v2 if hasattr(image, "tag_v2") else {}
    turned = tags.get(PHOTOMETRIC) == 0 and tags.get(COMPRESSION) not in FAX
    return ~values if turned and image.mode in ("1", "L") else values


def _integers(image: Image.Image, path: Path) -> LabelMap:
    values = _stored(image)
    if values.dtype == np.uint8:
        return values.astype(np.uint8)
    whole = np.isfinite(values).all() and np.equal(values, values.round()).all()
    if not whole:
        raise MaskError(f"{path} holds fractions; ids are whole numbers, 1 to 65535.")
    if int(values.min()) < 0 or int(values.max()) > 65535:
        raise MaskError(
            f"{path} holds numbers from {values.min()} to {values.max()}; ids are 1 to 65535."
        )
    return values.astype(np.uint16)


def _grey_ids(values: LabelMap, path: Path, *, white_is_id: bool) -> LabelMap:
    white = np.iinfo(values.dtype).max
    present = np.flatnonzero(np.bincount(values.ravel()))
    if set(present.tolist()) <= {0, white}:
        return values if white_is_id else np.equal(values, white).astype(np.uint8)
    shades = find_smoothing(values)
    if shades.any():
        first, last = int(values[shades].min()), int(values[shades].max())
        raise MaskError(
            f"{path} has smoothed edges: {np.count_nonzero(shades)} pixels (values {first} to "
            f"{last}) are shades between two regions and would become objects that nobody drew. "
            f"{_listed(values)} {HOW_TO_SAVE} If every value is an object, save a palette PNG: it "
            "is never doubted."
        )
    return values.astype(np.uint8) if present[-1] <= 255 else values


def _listed(values: LabelMap) -> str:
    numbers, areas = np.unique(values, return_counts=True)
    order = np.argsort(-areas, kind="stable")[:LISTED]
    found = ", ".join(f"{numbers[at]} ({areas[at]} px)" for at in order)
    return f"Found: {found}{_rest(len(numbers))}."


def _found(image: Image.Image) -> str:
    """The biggest colours of an image and their areas."""
    colours = np.array(image.convert("RGBA" if image.has_transparency_data else "RGB"))
    kinds, areas = np.unique(colours.reshape(-1, colours.shape[2]), axis=0, return_counts=True)
    order = np.argsort(-areas, kind="stable")[:LISTED]
    found = ", ".join(f"{tuple(kinds[at].tolist())} ({areas[at]} px)" for at in order)
    return f"Found: {found}{_rest(len(kinds))}."


def _rest(count: int) -> str:
    return f" and {count - LISTED} more" if count > LISTED else ""
