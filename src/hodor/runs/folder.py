"""One video to a folder: its results, what they need, and where a killed run goes on."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hodor.errors import MALFORMED, HodorError, MaskError, counted, nobody_called, one_line, reason
from hodor.files import write_json
from hodor.formats import FORMATS, SOFT, FormatsSink, Mattes, WriteOptions, as_label_maps, format_of
from hodor.formats.track import UNNAMED
from hodor.locks import FolderLock
from hodor.runs.adapting import ADAPTED, adaptation_of, adapted, reopened
from hodor.runs.inputs import Fingerprint, changed_inputs, changed_settings, fingerprint, missing
from hodor.runs.pipeline import Progress, resume, track_video, write_summary
from hodor.runs.summary import Summary
from hodor.tracking import References, Tracker
from hodor.types import JsonObject, PlainValues
from hodor.video import (
    AUTO,
    Colour,
    ImagesSource,
    Intensity,
    LabelMapSink,
    LiveSource,
    OverlaySink,
    ReferenceMasks,
    RleSink,
    Sink,
    Source,
    hex_colour,
    numbered_name,
    open_reference_masks,
    open_source,
)
from hodor.weights import bundled_models

STATE = ".state.safetensors"
RUN = ".run.json"
GIVEN = "given"


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a run writes into its folder beside ``labels/`` and ``summary.json``."""

    overlay: bool = False
    """``overlay.mp4``: the video with its masks drawn on it"""
    rle: bool = False
    """``masks.json``: COCO run lengths"""
    formats: tuple[str, ...] = ()
    """Other formats, by their names in ``hodor.formats.FORMATS``; written at the end"""
    names: Mapping[int, str] = field(default_factory=dict)
    """What objects are called in them and in the overlay, by id"""
    colours: Mapping[int, Colour] = field(default_factory=dict)
    """Of objects in the overlay, RGB in 0..255 by id; others have their own"""
    mattes: Mattes = field(default_factory=Mattes)
    """Edges and files of mattes, where ``formats`` has any"""
    save_references: str | Path | None = None
    """File for the objects' descriptors, to follow them in another video"""

    def besides(self, out: Path) -> list[Path]:
        """What is written into a run's folder beside its label maps, that somebody asked for."""
        files = ["overlay.mp4"] * self.overlay + ["masks.json"] * self.rle
        files += [format_of(name).file for name in self.formats] + [SOFT] * self.mattes.soft
        return [out / file for file in files]


LABELS_ONLY = Outputs()


