"""The options that name a benchmark, for all commands that take one."""

from pathlib import Path

import typer

from hodor.errors import HodorError
from hodor.evaluation import (
    Benchmark,
    DavisDataset,
    LvosDataset,
    MoseDataset,
    YouTubeVosDataset,
)

DAVIS = typer.Option(None, help="Root of DAVIS, or of any folder in its layout.")
YOUTUBE_VOS = typer.Option(None, help="Root of YouTube-VOS 2018 or 2019, which holds valid/.")
MOSE = typer.Option(None, help="Root of MOSE, which holds valid/.")
LVOS = typer.Option(None, help="Root of LVOS v1 or v2, which holds valid/ or val/.")
YEAR = typer.Option(2017, help="With --davis: 2016 (one object) or 2017 (several).")
SPLIT = typer.Option(
    None, help="The list in ImageSets/YEAR (default val), or the folder (default valid)."
)
ALL_FRAMES = typer.Option(
    False, "--all-frames", help="With --youtube-vos: track through SPLIT_all_frames."
)


def open_benchmark(
    davis: Path | None,
    youtube_vos: Path | None,
    mose: Path | None,
    lvos: Path | None,
    year: int,
    split: str | None,
    *,
    all_frames: bool = False,
    with_frames: bool = True,
) -> Benchmark:
    """The one benchmark that is named. Raises HodorError where none or several are."""
    named = [root for root in (davis, youtube_vos, mose, lvos) if root is not None]
    if len(named) != 1:
        raise HodorError("name one benchmark: --davis, --youtube-vos, --mose or --lvos ROOT")
    if davis is not None:
        return DavisDataset(davis, year, split or "val", with_frames=with_frames)
    if youtube_vos is not None:
        frames = all_frames and with_frames
        return YouTubeVosDataset(youtube_vos, split or "valid", frames, with_frames)
    if mose is not None:
        return MoseDataset(mose, split or "valid", with_frames)
    return LvosDataset(named[0], split, with_frames)
