"""What a user shows of an object, in pixels of the frame; coordinates that cannot be meant so."""

from collections.abc import Sequence
from dataclasses import dataclass

from hodor.errors import MaskError

Point = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Prompts:
    """What was shown of one object.

    points: (x, y) in pixels, from the frame's upper left corner; a pixel's centre is at a half.
    labels: for each point whether it is on the object. box: (x0, y0, x1, y1) in pixels, the
    upper left and the lower right corner.
    """

    points: tuple[Point, ...] = ()
    labels: tuple[bool, ...] = ()
    box: Box | None = None

    def __post_init__(self) -> None:
        """Raises MaskError if the prompts show nothing of an object."""
        if len(self.points) != len(self.labels):
            raise MaskError(
                f"{len(self.points)} points with {len(self.labels)} labels: each point has one"
            )
        if self.box is None and not any(self.labels):
            raise MaskError(
                "nothing shows the object: give a box, or a point on it beside those that are not"
            )

    def first(self, count: int) -> "Prompts":
        """The same with the first ``count`` points only."""
        return Prompts(self.points[:count], self.labels[:count], self.box)


def check_point(point: Sequence[float], size: tuple[int, int]) -> Point:
    """A point as it was given, if it lies in a frame of size (H, W).

    Raises:
        MaskError: it does not.
    """
    x, y = point
    height, width = size
    if not (0 <= x <= width and 0 <= y <= height):
        raise MaskError(
            f"point {x:g},{y:g} is outside of the frame of {width} x {height} pixels (x,y from the "
            "upper left corner)"
        )
    return float(x), float(y)


def check_box(box: Sequence[float], size: tuple[int, int]) -> Box:
    """A box x0,y0,x1,y1 in pixels, cut to a frame of size (H, W).

    Raises:
        MaskError: it is empty, outside, or looks like another form: shares of the frame, or a
            corner with width and height.
    """
    x0, y0, x1, y1 = box
    height, width = size
    written = ",".join(f"{v:g}" for v in box)
    form = f"a box is x0,y0,x1,y1 in pixels of the frame ({width} x {height})"
    if max(box) <= 1 < min(height, width):
        pixels = ",".join(f"{v:.0f}" for v in (x0 * width, y0 * height, x1 * width, y1 * height))
        raise MaskError(f"box {written} looks like shares of the frame; {form}: {pixels}")
    if x1 <= x0 or y1 <= y0:
        like = f"; with width and height it is {x0:g},{y0:g},{x0 + x1:g},{y0 + y1:g}"
        fits = x1 > 0 and y1 > 0 and x0 + x1 <= width and y0 + y1 <= height
        raise MaskError(
            f"box {written} has its right or lower edge before the other; {form}"
            + (like if fits else "")
        )
    cut = max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))
    if cut[2] - cut[0] < 1 or cut[3] - cut[1] < 1:
        raise MaskError(f"box {written} is outside of the frame; {form}")
    return cut
