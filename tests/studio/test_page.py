"""The page in a real Chromium: draw, track, correct, export; kills, full disks, two tabs."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from hodor.runs import track_to_folder
from hodor.tracking import Tracker
from hodor.video import read_label_map, write_label_map

pytestmark = pytest.mark.slow

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("needs a Chromium in the path", allow_module_level=True)

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
]
WAIT = 600_000  # ms; all waits are for events, and this only ends a test that hangs


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


class Page:
    """A tab on a studio, and what a user does there."""

    def __init__(self, browser: Any, address: str) -> None:
        self.tab = browser.new_page(viewport={"width": 1100, "height": 800})
        self.tab.set_default_timeout(WAIT)
        self.faults: list[str] = []
        self.tab.on("pageerror", lambda error: self.faults.append(str(error)))
        self.tab.goto(address)
        self.at(int(address.partition("#frame=")[2] or 0))
        self.tab.keyboard.press("b")

    def at(self, frame: int) -> None:
        """Wait until a frame is shown."""
        self.tab.wait_for_selector(f'body[data-shown="{frame}"]')

    def go(self, frame: int) -> None:
        self.tab.fill("#number", str(frame))
        self.tab.press("#number", "Enter")
        self.at(frame)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the frame is on the screen."""
        found = self.tab.evaluate(
            """async ([x, y]) => {
              const { view } = await import("./page/view.js");
              const box = document.getElementById("stage").getBoundingClientRect();
              const at = (offset, v) => (offset + v * view.scale) / devicePixelRatio;
              return [box.left + at(view.left, x), box.top + at(view.top, y)];
            }""",
            [x, y],
        )
        return found[0], found[1]

    def drag(self, *points: tuple[float, float], button: str = "left") -> None:
        """Draw with the tool that is chosen, through pixels of the frame."""
        self.tab.mouse.move(*self.place(*points[0]))
        self.tab.mouse.down(button=button)
        for point in points[1:]:
            self.tab.mouse.move(*self.place(*point), steps=4)
        self.tab.mouse.up(button=button)

    def standing(self, text: str) -> None:
        """Wait for what the page says of the selected object in this frame."""
        self.tab.wait_for_selector(f'#standing:has-text("{text}")')

    def offered(self, prompts: int) -> None:
        """Wait until a mask of so many prompts is offered; 0: none."""
        self.tab.wait_for_selector(f'body[data-offered="{prompts}"]')

    def click(self, x: float, y: float, button: str = "left") -> None:
        """Click on a pixel of the frame."""
        self.tab.mouse.click(*self.place(x, y), button=button)

    def saved(self) -> None:
        self.tab.wait_for_selector('#saved:has-text("Saved")')

    def track(self) -> None:
        """Track all, and wait for the end."""
        self.tab.click("#track-all")
        self.tab.wait_for_selector('#to-do:has-text("up to date")', state="attached")
        self.tab.wait_for_selector("#idle:not(.off)")

    def covered(self) -> list[str]:
        """Controls that something else lies over, or that are out of the window."""
        found: list[str] = self.tab.evaluate(
            """() => [...document.querySelectorAll("button, input, canvas")]
              .filter((e) => e.checkVisibility({ checkVisibilityCSS: true }))
              .filter((e) => !e.closest("dialog"))
              .filter((e) => {
                const box = e.getBoundingClientRect();
                const hit = document.elementFromPoint(
                  box.left + box.width / 2, box.top + box.height / 2);
                return !hit ||
                  !(e.contains(hit) || (hit.contains(e) && hit.matches("label, button")));
              })
              .map((e) => e.id || e.ariaLabel)"""
        )
        return found

    def box(self, selector: str) -> dict[str, float]:
        """Where something is: x, y, width and height."""
        found: dict[str, float] = self.tab.locator(selector).bounding_box()
        return found

    def objects(self) -> list[str]:
        return [i.input_value() for i in self.tab.query_selector_all("#objects input[type=text]")]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[[str], Page]]:
    """Opens tabs; at the end none of them may have met an error of its own."""
    pages: list[Page] = []

    def make(address: str) -> Page:
        pages.append(Page(browser, address))
        return pages[-1]

    yield make
    for page in pages:
        page.tab.close()
    assert [page.faults for page in pages] == [[] for _ in pages]


