"""Pictures of the studio for the docs: the bundled clip, drawn, tracked, corrected, in Chromium.

    python tools/make_studio_pictures.py            # into docs/images
    python tools/make_studio_pictures.py --video folder --masks first.png --out /tmp/pictures
    python tools/make_studio_pictures.py --click    # only the mask that a click offers

Needs playwright and a Chromium in the path.
"""

import argparse
import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from hodor.assets import sample_clip, sample_masks
from hodor.studio.runs import encode_runs
from hodor.video import read_label_map

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
]
SIZE = {"width": 1280, "height": 780}
LARGEST = 300_000  # bytes of a picture
CLICKED = (220, 120)  # on the astronaut of the sample clip: x, y in pixels of the frame
NAMES = ("Astronaut", "Cup", "Shuttle")
PATIENCE = 600_000  # ms
WITH_A_READERS_FOLDER = r"""() => {
  for (const one of document.querySelectorAll("dialog[open] *"))
    if (!one.children.length)
      one.textContent = one.textContent.replace(/\S+(?=\/sample\.studio)/, "/home/me");
}"""


@contextmanager
def studio(video: Path, session: Path) -> Iterator[str]:
    """A server over a video; gives the page's address."""
    command = [sys.executable, "-m", "hodor", "studio", str(video), "--session", str(session)]
    server = subprocess.Popen([*command, "--no-browser"], stderr=subprocess.PIPE, text=True)
    try:
        line = server.stderr.readline() if server.stderr else ""
        address = re.search(r"http://\S+", line)
        if address is None:
            raise SystemExit(line)
        yield address[0]
    finally:
        server.terminate()
        server.wait()


def give(client: httpx.Client, masks: Path) -> None:
    """The objects of a label map, in frame 0."""
    labels = read_label_map(masks)
    for place, number in enumerate(i for i in np.unique(labels) if i):
        made = client.post("api/objects").json()["id"]
        client.patch(f"api/objects/{made}", json={"name": NAMES[place % len(NAMES)]})
        client.put(f"api/given/0/{made}", content=encode_runs(labels == number))


def picture(page: Page, path: Path) -> None:
    """A screenshot with as many colours as its size allows."""
    page.wait_for_timeout(500)
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for colours in (256, 160, 96, 64):
        image.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < LARGEST:
            break
    print(path, path.stat().st_size)


def on_screen(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the frame is on the screen."""
    found: Any = page.evaluate(
        """async ([x, y]) => {
          const { view } = await import("./page/view.js");
          const box = document.getElementById("stage").getBoundingClientRect();
          const at = (offset, v) => (offset + v * view.scale) / devicePixelRatio;
          return [box.left + at(view.left, x), box.top + at(view.top, y)];
        }""",
        [x, y],
    )
    return found[0], found[1]


def correct(page: Page, frame: int) -> None:
    """Take a bite off the selected object with the eraser, and mend it with the brush."""
    page.fill("#number", str(frame))
    page.press("#number", "Enter")
    page.wait_for_selector(f'body[data-shown="{frame}"]')
    x, y = page.evaluate(
        """async () => {
          const { shown } = await import("./page/stage.js");
          const { state } = await import("./page/store.js");
          const width = state.video.width;
          const at = shown.labels.indexOf(state.selected, shown.labels.length / 3);
          return [Math.max(0, at) % width, Math.max(0, at) / width];
        }"""
    )
    page.keyboard.press("b")
    page.mouse.move(*on_screen(page, x, y))
    page.mouse.down()
    page.mouse.move(*on_screen(page, x + 6, y + 10), steps=4)
    page.mouse.up()
    page.wait_for_selector('#standing:has-text("Mask given")')


def offer(page: Page, address: str, path: Path) -> None:
    """A mask that a click on an object offers, with the button that takes it."""
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.wait_for_selector('body[data-shown="0"]')
    page.keyboard.press("c")
    page.wait_for_selector('body[data-looked="0"]')
    page.mouse.click(*on_screen(page, *CLICKED))
    page.wait_for_selector("#take-mask", state="visible")
    page.hover("#take-mask")
    picture(page, path)
    page.keyboard.press("Escape")
    page.wait_for_selector("#take-mask", state="hidden")


def take_pictures(page: Page, address: str, masks: Path, out: Path) -> None:
    """Open, track, correct, track on; light and dark."""
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.wait_for_selector('body[data-shown="0"]')
    with httpx.Client(base_url=address, timeout=60) as client:
        give(client, masks)
        frames = client.get("api/state").json()["video"]["frames"]
    page.wait_for_selector('#standing:has-text("Mask given")')
    picture(page, out / "studio-draw.png")
    page.click("#track-all")
    page.wait_for_function(f"() => document.body.dataset.shown >= {frames // 2}", timeout=PATIENCE)
    picture(page, out / "studio-track.png")
    page.wait_for_selector('#to-do:has-text("up to date")', state="attached")
    page.wait_for_selector("#idle:not(.off)")
    page.click("#theme")
    correct(page, 3 * frames // 4)
    picture(page, out / "studio-correct.png")
    page.click("#track-all")
    page.wait_for_selector('#to-do:has-text("up to date")', state="attached")
    page.keyboard.press("x")
    page.wait_for_selector("dialog[open]")
    page.evaluate(WITH_A_READERS_FOLDER)
    picture(page, out / "studio-export.png")


def main() -> None:
    """Parse, serve, take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path, default=sample_clip())
    parser.add_argument("--masks", type=Path, default=sample_masks())
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--click", action="store_true", help="only what a click offers")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with (
        tempfile.TemporaryDirectory() as folder,
        studio(options.video, Path(folder) / "sample.studio") as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport=SIZE, color_scheme="dark")
        offer(page, address, options.out / "studio-click.png")
        if not options.click:
            take_pictures(page, address, options.masks, options.out)
        browser.close()


if __name__ == "__main__":
    main()