def track_to_folder(
    source: str | Path,
    masks: str | Path | None,
    out: str | Path,
    *,
    tracker: Tracker | Callable[[], Tracker] = Tracker.from_pretrained,
    references: str | Path | None = None,
    outputs: Outputs = LABELS_ONLY,
    adapt: float | None = None,
    intensity: Intensity = AUTO,
    resume: bool = False,
    model: str | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Summary:
    """Follow objects through a video and write the results into a folder: ``hodor track``.

    ``out`` gets ``labels/`` (a PNG of ids for each frame, under the frame's name),
    ``summary.json``, and what ``outputs`` asks for. All is written when this returns.

    Args:
        source: video file, folder or pattern of images, camera (``0``, ``camera:1``) or URL.
        masks: a file of masks for the first frame, a folder with one for each annotated frame, or
            a file of any format of ``hodor.formats``; None with ``references``.
        out: the folder; made if it is not there.
        tracker: begins anew if it followed another video; or what makes one when the inputs are
            found good; default: the bundled model.
        references: objects from another video, as ``References.save`` wrote them.
        outputs: what is written beside label maps.
        adapt: tune a copy of the model to the given masks first, for about so many seconds; it is
            kept as ``out``/adapted.safetensors, and used where clips made of the given frames, from
            which it did not learn, say that it has become better.
        intensity: how greys of more than eight bits become eight.
        resume: go on where a killed run with the same inputs stopped.
        model: name or file of the tracker's model, noted for whoever opens the results again
            (``hodor studio``); None: the name that its file states.
        progress: called after every frame.

    Raises:
        HodorError: an input cannot be used; ``out`` holds results already, is being written to by
            another run, or was begun with other settings or other files of the same names. What
            was written before stays whole.
    """
    for name, value in (("source", source), ("masks", masks)):
        if not isinstance(value, str | Path | None):
            raise HodorError(
                f"{name}: track_to_folder reads files, and found {type(value).__name__}; frames "
                "and masks in memory are followed with Tracker.step"
            )
    run = _Inputs(
        str(source), _path(masks), Path(out), _path(references), outputs, adapt, intensity, model
    )
    if run.masks is None and run.references is None:
        raise MaskError("nothing to follow: give masks or references")
    _check_formats(outputs)
    with FolderLock(run.out):
        return _track(run, tracker, progress, resume=resume)


def _check_formats(outputs: Outputs) -> None:
    """Raises HodorError for formats that cannot be written, before any work."""
    chosen = [format_of(name) for name in outputs.formats]
    for one in chosen:
        one.check()
    if outputs.mattes.soft and not any(one.mattes for one in chosen):
        listed = ", ".join(name for name, one in FORMATS.items() if one.mattes)
        raise HodorError(f"soft masks are of mattes: ask for one of the formats {listed} too")


def _track(
    run: "_Inputs",
    tracker: Tracker | Callable[[], Tracker],
    progress: Callable[[Progress], None],
    *,
    resume: bool,
) -> Summary:
    """Track in a folder that is this process's own."""
    with run.open() as frames:
        if frames.live and resume:
            raise HodorError(f"{run.source}: a live source cannot be resumed; take another folder")
        refuse_results(run.out, resume_run=resume)
        given, names, warnings = _given(run, frames)
        # Before anything is written or a model is read.
        known = None if run.references is None or resume else References.load(run.references)
        ready = tracker if isinstance(tracker, Tracker) else tracker()
        if ready.next_index > 0:  # of another video: this one is followed from its first frame
            ready.reset()
        if run.adapt is not None:
            tuned = resume and (run.out / ADAPTED).is_file()
            ready = (
                reopened(ready, run.out)
                if tuned
                else adapted(ready, run.open, given, run.out, run.adapt)
            )
        summary = _begin(run, frames, ready, resume_run=resume)
        if summary is None and run.references is not None:
            ready.add_references(known or References.load(run.references))
        summary = summary or Summary(frames.name)
        summary.adaptation = adaptation_of(ready)
        summary.inputs, summary.names = run.noted(frames, ready), names
        summary.colours = {i: hex_colour(colour) for i, colour in run.outputs.colours.items()}
        guessed = given.warnings if given is not None else []
        summary.warnings += [w for w in (*warnings, *guessed) if w not in summary.warnings]
        sinks = _sinks(run, frames, given, ready, summary, names)
        state = run.out / STATE
        track_video(
            ready, frames, given, sinks, state=state, summary=summary, soft=run.soft,
            progress=progress,
        )  # fmt: skip
        overlays = [sink for sink in sinks if isinstance(sink, OverlaySink)]
        summary.warnings += [told for sink in overlays for told in sink.warnings]
    _finish(run, frames, ready, summary)
    return summary


@dataclass(frozen=True)
class _Inputs:
    """What a run is asked for."""

    source: str
    masks: Path | None
    out: Path
    references: Path | None
    outputs: Outputs
    adapt: float | None
    intensity: Intensity
    model: str | None

    @property
    def soft(self) -> Path | None:
        """Where soft masks go; None where nobody asked for them."""
        return self.out / SOFT if self.outputs.mattes.soft else None

    def open(self) -> Source:
        """The video, from its beginning."""
        return open_source(self.source, intensity=self.intensity)

    def settings(self, tracker: Tracker) -> PlainValues:
        """What a run that goes on must have in common with the one that was killed."""
        settings: PlainValues = {
            "source": self.source,
            "masks": None if self.masks is None else str(self.masks),
            "references": None if self.references is None else str(self.references),
            "model": tracker.fingerprint,
            "runtime": tracker.runtime.name,
            "options": str(tracker.options),
            "intensity": str(self.intensity),
            **self.intensity.choice,
            "overlay": self.outputs.overlay,
            "rle": self.outputs.rle,
        }
        if self.outputs.formats:
            names = {str(i): name for i, name in self.outputs.names.items()}
            settings |= {"formats": list(self.outputs.formats), "names": names}
            settings["mattes"] = str(self.outputs.mattes)
        if self.outputs.overlay and (self.outputs.colours or self.outputs.names):
            settings["overlay"] = {
                "colours": str(self.outputs.colours),
                "names": str(self.outputs.names),
            }
        return settings

    def noted(self, source: Source, tracker: Tracker) -> dict[str, str | None]:
        """Where all came from, as it is found again from any folder."""
        elsewhere = source.live or "://" in self.source
        model = self.model if tracker.runtime.name == "torch" else None
        if model is not None and model not in bundled_models() and Path(model).is_file():
            model = _absolute(model)
        return {
            "source": self.source if elsewhere else _absolute(self.source),
            "masks": None if self.masks is None else _absolute(self.masks),
            "references": None if self.references is None else _absolute(self.references),
            "model": model,
            **({} if self.intensity == AUTO else {"intensity": self.intensity.text}),
        }

    def files(self) -> dict[str, Fingerprint | None]:
        """What tells the files that the run reads from others of the same names."""
        named = {"source": self.source, "masks": self.masks, "references": self.references}
        try:
            return {name: fingerprint(what) for name, what in named.items()}
        except OSError as error:
            raise HodorError(f"{error.filename}: cannot be read ({reason(error)})") from error


def _absolute(path: str | Path) -> str:
    return str(Path(path).absolute())


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)


