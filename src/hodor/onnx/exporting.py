"""Write the network's three parts as ONNX.

PyTorch has two exporters. The older one, which records a run, is taken: with it sizes, objects and
frames are free in all backbones tried, in seconds and from opset 16 on (14 without deformable
convolution). The newer one, which reasons about shapes, gives the same numbers for the bundled
model, but takes minutes for it.
"""

import copy
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hodor.errors import HodorError, WeightsError, explained, reason
from hodor.files import whole_file
from hodor.model import SIZE_MULTIPLE, Hodor, deform_conv2d_plain
from hodor.model.deform import DeformableConv
from hodor.onnx.files import REFINE, ExportInfo, files_of
from hodor.onnx.parts import part_of

OPSET = 16  # the first with GridSample, by which deformable convolution samples
EXAMPLE = (64, 96)  # height and width of the image that is run while an export is recorded
# Of the run that is recorded: none is 1, which would be taken for a size that spreads.
OBJECTS, FRAMES = 2, 3
# Files are run once more, on others, so that nothing that has to be free was taken for fixed.
OTHER_EXAMPLE, OTHER_OBJECTS, OTHER_FRAMES = (96, 160), 5, 2
TOLERANCE = 0.01  # of the largest value; a thousandth is seen, in other orders of summation


class _PlainDeformableConv(DeformableConv):
    """The same layer in operations that ONNX has."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, y, x) to the same size."""
        bias = cast(Tensor, self.conv.bias)
        return deform_conv2d_plain(x, self.offsets(x), self.conv.weight, bias)