@pytest.fixture
def server(serve: Callable[..., Any], clip: Path, tiny_model: Path, tmp_path: Path) -> Any:
    return serve(clip, "--session", tmp_path / "session", "--model", tiny_model)


def _maps(folder: Path) -> list[Any]:
    return [read_label_map(path) for path in sorted(folder.glob("*.png"))]


def test_draw_track_correct_at_frame_20_and_export(
    server: Any, open_page: Callable[[str], Page], tmp_path: Path
) -> None:
    page = open_page(server.address)
    page.tab.keyboard.press("r")
    page.drag((5, 8), (36, 38))  # the red square, by a box around it
    page.offered(1)
    page.tab.keyboard.press("Enter")
    page.standing("Mask given")
    page.tab.keyboard.press("n")
    page.tab.keyboard.press("p")
    for corner in ((60, 36), (80, 36), (80, 54), (60, 54)):
        page.tab.mouse.click(*page.place(*corner))
    page.tab.keyboard.press("Enter")
    page.standing("Mask given")
    assert page.objects() == ["Object 1", "Object 2"]
    page.tab.fill("#objects li:first-child input[type=text]", "Red")
    page.tab.press("#objects li:first-child input[type=text]", "Enter")
    page.track()
    session = tmp_path / "session"
    first = read_label_map(session / "given" / "00000.png")
    red, blue = first == 1, first == 2
    assert (red & (np.indices(red.shape)[1] < 33)).sum() > 400  # the square was found
    assert np.array_equal(blue[36:54, 60:80], np.ones((18, 20), bool))
    assert blue.sum() == 18 * 20
    before = _maps(session / "results")

    page.go(20)
    page.tab.click('#lane-names button:has-text("Red")')
    page.tab.keyboard.press("b")
    page.drag((50, 14), (58, 22), (66, 14))
    page.standing("Mask given")
    page.track()
    after = _maps(session / "results")
    assert len(before) == len(after) == 39
    changed = [t + 1 for t, (a, b) in enumerate(zip(before, after, strict=True)) if (a != b).any()]
    assert changed
    assert min(changed) > 10
    assert np.array_equal(read_label_map(session / "given" / "00000.png"), first)

    page.tab.keyboard.press("x")
    page.tab.check('#formats input[value="rle"]')
    with page.tab.expect_download() as download:
        page.tab.click("#export-start")
        page.tab.click("#downloads a >> nth=1")
    assert download.value.suggested_filename == "scene-masks.json"
    exported = _maps(session / "exports" / "labels")
    given = read_label_map(session / "given" / "00020.png") == 1
    assert np.array_equal(exported[20] == 1, given)
    assert np.array_equal(exported[0], first)
    assert np.array_equal(exported[30], after[29])


def test_a_pass_that_begins_anew_is_said_on_the_page_and_in_the_terminal(
    server: Any, open_page: Callable[[str], Page], tmp_path: Path
) -> None:
    left = tmp_path / "session" / "tracker" / "forward.safetensors"
    left.parent.mkdir(exist_ok=True)
    save_file({"frame": np.zeros(1)}, left, {"format": "hodor-state-2"})
    page = open_page(server.address)
    page.tab.evaluate(
        """() => {
          const note = (changes) => {
            for (const { addedNodes } of changes)
              for (const notice of addedNodes) document.body.dataset.told += notice.dataset.text;
          };
          new MutationObserver(note).observe(
            document.getElementById("notices"), { childList: true });
        }"""
    )
    page.drag((20, 20), (30, 30))
    page.standing("Mask given")
    page.tab.click("#track-all")
    page.tab.wait_for_selector('body[data-told*="the pass forward begins anew"]')
    server.end()
    said = [line for line in server.lines if line.startswith("warning: the pass forward begins")]
    assert len(said) == 1
    assert "hodor-state-2" in said[0]


