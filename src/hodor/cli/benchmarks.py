"""The options that name a benchmark, for all commands that take one."""

from dataclasses import dataclass
from pathlib import Path

import typer

from hodor.cli.shared_options import shared_options
from hodor.errors import HodorError
from hodor.evaluation import (
    Benchmark,
    DavisDataset,
    LvosDataset,
    MoseDataset,
    YouTubeVosDataset,
)
from hodor.video.layouts import USUAL_RESOLUTION


@dataclass(frozen=True)
class Named:
    """A benchmark as the options name it."""

    davis: Path | None = None
    youtube_vos: Path | None = None
    mose: Path | None = None
    lvos: Path | None = None
    year: int = 2017
    split: str | None = None
    resolution: str | None = None

    def open(
        self, *, all_frames: bool = False, with_frames: bool = True, only: str | None = None
    ) -> Benchmark:
        """The one benchmark that is named, of DAVIS `only` these sequences, such as "camel,goat".

        Raises HodorError where none or several benchmarks are named.
        """
        roots = (self.davis, self.youtube_vos, self.mose, self.lvos)
        named = [root for root in roots if root is not None]
        if len(named) != 1:
            raise HodorError("name one benchmark: --davis, --youtube-vos, --mose or --lvos ROOT")
        (root,) = named
        if self.davis is not None:
            return self._davis(root, only or "", with_frames=with_frames)
        if only is not None or self.resolution is not None:
            raise HodorError("--sequences and --resolution go with --davis")
        if self.youtube_vos is not None:
            frames = all_frames and with_frames
            return YouTubeVosDataset(root, self.split or "valid", frames, with_frames)
        if self.mose is not None:
            return MoseDataset(root, self.split or "valid", with_frames)
        return LvosDataset(root, self.split, with_frames)

    def _davis(self, root: Path, only: str, *, with_frames: bool) -> DavisDataset:
        names = tuple(name.strip() for name in only.split(",") if name.strip())
        resolution = self.resolution or USUAL_RESOLUTION
        split = self.split or "val"
        return DavisDataset(root, self.year, split, resolution, with_frames, names)


with_benchmark = shared_options(
    Named,
    {
        "davis": typer.Option(help="Root of DAVIS, or of any folder in its layout."),
        "youtube_vos": typer.Option(help="Root of YouTube-VOS 2018 or 2019, which holds valid/."),
        "mose": typer.Option(help="Root of MOSE, which holds valid/."),
        "lvos": typer.Option(help="Root of LVOS v1 or v2, which holds valid/ or val/."),
        "year": typer.Option(help="With --davis: 2016 (one object) or 2017 (several)."),
        "split": typer.Option(
            help="The list in ImageSets/YEAR (default val), or the folder (default valid)."
        ),
        "resolution": typer.Option(
            help="With --davis: the folder in JPEGImages and Annotations. Default: 480p."
        ),
    },
    "Benchmark",
)
"""For a command that takes ``Named``"""

ALL_FRAMES = typer.Option(
    False, "--all-frames", help="With --youtube-vos: track through SPLIT_all_frames."
)
