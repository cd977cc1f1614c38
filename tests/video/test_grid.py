"""A frame with numbered lines: where they are, and how wide."""

import numpy as np
import pytest

from hodor.video.grid import draw_grid


@pytest.mark.parametrize(
    ("size", "step", "wide"),
    [((480, 854), 100, 1), ((1080, 1920), 200, 2), ((2160, 3840), 500, 3), ((1920, 1080), 200, 2)],
)
def test_lines_are_at_round_numbers_and_as_wide_as_the_frame_asks(
    size: tuple[int, int], step: int, wide: int
) -> None:
    drawn, times = draw_grid(np.zeros((*size, 3), np.uint8))
    assert (times, drawn.shape) == (1, (*size, 3))
    # Between the numbers at the edges, in a row without a line.
    columns = np.flatnonzero(drawn[size[0] // 2 + step // 10, 150:-150, 0] > 100) + 150
    expected = [at + i for at in range(0, size[1], step) for i in range(wide)]
    assert set(columns) == {at for at in expected if 150 <= at < size[1] - 150}


def test_a_line_is_seen_on_light_and_on_dark() -> None:
    pixels = np.zeros((480, 640, 3), np.uint8)
    pixels[240:] = 255
    drawn, _ = draw_grid(pixels)
    assert drawn[205, 300, 0] > 100
    assert drawn[305, 300, 0] < 150
