"""The command as a whole: its help, its speed to start, its one line when something is wrong."""

from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from hodor.errors import HodorError

pytestmark = pytest.mark.usefixtures("one_thread")

Hodor = Callable[..., Any]

HELP = """
import sys
from hodor.cli import main
try:
    main()
finally:
    print(*sorted({"torch", "av", "cv2"} & set(sys.modules)), file=sys.stderr)
"""


def test_importing_the_package_imports_no_torch(run_python: Callable[..., Any]) -> None:
    done = run_python("import sys, hodor; print('torch' in sys.modules, *dir(hodor))")
    assert done.stdout.startswith("False ")


def test_the_public_names_come_when_asked() -> None:
    import hodor

    assert hodor.Tracker.__module__ == "hodor.tracking.tracker"
    assert all(getattr(hodor, name) is not None for name in hodor.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Trakker'"):
        hodor.Trakker  # noqa: B018


def test_the_help_lists_the_commands_without_loading_torch(run_python: Callable[..., Any]) -> None:
    done = run_python(HELP, "--help")
    assert done.returncode == 0
    assert done.stderr.strip() == "", "loaded: " + done.stderr
    commands = ("track", "convert", "train", "evaluate", "export", "weights", "bench", "demo")
    for command in commands:
        assert f" {command} " in done.stdout


def test_the_installed_command_is_this_one() -> None:
    (script,) = metadata.entry_points(group="console_scripts", name="hodor")
    assert script.value == "hodor.cli:main"


def test_without_words_the_help_is_shown(hodor: Hodor) -> None:
    ran = hodor()
    assert ran.code == 2
    assert "track" in ran.out
    assert ran.err == ""


def test_the_version_is_the_packages(hodor: Hodor) -> None:
    assert hodor("--version") == (0, f"hodor {metadata.version('hodor-vos')}\n", "")


@pytest.mark.parametrize("command", ["track", "train recipe", "train finetune", "evaluate", "demo"])
def test_every_command_explains_itself(hodor: Hodor, command: str) -> None:
    ran = hodor(*command.split(), "--help")
    assert ran.code == 0
    assert f"hodor {command} [OPTIONS]" in ran.out
    assert "--device" in ran.out


def test_the_help_of_track_explains_its_options(
    hodor: Hodor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    said = hodor("track", "--help").out
    for option, meaning in (
        ("--masks", "palette PNG"),
        ("--references", "Objects from another video"),
        ("--out", "Folder for results"),
        ("--model", "hub:ORG/REPO"),
        ("--runtime", "needs no PyTorch"),
        ("--size", "Shorter side, in pixels"),
        ("--window", "Past frames remembered"),
        ("--keep-reference", "Remember the given masks' frame"),
        ("--precision", "bf16"),
        ("--overlay", "overlay.mp4"),
        ("--rle", "COCO RLE"),
        ("--save-references", "descriptors"),
        ("--resume", "killed run"),
    ):
        assert option in said
        assert meaning in said


def test_weights_lists_its_own_commands(hodor: Hodor) -> None:
    said = hodor("weights", "--help").out
    assert all(f" {command} " in said for command in ("list", "info", "verify", "convert"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trak"], "'trak'"),
        (["track", "my.mp4"], "'--out'"),
        (["track", "--out", "out"], "source"),
        (["track", "my.mp4", "--out", "out", "--sise", "64"], "--sise"),
        (["track", "my.mp4", "--out", "out", "--size", "63"], "--size"),
        (["track", "my.mp4", "--out", "out", "--size", "big"], "--size"),
        (["weights", "convert", "a.pth"], "out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_words_are_told(
    hodor: Hodor, words: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    ran = hodor(*words)
    assert ran.code == 2
    _, told = ran.err.lower().split(" --help' for help", 1)
    assert message in told
    assert "Traceback" not in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "--davis", "here"], "give a folder of RESULTS, --model NAME or"),
        (["evaluate", "results", "--davis", "nowhere"], "nowhere"),
        (["train", "no-such-recipe", "--out", "out"], "no-such-recipe"),
        (["weights", "info", "huge"], "'huge': no bundled model of that name"),
        (["weights", "convert", "none.pth", "out.safetensors"], "none.pth: no such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_that_a_user_can_mend_is_one_line(
    hodor: Hodor, words: list[str], message: str
) -> None:
    ran = hodor(*words)
    assert ran.code == 1
    assert ran.err.startswith("hodor: ")
    assert ran.err.count("\n") == 1
    assert message in ran.err
    assert ran.out == ""


def test_an_error_of_several_lines_is_told_in_one(
    hodor: Hodor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise HodorError("the hub said:\n\n  404\n  no such thing")

    monkeypatch.setattr("hodor.cli.weights.model_path", fail)
    assert hodor("weights", "info", "huge").err == "hodor: the hub said: 404 no such thing\n"


def test_a_stop_by_the_user_is_no_traceback(
    hodor: Hodor, bundled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hodor.cli.demo.Tracker.from_pretrained", stop)
    ran = hodor("demo", "--out", bundled.parent / "out")
    assert ran.code == 130
    assert "Traceback" not in ran.err


def test_the_demo_says_how_far_it_is_and_that_it_was_stopped(
    hodor: Hodor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, progress: object = None, **__: object) -> None:
        raise KeyboardInterrupt if callable(progress) else AssertionError("without a bar")

    monkeypatch.setattr("hodor.cli.demo.track_to_folder", stop)
    ran = hodor("demo", "--out", tmp_path / "out", "--device", "cpu")
    assert ran.code == 130, ran.err
    assert ran.err.splitlines()[-1] == "stopped"


@pytest.mark.slow
def test_the_demo_follows_the_sample(hodor: Hodor, bundled: Path, tmp_path: Path) -> None:
    for _ in range(2):  # it makes its folder anew
        ran = hodor("demo", "--out", tmp_path / "out", "--device", "cpu")
        assert ran.code == 0, ran.err
    assert len(list((tmp_path / "out/labels").glob("*.png"))) == 72
    assert (tmp_path / "out/overlay.mp4").stat().st_size > 10_000
    assert (tmp_path / "out/summary.json").is_file()
    assert "72 frames, objects 1, 2, 3" in ran.err