def test_reloading_and_a_killed_server_lose_nothing(
    server: Any, open_page: Callable[[str], Page], serve: Callable[..., Any], tmp_path: Path
) -> None:
    page = open_page(server.address)
    page.drag((20, 20), (30, 30))
    page.standing("Mask given")
    page.saved()
    page.tab.reload()
    page.standing("Mask given")
    assert page.objects() == ["Object 1"]
    page.tab.keyboard.press("b")
    server.end(signal.SIGKILL)
    page.tab.wait_for_selector('#trouble:has-text("The server is gone")')
    page.drag((30, 30), (50, 30))  # drawn while nobody listens
    page.tab.wait_for_selector('#saved:has-text("Saving")')
    serve(tmp_path / "session")
    page.tab.wait_for_selector("#trouble", state="hidden")
    page.saved()
    mask = read_label_map(tmp_path / "session" / "given" / "00000.png")
    assert mask[20, 20] == 1
    assert mask[30, 48] == 1
    page.track()


def test_a_full_disk_is_told_and_the_drawing_is_kept_until_there_is_room(
    server: Any, open_page: Callable[[str], Page], tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource", reason="needs limits on the size of files")
    page = open_page(server.address)
    page.tab.keyboard.press("n")
    page.tab.wait_for_selector("#objects li")
    pid = server.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (16, limits[1]))
    page.drag((20, 20), (30, 30))
    page.tab.wait_for_selector('#trouble:has-text("cannot be written")')
    assert not (tmp_path / "session" / "given" / "00000.png").exists()
    resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    page.tab.click("#retry")
    page.tab.wait_for_selector("#trouble", state="hidden")
    page.standing("Mask given")
    assert read_label_map(tmp_path / "session" / "given" / "00000.png")[20, 20] == 1


def test_two_tabs_show_the_same_and_do_not_undo_each_others_work(
    server: Any, open_page: Callable[[str], Page], tmp_path: Path
) -> None:
    one = open_page(server.address)
    two = open_page(server.address)
    one.tab.wait_for_selector('#saved:has-text("open in 2 tabs")')
    one.drag((20, 20), (30, 20))
    one.standing("Mask given")
    two.standing("Mask given")
    two.saved()
    two.drag((20, 40), (30, 40))
    two.saved()
    one.tab.wait_for_function(
        """async () => {
          const { shown } = await import("./page/stage.js");
          return shown.labels[40 * 90 + 25] === 1 && shown.labels[20 * 90 + 25] === 1;
        }"""
    )
    mask = read_label_map(tmp_path / "session" / "given" / "00000.png")
    assert mask[20, 25] == mask[40, 25] == 1
    one.tab.keyboard.press("Control+z")
    two.tab.wait_for_function(
        """async () => (await import("./page/stage.js")).shown.labels[40 * 90 + 25] === 0"""
    )


def test_the_address_may_name_the_frame_to_begin_with(server: Any, browser: Any) -> None:
    tab = browser.new_page()
    tab.goto(f"{server.address}#frame=7")
    tab.wait_for_selector('body[data-shown="7"]', timeout=WAIT)
    tab.close()


def test_a_run_opens_at_its_doubtful_frame_with_the_object_that_is_least_sure_there(
    serve: Callable[..., Any], open_page: Callable[[str], Page], make_scene: Any,
    tiny_model: Path, one_thread: None, tmp_path: Path,
) -> None:  # fmt: skip
    scene = make_scene(4)
    (tmp_path / "shots").mkdir()
    for t, frame in enumerate(scene.frames):
        Image.fromarray(frame).save(tmp_path / f"shots/{t}.png")
    write_label_map(tmp_path / "first.png", scene.labels[0])
    out = tmp_path / "out"
    tracker = Tracker.from_pretrained(str(tiny_model), device="cpu")
    track_to_folder(
        tmp_path / "shots", tmp_path / "first.png", out, tracker=tracker, model=str(tiny_model)
    )
    confidence = json.loads((out / "summary.json").read_text())["confidence"]
    doubtful = min(confidence, key=lambda number: confidence[number][2])
    page = open_page(serve(out, "--frame", 2).address)
    page.tab.wait_for_selector(f'#objects li.selected[data-id="{doubtful}"]')
    assert sorted(page.objects()) == ["Object 3", "Object 7"]


