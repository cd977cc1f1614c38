"""Frames in, results out: sources, reference masks, sinks, drawing."""

from hodor.video.drawing import davis_palette, draw_overlay, object_colour
from hodor.video.frames import Frame, LabelMap, Source
from hodor.video.images import IMAGE_SUFFIXES, read_image
from hodor.video.label_maps import label_map_objects, read_label_map, write_label_map
from hodor.video.live import LiveSource
from hodor.video.overlays import OverlaySink
from hodor.video.reference_masks import ReferenceMasks, open_reference_masks
from hodor.video.sinks import LabelMapSink, RleSink, Sink
from hodor.video.sources import open_source
from hodor.video.writing import explained, replacing

__all__ = [
    "IMAGE_SUFFIXES",
    "Frame",
    "LabelMap",
    "LabelMapSink",
    "LiveSource",
    "OverlaySink",
    "ReferenceMasks",
    "RleSink",
    "Sink",
    "Source",
    "davis_palette",
    "draw_overlay",
    "explained",
    "label_map_objects",
    "object_colour",
    "open_reference_masks",
    "open_source",
    "read_image",
    "read_label_map",
    "replacing",
    "write_label_map",
]
