"""How many clips of three frames of 300,000 pixels two processes make in a second.

Images are 640 x 480 JPEGs with COCO polygons, as COCO's are: those of a small set, enlarged. Wall
time counts what else the machine does; clips per second of processor time do not, and say what
idle cores would give.

    python benchmarks/data.py --images DIR --annotations FILE --save
"""

import json
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import torch
from common import parser, show

from hodor.data import Shard, Steps, in_processes
from hodor.training import load_recipe, make_batches

WIDTH, HEIGHT = 640, 480
FORMS = {
    "released": ("released/static", ()),
    "paper": ("paper/static", ()),
    "layers (ours)": (
        "small-3",
        ("clips.size=[480, 640]", "optimisation.batch=8", "optimisation.group=2"),
    ),
}


def enlarge(images: Path, annotations: Path, root: Path) -> Path:
    """Write the images at COCO's usual size; the JSON that goes with them."""
    content = json.loads(annotations.read_text(encoding="utf-8"))
    scales = {}
    for entry in content["images"]:
        image = cv2.imread(str(images / entry["file_name"]))
        scales[entry["id"]] = (WIDTH / entry["width"], HEIGHT / entry["height"])
        large = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        name = f"{entry['id']}.jpg"
        cv2.imwrite(str(root / name), large, [cv2.IMWRITE_JPEG_QUALITY, 92])
        entry |= {"file_name": name, "width": WIDTH, "height": HEIGHT}
    kept = []
    for one in content["annotations"]:
        if not isinstance(one["segmentation"], list):
            continue
        x, y = scales[one["image_id"]]
        polygons = [[v * (y if i % 2 else x) for i, v in enumerate(p)] for p in one["segmentation"]]
        left, top, across, down = one["bbox"]
        box = [left * x, top * y, across * x, down * y]
        kept.append(one | {"segmentation": polygons, "area": one["area"] * x * y, "bbox": box})
    content["annotations"] = kept
    path = root / "instances.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def processor_seconds() -> float:
    """Time that this process and those it has ended have computed."""
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(who)[:2]) for who in both)


def measure(name: str, root: Path, steps: int, workers: int, cache: float) -> dict[str, Any]:
    """Clips per second of one form, in wall time and in processor time."""
    which, changes = FORMS[name]
    data = (
        f"data=[{{kind: coco, images: {root}, annotations: {root}/instances.json, "
        "short_side: null}]"
    )
    recipe = load_recipe(which, [data, f"cache_gb={cache}", *changes])
    made = Steps(make_batches(recipe, sharing=workers), Shard())
    before, began, clips = 0.0, 0.0, 0
    for number, one in enumerate(in_processes(made, 0, steps + workers, workers, print)):
        if number == workers - 1:  # processes are up; what they started with does not count
            began, clips = time.perf_counter(), 0
        clips += sum(len(batch.frames) for batch in one.parts)
        if number == 0:
            before = processor_seconds()
    wall = time.perf_counter() - began
    spent = processor_seconds() - before
    every = recipe.optimisation.batch * (steps + workers)
    counted = clips - recipe.optimisation.batch
    return {
        "form": name,
        "clips_per_second": counted / wall,
        "clips_per_processor_second": every / spent,
        "on_two_idle_cores": 2 * every / spent,
    }


def main() -> None:
    """Measure all forms."""
    options = parser(__doc__, repeats=3)
    options.add_argument("--images", type=Path, required=True)
    options.add_argument("--annotations", type=Path, required=True)
    options.add_argument("--steps", type=int, default=40, help="of eight clips each")
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--cache-gb", type=float, default=0.0, help="0: every image is decoded")
    given = options.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        enlarge(given.images, given.annotations, root)
        best: dict[str, dict[str, Any]] = {}
        for _ in range(given.repeats):
            for name in FORMS:
                row = measure(name, root, given.steps, given.workers, given.cache_gb)
                if name not in best or row["clips_per_second"] > best[name]["clips_per_second"]:
                    best[name] = row
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    show(
        "data",
        list(best.values()),
        torch.device("cpu"),
        save=given.save,
        workers=given.workers,
        load=load,
    )


if __name__ == "__main__":
    main()
