"""What the network needs of a backbone, and how pretrained weights are checked."""

from abc import abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn

from hodor.errors import WeightsError

SHOWN = 5  # problems that a message names

# Published Swin checkpoints have no norms on the first three stages' outputs.
OPTIONAL = ("norm0.", "norm1.", "norm2.", "norm3.")


class Backbone(nn.Module):
    """Features of images at strides 4, 8, 16 and, in most, 32.

    A new one is a module in this folder and a line in ``make_backbone``.
    """

    channels: tuple[int, ...]
    """Of the features, finest first"""

    @abstractmethod
    def forward(self, images: Tensor) -> list[Tensor]:
        """Features of normalised ``images`` (B, 3, h, w): each (B, C_i, h/stride, w/stride)."""

    @abstractmethod
    def load_published(self, weights: Mapping[str, Tensor]) -> None:
        """Fill it with pretrained float32 weights in the layout in which they are published.

        Args:
            weights: by name, each in the shape that its parameter has.

        Raises:
            WeightsError: a tensor is missing or has another shape.
        """

    @abstractmethod
    def fetch(self) -> Mapping[str, Tensor]:
        """Pretrained weights from where they are published, for ``load_published``.

        Raises:
            WeightsError: there are none, or they cannot be fetched.
        """

    def prepare_for_inference(self) -> None:
        """Change it in place to what computes the same in evaluation mode in less time."""


def check_weights(name: str, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Look whether ``found`` fills ``expected``.

    Raises:
        WeightsError: it does not; names at most five tensors.
    """
    missing = [
        f"{key} is missing"
        for key in expected
        if key not in found
        and not key.endswith("num_batches_tracked")
        and not key.startswith(OPTIONAL)
    ]
    shapes = [
        f"{key} is {tuple(found[key].shape)}, expected {tuple(value.shape)}"
        for key, value in expected.items()
        if key in found and found[key].shape != value.shape
    ]
    problems = missing + shapes
    if problems:
        more = f" and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        listed = "; ".join(problems[:SHOWN])
        raise WeightsError(f"backbone weights do not fit {name}: {listed}{more}")
