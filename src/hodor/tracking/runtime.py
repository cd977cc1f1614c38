"""What a tracker needs of a network: the seam between following objects and computing with arrays.

The tracker, its memory and its results do not look into arrays: PyTorch's tensors on some device,
or NumPy's. All that is computed with them is here by name, and has two forms: ``TorchRuntime`` and
``OnnxRuntime``.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from hodor.model import HodorConfig
from hodor.tracking.apart import HandedOver, Winners
from hodor.tracking.descriptors import FrameDescriptors, Recalled
from hodor.tracking.doubts import Area
from hodor.tracking.geometry import Geometry
from hodor.tracking.given import Given
from hodor.tracking.key_frames import EarlierKeys, RememberedPlaces
from hodor.tracking.logits import ArrayT, Logits
from hodor.tracking.prior import CarriedMasks
from hodor.types import Json

if TYPE_CHECKING:
    from hodor.tracking.at_once import Answer, Asked

FeaturesT = TypeVar("FeaturesT")
"""What the network sees in a frame: its pyramid and, for a refiner, the image"""


class Evidence(NamedTuple):
    """How far what was found is the objects, one number each; see the functions of ``Runtime``."""

    confidence: list[float]
    matched: list[float]
    similarity: list[float]
    """Of those that were asked about"""


class Runtime(ABC, Generic[ArrayT, FeaturesT]):
    """A network, and the arithmetic of its arrays.

    Channels are the K background channels, then objects by id. The network's size is that of
    ``Geometry.padded``; logits are a quarter of it.
    """

    name: str
    """``torch`` or ``onnx``"""
    config: HodorConfig
    device_name: str
    precision: str
    step: str = "plain"
    """As for ``Tracker``"""

    @property
    @abstractmethod
    def metadata(self) -> Mapping[str, Json]:
        """What the model's file says of it."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """What tells this network's descriptors from another's, whatever runs it."""

    @abstractmethod
    def running(self) -> AbstractContextManager[None]:
        """Around all that is computed for a frame."""

    def following(self) -> AbstractContextManager[None]:
        """Around the frames of one video: who computes in common is waited for there."""
        return nullcontext()

    @property
    def tokens_every(self) -> int:
        """In one of how many frames tokens are worked out; between they are carried along."""
        return 1

    @abstractmethod
    def extract(
        self,
        frame: NDArray[np.uint8],
        geometry: Geometry,
        earlier: EarlierKeys[ArrayT] | None = None,
    ) -> FeaturesT:
        """What the network sees in the crop of a frame (H, W, 3).

        earlier: if given, what tokens say is taken from there.
        """

    def expect(self, frame: NDArray[np.uint8]) -> None:
        """A frame (H, W, 3) that is to be stepped soon: what can be begun is, from any thread.

        The same array is to come then, unchanged.
        """

    @property
    def takes_at_once(self) -> bool:
        """Whether frames without given masks may be asked for in one go."""
        return False

    def at_once(
        self, frame: NDArray[np.uint8], asked: "Asked[ArrayT]", geometry: Geometry
    ) -> "Answer[ArrayT, FeaturesT] | None":
        """All that the stages find in the crop of a frame (H, W, 3); None: ask them one by one."""
        return None

    @abstractmethod
    def given_mask(self, region: NDArray[np.bool_], geometry: Geometry) -> tuple[ArrayT, bool]:
        """A given mask (H', W') of the crop as (h, w) at the network's size.

        Also whether it is less than a cell of F8.
        """

    @abstractmethod
    def decode(
        self, features: FeaturesT, recalled: Recalled[ArrayT], ids: Sequence[int]
    ) -> Logits[ArrayT]:
        """Logits (K + O, h/4, w/4), for the objects ``ids`` that ``recalled`` has in this order."""

    @abstractmethod
    def keys(self, features: FeaturesT) -> ArrayT | None:
        """By what other frames are matched with this one: (C, J); None: it does not match."""

    @property
    def time_grows_with_size(self) -> bool:
        """Whether a step takes longer with more pixels."""
        return True

    @abstractmethod
    def refine(
        self,
        features: FeaturesT,
        logits: Logits[ArrayT],
        carried: CarriedMasks,
        remembered: Sequence[RememberedPlaces[ArrayT]],
        geometry: Geometry,
    ) -> Logits[ArrayT]:
        """Logits (K + O, h/4, w/4), of networks with a refiner, corrected for the O objects.

        remembered: for networks that match: frames that are heard wherever a place is, and the
            last one.
        """

    @abstractmethod
    def encode_given(
        self, features: FeaturesT, masks: Mapping[int, ArrayT]
    ) -> FrameDescriptors[ArrayT]:
        """Describe objects from masks (h, w) that were given, by id."""

    @abstractmethod
    def encode(
        self, features: FeaturesT, logits: Logits[ArrayT], given: Given[ArrayT] | None
    ) -> FrameDescriptors[ArrayT]:
        """Describe the objects of ``logits`` and those given, (C,) by id, from their soft masks."""

    @abstractmethod
    def lower_outside(
        self, logits: Logits[ArrayT], areas: Sequence[Area | None], amount: float
    ) -> Logits[ArrayT]:
        """Logits with ``amount`` added outside of each object's area; None leaves it as it is.

        The given ones stay as they are. areas: of logits (K + O, h/4, w/4), for each object.
        """

    @abstractmethod
    def shift(self, logits: Logits[ArrayT], amounts: Sequence[float]) -> Logits[ArrayT]:
        """Logits (K + O, h/4, w/4) with a number added to each plane; the given ones stay."""

    @abstractmethod
    def merged(self, logits: Logits[ArrayT]) -> Logits[ArrayT]:
        """The background's planes as one, their logsumexp: (1 + O, h/4, w/4)."""

    @abstractmethod
    def confidences(self, logits: Logits[ArrayT], geometry: Geometry) -> list[float]:
        """For each object the mean probability over the cells of (K + O, h/4, w/4) that it wins.

        0 if it wins none.
        """

    @abstractmethod
    def winners(self, logits: Logits[ArrayT]) -> Winners:
        """Who wins each cell of (K + O, h/4, w/4)."""

    @abstractmethod
    def matched(self, logits: Logits[ArrayT]) -> NDArray[np.float32] | None:
        """``Logits.matched`` (O, h/8, w/8); None: the network does not match."""

    @abstractmethod
    def hand_over(self, logits: Logits[ArrayT], pieces: Sequence[HandedOver]) -> Logits[ArrayT]:
        """Logits (K + O, h/4, w/4) in which two objects have changed places in some cells.

        There one has the higher of both values, the other the lower.
        """

    @abstractmethod
    def matched_likelihoods(
        self, logits: Logits[ArrayT], geometry: Geometry, homes: Sequence[int] | None = None
    ) -> list[float]:
        """For each object, how likely it is by matching where it wins cells of (K + O, h/4, w/4).

        The mean of ``hodor.model.matching.likeliest`` there; 1 if it wins none, or the network does
        not match. homes: see there.
        """

    @abstractmethod
    def similarity(self, found: Sequence[ArrayT], given: Sequence[Sequence[ArrayT]]) -> list[float]:
        """For each object the cosine of a descriptor (C,) and the nearest one of those given."""

    def evidence(
        self,
        logits: Logits[ArrayT],
        geometry: Geometry,
        found: Sequence[ArrayT],
        given: Sequence[Sequence[ArrayT]],
        *,
        matched: bool,
        homes: Sequence[int] | None = None,
    ) -> Evidence:
        """``confidences``, ``matched_likelihoods`` and ``similarity``, all that doubts go by.

        Args:
            logits: (K + O, h/4, w/4).
            geometry: of the frame.
            found, given: as for ``similarity``; there may be none.
            matched: whether they are asked for; else they are 1.
            homes: as for ``matched_likelihoods``.
        """
        return Evidence(
            self.confidences(logits, geometry),
            self.matched_likelihoods(logits, geometry, homes)
            if matched
            else [1.0] * len(logits.ids),
            self.similarity(found, given) if found else [],
        )

    @abstractmethod
    def label_map(
        self, logits: Logits[ArrayT], geometry: Geometry
    ) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """The crop's label map (H', W') without given masks, with as little work as it takes."""

    @abstractmethod
    def probabilities(
        self, logits: Logits[ArrayT] | None, geometry: Geometry, given: Given[ArrayT] | None
    ) -> NDArray[np.float32]:
        """Probabilities at the crop's size, (K + O, H', W'), as published (behaviour, section 5).

        Logits are upsampled, softmax makes masks of them, given masks are put in, padding is
        cropped, and probabilities are resized. Without logits there is one background.
        """

    @abstractmethod
    def to_numpy(self, array: ArrayT) -> NDArray[np.float32]:
        """A descriptor (C,) as files and other runtimes take it."""

    @abstractmethod
    def from_numpy(self, array: NDArray[np.float32]) -> ArrayT:
        """What ``to_numpy`` was made of: (C,)."""


AnyRuntime: TypeAlias = Runtime[Any, Any]
"""One whose arrays are its own affair, such as a tracker's"""