def test_keys_move_and_are_listed_and_every_control_has_a_name(
    server: Any, open_page: Callable[[str], Page]
) -> None:
    page = open_page(server.address)
    for key, frame in (
        ("ArrowRight", 1),
        ("Shift+ArrowRight", 11),
        ("ArrowLeft", 10),
        ("End", 39),
        ("Home", 0),
    ):
        page.tab.keyboard.press(key)
        page.at(frame)
    page.tab.keyboard.press("?")
    assert "Ten frames" in page.tab.inner_text("#keys")
    page.tab.keyboard.press("Escape")
    nameless = page.tab.evaluate(
        """() => [...document.querySelectorAll("button, input, canvas, progress")]
          .filter((e) => !e.ariaLabel && !e.textContent.trim() && !e.labels?.length)
          .map((e) => e.outerHTML)"""
    )
    assert nameless == []


@pytest.mark.parametrize("width", [900, 1100, 1280, 1920])
def test_no_tool_covers_the_panel(
    server: Any, open_page: Callable[[str], Page], width: int
) -> None:
    page = open_page(server.address)
    page.tab.set_viewport_size({"width": width, "height": 800})
    for key in "beprsh":
        page.tab.keyboard.press(key)
        right, panel, inside, outside = page.tab.evaluate(
            """() => [document.getElementById("stage").getBoundingClientRect().right,
              document.querySelector("aside").getBoundingClientRect().left,
              document.documentElement.clientWidth, document.documentElement.scrollWidth]"""
        )
        assert right <= panel, key
        assert outside <= inside, key


def test_nothing_moves_when_tracking_begins_and_ends(
    server: Any, open_page: Callable[[str], Page]
) -> None:
    page = open_page(server.address)
    where = """() => ["stage", "track-panel", "timeline", "frame-panel", "transport"]
      .map((id) => JSON.stringify(document.getElementById(id).getBoundingClientRect()))"""
    before = page.tab.evaluate(where)
    page.drag((20, 20), (30, 30))
    page.standing("Mask given")
    page.tab.click("#track-all")
    page.tab.wait_for_selector("#busy:not(.off)")
    assert page.tab.evaluate(where) == before
    page.tab.wait_for_selector('#to-do:has-text("up to date")', state="attached")
    assert page.tab.evaluate(where) == before


