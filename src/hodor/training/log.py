"""What a run leaves behind: a plain log, TensorBoard, pictures."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.tensorboard import SummaryWriter

from hodor.data import Batch
from hodor.training.propagation import Prediction

SHOWN = 4  # clips in a picture
COLOURS = torch.tensor([[0, 0, 0], [230, 60, 60], [60, 190, 90], [70, 110, 235], [240, 200, 50]])


class TrainingLog:
    """Writes ``log.jsonl`` (a line for each step) and TensorBoard events.

    Args:
        folder: of the run.
        first: step that comes first; lines of this step and later, left by a killed run, are
            dropped.
    """

    def __init__(self, folder: Path, first: int) -> None:
        path = folder / "log.jsonl"
        kept = []
        if path.is_file():
            kept = [
                line
                for line in path.read_text(encoding="utf-8").splitlines()
                if line.endswith("}") and json.loads(line).get("step", first) < first
            ]
        self.file = path.open("w", encoding="utf-8", buffering=1)
        self.file.writelines(line + "\n" for line in kept)
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=first)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Log one step's numbers."""
        rounded = {name: float(f"{value:.6g}") for name, value in values.items()}
        self.file.write(json.dumps({"step": step, **rounded}) + "\n")
        for name, value in values.items():
            self.board.add_scalar(name, value, step)

    def pictures(self, step: int, batch: Batch, predictions: Sequence[Prediction]) -> None:
        """Show clips with their truth, and below what was predicted, to TensorBoard."""
        truth = _painted(batch.frames[:SHOWN], batch.labels[:SHOWN])
        self.board.add_image("clips", _grid(truth), step)
        size = batch.labels.shape[-2:]
        shown = []
        for prediction in predictions:
            logits = F.interpolate(prediction.logits[:SHOWN].float(), size=size, mode="bilinear")
            background = logits.shape[1] - batch.objects
            labels = (logits.argmax(1).cpu()[:, None] - background + 1).clamp(min=0)
            shown.append(_painted(batch.frames[:SHOWN, prediction.target, None], labels))
        self.board.add_image("predictions", _grid(torch.cat(shown, 1)), step)

    def unreadable(self, files: Mapping[str, int]) -> None:
        """Note stills that were left out."""
        for message, count in files.items():
            self.file.write(json.dumps({"left out": message, "times": count}) + "\n")

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
        self.file.close()
        self.board.close()


def _painted(frames: Tensor, labels: Tensor) -> Tensor:
    """Frames (B, T, 3, h, w) with labels (B, T, h, w) painted on: uint8, at half size."""
    colours = COLOURS[labels.long().clamp(max=len(COLOURS) - 1)].movedim(-1, 2)
    mixed = torch.where(
        labels[:, :, None] > 0, frames.float() * 0.5 + colours * 0.5, frames.float()
    )
    return mixed[..., ::2, ::2].to(torch.uint8)


def _grid(pictures: Tensor) -> Tensor:
    """(B, T, 3, h, w) as one picture (3, B * h, T * w)."""
    b, t, c, h, w = pictures.shape
    return pictures.permute(2, 0, 3, 1, 4).reshape(c, b * h, t * w)
