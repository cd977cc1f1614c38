"""Lines of output: whole however narrow the screen, names in them as they are written."""

import io

from rich.console import Console

from hodor.cli.lines import say, say_of


def printed(width: int = 40) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=width), file


def test_brackets_in_names_are_no_markup() -> None:
    console, file = printed()
    say(console, "results in out [final]")
    say(console, "results in out [/red]")
    say_of(console, "take [2]", "red", "clip [bold].mp4 is empty")
    assert file.getvalue().splitlines() == [
        "results in out [final]",
        "results in out [/red]",
        "take [2]: clip [bold].mp4 is empty",
    ]


def test_a_sentence_is_one_line_of_a_log() -> None:
    console, file = printed(width=40)
    say(console, "word " * 30)
    say_of(console, "warning", "yellow", "word " * 30)
    assert len(file.getvalue().splitlines()) == 2
