"""A finished run of ``hodor track``, opened as a session: to look at, to correct, to go on from.

The session lies in the run's folder, in ``studio``; the run's own files stay as they are.
"""

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hodor.errors import MALFORMED, HodorError, explained, one_line
from hodor.files import stays_inside
from hodor.runs import is_begun, is_finished
from hodor.runs.adapting import ADAPTED
from hodor.studio.folder import SessionFolder
from hodor.studio.objects import LONGEST_NAME, Object, default_name
from hodor.studio.plan import Origins, mask_fingerprint, wanted
from hodor.studio.runs import HIGHEST
from hodor.studio.settings import Video
from hodor.types import Json, JsonObject
from hodor.video import hex_colour, object_colour, read_label_map, sort_naturally
from hodor.video.limits import frame_count, frame_index, whole
from hodor.weights import DEFAULT, bundled_models

SUMMARY = "summary.json"
SESSION = "studio"
"""The session's folder within the run's"""


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """What a run's ``summary.json`` says of it.

    root: the run's folder. video: path or URL of its video, None where it was not noted. frames:
    their number. ids: of all objects. given: frames with given masks, by id. confidence: of every
    frame, by id; None before the object was known. names, colours (``#rrggbb``): by id. model: name
    or file. size: at which the network saw frames. intensity: how deep greys became eight bits.
    """

    root: Path
    video: str | None
    frames: int
    ids: Sequence[int]
    confidence: Mapping[int, Sequence[float | None]]
    given: Mapping[int, Sequence[int]] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    colours: Mapping[int, str] = field(default_factory=dict)
    model: str = DEFAULT
    size: int | None = None
    intensity: str = "auto"

    @property
    def session(self) -> Path:
        """The folder of its session."""
        return self.root / SESSION

    def path(self) -> str:
        """Of the video. Raises HodorError where it is no file."""
        if self.video is None or "://" in self.video or not Path(self.video).is_absolute():
            said = "does not say" if self.video is None else f"followed {one_line(self.video)}"
            raise HodorError(
                f"{self.root}: this run {said} which file its video is; give it: hodor studio "
                f"VIDEO --session {self.root}"
            )
        return self.video


def find_run(folder: Path) -> FinishedRun | None:
    """The run whose results a folder holds; None for other folders and files.

    Raises:
        HodorError: the run is not finished, or what it noted is damaged.
    """
    if not (folder / "labels").is_dir():
        return None
    if is_begun(folder):
        raise HodorError(
            f"{folder}: the run in it is not finished; go on with it first, by the same hodor "
            "track command with --resume"
        )
    if not is_finished(folder):
        return None
    path = folder / SUMMARY
    try:
        return _read(folder, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, *MALFORMED) as error:
        raise HodorError(f"{path}: cannot be read ({one_line(error)}); restore it") from None


def _read(folder: Path, found: JsonObject) -> FinishedRun:
    inputs = found.get("inputs", {})
    stated = inputs.get("model") or found["model"]["name"]
    known = inputs.get("model") is not None or stated in bundled_models()
    tuned = folder / ADAPTED
    frames = frame_count(found["frames"])
    ids = [whole(i, "an id") for i in found["objects"]]
    if any(i < 1 for i in ids):
        raise ValueError(f"an object has the id {min(ids)}")
    return FinishedRun(
        folder.resolve(),
        inputs.get("source"),
        frames,
        ids,
        {int(i): _series(values) for i, values in found["confidence"].items()},
        {int(i): [frame_index(t) for t in ts] for i, ts in found.get("given", {}).items()},
        {int(i): str(name) for i, name in found.get("names", {}).items()},
        {int(i): str(colour) for i, colour in found.get("colours", {}).items()},
        str(tuned.resolve()) if tuned.is_file() else str(stated) if known else DEFAULT,
        int(found["options"]["size"]),
        inputs.get("intensity", "auto"),
    )


def _series(values: Json) -> list[float | None]:
    """An object's confidence in each frame."""
    return [None if value is None else float(value) for value in values]