def _finish(run: _Inputs, source: Source, tracker: Tracker, summary: Summary) -> None:
    if isinstance(source, LiveSource) and source.dropped:
        summary.warnings.append(f"dropped {counted(source.dropped, 'frame')} that came too late")
    for unknown in sorted(run.outputs.names.keys() - summary.confidence.keys()):
        told = nobody_called(unknown, run.outputs.names, summary.confidence)
        summary.warnings.append(told)
        summary.names.pop(unknown, None)
    write_summary(run.out / "summary.json", summary.to_dict())
    (run.out / RUN).unlink(missing_ok=True)
    if run.outputs.save_references is not None:
        # Last, so that a file that cannot be written costs nothing else.
        tracker.references().save(run.outputs.save_references)


def is_finished(out: Path) -> bool:
    """Whether a folder holds all results of a run."""
    return (out / "summary.json").is_file() and not (out / RUN).is_file()


def is_begun(out: Path) -> bool:
    """Whether a folder holds a run that has not come to its end."""
    return (out / RUN).is_file()


def refuse_results(out: Path, *, resume_run: bool) -> None:
    """Raises HodorError if the folder holds results that a run would mix with its own."""
    if not resume_run:
        if (out / "labels").is_dir() and any((out / "labels").iterdir()):
            raise HodorError(
                f"{out}: holds results already; choose another folder, or go on with a stopped run "
                "by --resume"
            )
    elif is_finished(out):
        raise HodorError(f"{out}: the run in it is finished; there is nothing to resume")