def test_a_frame_that_cannot_be_read_is_told_and_the_others_are_shown(
    serve: Callable[..., Any], clip: Path, open_page: Callable[[str], Page], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(clip, broken)
    (broken / "00003.png").write_bytes(b"no picture")
    page = open_page(serve(broken).address)
    page.tab.fill("#number", "3")
    page.tab.press("#number", "Enter")
    page.tab.wait_for_selector('#trouble:has-text("00003.png cannot be read")')
    page.go(5)
    page.tab.wait_for_selector("#trouble", state="hidden")


def test_a_first_stroke_is_whole_though_its_object_takes_a_while_to_make(
    server: Any, open_page: Callable[[str], Page], tmp_path: Path
) -> None:
    page = open_page(server.address)
    held: list[Any] = []
    page.tab.route("**/api/objects", lambda route: held.append(route))
    page.drag((20, 20), (30, 20), (60, 40))
    page.tab.wait_for_function("() => true")
    assert len(held) == 1
    held[0].continue_()
    page.standing("Mask given")
    page.saved()
    mask = read_label_map(tmp_path / "session" / "given" / "00000.png")
    assert mask[20, 20] == mask[20, 30] == mask[40, 60] == 1


RED = (slice(10, 34), slice(8, 32))  # the square of the scene's first frame


def test_clicks_and_a_box_offer_a_mask_that_enter_takes(
    server: Any, open_page: Callable[[str], Page], tmp_path: Path
) -> None:
    page = open_page(server.address)
    given = tmp_path / "session" / "given" / "00000.png"
    page.tab.keyboard.press("c")
    page.tab.wait_for_selector('body[data-looked="0"]')
    page.click(20, 22)
    page.offered(1)
    page.tab.keyboard.press("m")
    page.tab.wait_for_selector('#hint:has-text("of 3")')
    page.click(70, 50, button="right")
    page.offered(2)
    page.tab.keyboard.press("Backspace")
    page.offered(1)
    page.drag((6, 8), (34, 36))
    page.offered(2)
    assert page.objects() == [], "an object is made when a mask is"
    assert not given.exists()
    page.tab.keyboard.press("Enter")
    page.standing("Mask given")
    page.offered(0)
    page.saved()
    assert page.objects() == ["Object 1"]
    mask = read_label_map(given) == 1
    truth = np.zeros_like(mask)
    truth[RED] = True
    assert (mask & truth).sum() / (mask | truth).sum() > 0.8


def test_a_frame_is_not_looked_at_for_clicks_while_tracking_is_watched(
    server: Any, open_page: Callable[[str], Page]
) -> None:
    page = open_page(server.address)
    page.tab.keyboard.press("c")
    page.tab.wait_for_selector('body[data-looked="0"]')
    asked: list[str] = []
    page.tab.on("request", lambda one: "/api/look/" in one.url and asked.append(one.url[-1]))
    set_state = """async (changes) => {
      const { update } = await import("./page/store.js");
      update(changes);
    }"""
    running = {"kind": "track", "state": "running", "frame": 2, "done": 2, "total": 9}
    page.tab.evaluate(set_state, {"job": running, "follow": True, "frame": 2})
    page.tab.wait_for_selector('body[data-shown="2"]')
    page.tab.wait_for_timeout(600)  # thrice what a frame rests before it is looked at
    assert asked == []
    for done in range(3, 6):  # who steps on their own may click, and progress does not put it off
        page.tab.evaluate(set_state, {"job": running | {"done": done}, "follow": False})
    page.tab.wait_for_selector('body[data-looked="2"]')
    page.tab.evaluate(set_state, {"job": running, "follow": True, "frame": 3})
    page.tab.wait_for_selector('body[data-shown="3"]')
    page.tab.evaluate(set_state, {"job": running | {"state": "done"}})
    page.tab.wait_for_selector('body[data-looked="3"]')
    assert asked == ["2", "3"]


def test_a_button_takes_the_mask_that_is_offered(
    server: Any, open_page: Callable[[str], Page]
) -> None:
    page = open_page(server.address)
    page.tab.keyboard.press("c")
    page.tab.wait_for_selector('body[data-looked="0"]')
    page.tab.wait_for_selector("#take-mask", state="hidden")
    hint = page.tab.locator("#hint")
    assert hint.evaluate("one => one.scrollWidth <= one.clientWidth"), "nothing of it is cut off"
    page.click(20, 22)
    page.offered(1)
    page.tab.click("#take-mask")
    page.standing("Mask given")
    page.tab.wait_for_selector("#take-mask", state="hidden")


def test_where_the_pointer_rests_a_mask_is_shown_which_only_a_click_offers(
    server: Any, open_page: Callable[[str], Page], tmp_path: Path
) -> None:
    page = open_page(server.address)
    asked: list[dict[str, Any]] = []
    page.tab.on(
        "request", lambda one: "/api/click/" in one.url and asked.append(one.post_data_json)
    )
    page.tab.keyboard.press("c")
    page.tab.wait_for_selector('body[data-looked="0"]')
    page.tab.mouse.move(*page.place(20, 22))
    page.tab.wait_for_selector('body:not([data-hovered="0"])[data-hovered]')
    share = int(page.tab.evaluate("document.body.dataset.hovered")) / (24 * 24)
    assert 0.5 < share < 1.5, "the square under the pointer"
    page.offered(0)
    assert page.objects() == []
    page.tab.mouse.move(*page.place(-4, -4))
    page.tab.wait_for_selector('body[data-hovered="0"]')
    assert all(one["passing"] for one in asked)
    page.click(20, 22)
    page.offered(1)
    page.tab.wait_for_selector('body[data-hovered="0"]')
    page.tab.keyboard.press("Escape")
    page.offered(0)
    page.tab.keyboard.press("s")
    asked.clear()
    page.drag((20, 22), (22, 22))
    page.tab.mouse.move(*page.place(70, 44))
    page.standing("Mask given")
    assert asked == [], "strokes have no preview"
    assert page.tab.evaluate("document.body.dataset.hovered") == "0"


def test_no_prompt_takes_away_what_was_painted_or_brings_back_what_was_erased(
    server: Any, open_page: Callable[[str], Page], tmp_path: Path
) -> None:
    page = open_page(server.address)
    page.tab.keyboard.press("c")
    page.drag((6, 8), (34, 36))
    page.offered(1)
    page.tab.keyboard.press("Enter")
    page.standing("Mask given")
    page.tab.keyboard.press("b")
    page.tab.fill("#brush-size", "8")
    page.drag((60, 50), (80, 50))
    page.tab.fill("#brush-size", "3")
    page.drag((12, 14), (14, 14), button="right")
    page.saved()
    before = read_label_map(tmp_path / "session" / "given" / "00000.png") == 1
    painted = before.copy()
    painted[:, :45] = False
    assert painted.sum() > 100
    assert not before[14, 13]
    page.tab.keyboard.press("c")
    page.drag((6, 8), (34, 36))
    page.offered(1)
    page.click(70, 50, button="right")  # says that the stroke is not the object
    page.offered(2)
    page.tab.keyboard.press("Enter")
    page.offered(0)
    page.saved()
    after = read_label_map(tmp_path / "session" / "given" / "00000.png") == 1
    assert after[painted].all()
    assert not after[14, 13]


def test_without_onnxruntime_boxes_and_strokes_work_together_by_colour(
    serve: Callable[..., Any],
    clip: Path,
    open_page: Callable[[str], Page],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "none" / "onnxruntime").mkdir(parents=True)
    (tmp_path / "none" / "onnxruntime" / "__init__.py").write_text("raise ImportError('none')")
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "none"), before]))
    page = open_page(serve(clip, "--session", tmp_path / "session").address)
    assert page.tab.is_hidden('[data-tool="click"]')
    page.tab.keyboard.press("r")
    page.drag((5, 8), (36, 38))
    page.standing("Mask given")
    page.saved()
    page.tab.keyboard.press("s")
    page.tab.fill("#brush-size", "3")
    strokes = """async () => {
      const { marks } = await import("./page/tools.js");
      const { box, inside, outside } = marks();
      return [Boolean(box), inside.length, outside.length];
    }"""
    for count, row in enumerate((14, 22, 30), 1):
        with page.tab.expect_response("**/api/segment/*"):
            page.drag((12, row), (28, row))
        page.saved()
        assert page.tab.evaluate(strokes) == [True, count, 0], "what was shown stays"
    mask = read_label_map(tmp_path / "session" / "given" / "00000.png") == 1
    assert mask[[14, 22, 30], 20].all()
    outside = mask.copy()
    outside[6:40, 3:38] = False
    assert not outside.any(), "strokes stay within the box"


