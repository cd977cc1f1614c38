"""One run of ``hodor track``: its options as plain data, and what is done with them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hodor.cli.names import names_of
from hodor.errors import HodorError, MaskError
from hodor.files import make_folder, write_json
from hodor.formats import FormatsSink, Reading, as_label_maps, format_of
from hodor.tracking import Choices, References, Summary, Tracker, resume, write_summary
from hodor.video import (
    ImagesSource,
    LabelMapSink,
    LiveSource,
    OverlaySink,
    ReferenceMasks,
    RleSink,
    Sink,
    Source,
    open_reference_masks,
    open_source,
)

STATE = ".state.safetensors"
RUN = ".run.json"
GIVEN = "given"


@dataclass(frozen=True, kw_only=True)
class Job(Choices):
    """One run of the command; fields are its options."""

    source: str
    masks: Path | None
    references: Path | None
    out: Path
    model: str
    runtime: str
    overlay: bool
    rle: bool
    formats: tuple[str, ...]
    names: tuple[str, ...]
    save_references: Path | None
    resume: bool

    def of(self, source: str, masks: Path | None, references: Path | None, out: Path) -> "Job":
        """The same with another video; it is resumed if it was begun."""
        begun = (out / RUN).is_file()
        return replace(
            self, source=source, masks=masks, references=references, out=out, resume=begun
        )


def follow(job: Job, run: Callable[..., Summary]) -> tuple[Summary, Tracker]:
    """Open all that a job names, and ``run`` it; everything is written when this returns.

    run: called with tracker, source, masks, sinks, file for the state and summary to go on from.
    """
    if job.masks is None and job.references is None:
        raise MaskError("nothing to follow: give --masks FILE (or FOLDER) or --references FILE")
    for wanted in job.formats:
        format_of(wanted)
    with open_source(job.source) as frames:
        if frames.live and job.resume:
            raise HodorError(f"{job.source}: a live source cannot be resumed; take another folder")
        _refuse_results(job.out, resume_run=job.resume)
        given, names = _given(job, frames)
        tracker = Tracker.from_pretrained(job.model, runtime=job.runtime, **job.by_name)
        settings: dict[str, Any] = {
            "source": job.source,
            "masks": None if job.masks is None else str(job.masks),
            "references": None if job.references is None else str(job.references),
            "model": job.model,
            "runtime": job.runtime,
            "options": str(tracker.options),
            "overlay": job.overlay,
            "rle": job.rle,
        }
        if job.formats:
            settings |= {"formats": list(job.formats), "names": list(job.names)}
        summary = _begin(job.out, settings, tracker, resume_run=job.resume)
        if summary is None and job.references is not None:
            tracker.add_references(References.load(job.references))
        summary = summary or Summary(frames.name)
        sinks = _sinks(job, frames, given, tracker, summary, names)
        summary = run(tracker, frames, given, sinks, job.out / STATE, summary)
    if isinstance(frames, LiveSource) and frames.dropped:
        summary.warnings.append(f"{frames.dropped} frames came too late and were dropped")
    write_summary(job.out / "summary.json", summary.to_dict(tracker))
    (job.out / RUN).unlink(missing_ok=True)
    if job.save_references is not None:
        # Last, so that a file that cannot be written costs nothing else.
        tracker.references().save(job.save_references)
    return summary, tracker


def _refuse_results(out: Path, *, resume_run: bool) -> None:
    """Raises HodorError if the folder holds results that a run would mix with its own."""
    if not resume_run:
        if (out / "labels").is_dir() and any((out / "labels").iterdir()):
            raise HodorError(
                f"{out}: holds results already; choose another folder, or go on with a stopped run "
                "by --resume"
            )
    elif (out / "summary.json").is_file() and not (out / RUN).is_file():
        raise HodorError(f"{out}: the run in it is finished; there is nothing to resume")


def _given(job: Job, source: Source) -> tuple[ReferenceMasks | None, dict[int, str]]:
    """Masks of any format, and names of objects; what is no image file is put into OUT/given."""
    if job.masks is None:
        return None, names_of(job.names)
    frames = source.names if isinstance(source, ImagesSource) else None
    reading = Reading(fps=source.fps, frames=frames)
    masks, names = as_label_maps(job.masks, job.out / GIVEN, reading)
    return open_reference_masks(masks), names | names_of(job.names)


def _begin(
    out: Path, settings: dict[str, Any], tracker: Tracker, *, resume_run: bool
) -> Summary | None:
    """Make the results' folder, or find where a killed run stopped (None: from the start)."""
    note, state = out / RUN, out / STATE
    if resume_run and _noted(note) not in (None, settings):
        raise HodorError(
            f"{out}: was begun with other settings ({note.read_text()}); resume with the same"
        )
    make_folder(out)
    write_json(note, settings)
    if resume_run and state.is_file():
        return resume(tracker, state)
    state.unlink(missing_ok=True)
    return None


def _noted(note: Path) -> Any:
    """Settings of the run that was begun here; None where a kill came before they were noted."""
    try:
        return json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _sinks(
    job: Job,
    source: Source,
    masks: ReferenceMasks | None,
    tracker: Tracker,
    summary: Summary,
    names: dict[int, str],
) -> list[Sink]:
    out, start = job.out, tracker.next_index
    largest = max([*tracker.ids, *(masks.ids if masks else ())], default=0)
    sinks: list[Sink] = [LabelMapSink(out / "labels", wide=largest > 255, resume_from=start)]
    if job.overlay:
        sinks.append(OverlaySink(out / "overlay.mp4", source.fps, resume_from=start))
    if job.rle:
        sinks.append(RleSink(out / "masks.json", video=source.name, resume_from=start))
    if job.formats:
        sinks.append(
            FormatsSink(
                out, job.formats, source=source, reopen=lambda: open_source(job.source),
                confidence=summary.confidence, names=names, resume_from=start,
            )
        )  # fmt: skip
    return sinks