def take_over(run: FinishedRun, folder: SessionFolder, video: Video, model: str | None) -> None:
    """Make a new session's files of a run: objects, given masks, results and their confidence.

    ``session.json`` comes last, so that what is killed in between begins anew. An object that came
    from references has no given mask: the frame in which it is surest stands for one.

    Raises:
        HodorError: the run is of another video, has an id that a session cannot hold, or its label
            maps are gone.
    """
    _refuse(run, video)
    files = sort_naturally(list((run.root / "labels").glob("*.png")))
    if len(files) != run.frames:
        raise HodorError(
            f"{run.root / 'labels'}: holds {len(files)} label maps, and the run had {run.frames} "
            "frames; put back what is missing, or track anew"
        )
    fingerprints = _give(run, folder, files)
    with explained(folder.root):
        for t, file in enumerate(files):
            shutil.copyfile(stays_inside(run.root, file), folder.place("results", f"{t:05d}.png"))
    origins = {i: _origins(run, i, fingerprints[i]) for i in run.ids if i in fingerprints}
    for t in range(run.frames):
        folder.note(t, origins)
    folder.flush(now=True)
    folder.write_settings(
        {
            "video": video.to_dict(),
            "model": model,
            "objects": [_object(i, run).to_dict() for i in run.ids],
            "gone": {},
        }
    )


def _refuse(run: FinishedRun, video: Video) -> None:
    if run.frames != video.frames:
        raise HodorError(
            f"{run.root}: this run is of a video of {run.frames} frames; {video.path} has "
            f"{video.frames}: give the run's video"
        )
    if large := [i for i in run.ids if i > HIGHEST]:
        raise HodorError(
            f"{run.root}: the studio holds ids up to {HIGHEST}, and this run has object {large[0]}"
        )
    for i in run.ids:
        values, given = run.confidence.get(i, ()), run.given.get(i, ())
        if len(values) != run.frames or any(t >= run.frames for t in given):
            raise HodorError(
                f"{run.root / SUMMARY}: does not fit its run (object {i} has {len(values)} values "
                f"of confidence for {run.frames} frames); restore it"
            )


def _give(run: FinishedRun, folder: SessionFolder, files: list[Path]) -> dict[int, dict[int, int]]:
    """Write the given masks; gives their fingerprints, by object and frame."""
    by_frame: dict[int, list[int]] = {}
    for i in run.ids:
        for t in run.given.get(i) or [_surest(run.confidence[i])]:
            by_frame.setdefault(t, []).append(i)
    fingerprints: dict[int, dict[int, int]] = {}
    for t, ids in by_frame.items():
        labels = read_label_map(stays_inside(run.root, files[t]))
        labels = np.where(np.isin(labels, ids), labels, 0).astype(np.uint8)
        folder.write_map("given", t, labels)
        for i in np.unique(labels[labels > 0]).tolist():
            fingerprints.setdefault(i, {})[t] = mask_fingerprint(labels == i)
    return fingerprints


def _surest(confidence: Sequence[float | None]) -> int:
    """The frame in which an object is found with the most confidence."""
    return max(range(len(confidence)), key=lambda t: confidence[t] or 0.0)


def _origins(run: FinishedRun, number: int, fingerprints: dict[int, int]) -> Origins:
    """A run's results count as what they should be, so that nothing is to be tracked again."""
    origins = Origins(run.frames)
    due = wanted(fingerprints, origins)
    for t, value in enumerate(run.confidence[number]):
        if value is not None and math.isfinite(value):
            origins.frame[t], origins.print[t] = due.frame[t], due.print[t]
            origins.confidence[t] = value
    return origins


def _object(number: int, run: FinishedRun) -> Object:
    """With the run's name, where it can be one, and the colour that its overlay has."""
    plain = Object(number, default_name(number), hex_colour(object_colour(number)))
    with suppress(HodorError):
        plain = plain.changed(None, run.colours.get(number))
        return plain.changed(run.names.get(number, plain.name)[:LONGEST_NAME], None)
    return plain
