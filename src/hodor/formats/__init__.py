"""Other people's formats: readers and writers of tracks, one frame at a time.

Names are loaded when first used: who only reads a JSON file needs no encoder of videos.
"""

from typing import TYPE_CHECKING

from hodor.lazy import names_of

if TYPE_CHECKING:
    from hodor.formats.attaching import with_video
    from hodor.formats.catalogue import (
        FORMATS,
        format_of,
        guess_format,
        read_track,
        write_track,
    )
    from hodor.formats.detections import from_detections, to_detections
    from hodor.formats.format import Format
    from hodor.formats.given import GivenMasks, as_label_maps, options_of
    from hodor.formats.label_maps import noted_intensity, noted_video
    from hodor.formats.label_studio import BrushTasks, brush_region
    from hodor.formats.matte_edges import Mattes
    from hodor.formats.polygons import joined, outline
    from hodor.formats.reading import ReadOptions
    from hodor.formats.sink import FormatsSink
    from hodor.formats.track import SOFT, Labelled, Track
    from hodor.formats.writing import WriteOptions

__all__ = [
    "FORMATS",
    "SOFT",
    "BrushTasks",
    "Format",
    "FormatsSink",
    "GivenMasks",
    "Labelled",
    "Mattes",
    "ReadOptions",
    "Track",
    "WriteOptions",
    "as_label_maps",
    "brush_region",
    "format_of",
    "from_detections",
    "guess_format",
    "joined",
    "noted_intensity",
    "noted_video",
    "options_of",
    "outline",
    "read_track",
    "to_detections",
    "with_video",
    "write_track",
]

_FILE = {
    "with_video": "attaching",
    "FORMATS": "catalogue",
    "Format": "format",
    "format_of": "catalogue",
    "guess_format": "catalogue",
    "read_track": "catalogue",
    "write_track": "catalogue",
    "from_detections": "detections",
    "to_detections": "detections",
    "GivenMasks": "given",
    "as_label_maps": "given",
    "options_of": "given",
    "noted_intensity": "label_maps",
    "noted_video": "label_maps",
    "BrushTasks": "label_studio",
    "brush_region": "label_studio",
    "Mattes": "matte_edges",
    "joined": "polygons",
    "outline": "polygons",
    "ReadOptions": "reading",
    "FormatsSink": "sink",
    "SOFT": "track",
    "Labelled": "track",
    "Track": "track",
    "WriteOptions": "writing",
}

__getattr__ = names_of(__name__, _FILE)
