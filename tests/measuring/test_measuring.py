"""Measures of shapes whose numbers are known in closed form, over time and as files."""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from formats.tracks import track_of
from numpy.typing import NDArray

from hodor.errors import HodorError
from hodor.formats import Labelled, Track
from hodor.measuring import Measurement, Units, curves_figure, measure, write_measurements

SIZE = (200, 300)
Map = NDArray[np.uint8]


def disc(row: float, column: float, radius: float) -> Map:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return (np.hypot(rows - row, columns - column) <= radius).astype(np.uint8)


def ellipse(long: float, short: float, degrees: float) -> Map:
    """Half axes; turned counter-clockwise as seen."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    x, y = columns - 150.0, 100.0 - rows
    turn = math.radians(degrees)
    along, across = (
        x * math.cos(turn) + y * math.sin(turn),
        y * math.cos(turn) - x * math.sin(turn),
    )
    return ((along / long) ** 2 + (across / short) ** 2 <= 1).astype(np.uint8)


def rectangle(top: int, left: int, height: int, width: int, number: int = 1) -> Map:
    label_map = np.zeros(SIZE, np.uint8)
    label_map[top : top + height, left : left + width] = number
    return label_map


def measured(maps: Sequence[Map], units: Units | None = None) -> list[Measurement]:
    return list(measure(track_of(maps), units))


def test_a_rectangle_has_the_area_box_and_centre_that_it_was_drawn_with() -> None:
    (row,) = measured([rectangle(20, 30, 40, 100)])
    assert row.visible
    assert row.area == 4000
    assert (row.box_left, row.box_top, row.box_right, row.box_bottom) == (30, 20, 130, 60)
    assert (row.centroid_x, row.centroid_y) == (79.5, 39.5)
    assert row.perimeter == pytest.approx(2 * (39 + 99))
    # An ellipse with the moments of a rectangle has axes of 2 / sqrt(3) times its sides.
    assert row.major_axis == pytest.approx(100 * 2 / math.sqrt(3), rel=1e-3)
    assert row.minor_axis == pytest.approx(40 * 2 / math.sqrt(3), rel=2e-3)
    assert row.orientation == pytest.approx(0)
    assert row.speed is None
    assert row.overlap is None


def test_a_disc_has_area_perimeter_and_axes_of_its_radius() -> None:
    (row,) = measured([disc(100, 120, 60)])
    assert row.area == pytest.approx(math.pi * 60**2, rel=2e-3)
    assert row.perimeter == pytest.approx(2 * math.pi * 60, rel=0.06)
    assert row.major_axis == pytest.approx(120, rel=5e-3)
    assert row.minor_axis == pytest.approx(120, rel=5e-3)


@pytest.mark.parametrize("degrees", [0, 30, 60, 90, -30, -60])
def test_orientation_is_counter_clockwise_from_the_x_axis(degrees: int) -> None:
    (row,) = measured([ellipse(80, 20, degrees)])
    assert row.orientation == pytest.approx(degrees, abs=0.5)
    assert row.major_axis == pytest.approx(160, rel=0.01)
    assert row.minor_axis == pytest.approx(40, rel=0.02)


def test_speed_and_overlap_are_those_of_a_square_that_is_shifted() -> None:
    rows = measured([rectangle(20, 30, 40, 40), rectangle(23, 34, 40, 40)])
    assert rows[1].speed == pytest.approx(5)  # 3 down and 4 right, a frame later
    assert rows[1].overlap == pytest.approx(37 * 36 / (2 * 1600 - 37 * 36))


def test_micrometres_and_seconds_scale_lengths_areas_and_speeds_and_leave_boxes() -> None:
    units = Units(um_per_pixel=0.5, seconds=True)
    rows = measured([rectangle(20, 30, 40, 40), rectangle(23, 34, 40, 40)], units)
    assert rows[1].area == 400
    assert rows[1].centroid_x == 0.5 * 53.5
    assert rows[1].perimeter == 0.5 * 4 * 39
    assert rows[1].speed == pytest.approx(5 * 0.5 * 25)  # The track's rate is 25.
    assert rows[1].box_left == 34


def test_an_object_out_of_sight_has_a_row_that_says_nothing_of_its_shape() -> None:
    both = rectangle(0, 0, 10, 10) + rectangle(50, 50, 10, 10, 7)
    rows = measured([both, rectangle(50, 50, 10, 10, 7), both])
    assert [(row.index, row.object) for row in rows] == [(t, i) for t in range(3) for i in (1, 7)]
    away, back = rows[2], rows[4]
    assert not away.visible
    assert away.area == 0
    assert away.centroid_x is away.box_left is away.major_axis is away.speed is None
    assert back.visible
    assert back.speed is None, "nobody knows which way it came"
    assert back.overlap is None


def test_speed_counts_the_frames_between_two_that_are_there() -> None:
    def frames() -> Iterator[Labelled]:
        for index, left in ((0, 10), (5, 60)):
            yield Labelled(index, str(index), index / 25, rectangle(20, left, 40, 40))

    rows = list(measure(Track(frames, "sparse", 25.0)))
    assert rows[1].speed == 10


def test_frames_of_two_sizes_have_no_overlap() -> None:
    rows = measured([rectangle(20, 30, 40, 40), rectangle(20, 30, 40, 40)[:150]])
    assert rows[1].overlap is None


def test_a_table_states_its_units_and_leaves_blank_what_is_not_known(tmp_path: Path) -> None:
    units = Units(um_per_pixel=2.0, seconds=True)
    rows = measured([rectangle(20, 30, 40, 40), rectangle(0, 0, 1, 1, 2)], units)
    write_measurements(rows, tmp_path / "deep/numbers.csv", units)
    with (tmp_path / "deep/numbers.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert read[0]["area_um2"] == "6400.0"
    assert read[0]["speed_um_per_s"] == ""
    assert read[0]["visible"] == "true"
    assert read[2]["visible"] == "false"
    assert read[2]["box_left_px"] == ""


def test_parquet_holds_the_same_numbers(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    units = Units()
    rows = measured([rectangle(20, 30, 40, 40), rectangle(23, 34, 40, 40)], units)
    write_measurements(rows, tmp_path / "numbers.parquet", units)
    read = parquet.read_table(tmp_path / "numbers.parquet").to_pylist()
    assert read[1]["speed_px_per_frame"] == pytest.approx(5)
    assert read[1]["box_left_px"] == 34
    assert read[0]["overlap"] is None
    assert read[0]["visible"] is True


def test_a_table_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HodorError, match=r"written as \.csv or \.parquet"):
        write_measurements([], tmp_path / "numbers.xlsx", Units())


def test_a_scale_that_is_none_is_refused() -> None:
    with pytest.raises(HodorError, match="give a number over 0"):
        Units(um_per_pixel=-1)


def test_the_picture_has_a_curve_for_each_object(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    rows = measured([rectangle(20, 30, 40, 40) + rectangle(90, 90, 20, 20, 2)] * 4)
    rows = [replace(row, confidence=0.5) for row in rows]
    curves_figure(rows, tmp_path / "curves.svg", Units())
    drawn = (tmp_path / "curves.svg").read_text(encoding="utf-8")
    # matplotlib writes text as comments beside its glyphs.
    for words in ("1 object", "2 object", "area (px²)", "speed (px/frame)", "confidence"):
        assert f"<!-- {words} -->" in drawn
