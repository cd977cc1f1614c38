"""What a TIFF of ImageJ or OME says of its scale: how long a pixel's side is, how long a frame."""

import math
import re
from dataclasses import dataclass
from html import unescape

from PIL import Image

from hodor.video.limits import rate_of
from hodor.video.pages import description, ome_pixels, tag_of

X_RESOLUTION, Y_RESOLUTION = 282, 283
"""Tags of TIFF 6.0; in ImageJ's files pixels in the unit that their description names"""

IMAGEJ = re.compile(r"^(unit|finterval|tunit)=(.*?)\s*$", re.MULTILINE)
OME = re.compile(r"\b(PhysicalSize[XY](?:Unit)?|TimeIncrement(?:Unit)?)=\"([^\"]{0,40})\"")

MICROMETRES = {
    **dict.fromkeys(("micron", "microns", "um", "µm", "μm", "micrometer", "micrometre"), 1.0),
    **{"nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6},
}
"""In a unit of length. Inches are not among them: they tell how large a picture is printed."""

SECONDS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec"), 1e-3),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
}
"""In a unit of time"""

SQUARE = 0.001
"""Share by which a pixel's sides may differ"""


@dataclass(frozen=True)
class Scale:
    """um_per_pixel: micrometres that a pixel's side is long. seconds: from a frame to the next.
    None where nothing says so. left_out: what was said and is not taken, and why; else "".
    """

    um_per_pixel: float | None = None
    seconds: float | None = None
    left_out: str = ""

    @property
    def rate(self) -> float | None:
        """Frames per second."""
        try:
            return rate_of(1 / self.seconds) if self.seconds else None
        except (ValueError, ArithmeticError):
            return None


def scale_of(image: Image.Image) -> Scale:
    """What an open picture, at its first page, says of its scale; nothing, if it is no TIFF."""
    text = description(image)
    if text.startswith("ImageJ="):
        said = dict(IMAGEJ.findall(text))
        one = _micrometres(said.get("unit", ""))
        across, down = (
            _times(one, 1 / per) if (per := _positive(tag_of(image, tag))) else None
            for tag in (X_RESOLUTION, Y_RESOLUTION)
        )
        return _scale(across, down, _positive(said.get("finterval")), said.get("tunit", "s"))
    said = dict(OME.findall(ome_pixels(text)))
    across, down = (
        _times(_positive(said.get(size)), _micrometres(said.get(f"{size}Unit", "µm")))
        for size in ("PhysicalSizeX", "PhysicalSizeY")
    )
    interval = _positive(said.get("TimeIncrement"))
    return _scale(across, down, interval, said.get("TimeIncrementUnit", "s"))


def _scale(across: float | None, down: float | None, interval: float | None, unit: str) -> Scale:
    seconds = _times(interval, SECONDS.get(unit.strip().lower()))
    if across is None or down is None:
        return Scale(across or down, seconds)
    if abs(across - down) > SQUARE * across:
        return Scale(
            None,
            seconds,
            f"its pixels are not square ({across:.4g} x {down:.4g} µm), so that no scale was taken",
        )
    return Scale(across, seconds)


def _micrometres(unit: str) -> float | None:
    """In one of a unit; None for pixels, inches and what is not known."""
    # ImageJ escapes what is not ASCII; Pillow takes UTF-8 for Latin-1.
    plain = unescape(unit).replace("\\u00B5", "µ").replace("Âµ", "µ").replace("Î¼", "μ")
    return MICROMETRES.get(plain.strip().lower() if len(plain) > 1 else plain)


def _times(one: float | None, other: float | None) -> float | None:
    # Rounded: files hold resolutions as fractions.
    return None if one is None or other is None else float(f"{one * other:.9g}")


def _positive(value: object) -> float | None:
    """A number over 0 of a tag or a word; None for anything else."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ArithmeticError):
        return None
    return number if 0 < number < math.inf else None
