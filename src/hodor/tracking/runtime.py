"""What a tracker needs of a network: the seam between following objects and computing with arrays.

The tracker, its memory and its results do not look into arrays: PyTorch's tensors on some device,
or NumPy's. All that is computed with them is here by name, and has two forms: ``TorchRuntime`` and
``OnnxRuntime``.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hodor.model import HodorConfig
from hodor.tracking.geometry import Geometry
from hodor.tracking.prior import CarriedMasks

Array = Any
"""Whatever a runtime computes with"""


@dataclass(frozen=True)
class Given:
    """Masks that the user gave for a frame."""

    labels: NDArray[np.integer]
    """(H, W): ids at the size of the view (``Geometry.source``), 0 elsewhere"""
    masks: Mapping[int, Array]
    """(h, w) of 0 and 1 at the network's size"""


class Patches(NamedTuple):
    """Descriptors of one frame."""

    objects: Sequence[Array]
    """(C,) for each object"""
    background: Array
    """(G, C); with objects one at a time (O * G, C), an object's cells together"""


class Recalled(NamedTuple):
    """What decoding listens to: descriptors of T frames, None where there is none."""

    objects: list[list[Array | None]]
    """[T][O], each (C,)"""
    background: list[list[Array | None]]
    """[T], one array (G, C), or one for each object in networks that take them one at a time"""
    background_valid: NDArray[np.bool_]
    """(T,)"""

    @property
    def object_valid(self) -> NDArray[np.bool_]:
        """Whether an object is described in a frame: (T, O)."""
        return np.array([[one is not None for one in row] for row in self.objects])


class Runtime(ABC):
    """A network, and the arithmetic of its arrays.

    Channels are the K background channels, then objects by id. The network's size is that of
    ``Geometry.padded``; logits are a quarter of it.
    """

    name: str
    """``torch`` or ``onnx``"""
    config: HodorConfig
    device_name: str
    precision: str

    @property
    @abstractmethod
    def metadata(self) -> Mapping[str, Any]:
        """What the model's file says of it."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """What tells this network's descriptors from another's, whatever runs it."""

    @abstractmethod
    def running(self) -> AbstractContextManager[Any]:
        """Around all that is computed for a frame."""

    @abstractmethod
    def extract(self, frame: NDArray[np.uint8], geometry: Geometry) -> Any:
        """What the network sees in a frame (H, W, 3): its pyramid and, for a refiner, the image."""

    @abstractmethod
    def given_mask(self, region: NDArray[np.bool_], geometry: Geometry) -> tuple[Array, bool]:
        """A given mask (H, W) at the network's size, and whether it is less than a cell of F8."""

    @abstractmethod
    def segment(self, features: Any, recalled: "Recalled") -> Array:
        """Logits (K + O, h/4, w/4) float32."""

    @abstractmethod
    def refine(self, features: Any, logits: Array, carried: CarriedMasks) -> Array:
        """Logits (K + O, h/4, w/4), of networks with a refiner, corrected for the O objects."""

    @abstractmethod
    def describe_given(self, features: Any, masks: Sequence[Array]) -> Patches:
        """Describe objects from masks (h, w) that were given."""

    @abstractmethod
    def describe(
        self, features: Any, logits: Array, channels: tuple[int, ...], given: Given | None
    ) -> Patches:
        """Describe the objects of ``channels`` and those given, by id, from their soft masks."""

    @abstractmethod
    def plus(self, logits: Array, added: NDArray[np.float32]) -> Array:
        """Logits with something added, broadcastable to them; the given ones stay as they are."""

    @abstractmethod
    def confidences(self, logits: Array, background: int, geometry: Geometry) -> list[float]:
        """For each object the mean probability over the cells that it wins; 0 if it wins none."""

    @abstractmethod
    def similarity(self, found: Sequence[Array], given: Sequence[Sequence[Array]]) -> list[float]:
        """For each object the cosine of a descriptor (C,) and the nearest one of those given."""

    @abstractmethod
    def label_map(
        self, logits: Array, channels: Sequence[int], geometry: Geometry
    ) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """The label map (H, W) of a frame without given masks, with as little work as it takes."""

    @abstractmethod
    def probabilities(
        self,
        logits: Array | None,
        channels: tuple[int, ...],
        geometry: Geometry,
        given: Given | None,
    ) -> NDArray[np.float32]:
        """Probabilities at the crop's size, (K + O, H, W), as published (behaviour, section 5).

        Logits are upsampled, softmax makes masks of them, given masks are put in, padding is
        cropped, and probabilities are resized. Without logits there is one background.
        """

    @abstractmethod
    def to_numpy(self, array: Array) -> NDArray[np.float32]:
        """A descriptor as files and other runtimes take it."""

    @abstractmethod
    def from_numpy(self, array: NDArray[np.float32]) -> Array:
        """What ``to_numpy`` was made of."""
