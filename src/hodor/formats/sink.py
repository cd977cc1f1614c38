"""Results of a run in other formats, written when the run is finished."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hodor.errors import HodorError
from hodor.formats.attaching import with_video
from hodor.formats.catalogue import format_of, write_track
from hodor.formats.reading import ReadOptions
from hodor.formats.rle import read_rle
from hodor.formats.track import Labelled, Track, with_soft_masks
from hodor.formats.writing import WriteOptions
from hodor.video import Finishing, Frame, LabelMap, RleSink, Source


class FormatsSink(Finishing):
    """Files of other formats in a folder, each under its format's name.

    Most formats go object by object or state counts at their beginning, so that none of them can
    be written while a run goes on. Frames wait as run lengths in the hidden file `.track.json`,
    which survives a kill as `RleSink` does; `close` makes the formats of it one by one, each
    whole or not at all, and leaves alone what an earlier `close` that was killed had finished.
    """

    def __init__(
        self,
        folder: str | Path,
        formats: Sequence[str],
        *,
        source: Source,
        reopen: Callable[[], Source],
        confidence: Mapping[int, Sequence[float]],
        names: Mapping[int, str] | None = None,
        options: WriteOptions | None = None,
        soft: Path | None = None,
        resume_from: int = 0,
    ) -> None:
        """reopen: opens the source again, for formats with the video's picture. confidence: by
        object id, a value a frame; it may grow until `close`. names: what objects are called, by
        id. soft: folder of soft masks, ID/NAME.png, where mattes want them. resume_from: as for
        `RleSink`.
        Raises HodorError for an unknown format, one that needs the picture of a camera, and where
        a new run would replace what is there.
        """
        self._folder = Path(folder)
        self._formats = tuple(dict.fromkeys(formats))
        self._source = source
        self._reopen = reopen
        self._confidence = confidence
        self._names = dict(names or {})
        self._options = options or WriteOptions()
        self._soft = soft
        for name in self._formats:
            if format_of(name).pixels and source.live:
                raise HodorError(
                    f"{name} needs the video's picture again at the end, which {source.name} does "
                    "not keep; choose another format."
                )
            target = self._target(name)
            if resume_from == 0 and target.exists():
                raise HodorError(f"{target} is there already; choose another folder.")
        self._waiting = self._folder / ".track.json"
        self._rle = RleSink(self._waiting, video=source.name, resume_from=resume_from)

    def write(self, frame: Frame, label_map: LabelMap, ids: Sequence[int]) -> None:
        """Put one frame's label map (H, W) aside."""
        self._rle.write(frame, label_map, ids)

    def commit(self) -> None:
        """Make all that was put aside survive a kill."""
        self._rle.commit()

    def close(self) -> None:
        """Write all formats and drop what was put aside.

        Raises HodorError that names the formats that cannot be written; the others are.
        """
        self._rle.close()
        if not self._waiting.exists():
            return
        failures = []
        for name in self._formats:
            if not self._target(name).exists():
                try:
                    self._make(name)
                except HodorError as error:
                    failures.append(f"{name}: {error}")
        if failures:
            raise HodorError(f"{' '.join(failures)} All other results are complete.")
        self._waiting.unlink()

    def _make(self, name: str) -> None:
        track = self._track()
        if not format_of(name).pixels:
            write_track(track, self._target(name), name, self._options)
            return
        with self._reopen() as source:
            shown = with_video(track, source, whole=format_of(name).whole)
            write_track(shown, self._target(name), name, self._options)

    def abandon(self) -> None:
        """Let go of what was put aside without finishing."""
        self._rle.abandon()

    def _target(self, name: str) -> Path:
        return self._folder / format_of(name).file

    def _track(self) -> Track:
        track = read_rle(self._waiting, ReadOptions(fps=self._source.fps))

        def frames() -> Iterator[Labelled]:
            for position, frame in enumerate(track.frames()):
                known = replace(frame, confidence=_at(self._confidence, position))
                yield known if self._soft is None else with_soft_masks(known, self._soft)

        soft = self._soft is not None
        return replace(
            track, frames=frames, names=self._names, soft=soft, timed=self._source.timed,
            pixel_aspect=self._source.pixel_aspect, time_code=self._source.time_code,
        )  # fmt: skip


def _at(confidence: Mapping[int, Sequence[float]], position: int) -> dict[int, float]:
    """What is known of a frame; a value of NaN is none."""
    return {
        i: float(values[position])
        for i, values in confidence.items()
        if position < len(values) and values[position] == values[position]
    }
