"""Scenes to follow: boxes that fit, frames of any size, a video of them."""

from pathlib import Path

import numpy as np
import pytest

from hodor.errors import HodorError
from hodor.profiling import clip, grid_of_boxes, write_video
from hodor.video import open_source


@pytest.mark.parametrize("objects", [1, 3, 64, 300])
def test_every_box_is_there_and_apart_from_the_others(objects: int) -> None:
    labels = grid_of_boxes(120, 200, objects)
    assert np.unique(labels).tolist() == list(range(objects + 1))
    areas = np.bincount(labels.flat)[1:]
    assert areas.min() == areas.max()


def test_too_many_boxes_end_in_a_clear_line() -> None:
    with pytest.raises(HodorError, match="900 objects: more than fit into a frame of 60 x 90"):
        grid_of_boxes(60, 90, 900)


def test_the_video_holds_as_many_frames_as_were_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, clip(48, 86, 80))  # the sample clip has 72
    with open_source(path) as source:
        frames = [frame.pixels for frame in source.frames()]
    assert len(frames) == 80
    assert frames[0].shape == (48, 86, 3)
    assert frames[0].std() > 10
