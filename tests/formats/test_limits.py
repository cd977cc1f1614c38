"""A file of some bytes cannot take the machine: numbers are checked before memory is taken."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from formats.inputs import (
    SIZE,
    areas,
    coco,
    cvat,
    cvat_task,
    labelme,
    outlined,
    region,
    shape,
    task,
    write_json,
    yolo,
)
from numpy.lib import format as npy

from hodor.errors import MaskError
from hodor.formats import ReadOptions, read_track
from hodor.video.limits import MOST_FRAMES, corners_of, filling_runs, frame_size, rate_of, whole

POLYGON = '<track id="0" label="a" group_id="1"><polygon frame="{}" outside="0" points="{}" z_order="0"/></track>'  # noqa: E501
MASK = '<track id="0" label="a"><mask frame="0" outside="0" rle="{}" left="{}" top="{}" width="{}" height="{}" z_order="0"/></track>'  # noqa: E501
SQUARE = "0,0;5,0;5,5"


def xml(path: Path, *tracks: str, size: tuple[int, int] = SIZE, count: int = 3) -> Path:
    meta = (
        f"<task><name>n</name><size>{count}</size><original_size><width>{size[1]}</width>"
        f"<height>{size[0]}</height></original_size></task>"
    )
    return cvat(path, meta, *tracks)


def hostile(folder: Path) -> dict[str, tuple[Path, str]]:
    """Files by what is in them, and what is said of each."""
    rle = {"size": [60000, 60000], "counts": [3600000000]}
    wide = {"images": [{"id": 1, "file_name": "a.jpg", "height": 60000, "width": 60000}],
            "annotations": [], "categories": []}  # fmt: skip
    return {
        "a thousand million frames": (
            xml(folder / "a.xml", POLYGON.format(0, SQUARE), count=10**9),
            "there are 1000000000 frames",
        ),
        "a far frame": (
            xml(folder / "b.xml", POLYGON.format(2 * 10**9, SQUARE)),
            "a frame has the number 2000000000",
        ),
        "a frame beyond the video": (
            xml(folder / "c.xml", POLYGON.format(7, SQUARE)),
            "a shape is in frame 7, but there are 3 frames",
        ),
        "a huge frame": (
            xml(folder / "d.xml", POLYGON.format(0, SQUARE), size=(200000, 200000)),
            "a frame is 200000 x 200000 pixels",
        ),
        "a corner far away": (
            xml(folder / "e.xml", POLYGON.format(0, "0,0;1e30,0;5,5")),
            "far outside of its frame of 64 x 48",
        ),
        "a corner that is none": (
            xml(folder / "f.xml", POLYGON.format(0, "nan,0;5,0;5,5")),
            "a corner that is no number",
        ),
        "runs of a mask": (
            xml(folder / "g.xml", MASK.format("0, 9999999999", 0, 0, 10, 10)),
            "the runs of a mask hold",
        ),
        "a mask that leaves its frame": (
            xml(folder / "h.xml", MASK.format("0, 100", 60, 0, 10, 10)),
            "leaves its frame of 64 x 48",
        ),
        "a mask before its frame": (
            xml(folder / "i.xml", MASK.format("0, 100", -5, 0, 10, 10)),
            "leaves its frame",
        ),
        "frames of COCO": (write_json(folder / "a.json", wide), "60000 x 60000 pixels"),
        "RLE of COCO": (
            coco(folder / "b.json", [{"segmentation": rle, "track_id": 1}]),
            "60000 x 60000 pixels",
        ),
        "runs whose sum goes round": (
            coco(folder / "c.json", [
                {"segmentation": {"size": [4, 4], "counts": [2**62, 2**62, 2**62, 2**62 + 16]}},
            ]),
            "the run lengths of a mask hold",
        ),
        "a polygon of COCO": (
            coco(folder / "d.json", [
                outlined((5, 5)) | {"segmentation": [[0, 0, 1e9, 0, 5, 5]]},
            ]),
            "far outside of its frame",
        ),
        "a list of lists": (_text(folder / "e.json", "[" * 100_000), "nested too deep"),
        "a far line of MOTS": (
            _text(folder / "a.txt", "10000000000 1001 1 4 4 04L0"),
            "a frame has the number 10000000000",
        ),
        "a brush mask": (
            write_json(folder / "f.json", [task("0.jpg", [
                region((5, 5)) | {"original_width": 10**6, "original_height": 10**6},
            ])]),
            "1000000 x 1000000 pixels",
        ),
        "names in YAML that refer to one another": (
            yolo(folder / "Y", {"0": "0 0.1 0.1 0.4 0.1 0.4 0.5"}, names=_aliases()),
            "the name of a class is a list",
        ),
        "entities in XML": (_text(folder / "j.xml", _entities()), "is no CVAT 1.1 XML"),
        "frames of NPZ": (_npz(folder / "a.npz", (3, 10**6, 10**6)), "1000000 x 1000000 pixels"),
        "many frames of NPZ": (_npz(folder / "b.npz", (10**10, 1, 1)), "10000000000 frames"),
        "an array of NPZ": (
            _npz(folder / "c.npz", (1, 1, 1), confidence=(10**6, 10**6)),
            "confidence is",
        ),
    }  # fmt: skip


def _text(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _aliases() -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for last, name in zip("abcdefghi", "bcdefghij", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{last}'] * 10)}]")
    return "\n".join([*lines, "names: [*j]"])


def _entities() -> str:
    entities = '<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {name} "{f"&{last};" * 10}">'
        for last, name in zip("abcdefghi", "bcdefghij", strict=True)
    )
    return f"<!DOCTYPE x [{entities}]><annotations><version>&j;</version></annotations>"


def _npz(path: Path, shape: tuple[int, ...], **others: tuple[int, ...]) -> Path:
    """An archive whose arrays say that they are of a shape, and hold nothing."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, kind, size in (
            ("label_maps", "|u1", shape), *((name, "<f4", size) for name, size in others.items()),
        ):  # fmt: skip
            file = io.BytesIO()
            about = {"descr": kind, "fortran_order": False, "shape": size}
            npy.write_array_header_2_0(file, about)
            archive.writestr(f"{name}.npy", file.getvalue() + b"\0")
    return path