@pytest.mark.parametrize(
    ("width", "height"), [(1024, 560), (1280, 577), (1100, 800), (1440, 700), (1920, 1080)]
)
def test_nothing_covers_a_control(
    server: Any, open_page: Callable[[str], Page], width: int, height: int
) -> None:
    page = open_page(server.address)
    page.drag((20, 20), (30, 30))
    page.standing("Mask given")
    page.tab.set_viewport_size({"width": width, "height": height})
    assert page.covered() == []
    for name in ("track-all", "track-back", "track-on", "keep", "gone"):
        box = page.tab.locator(f"#{name}").bounding_box()
        assert box["y"] + box["height"] <= height, name
        assert box["x"] + box["width"] <= width, name


def test_a_mask_is_copied_on_filled_and_hidden_and_every_control_says_what_it_does(
    server: Any, open_page: Callable[[str], Page], tmp_path: Path
) -> None:
    page = open_page(server.address)
    page.drag((20, 20), (60, 20), (60, 45), (20, 45), (20, 20))
    page.standing("Mask given")
    page.saved()
    page.tab.keyboard.press("f")
    page.tab.wait_for_selector("#undo:enabled")
    page.saved()
    page.tab.keyboard.press("Shift+C")
    page.at(1)
    page.standing("Mask given")
    given = tmp_path / "session" / "given"
    first, second = (read_label_map(given / f"0000{t}.png") for t in (0, 1))
    assert first[32, 40] == 1, "what it encloses is filled"
    assert np.array_equal(first, second)
    page.tab.keyboard.press("d")
    page.tab.wait_for_selector('.notice:has-text("Object 1: no further doubtful place")')
    page.tab.keyboard.press("Shift+V")
    page.tab.wait_for_selector("#objects li.hidden-object")
    page.tab.keyboard.press("Shift+V")
    page.tab.wait_for_selector("#objects li:not(.hidden-object)")
    assert page.tab.inner_text("#zoom").endswith(" %")
    untold = page.tab.evaluate(
        """() => [...document.querySelectorAll("button, canvas#lanes, label.check")]
          .filter((e) => !e.title && !e.closest("dialog, .notice, .lane-name, #trouble"))
          .map((e) => e.outerHTML)"""
    )
    assert untold == []


