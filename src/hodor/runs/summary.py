"""What a run did, as ``summary.json`` tells it."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from hodor.runs.adapting import Adaptation
from hodor.tracking import Result
from hodor.types import JsonObject, PlainValues
from hodor.video import LabelMap, label_map_objects


@dataclass
class Summary:
    """What a run did; ``to_dict`` is what ``summary.json`` holds."""

    source: str
    frames: int = 0
    seconds: float = 0.0
    """Wall-clock, end to end, of this run"""
    tracked: int = 0
    """Frames of this run, fewer than ``frames`` after a resume"""
    warnings: list[str] = field(default_factory=list)
    adaptation: Adaptation | None = None
    """What tuning the model to the given masks came to, where that was asked for"""
    confidence: "dict[int, array[float]]" = field(default_factory=dict)
    """By id, one value a frame; NaN before the object was known"""
    setup: PlainValues = field(default_factory=dict)
    """Model, options, runtime, device and precision, as plain values"""
    inputs: dict[str, str | None] = field(default_factory=dict)
    """Where video, masks, references and model came from, for whoever opens the results again"""
    names: dict[int, str] = field(default_factory=dict)
    """What objects are called, by id"""
    colours: dict[int, str] = field(default_factory=dict)
    """``#rrggbb`` by id, where they were chosen"""
    given: dict[int, list[int]] = field(default_factory=dict)
    """By id, the frames in which masks of it were given"""

    def add(self, result: Result, given: LabelMap | None = None) -> None:
        """Take in one frame, with the label map (H, W) that was given in it."""
        for i in label_map_objects(given) if given is not None else ():
            self.given.setdefault(i, []).append(self.frames)
        for i in result.ids:
            values = self.confidence.setdefault(i, array("f"))
            values.extend([float("nan")] * (self.frames - len(values)))
            values.append(result.confidence[i])
        self.frames += 1
        self.tracked += 1
        for message in result.warnings:
            text = f"frame {result.index}: {message}"
            if text not in self.warnings:
                self.warnings.append(text)

    def warn(self, messages: Iterable[str]) -> None:
        """Add what was not said before."""
        self.warnings += [one for one in messages if one not in self.warnings]

    def to_dict(self) -> JsonObject:
        """Plain values for JSON."""
        return {
            "source": self.source,
            **({"inputs": self.inputs} if self.inputs else {}),
            "frames": self.frames,
            "objects": sorted(self.confidence),
            **({"names": _by_text(self.names)} if self.names else {}),
            **({"colours": _by_text(self.colours)} if self.colours else {}),
            "given": _by_text(self.given),
            "frames_per_second": round(self.tracked / self.seconds, 3) if self.seconds else None,
            "seconds": round(self.seconds, 3),
            **self.setup,
            **({} if self.adaptation is None else {"adaptation": asdict(self.adaptation)}),
            "warnings": self.warnings,
            "confidence": {str(i): _plain(v, self.frames) for i, v in self.confidence.items()},
        }


def _by_text(values: Mapping[int, object]) -> PlainValues:
    """With keys as JSON has them."""
    return {str(i): values[i] for i in sorted(values)}


def _plain(values: Sequence[float], frames: int) -> list[float | None]:
    """NaN is no JSON: None stands for frames in which the object was not known."""
    padded = [*values, *[float("nan")] * (frames - len(values))]
    return [None if v != v else round(v, 4) for v in padded]