READ = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (4_000_000_000,) * 2)
from pathlib import Path
from hodor.errors import HodorError
from hodor.formats import read_track
for path in json.loads(sys.argv[1]):
    try:
        for frame in read_track(path).frames():
            pass
        said = "read"
    except HodorError as error:
        said = str(error)
    # Not getrusage, whose peak a new program inherits from the one that started it.
    peak = next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line)
    print(json.dumps([said, peak]), flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits a child's memory")
def test_every_number_is_checked_before_memory_is_taken(tmp_path: Path) -> None:
    """In a child with 4 GB: without the checks it is killed, runs for hours or takes 23 GB."""
    files = hostile(tmp_path)
    paths = json.dumps([str(path) for path, _ in files.values()])
    done = subprocess.run(
        [sys.executable, "-c", READ, paths], capture_output=True, text=True, check=False
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(files), done.stderr[-2000:]
    for (name, (path, message)), (said, peak) in zip(files.items(), answers, strict=True):
        assert message in said, name
        assert str(path) in said, name
        assert "\n" not in said, name
        assert peak < 1_000_000, f"{name}: {peak} kB"  # The program itself takes 150 MB.


def test_sizes_and_numbers() -> None:
    assert frame_size(8640, "15360") == (8640, 15360)
    for height, width in (
        (0, 5),
        (-1, 5),
        (16384, 16384),
        ("x", 1),
        (None, 1),
        (1.5, 2),
        (True, 1),
    ):
        with pytest.raises(ValueError, match=r"pixels|whole number"):
            frame_size(height, width)
    assert [whole(value, "it") for value in (3, 3.0, "3", "-3", "3.0")] == [3, 3, 3, -3, 3]
    for value in (float("nan"), float("inf"), "1e400", "", [], True):
        with pytest.raises(ValueError, match="not a whole number"):
            whole(value, "it")
    for value in (0, -1, float("nan"), float("inf"), "fast", None, True):
        with pytest.raises(ValueError):  # noqa: PT011
            rate_of(value)
    with pytest.raises(ValueError, match="less than none"):
        filling_runs(np.array([-1, 17], np.int64), (4, 4), "runs")


def test_corners_may_lie_beside_the_frame_but_not_far() -> None:
    size = (48, 64)
    assert len(corners_of([[-100, -20], [200, 30], [50, 300]], size)) == 3
    for far in ([1e6, 0], [0, -1e5], [float("inf"), 0], [float("nan"), 0]):
        with pytest.raises(ValueError, match=r"far outside|no number"):
            corners_of([[0, 0], far, [5, 5]], size)
    there_and_back = np.tile([[0.0, 0.0], [1000.0, 0.0]], (4000, 1))
    with pytest.raises(ValueError, match="pixels long"):
        corners_of(there_and_back, size)
    assert corners_of([], size).shape == (0, 2)


def test_a_video_of_many_frames_is_still_read(tmp_path: Path) -> None:
    path = cvat(tmp_path / "a.xml", cvat_task("t", count=5000))
    assert len(list(read_track(path).frames())) == 5000
    assert MOST_FRAMES >= 1_000_000


def test_a_mask_of_labelme_is_as_large_as_it_says(tmp_path: Path) -> None:
    mask = shape("dog", (5, 5)) | {"shape_type": "mask", "points": [[0, 0], [9, 9]], "mask": ""}
    path = labelme(tmp_path / "L", {"0": [mask]})
    with pytest.raises(MaskError, match="is no labelme's JSON that can be read"):
        areas(read_track(path))
    far = mask | {"points": [[60, 0], [69, 9]]}
    with pytest.raises(MaskError, match="leaves its picture"):
        areas(read_track(labelme(tmp_path / "L", {"0": [far]})))


def test_a_mask_is_checked_against_the_size_of_the_video(tmp_path: Path) -> None:
    path = yolo(tmp_path / "Y", {"0": "0 0.1 0.1 9.4 0.1 0.4 99.5"})
    with pytest.raises(MaskError, match="far outside of its frame"):
        areas(read_track(path, options=ReadOptions(size=SIZE)))