def test_side_bar_and_timeline_are_dragged_and_folded_and_stay_so(
    server: Any, open_page: Callable[[str], Page]
) -> None:
    page = open_page(server.address)
    before = {part: page.box(part) for part in ("aside", "#timeline", "#stage")}
    edge = page.box("#side-edge")
    page.tab.mouse.move(edge["x"] + 3, 300)
    page.tab.mouse.down()
    page.tab.mouse.move(edge["x"] - 97, 300, steps=4)
    page.tab.mouse.up()
    assert page.box("aside")["width"] == pytest.approx(before["aside"]["width"] + 100, abs=2)
    assert page.box("#stage")["width"] == pytest.approx(before["#stage"]["width"] - 100, abs=2)
    page.tab.focus("#timeline-edge")
    for _ in range(4):
        page.tab.keyboard.press("ArrowUp")
    assert page.box("#timeline")["height"] == before["#timeline"]["height"] + 64
    assert page.covered() == []
    page.tab.click("#fold-side")
    assert page.box("#stage")["width"] > before["#stage"]["width"] + 200
    page.tab.keyboard.press("Shift+L")
    assert not page.tab.is_visible("#timeline")
    assert page.covered() == []
    page.tab.reload()
    page.at(0)
    assert not page.tab.is_visible("aside")
    page.tab.keyboard.press("Shift+B")
    page.tab.click("#fold-timeline")
    assert page.box("aside")["width"] == pytest.approx(before["aside"]["width"] + 100, abs=2)
    assert page.box("#timeline")["height"] == before["#timeline"]["height"] + 64


@pytest.mark.parametrize(("width", "height"), [(1024, 560), (1280, 720), (1920, 1080)])
def test_a_portrait_video_has_the_height_of_the_window(
    serve: Callable[..., Any], open_page: Callable[[str], Page], make_scene: Any,
    tiny_model: Path, tmp_path: Path, width: int, height: int,
) -> None:  # fmt: skip
    folder = tmp_path / "tall"
    folder.mkdir()
    for t, frame in enumerate(make_scene(3, (96, 54)).frames):
        Image.fromarray(frame).save(folder / f"{t}.png")
    page = open_page(serve(folder, "--session", tmp_path / "s", "--model", tiny_model).address)
    page.tab.set_viewport_size({"width": width, "height": height})
    page.tab.wait_for_function(
        """async (height) => {
          const { view } = await import("./page/view.js");
          return (96 * view.scale) / devicePixelRatio > 0.78 * height;
        }""",
        arg=height,
    )
    assert page.covered() == []
    page.tab.click("#fold-side")
    assert page.covered() == []
