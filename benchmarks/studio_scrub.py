"""Scrubbing through ten minutes of 1920 x 1080 in the studio: time a frame, and memory.

    python benchmarks/studio_scrub.py --minutes 10

Makes the clip (H.264, a keyframe every 250 frames, as x264 does by itself), serves it, and asks for
frames as the page does: steps on and back, a scrub over the whole video, jumps. Prints JSON.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import httpx
import numpy as np
import psutil

SIZE = (1080, 1920)
FPS = 25
WIDTH = 1280  # of the page's stage
ROUNDS = 5  # of all moves, to see that memory stays where it is


def make_clip(path: Path, frames: int) -> None:
    """Moving gratings and noise: neither a still picture nor one that cannot be compressed."""
    rng = np.random.default_rng(0)
    ground = rng.integers(0, 255, (SIZE[0] // 8, SIZE[1] // 4, 3), np.uint8)
    ground = np.kron(ground, np.ones((8, 8, 1), np.uint8))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        stream.codec_context.gop_size = 250
        for t in range(frames):
            left = 2 * t % SIZE[1]
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(ground[:, left : left + SIZE[1]]), format="rgb24"
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def ask(client: httpx.Client, index: int, *, quick: bool = False) -> float:
    """Milliseconds until a frame is here."""
    began = time.perf_counter()
    width = 640 if quick else WIDTH
    answer = client.get(f"api/frames/{index}?width={width}" + "&quick=1" * quick)
    answer.raise_for_status()
    return 1000 * (time.perf_counter() - began)


def measure(client: httpx.Client, frames: int) -> dict[str, list[float]]:
    """Milliseconds by kind of move."""
    middle = frames // 2
    rng = random.Random(0)
    jumps = [rng.randrange(frames) for _ in range(30)]
    return {
        "steps on": [ask(client, middle + t) for t in range(100)],
        "steps back": [ask(client, middle - 1 - t) for t in range(100)],
        "scrub": [ask(client, t, quick=True) for t in range(0, frames, max(1, frames // 300))],
        "jumps": [ask(client, t) for t in jumps],
    }


def main() -> None:
    """Make, serve, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clip", type=Path, help="use this video, and make none")
    options = parser.parse_args()
    frames = round(options.minutes * 60 * FPS)
    with tempfile.TemporaryDirectory() as folder:
        clip = options.clip or Path(folder) / "long.mp4"
        if options.clip is None:
            make_clip(clip, frames)
        command = [sys.executable, "-m", "hodor", "studio", str(clip), "--no-browser"]
        began = time.perf_counter()
        server = subprocess.Popen(
            [*command, "--session", f"{folder}/s"], stderr=subprocess.PIPE, text=True
        )
        try:
            line = server.stderr.readline() if server.stderr else ""
            opened = time.perf_counter() - began
            address = re.search(r"http://\S+", line)
            if address is None:
                raise SystemExit(line)
            process = psutil.Process(server.pid)
            with httpx.Client(base_url=address[0], timeout=120) as client:
                frames = client.get("api/state").json()["video"]["frames"]
                start = process.memory_info().rss
                times = measure(client, frames)
                memory = [process.memory_info().rss]
                for _ in range(ROUNDS - 1):
                    measure(client, frames)
                    memory.append(process.memory_info().rss)
        finally:
            server.terminate()
            server.wait()
    result = {
        "frames": frames,
        "seconds to open": round(opened, 2),
        "milliseconds": {
            kind: {
                "median": round(float(np.median(values)), 1),
                "p95": round(float(np.percentile(values, 95)), 1),
                "max": round(max(values), 1),
            }
            for kind, values in times.items()
        },
        "memory in MiB, opened and after each round": [
            round(value / 2**20) for value in (start, *memory)
        ],
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
