"""From what a user names, a video or a session's folder, to all that a server needs."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hodor.errors import MALFORMED, HodorError, SourceError, one_line
from hodor.files import stays_inside
from hodor.runs import is_finished
from hodor.studio.clicking import Clicks, has_network
from hodor.studio.exports import EXPORTS, export
from hodor.studio.finished_runs import SESSION, FinishedRun, find_run, take_over
from hodor.studio.folder import SETTINGS, SessionFolder, is_session
from hodor.studio.jobs import Control, Jobs
from hodor.studio.pictures import Pictures
from hodor.studio.segmenters import GrabCut, Segmenter
from hodor.studio.session import Session
from hodor.studio.settings import Video, noted_model
from hodor.video import AUTO, Intensity, SeekableFrames, Slice, open_seekable
from hodor.weights import model_path

if TYPE_CHECKING:
    from hodor.tracking import Tracker

SUFFIX = ".studio"
"""Of a session's folder beside its video."""


@dataclass(frozen=True)
class TrackerSettings:
    """How masks are followed; None: as the session was begun, or the model says."""

    model: str | None = None
    size: int | None = None
    device: str = "auto"


class Studio:
    """One session with its video: what the server's routes call."""

    def __init__(
        self,
        session: Session,
        frames: SeekableFrames,
        settings: TrackerSettings,
        segmenter: Segmenter | None = None,
    ) -> None:
        self.session = session
        self.pictures = Pictures(frames, session.video.size)
        self.segmenter = segmenter or GrabCut()
        self.clicks = Clicks(self.pictures) if has_network() else None
        """None where onnxruntime is missing: then masks of boxes and strokes are GrabCut's"""
        self.jobs = Jobs(lambda status: session.tell({"type": "job", "job": status}))
        self._settings = settings
        self._tracker: Tracker | None = None

    def track(self, way: str, frame: int) -> None:
        """Begin to bring results up to date: from ``frame`` on, before it, or all.

        way: ``forward``, ``backward`` or ``both``.
        Raises HodorError if there is nothing to do, or another job is under way.
        """
        length = self.session.video.frames
        first, last = {"forward": (frame, length - 1), "backward": (0, frame)}.get(
            way, (0, length - 1)
        )
        needs = self.session.needs()
        if not needs:
            raise HodorError("no mask is given yet: draw an object in any frame first")
        if not any(need.stale[first : last + 1].any() for need in needs.values()):
            raise HodorError("all masks there are up to date; correct one, and track again")

        def work(control: Control) -> str:
            # PyTorch takes seconds to load: until something is tracked, the page does without.
            from hodor.studio.following import follow

            with self._frames() as frames:
                tracker = self._ready()
                follow(self.session, frames, tracker, control, first=first, last=last, near=frame)
            return "all masks are up to date" if way == "both" else "masks are up to date"

        self.jobs.start("track", work)

    def export(self, names: list[str]) -> None:
        """Begin to write formats of ``EXPORTS``. Raises HodorError for others, or none."""
        unknown = [name for name in names if name not in EXPORTS]
        if unknown or not names:
            raise HodorError(f"choose formats among {', '.join(EXPORTS)}; found {unknown}")

        def work(control: Control) -> str:
            with self._frames() as frames:
                paths = export(self.session, frames, names, control)
            return f"written to {paths[0].parent}: {', '.join(path.name for path in paths)}"

        self.jobs.start("export", work)

    def close(self) -> None:
        """Stop what works, and let go of all files."""
        self.jobs.stop()
        self.pictures.close()
        self.session.flush()
        self.session.folder.close()

    def _frames(self) -> SeekableFrames:
        """A reader of the job's own, so that the page's scrubbing does not make it jump."""
        video = self.session.video
        return open_seekable(video.path, intensity=Intensity.parse(video.intensity))

    def _ready(self) -> "Tracker":
        from hodor.tracking import Tracker
        from hodor.weights import DEFAULT

        if self._tracker is None:
            self._tracker = Tracker.from_pretrained(
                self.session.model or DEFAULT,
                size=self._settings.size,
                device=self._settings.device,
            )
        return self._tracker


