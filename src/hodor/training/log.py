"""What a run leaves behind: a plain log, TensorBoard, pictures."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from hodor.data import NOWHERE, Batch
from hodor.errors import MALFORMED, HodorError
from hodor.files import open_to_append, replacing
from hodor.training.propagation import Prediction

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

SHOWN = 4  # clips in a picture
COLOURS = torch.tensor([[0, 0, 0], [230, 60, 60], [60, 190, 90], [70, 110, 235], [240, 200, 50]])


class TrainingLog:
    """Writes ``log.jsonl`` (a line for each step) and TensorBoard events.

    Args:
        folder: of the run.
        first: step that comes first; lines of this step and later, left by a killed run, are
            dropped.

    Raises:
        HodorError: here and in every method: the disk is full.
    """

    def __init__(self, folder: Path, first: int) -> None:
        self.path = folder / "log.jsonl"
        with self._explained():
            if self.path.is_file():
                self._keep_before(first)
            self.file = io.TextIOWrapper(open_to_append(self.path), "utf-8", line_buffering=True)
        self.board = _board(folder / "tensorboard", first)

    def _keep_before(self, first: int) -> None:
        """Drop lines of this step and later, and what a kill or a failing disk left torn.

        The file is replaced whole: a kill meanwhile costs nothing.
        """
        kept, torn = [], 0
        for line in self.path.read_bytes().splitlines():
            step = _step_of(line)
            torn += step is None
            if step is not None and step < first:
                kept.append(line)
        if torn:
            note = {"note": f"{torn} lines of this log were damaged and are left out"}
            kept.append(json.dumps(note).encode())
        with replacing(self.path, flush=True) as fresh:
            fresh.write_bytes(b"".join(line + b"\n" for line in kept))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Log one step's numbers."""
        rounded = {name: float(f"{value:.6g}") for name, value in values.items()}
        self._line({"step": step, **rounded})
        self._scalars(step, values)

    def say(self, line: str) -> None:
        """Log a line for people."""
        self._line({"note": line})

    def scores(self, step: int, scores: Mapping[str, float]) -> None:
        """Log what a validation gave after ``step`` steps."""
        self._line({"validation": dict(scores), "after": step})
        self._scalars(step, {f"validation/{name}": value for name, value in scores.items()})

    def _line(self, values: Mapping[str, object]) -> None:
        with self._explained():
            self.file.write(json.dumps(values) + "\n")

    def _scalars(self, step: int, values: Mapping[str, float]) -> None:
        if self.board is not None:
            with self._explained():
                for name, value in values.items():
                    self.board.add_scalar(name, value, step)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise HodorError(
                f"{self.path}: the log could not be written ({error.strerror}); the last "
                "checkpoint is intact. Make room and go on with --resume"
            ) from error

    def pictures(self, step: int, batch: Batch, predictions: Sequence[Prediction]) -> None:
        """Show clips with their truth, and below what was predicted, to TensorBoard."""
        if self.board is None:
            return
        truth = _painted(batch.frames[:SHOWN], batch.labels[:SHOWN])
        size = batch.labels.shape[-2:]
        shown = []
        for prediction in predictions:
            logits = F.interpolate(prediction.logits[:SHOWN].float(), size=size, mode="bilinear")
            background = logits.shape[1] - prediction.present.shape[1]
            labels = (logits.argmax(1).cpu()[:, None] - background + 1).clamp(min=0)
            shown.append(_painted(batch.frames[:SHOWN, prediction.target, None], labels))
        with self._explained():
            self.board.add_image("clips", _grid(truth), step)
            self.board.add_image("predictions", _grid(torch.cat(shown, 1)), step)

    def unreadable(self, files: Mapping[str, int]) -> None:
        """Note files that were left out."""
        for message, count in files.items():
            self._line({"left out": message, "times": count})

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files."""
        with suppress(OSError):  # a full disk has been told
            self.file.close()
        if self.board is not None:
            self.board.close()


def _board(folder: Path, first: int) -> "SummaryWriter | None":
    """TensorBoard's writer, or None where it is not installed: the log has the numbers too."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=first)


def _step_of(line: bytes) -> int | None:
    """The step that a line of the log is about; -1 for notes, which stay; None for no line."""
    try:
        values = json.loads(line)
        return int(values.get("step", values.get("after", 0) - 1))
    except MALFORMED:
        return None


def _painted(frames: Tensor, labels: Tensor) -> Tensor:
    """Frames (B, T, 3, h, w) with labels (B, T, h, w) painted on: uint8, at half size."""
    labels = labels.masked_fill(labels == NOWHERE, 0)
    colours = COLOURS[labels.long().clamp(max=len(COLOURS) - 1)].movedim(-1, 2)
    mixed = torch.where(
        labels[:, :, None] > 0, frames.float() * 0.5 + colours * 0.5, frames.float()
    )
    return mixed[..., ::2, ::2].to(torch.uint8)


def _grid(pictures: Tensor) -> Tensor:
    """(B, T, 3, h, w) as one picture (3, B * h, T * w)."""
    b, t, c, h, w = pictures.shape
    return pictures.permute(2, 0, 3, 1, 4).reshape(c, b * h, t * w)
