"""Videos as training data: which frames a clip takes, whose labels are used, one view for all."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hodor.data import ClipBatches, ClipSettings, Colour, VideoRules, Videos, make_video_clip
from hodor.errors import DataError
from hodor.video import write_label_map

STEP = 3  # pixels that the square moves to the right in each frame


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two videos of twelve frames of 64 x 128: a square with id 38 whose brightness is its time."""
    for name in ("a", "b"):
        for kind in ("images", "masks"):
            (tmp_path / kind / name).mkdir(parents=True)
        for t in range(12):
            image = np.full((64, 128, 3), 60, np.uint8)
            labels = np.zeros((64, 128), np.uint8)
            square = np.s_[20:40, 10 + STEP * t : 30 + STEP * t]
            image[square], labels[square] = 100 + 10 * t, 38
            Image.fromarray(image).save(tmp_path / "images" / name / f"{t:05d}.png")
            write_label_map(tmp_path / "masks" / name / f"{t:05d}.png", labels)
    return tmp_path


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def times(images: tuple[np.ndarray, ...]) -> list[int]:
    return [(int(image.max()) - 100) // 10 for image in images]


def test_with_one_annotated_frame_every_clip_starts_there_and_knows_no_other(root: Path) -> None:
    videos = Videos(root / "images", root / "masks", VideoRules(span=4))
    orders = [times(videos.read(0, 3, generator(seed)).images) for seed in range(30)]
    assert {order[0] for order in orders} == {6}
    assert {t for order in orders for t in order[1:]} == {2, 3, 4, 5, 7, 8, 9, 10}
    for order in orders:
        away = [abs(t - 6) for t in order]
        assert away == sorted(set(away)), "all on one side, farther and farther"
    clip = videos.read(0, 3, generator(0))
    assert clip.labels[0].max() == 38
    assert not clip.labels[1].any()


def test_with_all_annotated_any_frame_comes_first_and_ids_stay(root: Path) -> None:
    videos = Videos(root / "images", root / "masks", VideoRules(annotated="all", span=4))
    clips = [videos.read(1, 3, generator(seed)) for seed in range(30)]
    assert len({times(clip.images)[0] for clip in clips}) > 6
    assert all(labels.max() == 38 for clip in clips for labels in clip.labels)


def test_a_clip_longer_than_the_video_stays_at_its_end(root: Path) -> None:
    clip = Videos(root / "images", root / "masks").read(0, 16, generator(0))
    assert len(clip.images) == 16
    assert times(clip.images)[-1] in (0, 11)


def test_all_frames_are_seen_through_one_window(root: Path) -> None:
    settings = ClipSettings(
        size=(64, 128), frames=3, zoom=(1, 1), colour=Colour(clip=0, frame=0, blur=0)
    )
    videos = Videos(root / "images", root / "masks", VideoRules(annotated="all", span=2))
    for seed in range(6):
        video = videos.read(0, 3, generator(seed))
        clip = make_video_clip(video, 1, settings, generator(seed))
        middles = [float((labels == 1).nonzero()[:, 1].float().mean()) for labels in clip.labels]
        moved = abs(middles[1] - middles[0])
        assert moved == STEP * abs(times(video.images)[1] - times(video.images)[0])
        for frame, labels in zip(clip.frames, clip.labels, strict=True):
            assert (frame[0][labels == 1] >= 100).all()


def test_batches_say_when_only_frame_0_is_annotated(root: Path) -> None:
    settings = ClipSettings(size=(64, 96), frames=2, objects=(1.0,))
    one = Videos(root / "images", root / "masks")
    every = Videos(root / "images", root / "masks", VideoRules(annotated="all"))
    batch = ClipBatches([one], [1.0], settings, 2, seed=0).make(3)
    assert batch.sparse
    assert batch.labels[:, 0].any()
    assert not batch.labels[:, 1].any()
    assert not ClipBatches([every], [1.0], settings, 2, seed=0).make(3).sparse
    both = ClipBatches([one, every], [1.0, 1.0], settings, 2, seed=0)
    kinds = [both.make(step).sparse for step in range(12)]
    assert set(kinds) == {True, False}
    assert torch.equal(both.make(5).frames, both.make(5).frames)


def test_videos_can_be_listed_and_what_is_missing_is_named(root: Path) -> None:
    (root / "some.txt").write_text("b\n")
    assert len(Videos(root / "images", root / "masks", listed=root / "some.txt")) == 1
    (root / "some.txt").write_text("b\nc\n")
    with pytest.raises(DataError, match="1 of 2 videos are not there: c"):
        Videos(root / "images", root / "masks", listed=root / "some.txt")
    for path in (root / "masks/a").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"1 of 2 videos have no label map .*: a"):
        Videos(root / "images", root / "masks")


def test_a_first_frame_without_objects_is_refused(root: Path) -> None:
    write_label_map(root / "masks/a/00006.png", np.zeros((64, 128), np.uint8))
    with pytest.raises(DataError, match="no object"):
        Videos(root / "images", root / "masks").read(0, 2, generator(0))


def test_ids_above_255_are_refused_and_not_taken_for_others(root: Path) -> None:
    for path in (root / "masks/a").iterdir():
        wide = np.zeros((64, 128), np.uint16)
        wide[20:40, 10:30], wide[20:40, 60:80] = 1, 257  # Their last eight bits are the same.
        write_label_map(path, wide, wide=True)
    videos = Videos(root / "images", root / "masks", VideoRules(annotated="all", span=4))
    with pytest.raises(DataError, match=r"png has ids up to 257; .* up to 255"):
        videos.read(0, 3, generator(0))
