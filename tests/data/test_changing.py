"""Objects whose parts change their look in the course of a clip."""

import torch

from hodor.data.changing import change_parts


def clip() -> tuple[torch.Tensor, torch.Tensor]:
    """Four frames (4, 3, 64, 96) of a box that moves to the right before a grey wall."""
    images, labels = torch.full((4, 3, 64, 96), 128.0), torch.zeros(4, 64, 96, dtype=torch.uint8)
    for t in range(4):
        labels[t, 16:48, 10 + 8 * t : 50 + 8 * t] = 1
        images[t, 0, 16:48, 10 + 8 * t : 50 + 8 * t] = 200
    return images, labels


def changed_share(seed: int) -> list[float]:
    """Share of the object in each frame that has another colour than before."""
    images, labels = clip()
    after = change_parts(images, labels, torch.Generator().manual_seed(seed))
    other = ((after - images).abs() > 4).any(1)
    assert not other[labels == 0].any(), "the background stays as it is"
    return [float(o[m > 0].float().mean()) for o, m in zip(other, labels, strict=True)]


def test_more_of_the_object_changes_from_frame_to_frame_and_nothing_in_the_first() -> None:
    shares = torch.tensor([changed_share(seed) for seed in range(12)])
    assert (shares[:, 0] == 0).all()
    mean = shares.mean(0)
    assert (mean.diff() > 0).all()
    assert 0.1 < mean[3] < 0.9


def test_colours_stay_colours() -> None:
    images, labels = clip()
    for seed in range(8):
        after = change_parts(images, labels, torch.Generator().manual_seed(seed))
        assert float(after.min()) >= 0
        assert float(after.max()) <= 255


def test_without_objects_or_with_one_frame_nothing_changes() -> None:
    images, labels = clip()
    g = torch.Generator().manual_seed(1)
    assert change_parts(images, torch.zeros_like(labels), g).equal(images)
    assert change_parts(images[:1], labels[:1], g).equal(images[:1])
