"""Frames in, results out: sources, reference masks, sinks, drawing.

Names are loaded when first used: who only reads label maps needs no decoder of videos.
"""

from typing import TYPE_CHECKING

from hodor.lazy import names_of

if TYPE_CHECKING:
    from hodor.video.coco_rle import (
        area_and_box,
        box_of_rle,
        decode_rle,
        encode_rle,
        fill_polygons,
    )
    from hodor.video.drawing import (
        Colour,
        davis_palette,
        draw_overlay,
        hex_colour,
        object_colour,
        parse_colour,
    )
    from hodor.video.frames import DEFAULT_FPS, Frame, LabelMap, Source, numbered_name
    from hodor.video.images import (
        IMAGE_SUFFIXES,
        ImagesSource,
        list_images,
        read_image,
        read_still,
        sort_naturally,
    )
    from hodor.video.label_maps import (
        count_pages,
        hold_ids,
        label_map_objects,
        mask_pages,
        read_label_map,
        with_ignored,
        write_label_map,
    )
    from hodor.video.live import LiveSource
    from hodor.video.motion import Carried, look_back, small_grey
    from hodor.video.overlays import OverlaySink
    from hodor.video.pages import ChoiceError, Slice
    from hodor.video.pictures import AUTO, FULL, Intensity, open_picture, slice_of
    from hodor.video.reference_masks import ReferenceMasks, open_reference_masks
    from hodor.video.seeking import SeekableFrames, open_seekable
    from hodor.video.sinks import Finishing, LabelMapSink, RleSink, Sink
    from hodor.video.soft_masks import SoftMask, SoftMaskOf, read_soft_mask, write_soft_masks
    from hodor.video.sound import Sound
    from hodor.video.sources import open_source
    from hodor.video.time_codes import TimeCode

__all__ = [
    "AUTO",
    "DEFAULT_FPS",
    "FULL",
    "IMAGE_SUFFIXES",
    "Carried",
    "ChoiceError",
    "Colour",
    "Finishing",
    "Frame",
    "ImagesSource",
    "Intensity",
    "LabelMap",
    "LabelMapSink",
    "LiveSource",
    "OverlaySink",
    "ReferenceMasks",
    "RleSink",
    "SeekableFrames",
    "Sink",
    "Slice",
    "SoftMask",
    "SoftMaskOf",
    "Sound",
    "Source",
    "TimeCode",
    "area_and_box",
    "box_of_rle",
    "count_pages",
    "davis_palette",
    "decode_rle",
    "draw_overlay",
    "encode_rle",
    "fill_polygons",
    "hex_colour",
    "hold_ids",
    "label_map_objects",
    "list_images",
    "look_back",
    "mask_pages",
    "numbered_name",
    "object_colour",
    "open_picture",
    "open_reference_masks",
    "open_seekable",
    "open_source",
    "parse_colour",
    "read_image",
    "read_label_map",
    "read_soft_mask",
    "read_still",
    "slice_of",
    "small_grey",
    "sort_naturally",
    "with_ignored",
    "write_label_map",
    "write_soft_masks",
]

_FILE = {
    "area_and_box": "coco_rle",
    "box_of_rle": "coco_rle",
    "decode_rle": "coco_rle",
    "encode_rle": "coco_rle",
    "fill_polygons": "coco_rle",
    "Colour": "drawing",
    "hex_colour": "drawing",
    "parse_colour": "drawing",
    "davis_palette": "drawing",
    "draw_overlay": "drawing",
    "object_colour": "drawing",
    "DEFAULT_FPS": "frames",
    "Frame": "frames",
    "LabelMap": "frames",
    "numbered_name": "frames",
    "Source": "frames",
    "IMAGE_SUFFIXES": "images",
    "ImagesSource": "images",
    "list_images": "images",
    "read_image": "images",
    "read_still": "images",
    "sort_naturally": "images",
    "count_pages": "label_maps",
    "hold_ids": "label_maps",
    "label_map_objects": "label_maps",
    "mask_pages": "label_maps",
    "read_label_map": "label_maps",
    "with_ignored": "label_maps",
    "write_label_map": "label_maps",
    "LiveSource": "live",
    "Carried": "motion",
    "look_back": "motion",
    "small_grey": "motion",
    "OverlaySink": "overlays",
    "ChoiceError": "pages",
    "Slice": "pages",
    "AUTO": "pictures",
    "FULL": "pictures",
    "Intensity": "pictures",
    "slice_of": "pictures",
    "open_picture": "pictures",
    "ReferenceMasks": "reference_masks",
    "open_reference_masks": "reference_masks",
    "Finishing": "sinks",
    "SeekableFrames": "seeking",
    "open_seekable": "seeking",
    "LabelMapSink": "sinks",
    "RleSink": "sinks",
    "Sink": "sinks",
    "SoftMask": "soft_masks",
    "SoftMaskOf": "soft_masks",
    "read_soft_mask": "soft_masks",
    "write_soft_masks": "soft_masks",
    "Sound": "sound",
    "open_source": "sources",
    "TimeCode": "time_codes",
}

__getattr__ = names_of(__name__, _FILE)
