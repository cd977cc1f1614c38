"""The files of an export, and what each of them says of itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hodor.errors import MALFORMED, WeightsError, one_line
from hodor.model import HodorConfig
from hodor.types import JsonObject

FORMAT = "hodor-onnx-3"
FILES = {part: f"{part}.onnx" for part in ("features", "describe", "segment")}
REFINE = "refine"
"""A fourth part, of networks with a refiner"""
PRIOR = ("masks", "known", "confidence", "change")
"""Its inputs: the last masks, carried along"""
REMEMBERED = (
    ("given_keys", "given_masks", "given_valid"),
    ("last_keys", "last_masks", "last_valid", "last_places"),
)
"""Its inputs for networks that match: the places of remembered frames"""


def files_of(config: HodorConfig) -> dict[str, str]:
    """File names by part of the export of a network."""
    return FILES | ({REFINE: f"{REFINE}.onnx"} if config.refiner_channels else {})


@dataclass(frozen=True)
class ExportInfo:
    """What the metadata of each exported file hold."""

    config: HodorConfig
    metadata: JsonObject
    """Of the model's file: name, scores, defaults for tracking: plain values"""
    fingerprint: str
    """sha256 of config and weights, by which saved objects know their model"""
    size: tuple[int, int] | None
    """Height and width of the only image that the files take; None: any multiples of 32"""
    version: str
    """Of the hodor that wrote them"""

    def to_metadata(self, part: str) -> dict[str, str]:
        """Text by name, for ONNX's ``metadata_props``."""
        return {
            "format": FORMAT,
            "part": part,
            "hodor_version": self.version,
            "config": json.dumps(self.config.to_dict()),
            "metadata": json.dumps(self.metadata),
            "model_sha256": self.fingerprint,
            "size": json.dumps(self.size),
        }

    @classmethod
    def from_metadata(cls, path: Path, metadata: Mapping[str, str], part: str) -> Self:
        """What ``to_metadata`` wrote.

        Raises:
            WeightsError: another kind of file.
        """
        found = metadata.get("format")
        if found != FORMAT or metadata.get("part") != part:
            raise WeightsError(
                f"{path}: an ONNX file, but not the part {part!r} of a hodor model (format "
                f"{found!r}, part {metadata.get('part')!r}); make one by: hodor export onnx"
            )
        try:
            size = json.loads(metadata["size"])
            return cls(
                HodorConfig.from_dict(json.loads(metadata["config"])),
                dict(json.loads(metadata["metadata"])),
                metadata["model_sha256"],
                None if size is None else (int(size[0]), int(size[1])),
                metadata["hodor_version"],
            )
        except MALFORMED as error:
            raise WeightsError(
                f"{path}: what it says of itself is damaged ({one_line(error)}); export it again"
            ) from error


def export_folder(path: Path) -> Path:
    """The folder of an export, given itself or one of its files.

    Raises:
        WeightsError: it is not there, or a file is missing.
    """
    names = (*FILES.values(), f"{REFINE}.onnx")
    folder = path.parent if path.name in names else path
    missing = [name for name in FILES.values() if not (folder / name).is_file()]
    if missing:
        raise WeightsError(
            f"{path}: not a folder that hodor export onnx wrote ({', '.join(missing)} missing); "
            "make one by: hodor export onnx --model NAME --out FOLDER"
        )
    return folder
