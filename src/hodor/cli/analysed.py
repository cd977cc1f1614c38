"""What the commands of ``hodor analyze`` look at: sequences of a benchmark, and a user's videos."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hodor.analysis import AnalysedVideo
from hodor.errors import HodorError
from hodor.evaluation import Benchmark, BenchmarkSequence, read_label_map
from hodor.video import LabelMap, open_reference_masks, open_source


def as_video(sequence: BenchmarkSequence) -> AnalysedVideo:
    """A benchmark's sequence, with its given masks."""
    return AnalysedVideo(
        sequence.name,
        str(sequence.frame_paths[0].parent),
        lambda: zip(sequence.names, sequence.frames(), strict=True),
        sequence.given_masks,
    )


def own_videos(videos: Sequence[str], masks: Sequence[Path]) -> list[AnalysedVideo]:
    """A user's videos, with a file of masks for each or for none.

    Raises:
        HodorError: there are as many masks as videos, or none; and no two videos of one name.
    """
    if masks and len(masks) != len(videos):
        raise HodorError(
            f"{len(videos)} videos and {len(masks)} masks: give --masks once for each video, in "
            "their order"
        )
    names = [Path(video).resolve().stem for video in videos]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise HodorError(f"two videos are called {twice[0]}; rename one, or take them one by one")
    return [
        _own_video(name, video, masks[number] if masks else None)
        for number, (name, video) in enumerate(zip(names, videos, strict=True))
    ]


def chosen_sequences(dataset: Benchmark, names: str | None) -> list[BenchmarkSequence]:
    """Those whose names stand in a text with commas, or all. Raises HodorError for others."""
    if names is None:
        return list(dataset.sequences)
    by_name = {sequence.name: sequence for sequence in dataset.sequences}
    wanted = [name.strip() for name in names.split(",")]
    if unknown := [name for name in wanted if name not in by_name]:
        raise HodorError(
            f"{dataset.title} has no sequence {unknown[0]}; it has {', '.join(by_name)}"
        )
    return [by_name[name] for name in wanted]


def chosen_frames(
    sequence: BenchmarkSequence, folder: Path, count: int, names: str | None
) -> list[tuple[str, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Names, frames (H, W, 3) and a method's label maps (H, W) of some frames of a sequence.

    Args:
        sequence: of a benchmark with frames.
        folder: label maps, called as the frames.
        count: of frames, evenly spread, the first left out.
        names: with commas between, in place of ``count``.

    Raises:
        HodorError: there is no such frame, or no label map of it.
    """
    later = sequence.names[1:]
    places = np.linspace(0, len(later) - 1, min(count, len(later))).round().astype(int)
    chosen = names.split(",") if names else [later[place] for place in places]
    if unknown := [name for name in chosen if name not in sequence.names]:
        raise HodorError(f"{sequence.name} has no frame {unknown[0]}")
    pixels = dict(zip(sequence.names, sequence.frame_paths, strict=True))
    with open_source(pixels[chosen[0]].parent) as source:
        wanted = {f.name: f.pixels for f in source.frames() if f.name in chosen}
    return [(name, wanted[name], read_label_map(folder / f"{name}.png")) for name in chosen]


def _own_video(name: str, video: str, masks: Path | None) -> AnalysedVideo:
    given = None if masks is None else open_reference_masks(masks)
    maps: dict[str, LabelMap | None] = {}

    def frames() -> Iterator[tuple[str, NDArray[np.uint8]]]:
        """Names and pixels (H, W, 3) in RGB; on the way the given masks of each are noted."""
        with open_source(video) as source:
            for frame in source.frames():
                maps[frame.name] = given.for_frame(frame) if given else None
                yield frame.name, frame.pixels

    # A table is read from other folders than the one it was made in.
    source = str(Path(video).resolve()) if Path(video).exists() else video
    return AnalysedVideo(name, source, frames, maps.get)
