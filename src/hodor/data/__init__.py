"""Datasets to stills to clips to batches."""

from hodor.data.batches import Batch, ClipBatches
from hodor.data.checking import Found, examine
from hodor.data.clips import Clip, ClipSettings, make_clip
from hodor.data.coco import CocoInstances
from hodor.data.colour import Colour
from hodor.data.held_out import is_held_out
from hodor.data.image_clips import NOWHERE, ExtraAugmentation, WholeClips, make_whole_clip
from hodor.data.layouts import davis, youtube_vos
from hodor.data.loading import PreparedBatch, Shard, Steps, in_processes, in_threads, parts_of
from hodor.data.motion import ClipMotion, clip_motion
from hodor.data.negatives import Absent
from hodor.data.objects import RELEASED, ObjectRules
from hodor.data.stills import Cached, MaskFolder, Still, Stills
from hodor.data.video_clips import make_video_clip
from hodor.data.videos import Annotated, VideoClip, VideoRules, Videos, VideoStills
from hodor.data.warp import Motion

__all__ = [
    "NOWHERE",
    "RELEASED",
    "Absent",
    "Annotated",
    "Batch",
    "Cached",
    "Clip",
    "ClipBatches",
    "ClipMotion",
    "ClipSettings",
    "CocoInstances",
    "Colour",
    "ExtraAugmentation",
    "Found",
    "MaskFolder",
    "Motion",
    "ObjectRules",
    "PreparedBatch",
    "Shard",
    "Steps",
    "Still",
    "Stills",
    "VideoClip",
    "VideoRules",
    "VideoStills",
    "Videos",
    "WholeClips",
    "clip_motion",
    "davis",
    "examine",
    "in_processes",
    "in_threads",
    "is_held_out",
    "make_clip",
    "make_video_clip",
    "make_whole_clip",
    "parts_of",
    "youtube_vos",
]
