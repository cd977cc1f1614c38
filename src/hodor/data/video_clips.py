"""Clips of real frames, in our form: one crop for all of them, colours for each."""

import cv2
import torch

from hodor.data.clips import Clip, ClipSettings, flip, place, sample
from hodor.data.colour import blur_some, change_colours, compress_some
from hodor.data.objects import renumbered, usable_ids
from hodor.data.videos import VideoClip
from hodor.data.warp import sampling_map


def make_video_clip(
    video: VideoClip, followed: int, settings: ClipSettings, g: torch.Generator
) -> Clip:
    """A clip of real frames: one crop, zoom and flip for all of them, colours for each.

    Args:
        video: frames of one size.
        followed: objects to follow; where the first frame shows fewer, the rest have no mask.
        settings: its size, zoom and colour are used; motion is the video's own.
        g: all randomness.
    """
    usable = usable_ids(video.labels[0])
    ids = usable[torch.randperm(len(usable), generator=g)[:followed].numpy()]
    centre, zoom = place(video.labels[0], ids.tolist(), settings, g)
    at = flip(sampling_map(settings.size, torch.eye(2, 3)[None], None, centre, zoom), g)
    layers = [
        sample(image, renumbered(labels, ids), at, cv2.BORDER_REFLECT)
        for image, labels in zip(video.images, video.labels, strict=True)
    ]
    image = change_colours(torch.cat([layer.image for layer in layers]), settings.colour, g)
    image = blur_some(image, settings.colour, g).round().to(torch.uint8)
    labels = torch.cat([layer.ids for layer in layers]).to(torch.uint8)
    return Clip(compress_some(image, settings.colour, g), labels)
