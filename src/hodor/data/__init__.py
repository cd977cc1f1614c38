"""Datasets to stills to clips to batches."""

from hodor.data.batches import Batch, ClipBatches, Prefetched
from hodor.data.clips import Clip, ClipSettings, make_clip
from hodor.data.colour import Colour
from hodor.data.held_out import is_held_out
from hodor.data.stills import Cached, CocoInstances, MaskFolder, Still, Stills
from hodor.data.videos import Annotated, VideoClip, Videos, make_video_clip
from hodor.data.warp import Motion

__all__ = [
    "Annotated",
    "Batch",
    "Cached",
    "Clip",
    "ClipBatches",
    "ClipSettings",
    "CocoInstances",
    "Colour",
    "MaskFolder",
    "Motion",
    "Prefetched",
    "Still",
    "Stills",
    "VideoClip",
    "Videos",
    "is_held_out",
    "make_clip",
    "make_video_clip",
]
