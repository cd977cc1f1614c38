"""All pictures of the docs that show what the bundled models find, made anew.

    make pictures                                      # all that the package alone can make
    python tools/renew_pictures.py --davis ../shared/data/davis2016   # and the card's failures
    python tools/renew_pictures.py measurements report                # some of them

| name | picture | shown in |
| --- | --- | --- |
| demo | demo.webp | README, docs/index.md |
| grid | grid.jpg | docs/guides/first-masks.md |
| measurements | measurements.png | docs/guides/measure.md |
| report | report.png | docs/guides/track-a-video.md |
| studio | studio-click.png, -draw, -track, -correct, -export | docs/guides/studio.md |
| tiny | failures-tiny.jpg | tiny's card |
| failures | failures.jpg (needs --davis) | small's card |
| ropes | ropes.jpg (needs --davis, and choose480 beside it) | docs/runs.md |

Not of these: finetune.png, which is of a run of its own (docs/guides/fine-tune.md
has its commands), and performance.svg (benchmarks/plots.py). Look at each: captions say what
is seen. ``report`` and ``studio`` need playwright and a Chromium in the path.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from PIL import Image

from hodor.assets import sample_clip, sample_masks
from hodor.video import open_source

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs/images"
NAMES = ("1=astronaut", "2=cup", "3=shuttle")
LARGEST = (1100, 690)  # of the report's window


def run(*words: object) -> None:
    """A program of Python's; its failure ends all."""
    subprocess.run([sys.executable, *map(str, words)], check=True, cwd=ROOT)


def hodor(*words: object) -> None:
    """The command line."""
    run("-m", "hodor", *words)


def tracked(work: Path, model: str = "small") -> Path:
    """The folder of a run over the sample clip, which is tracked once."""
    out = work / model
    if not out.exists():
        named = [word for name in NAMES for word in ("--name", name)]
        paths = [sample_clip(), "--masks", sample_masks(), "--out", out]
        hodor("track", *paths, "--model", model, "--overlay", *named)
    return out


def demo(work: Path, _: Path | None) -> None:
    """The README's moving picture."""
    run("tools/make_pictures.py", tracked(work))


def grid(work: Path, _: Path | None) -> None:
    """The first frame with numbered lines and what a point makes."""
    words = [sample_clip(), "--point", "220,120", "--out", work / "first.png"]
    hodor("mask", *words, "--show", IMAGES / "grid.jpg")


def measurements(work: Path, _: Path | None) -> None:
    """Curves of the clip, as the guide's command makes them."""
    out = tracked(work)
    hodor("measure", out, "--um-per-pixel", "0.65")
    shutil.copy(out / "measurements.png", IMAGES)


def report(work: Path, _: Path | None) -> None:
    """The page of three short videos, one of which is broken."""
    from playwright.sync_api import sync_playwright

    clips, masks = work / "clips", work / "masks"
    masks.mkdir()
    with open_source(str(sample_clip())) as source:
        frames = [frame.pixels for frame in source.frames()]
    for name, shown in (("first half", islice(frames, 8)), ("slow", frames[::8])):
        (clips / name).mkdir(parents=True)
        for number, pixels in enumerate(shown):
            Image.fromarray(pixels).save(clips / name / f"{number:05d}.png")
        shutil.copy(sample_masks(), masks / f"{name}.png")
    (clips / "broken.mp4").write_bytes(b"not a video")
    shutil.copy(sample_masks(), masks / "broken.png")
    command = [sys.executable, "-m", "hodor", "track", "clips", "--masks", "masks", "--out", "many"]
    subprocess.run(command, cwd=work, check=False)  # one of them fails
    shown = work / "many/shown.html"  # with a folder that a reader may have
    text = (work / "many/report.html").read_text(encoding="utf-8")
    shown.write_text(text.replace(str(work), "/home/me"), encoding="utf-8")
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(viewport=dict(zip(("width", "height"), LARGEST, strict=True)))  # type: ignore[arg-type]
        page.goto(shown.as_uri())
        page.screenshot(path=IMAGES / "report.png", full_page=True)
        browser.close()


def studio(_: Path, __: Path | None) -> None:
    """Five pictures of the page."""
    run("tools/make_studio_pictures.py")


def tiny(work: Path, _: Path | None) -> None:
    """A frame as it is given, and one in which tiny goes wrong."""
    from failures import of_tiny

    of_tiny(tracked(work, "tiny") / "overlay.mp4")


def failures(work: Path, davis: Path | None) -> None:
    """Two frames of DAVIS in which small goes wrong."""
    from failures import SHOWN, of_small

    if davis is None:
        print("failures.jpg stays as it is: give --davis for it")
        return
    for name in SHOWN:
        frames, first = (davis / part / "480p" / name for part in ("JPEGImages", "Annotations"))
        hodor("track", frames, "--masks", first / "00000.png", "--out", work / name)
        shutil.copytree(work / name / "labels", work / "results" / name)
    of_small(work / "results", davis)


def ropes(work: Path, davis: Path | None) -> None:
    """A frame of a kite's lines, without thin parts and with them."""
    from failures import ROPES, of_ropes

    if davis is None:
        print("ropes.jpg stays as it is: give --davis for it")
        return
    parts = (davis.parent / "choose480" / part / "480p" for part in ("JPEGImages", "Annotations"))
    frames, masks = (part / ROPES[0] for part in parts)
    runs = [work / "without", work / "with"]
    for run_, how in zip(runs, ("--no-thin-parts", "--thin-parts"), strict=True):
        hodor("track", frames, "--masks", masks / "00000.png", "--out", run_, how)
    of_ropes(frames, runs)


PICTURES: dict[str, Callable[[Path, Path | None], None]] = {
    one.__name__: one for one in (demo, grid, measurements, report, studio, tiny, failures, ropes)
}


def main() -> None:
    """Parse; make what is wanted."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", nargs="*", help=f"some of {', '.join(PICTURES)}")
    parser.add_argument("--davis", type=Path, help="DAVIS 2016, for failures")
    given = parser.parse_args()
    unknown = set(given.pictures) - set(PICTURES)
    if unknown:
        parser.error(f"no picture is called {', '.join(sorted(unknown))}")
    davis = given.davis and given.davis.resolve()
    with tempfile.TemporaryDirectory() as folder:
        for name in given.pictures or PICTURES:
            print(f"{name} ...", flush=True)
            PICTURES[name](Path(folder), davis)


if __name__ == "__main__":
    main()
