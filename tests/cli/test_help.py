"""Help and mistyped words: whole names at 80 columns, groups, no markup, what was meant."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from hodor.cli.main import COMMANDS, app

Hodor = Callable[..., Any]


def tree(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Words of all commands that have options."""
    for name, one in getattr(command, "commands", {}).items():
        yield from tree(one, (*words, name))
    if not getattr(command, "commands", {}):
        yield words


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Any]:
    """The name of a command, and the command."""
    monkeypatch.setattr("sys.argv", ["hodor", request.param])
    group = typer.main.get_command(app)
    return request.param, group.get_command(None, request.param)  # type: ignore[attr-defined, arg-type]


def test_every_option_stands_whole_and_without_markup_at_80_columns(
    hodor: Hodor, command: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    name, root = command
    for words in tree(root):
        here = root
        for word in words:
            here = here.commands[word]
        ran = hodor(name, *words, "--help")
        assert ran.code == 0, ran.err
        told = [line for line in ran.out.splitlines() if not line.lstrip().startswith("hodor ")]
        assert max(map(len, told)) <= 80, "lines of a program may be longer"
        for parameter in here.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                assert option.startswith("--") is False or option in ran.out
        for raw in ("…", "[/", "[bold]", "╭", "\b", "<list[", "<str", "<int", " range>"):
            assert raw not in ran.out


def test_options_stand_in_groups(hodor: Hodor) -> None:
    said = hodor("track", "--help").out
    head, tail = said.split("How the model follows:")
    assert "--masks" in head
    assert "--window" in tail


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (["evaluate"], "hodor evaluate [OPTIONS] [results]..."),
        (["evaluate", "check-zip"], "hodor evaluate check-zip [OPTIONS] {file}"),
        (["train", "recipe"], "hodor train recipe [OPTIONS] {recipe}"),
    ],
)
def test_usage_has_no_word_that_users_do_not_write(
    hodor: Hodor, words: list[str], usage: str
) -> None:
    assert hodor(*words, "--help").out.splitlines()[0].endswith(usage)


def test_values_of_options_are_called_as_people_call_them(hodor: Hodor) -> None:
    said = hodor("mask", "--help").out
    for words in ("--box <text>", "--frame <number>", "--out <path>", "--slice N|max"):
        assert words in said


def test_lines_of_a_program_in_help_stay_lines(hodor: Hodor) -> None:
    said = hodor("convert", "--help").out.splitlines()
    assert "  hodor convert annotations.xml masks --to png" in said


@pytest.mark.parametrize(
    ("word", "meant"),
    [("trck", "track"), ("mesure", "measure"), ("evalute", "evaluate"), ("docter", "doctor")],
)
def test_a_mistyped_command_is_told_what_was_meant(hodor: Hodor, word: str, meant: str) -> None:
    ran = hodor(word)
    assert ran.code == 2
    assert f"there is no command '{word}'. Did you mean {meant}?" in ran.err


def test_a_video_in_the_place_of_a_command_is_told_of_track(
    hodor: Hodor, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").touch()
    assert "Did you mean hodor track clip.mp4?" in hodor("clip.mp4").err
    assert "Did you mean" not in hodor("qqqq").err


def test_an_empty_out_is_refused_in_one_line_and_does_not_mean_this_folder(
    hodor: Hodor, command: tuple[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    name, root = command
    for words in tree(root):
        here = root
        for word in words:
            here = here.commands[word]
        needed = [one for one in here.params if one.required]
        given = [one.opts[0] for one in needed if one.param_type_name == "argument"]
        for one in needed:
            if one.param_type_name == "option" and one.name != "out":
                given += [one.opts[0], "1"]
        if "out" not in [one.name for one in here.params] or "out" in given:
            continue
        ran = hodor(name, *words, *given, "--out", "")
        assert ran.code == 1, (words, ran.err)
        assert ran.err.count("\n") <= 1, ran.err
        assert "--out is empty" in ran.err, ran.err
        assert not list(tmp_path.iterdir())