def export(
    network: Hodor, folder: Path, fingerprint: str, size: tuple[int, int] | None = None
) -> list[Path]:
    """Write ``features.onnx``, ``describe.onnx``, ``segment.onnx``, and ``refine.onnx`` if need be.

    Numbers of objects and of remembered frames are free. Files are checked by ``onnx.checker``, and
    by running them on another number of objects and frames, and, where it is free, another size:
    they replace older ones when they give the network's numbers.

    Args:
        network: a trained network; it is not changed.
        folder: is made; files of an older export in it are replaced.
        fingerprint: what tells its descriptors from another network's.
        size: height and width of the only image that the files are to take, in pixels, multiples
            of 32; None: any.

    Raises:
        HodorError: onnx or onnxruntime is missing, the size is no multiple of 32, or the backbone
            cannot be exported, or not with free sizes.
        WeightsError: the files cannot be written.
    """
    onnx, ort = _needed("onnx"), _needed("onnxruntime")
    if size is not None and (min(size) < SIZE_MULTIPLE or any(s % SIZE_MULTIPLE for s in size)):
        raise HodorError(
            f"export: {size[0]} x {size[1]} (height x width) must be multiples of {SIZE_MULTIPLE}"
        )
    if network.config.tokens != "none":
        raise HodorError(
            "export: a network that matches by DINOv2's tokens has no form in ONNX yet; export one "
            "without, such as small"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(
            f"{folder}: the folder could not be made ({reason(error)}); give another"
        ) from error
    version = metadata.version("hodor-vos")
    info = ExportInfo(network.config, dict(network.metadata), fingerprint, size, version)
    plain = _plain_copy(network)
    examples = _examples(plain, size or EXAMPLE, OBJECTS, FRAMES)
    others = _examples(plain, size or OTHER_EXAMPLE, OTHER_OBJECTS, OTHER_FRAMES)
    targets = {part: folder / name for part, name in files_of(network.config).items()}
    with explained(folder, WeightsError), ExitStack() as writing:
        fresh = {
            part: writing.enter_context(whole_file(target, WeightsError))
            for part, target in targets.items()
        }
        for part, path in fresh.items():
            _record(plain, part, examples[part], path, fixed=size is not None)
            _finish(onnx, path, info.to_metadata(part))
            _compare(ort, plain, part, others[part], path)
    return list(targets.values())


def _needed(package: str) -> ModuleType:
    try:
        return import_module(package)
    except ImportError as error:
        raise HodorError(f"export needs {error.name}: pip install 'hodor-vos[onnx]'") from error


def _plain_copy(network: Hodor) -> Hodor:
    """A copy on the CPU whose layers are made of operations that ONNX has."""
    ours = copy.deepcopy(network).cpu().float().requires_grad_(False).eval()
    for module in ours.modules():
        if isinstance(module, DeformableConv):
            module.__class__ = _PlainDeformableConv
    return ours


def _examples(
    network: Hodor, size: tuple[int, int], objects: int, frames: int
) -> dict[str, tuple[Tensor, ...]]:
    """Random inputs of each part."""
    c, (h, w) = network.config.channels, size
    g = torch.Generator().manual_seed(0)
    cells = network.config.cells
    if not network.config.joint_objects:
        cells *= objects
    small = (h // 8, w // 8)
    image = torch.randn(1, 3, h, w, generator=g)
    masks = torch.rand(1, objects + cells, *small, generator=g)
    with torch.no_grad():
        f4, f8 = network.extract(image)
    parts: dict[str, tuple[Tensor, ...]] = {
        "features": (image,),
        "describe": (f8, masks[:, :objects], masks[:, objects:]),
        "segment": (
            f4,
            f8,
            torch.randn(1, frames, objects, c, generator=g),
            torch.randn(1, frames, cells, c, generator=g),
            torch.ones(1, frames, objects, dtype=torch.bool),
            torch.ones(1, frames, dtype=torch.bool),
        ),
    }
    if network.config.refiner_channels:
        fine, k = f4.shape[-2:], network.config.background_channels
        parts[REFINE] = (
            image,
            f4,
            torch.randn(1, k + objects, *fine, generator=g),
            torch.rand(1, objects, *fine, generator=g),
            torch.ones(1, objects),
            torch.rand(1, objects, generator=g),
            torch.rand(1, 1, *fine, generator=g),
            *_matching_example(network, small, objects, frames, g),
        )
    return parts


def _matching_example(
    network: Hodor, size: tuple[int, int], objects: int, frames: int, g: torch.Generator
) -> tuple[Tensor, ...]:
    """Keys (1, C, y, x), and places of remembered frames: of some given ones, and of one."""
    c = network.config.match_channels
    if not c:
        return ()
    near = torch.rand(1, 2, *size, generator=g)
    values = [torch.randn(1, c, *size, generator=g), near]
    for count in (frames, 1):
        places = count * size[0] * size[1]
        values.append(torch.randn(1, c, places, generator=g))
        values.append(torch.rand(1, objects, places, generator=g))
        values.append(torch.ones(1, objects, places))
    return (*values, near.flatten(2))


def _record(
    network: Hodor, part: str, example: tuple[Tensor, ...], path: Path, *, fixed: bool
) -> None:
    """Run a part once and write what it did."""
    form = part_of(network, part)
    names = form.inputs | form.outputs
    axes = {
        name: {axis: what for axis, what in free.items() if not fixed or what[0] not in "hw"}
        for name, free in names.items()
    }
    try:
        # Without gradients the network takes its fast ways, which are not made for export.
        with torch.enable_grad(), _quiet():
            torch.onnx.export(
                form.module(network).eval(),
                example,
                str(path),
                input_names=list(form.inputs),
                output_names=list(form.outputs),
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise HodorError(
            f"export: a network with the backbone {network.config.backbone} has no form in ONNX "
            f"({str(error).splitlines()[0]})"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Warnings about sizes that became constants are for those who write networks: tests look."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _finish(onnx: ModuleType, path: Path, metadata: dict[str, str]) -> None:
    """Write the metadata in, and have the file checked."""
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def _compare(
    ort: ModuleType, network: Hodor, part: str, example: tuple[Tensor, ...], path: Path
) -> None:
    """Hold a file against the network, on inputs that were not recorded."""
    form = part_of(network, part)
    with torch.no_grad():
        expected = form.module(network).eval()(*example)
    truth = [expected] if isinstance(expected, Tensor) else list(expected)
    inputs = dict(zip(form.inputs, (one.numpy() for one in example), strict=True))
    try:
        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [one.name for one in session.get_inputs()]
        found = session.run(None, {name: inputs[name] for name in names})
        off = max(_apart(ours, one.numpy()) for ours, one in zip(found, truth, strict=True))
    except Exception as error:  # onnxruntime's own errors have no base but this
        what = str(error).strip().splitlines()[0]
    else:
        if off <= TOLERANCE:
            return
        what = f"numbers are off by {off:.1%}"
    sizes = " and ".join(" x ".join(map(str, one.shape)) for one in example[:2])
    raise HodorError(
        f"export: {files_of(network.config)[part]} does not give the network's numbers for inputs "
        f"of {sizes} ({what}); the backbone {network.config.backbone} may need a fixed size: give "
        "--height and --width"
    )


def _apart(ours: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """The largest difference, as a share of the largest value."""
    if ours.shape != truth.shape:
        return np.inf
    return float(np.abs(ours - truth).max() / np.abs(truth).max())