def open_studio(
    what: str,
    session: Path | None,
    settings: TrackerSettings,
    intensity: Intensity | None = None,
    channel: int | None = None,
    z_slice: Slice | None = None,
) -> Studio:
    """Open a video with its session's folder, or a folder with its video.

    what: a video, a folder of images, a session's folder, or the folder of a finished run of
    ``hodor track``. session: where the session is kept, or the run that the video was tracked in;
    None: beside the video, as ``NAME.studio``, or in the run's folder. intensity: how deep greys
    become eight bits; None: as the session or the run has it, else ``auto``. channel: the only one
    that is seen of images, from 1, z_slice: the only slice; None: as the session or the run has it.

    Raises:
        HodorError: no video, not the session's video, no such model, or the folder is in use or
            holds other things.
    """
    run = _run(what, session)
    root, path = _places(what, session) if run is None else _places_of_run(run, what, session)
    fresh = run if not is_session(root) else None
    if run is not None:
        settings = replace(settings, size=settings.size or run.size)
    if fresh is not None:
        settings = replace(settings, model=settings.model or noted_model(fresh.model))
    if settings.model is not None:
        model_path(settings.model)  # told now, and not after somebody has drawn
    noted = Intensity.parse(_noted_intensity(root) if fresh is None else fresh.intensity)
    intensity = replace(
        intensity or noted, channel=channel or noted.channel, z_slice=z_slice or noted.z_slice
    )
    frames = _open_video(path, root, intensity)
    folder = None
    try:
        first = frames.read(0)
        height, width = first.pixels.shape[:2]
        video = Video(path, frames.name, frames.length, (height, width), frames.fps, intensity.text)
        folder = SessionFolder(root)
        if fresh is not None:
            take_over(fresh, folder, video, settings.model)
        return Studio(Session(folder, video, settings.model), frames, settings)
    except BaseException:
        frames.close()
        if folder is not None:
            folder.close()
        raise


def _run(what: str, session: Path | None) -> FinishedRun | None:
    """The finished run that is meant: the first word, or the session's folder."""
    if is_session(Path(what)):
        return None
    return find_run(Path(what)) or (None if session is None else find_run(session))


def _places_of_run(run: FinishedRun, what: str, session: Path | None) -> tuple[Path, str]:
    """The folder of a run's session and the video's path."""
    if Path(what).resolve() == run.root:
        root = session.resolve() if session is not None else run.session
        return root, _noted_video(root) if is_session(root) else run.path()
    return run.session, str(Path(what).resolve())


def to_open_again(root: Path) -> Path:
    """What opens a session's folder again: itself, or the run that it belongs to."""
    return root.parent if root.name == SESSION and is_finished(root.parent) else root


def _places(what: str, session: Path | None) -> tuple[Path, str]:
    """The session's folder and the video's path."""
    path = Path(what)
    if is_session(path):
        noted = _noted_video(path)
        return path.resolve(), noted
    if "://" in what:
        raise SourceError(f"{what}: the studio goes back and forth in a file; download it first")
    full = path.resolve()
    # A pattern such as shots/*.png is named after its folder.
    of = full if full.exists() else full.parent
    name = of.name if of.is_dir() else of.stem
    return (session or of.with_name(name + SUFFIX)).resolve(), str(full)


def _noted_video(root: Path) -> str:
    try:
        file = stays_inside(root, root / SETTINGS)
        noted = str(json.loads(file.read_text(encoding="utf-8"))["video"]["path"])
    except (OSError, *MALFORMED) as error:
        raise HodorError(
            f"{root / SETTINGS}: cannot be read ({one_line(error)}); restore it"
        ) from None
    # What came in a file opens no connection, whatever it calls its video.
    if "://" in noted or not Path(noted).is_absolute():
        raise HodorError(
            f"{root / SETTINGS}: names its video as {one_line(noted)!r}, which is no path of a "
            f"file; give it: hodor studio VIDEO --session {root}"
        )
    return noted


def _noted_intensity(root: Path) -> str:
    """A session's; ``auto`` in a new folder, and where the session is of a time before this."""
    if not is_session(root):
        return AUTO.text
    try:
        file = stays_inside(root, root / SETTINGS)
        return str(json.loads(file.read_text(encoding="utf-8"))["video"].get("intensity", "auto"))
    except (OSError, *MALFORMED):
        return AUTO.text  # the session itself tells what is wrong with its file


def _open_video(path: str, root: Path, intensity: Intensity) -> SeekableFrames:
    try:
        return open_seekable(path, intensity=intensity)
    except SourceError as error:
        again = to_open_again(root)
        if not is_session(root) and again == root:
            raise
        raise SourceError(
            f"{error} It is the video of {again}; if it was moved: hodor studio VIDEO --session "
            f"{again}"
        ) from error
