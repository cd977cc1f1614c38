"""Options of ``hodor track`` in groups: shown instead of masks, written, for many videos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from hodor.cli.matte_options import MatteOptions
from hodor.cli.names import colours_of, names_of
from hodor.cli.shared_options import shared_options
from hodor.runs import Outputs


@dataclass(frozen=True)
class Shown:
    """Boxes and points as the user writes them."""

    box: list[str] | None = None
    point: list[str] | None = None
    not_point: list[str] | None = None

    @property
    def words(self) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
        """Boxes, points on objects, points beside them."""
        return self.box or (), self.point or (), self.not_point or ()


with_shown = shared_options(
    Shown,
    {
        "box": typer.Option(
            help="x0,y0,x1,y1 around an object in the first frame, in pixels; may be repeated. As "
            "for hodor mask."
        ),
        "point": typer.Option(help="x,y on an object in the first frame; may be repeated."),
        "not_point": typer.Option("--not", help="x,y that is not the object; may be repeated."),
    },
    "Instead of masks",
)
"""For a command that takes ``Shown``"""


@dataclass(frozen=True)
class Written:
    """What is written besides label maps."""

    overlay: bool = False
    rle: bool = False
    formats: list[str] | None = None
    name: list[str] | None = None
    colors: list[str] | None = None
    save_references: Path | None = None

    def outputs(self, edges: MatteOptions) -> Outputs:
        """What a run takes. Raises HodorError for a name, colour or alpha that is none."""
        names = names_of(self.name or [])
        return Outputs(
            overlay=self.overlay,
            rle=self.rle,
            formats=tuple(self.formats or ()),
            names=names,
            colours=colours_of(self.colors or []),
            mattes=edges.mattes(names),
            save_references=self.save_references,
        )


with_written = shared_options(
    Written,
    {
        "overlay": typer.Option("--overlay", help="Also write overlay.mp4."),
        "rle": typer.Option("--rle", help="Also write masks.json with COCO RLE."),
        "formats": typer.Option(
            "--format",
            help="Also write another format at the end, such as cvat, coco, youtube-vis or prores; "
            "may be repeated. hodor convert --help lists all.",
        ),
        "name": typer.Option(
            help="What an object is called, such as 1=cat, here, in other formats and in the "
            "studio; may be repeated."
        ),
        "colors": typer.Option(
            help="Objects' colours in the overlay and in the studio, such as 1=orange,2=#3ea6ff."
        ),
        "save_references": typer.Option(
            help="Write the objects' descriptors, to follow them in another video."
        ),
    },
    "What is written",
)
"""For a command that takes ``Written``"""


@dataclass(frozen=True)
class Crew:
    """Several videos, and who tracks them."""

    video_list: Path | None = None
    workers: int = 1
    batch: int = 1
    ray: str | None = None


with_crew = shared_options(
    Crew,
    {
        "video_list": typer.Option(
            "--list",
            help="Instead of SOURCE: a CSV file with columns source and masks (or references), and "
            "name if wanted; results in OUT/NAME.",
        ),
        "workers": typer.Option(min=1, help="For several videos: processes."),
        "batch": typer.Option(
            min=1,
            help="For several videos: so many at a time in one process, their frames through the "
            "network in one go; for GPUs.",
        ),
        "ray": typer.Option(
            help="For several videos: address of a Ray cluster, auto, or local for one made here."
        ),
    },
    "Many videos",
)
"""For a command that takes ``Crew``"""