def _given(run: _Inputs, source: Source) -> tuple[ReferenceMasks | None, dict[int, str], list[str]]:
    """Masks of any format, names of objects and warnings; others than images go to OUT/given."""
    if run.masks is None:
        return None, dict(run.outputs.names), []
    given = as_label_maps(run.masks, run.out / GIVEN, source)
    frames = source.names if isinstance(source, ImagesSource) else None
    masks = open_reference_masks(given.path, frames, numbered=frames is None, length=source.length)
    named = {i: name for i, name in given.names.items() if name != UNNAMED}
    return masks, named | dict(run.outputs.names), given.warnings


def _begin(run: _Inputs, source: Source, tracker: Tracker, *, resume_run: bool) -> Summary | None:
    """Make the results' folder, or find where a killed run stopped (None: from the start)."""
    note, state = run.out / RUN, run.out / STATE
    now = {"settings": run.settings(tracker), "files": run.files()}
    if resume_run:
        _refuse_changes(run.out, _noted(note), now)
    write_json(note, now)
    if not (resume_run and state.is_file()):
        state.unlink(missing_ok=True)
        return None
    summary = resume(tracker, state)
    done = tracker.next_index
    names = [numbered_name(index) for index in range(done)]
    if isinstance(source, ImagesSource):
        names = source.names[:done]
    if gone := missing(run.out / "labels", names):
        raise HodorError(
            f"{run.out}: {len(gone)} of the {done} label maps that were written are gone, the "
            f"first {gone[0]}: put them back, or remove {STATE} to begin this run anew"
        )
    return summary


def _refuse_changes(out: Path, before: JsonObject | None, now: JsonObject) -> None:
    """Raises HodorError if a run would go on with other settings or files than it began with."""
    if before is None:
        return
    try:
        # A note of another form is of other settings too.
        old = before.get("settings", before)
        new = json.loads(json.dumps(now["settings"]))
        different = changed_settings(old, new)
        replaced = [] if different else changed_inputs(before["files"], now["files"])
    except MALFORMED as error:
        raise _damaged(out / RUN, error) from error
    if different:
        raise HodorError(
            f"{out}: was begun with other settings ({'; '.join(different)}); resume with the same"
        )
    if replaced:
        raise HodorError(
            f"{out}: cannot go on, since {'; '.join(replaced)}. Put back what it was begun with, "
            "or start anew in another folder"
        )


def _noted(note: Path) -> JsonObject | None:
    """What the run that was begun here was begun with; None where a kill came before that."""
    try:
        return dict(json.loads(note.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, *MALFORMED) as error:
        if not (note.with_name(STATE).exists() or (note.parent / "labels").exists()):
            return None  # nothing was written that could be lost or mixed
        raise _damaged(note, error) from error


def _damaged(note: Path, error: Exception) -> HodorError:
    return HodorError(
        f"{note}: is damaged ({one_line(error)}), so that this run cannot go on: start anew in "
        "another folder, or remove this one's results first"
    )


def _sinks(
    run: _Inputs,
    source: Source,
    masks: ReferenceMasks | None,
    tracker: Tracker,
    summary: Summary,
    names: dict[int, str],
) -> list[Sink]:
    out, start = run.out, tracker.next_index
    largest = max([*tracker.ids, *(masks.ids if masks else ())], default=0)
    sinks: list[Sink] = [LabelMapSink(out / "labels", wide=largest > 255, resume_from=start)]
    if run.outputs.overlay:
        sinks.append(
            OverlaySink(
                out / "overlay.mp4",
                source.fps,
                pixel_aspect=source.pixel_aspect,
                sound=source.sound,
                colours=run.outputs.colours,
                names=names,
                resume_from=start,
            )
        )
    if run.outputs.rle:
        sinks.append(RleSink(out / "masks.json", video=source.name, resume_from=start))
    if run.outputs.formats:
        sinks.append(
            FormatsSink(
                out, run.outputs.formats, source=source, reopen=run.open,
                confidence=summary.confidence, names=names, resume_from=start,
                options=WriteOptions(mattes=replace(run.outputs.mattes, called=names)),
                soft=run.soft,
            )
        )  # fmt: skip
    return sinks
