"""The guides: their commands exist, with these options, and print what is shown."""

import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
from video.tiny_videos import write_video

from hodor.cli.main import COMMANDS, app
from hodor.video import write_label_map

ROOT = Path(__file__).resolve().parents[1]
GUIDES = sorted((ROOT / "docs/guides").glob("*.md"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

SILENT = {"add-a-format.md": "has no command of ours", "python.md": "is of Python"}
"""Guides that need not show what a command prints"""

OF_OTHERS = {
    # Options of pip, cvat-cli, torchrun, srun, and of our modules that are run by themselves
    *("--index-url", "--no-deps", "--server-host", "--function-module", "--conf-threshold"),
    *("--conv-mask-to-poly", "--nproc-per-node", "--nnodes", "--rdzv-backend", "--rdzv-id"),
    *("--rdzv-endpoint", "--nodes", "--ntasks-per-node", "--gpus-per-node", "--cpus-per-task"),
    *("--requeue", "--url", "--token", "--anywhere", "--root", "--logdir"),
    # and of benchmarks
    *("--rows", "--table"),
}


class Fence(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str


def fences(page: Path) -> Iterator[Fence]:
    """All of a page, also indented ones."""
    pattern = r"^( *)```([\w-]*)\n(.*?)^\1```$"
    for found in re.finditer(pattern, page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        yield Fence(found.group(2), found.group(3))


def commands_of(page: Path) -> Iterator[list[str]]:
    """Words of the commands ``hodor ...`` in its blocks."""
    for fence in fences(page):
        if fence.language not in ("", "bash"):
            continue
        for line in fence.text.replace("\\\n", " ").splitlines():
            start = re.match(r"\s*(?:\$ )?(?:.* -m )?hodor (?=\S)", line)
            if start:
                yield shlex.split(line[start.end() :], comments=True)


@cache
def command_of(name: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["hodor", name])
        return typer.main.get_command(app).get_command(None, name)  # type: ignore[attr-defined, arg-type]


def options_of(command: Any) -> set[str]:
    """Of a command and of all below it."""
    own = {o for one in command.params for o in (*one.opts, *one.secondary_opts) if o[:2] == "--"}
    return own.union(*map(options_of, getattr(command, "commands", {}).values())) | {"--help"}


def shape(line: str) -> str:
    """A line without its numbers, names and folders, and what only this machine computes in."""
    line = re.sub(r"\S*/", "", line).replace("bfloat16", "float32")
    numbers = re.sub(r"\d[\d.]*(,\d{3})*(e[+-]\d+)?|\.\.\.", "#", line.strip())
    return re.sub(r"object # \(\w+\)", "object # (name)", re.sub(r"#(, #)+", "#", numbers))


def blocks_that_print(page: Path) -> Iterator[str]:
    yield from (fence.text for fence in fences(page) if fence.language == "text")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_exist_with_these_options(page: Path) -> None:
    for words in commands_of(page):
        assert words[0] in COMMANDS, words
        command, rest = command_of(words[0]), words[1:]
        while rest and rest[0] in getattr(command, "commands", {}):
            command, rest = command.commands[rest[0]], rest[1:]
        named = {word.split("=")[0] for word in rest if word.startswith("--")}
        assert named <= options_of(command), (words, named - options_of(command))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_options_that_a_page_names_are_options(page: Path) -> None:
    spoken = re.findall(r"`[^`\n]*?(--[a-z][\w-]*)", page.read_text(encoding="utf-8"))
    known = OF_OTHERS.union(*(options_of(command_of(name)) for name in COMMANDS))
    assert set(spoken) <= known, set(spoken) - known


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_a_guide_shows_what_its_commands_print(guide: Path) -> None:
    if guide.name not in SILENT:
        assert any(blocks_that_print(guide)), "show it in a block ```text"


def test_the_home_page_shows_what_its_commands_print(
    hodor: Callable[..., Any],
    bundled: Path,
    scene: Any,
    one_thread: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    write_video(tmp_path / "my.mp4", scene.frames[:3])
    write_label_map(tmp_path / "first.png", scene.labels[0])
    printed = set()
    for words in (
        "track my.mp4 --masks first.png --out out --overlay --name 3=cup --name 7=shuttle",
        "measure out --um-per-pixel 0.65",
        "convert out cvat.xml --to cvat",
        "convert out mattes --to prores",
    ):
        ran = hodor(*words.split())
        assert ran.code == 0, ran.err
        printed |= {shape(line) for line in (ran.out + ran.err).splitlines()}
    shown = [
        shape(line)
        for block in blocks_that_print(ROOT / "docs/index.md")
        for line in block.splitlines()
    ]
    assert shown
    assert set(shown) <= printed, set(shown) - printed
