"""Peak memory against the length of the video: whole runs, file to PNGs, in processes of their own.

python benchmarks/memory.py --save
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from common import parser, show

from hodor.profiling import clip, grid_of_boxes, peak_memory, write_video
from hodor.runs import track_video
from hodor.tracking import Tracker
from hodor.video import LabelMapSink, open_reference_masks, open_source, write_label_map

LENGTHS = (200, 1000, 5000)
HEIGHT, WIDTH, SIZE = 96, 160, 64  # small, so that thousands of frames take a minute


def follow(frames: int, model: str) -> None:
    """Follow three objects through a video of so many frames, and print the peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        video, masks = Path(folder) / "video.mp4", Path(folder) / "00000.png"
        write_video(video, clip(HEIGHT, WIDTH, frames))
        write_label_map(masks, grid_of_boxes(HEIGHT, WIDTH, 3).astype("uint8"))
        tracker = Tracker.from_pretrained(model, size=SIZE, device="cpu")
        with open_source(video) as source:
            sinks = [LabelMapSink(Path(folder) / "labels")]
            track_video(tracker, source, open_reference_masks(masks), sinks)
    print(peak_memory(tracker.device)[0])


def main() -> None:
    """Measure and print."""
    options = parser(__doc__, repeats=1)
    options.add_argument("--model", default="small", help="as for hodor track")
    options.add_argument("--follow", type=int, help="used within: do one run of so many frames")
    given = options.parse_args()
    if given.follow:
        follow(given.follow, given.model)
        return
    rows = []
    for frames in LENGTHS:
        command = [sys.executable, __file__, "--model", given.model, "--follow", str(frames)]
        found = sorted(
            int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for _ in range(given.repeats)
        )
        rows.append({"frames": frames, "peak_memory_bytes": found[len(found) // 2]})
    for row in rows:
        row["ratio"] = row["peak_memory_bytes"] / rows[0]["peak_memory_bytes"]
    name = f"memory-{given.model}-cpu"
    show(name, rows, torch.device("cpu"), save=given.save, model=given.model)


if __name__ == "__main__":
    main()
