"""An exported network: the three functions of ``Hodor`` on NumPy arrays, by onnxruntime."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hodor.errors import HodorError, WeightsError
from hodor.onnx.files import (
    FILES,
    PRIOR,
    REFINE,
    REMEMBERED,
    ExportInfo,
    export_folder,
    files_of,
)
from hodor.onnx.sessions import Session, open_sessions
from hodor.types import AnyArray

Floats = NDArray[np.float32]


class OnnxPyramid(NamedTuple):
    """Features of one image."""

    f4: Floats
    """(1, C', h/4, w/4)"""
    f8: Floats
    """(1, C, h/8, w/8)"""
    keys: Floats | None = None
    """(1, C'', h/8, w/8), of networks that match"""


@dataclass(frozen=True, eq=False)
class OnnxNetwork:
    """What ``Hodor`` computes, from the files of an export."""

    info: ExportInfo
    device: str
    sessions: dict[str, Session]
    """onnxruntime's sessions by part"""

    @classmethod
    def open(cls, path: Path, device: str = "cpu", threads: int | None = None) -> "OnnxNetwork":
        """Open the folder of an export, or one of the files in it.

        Args:
            path: what ``hodor export onnx`` wrote.
            device: ``cpu``, ``cuda``, or ``auto``, which is ``cpu``.
            threads: of one operation; None: as many as ``OMP_NUM_THREADS`` says, by which PyTorch
                goes too, else as there are cores.

        Raises:
            HodorError: onnxruntime is missing, or has no such device.
            WeightsError: not an export, damaged, or its files are of different models.
        """
        device = "cpu" if device == "auto" else device
        folder = export_folder(path)
        files = {part: folder / name for part, name in FILES.items()}
        sessions = open_sessions(files, device, threads)
        info = _info(sessions, files, "features")
        if info.config.refiner_channels:
            files[REFINE] = folder / files_of(info.config)[REFINE]
            sessions |= open_sessions({REFINE: files[REFINE]}, device, threads)
        if any(_info(sessions, files, part) != info for part in files):
            raise WeightsError(f"{folder}: its files are of different exports; export them again")
        return cls(info, device, sessions)

    def extract(self, image: Floats) -> OnnxPyramid:
        """Features of a normalised image (1, 3, h, w).

        Raises:
            HodorError: the files take images of another size only.
        """
        size = (image.shape[2], image.shape[3])
        if self.info.size not in (None, size):
            raise HodorError(
                "this export takes images of {} x {} only, and this video makes {} x {} (height x "
                "width); export without --height and --width for any size, or with these".format(
                    *(self.info.size or ()), *size
                )
            )
        return OnnxPyramid(*self._run("features", image=image))

    def describe(
        self, pyramid: OnnxPyramid, objects: Floats, cells: Floats
    ) -> tuple[Floats, Floats]:
        """Descriptors of patches.

        Args:
            pyramid: of the frame.
            objects: masks at stride 8, (1, O, h/8, w/8).
            cells: of the background, (1, G, h/8, w/8); with objects one at a time
                (1, O * G, h/8, w/8), an object's cells together.

        Returns:
            Objects (1, O, C) and background (1, G, C) or (1, O * G, C).
        """
        described, background = self._run("describe", f8=pyramid.f8, objects=objects, cells=cells)
        return described, background

    def segment(
        self,
        pyramid: OnnxPyramid,
        objects: Floats,
        background: Floats,
        object_valid: NDArray[np.bool_],
        background_valid: NDArray[np.bool_],
    ) -> Floats:
        """Logits (1, K + O, h/4, w/4).

        Args:
            pyramid: of the frame to segment.
            objects: (1, T, O, C).
            background: (1, T, G, C), or (1, T, O * G, C).
            object_valid: (1, T, O), whether an object is described in a frame.
            background_valid: (1, T).
        """
        (logits,) = self._run(
            "segment",
            f4=pyramid.f4,
            f8=pyramid.f8,
            object_history=objects,
            background_history=background,
            object_valid=object_valid,
            background_valid=background_valid,
        )
        return logits

    def refine(
        self,
        image: Floats,
        pyramid: OnnxPyramid,
        logits: Floats,
        prior: tuple[Floats, Floats, Floats, Floats],
        places: Floats | None = None,
        remembered: Sequence[tuple[Floats, ...]] = (),
    ) -> tuple[Floats, Floats | None]:
        """Logits (1, K + O, h/4, w/4) with the objects' corrected, of a network with a refiner.

        Also, from a network that matches, ``Refined.matched`` (1, O, h/8, w/8).

        Args:
            image: (1, 3, h, w), normalised.
            pyramid: of the frame.
            logits: (1, K + O, h/4, w/4).
            prior: masks carried from the frame before, (1, O, h/4, w/4); whether they are known,
                (1, O) of 0 and 1; their confidence, (1, O); change, (1, 1, h/4, w/4).
            places: for a network that matches, (2, h/8, w/8): where its keys lie in the frame, in
                shorter sides of it.
            remembered: for such a network: frames with given masks, and the last one, each as keys
                (1, C, J), masks and whether they are valid (1, O, J); of the last also places
                (1, 2, J).
        """
        inputs = {"image": image, "f4": pyramid.f4, "logits": logits}
        inputs |= dict(zip(PRIOR, prior, strict=True))
        if pyramid.keys is not None:
            inputs["keys"] = pyramid.keys
        if places is not None:
            inputs["places"] = places[None]
        for names, values in zip(REMEMBERED, remembered, strict=False):
            inputs |= dict(zip(names, values, strict=True))
        refined, *matched = self._run(REFINE, **inputs)
        return refined, matched[0] if matched else None

    def _run(self, part: str, **inputs: AnyArray) -> list[Floats]:
        session = self.sessions[part]
        # What a form of the network does not use is no input of its graph.
        wanted = {one.name for one in session.get_inputs()}
        found: list[Floats] = session.run(
            None, {name: value for name, value in inputs.items() if name in wanted}
        )
        return found


def _info(sessions: dict[str, Session], files: dict[str, Path], part: str) -> ExportInfo:
    """What a part's file says of itself. Raises WeightsError for another kind of file."""
    metadata = sessions[part].get_modelmeta().custom_metadata_map
    return ExportInfo.from_metadata(files[part], metadata, part)
