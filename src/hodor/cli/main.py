"""Entry point: commands are imported when they are called, so that --help answers at once."""

import os
import sys
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from hodor import __version__
from hodor.allocator import keep_freed_memory
from hodor.cli.app import App
from hodor.cli.last_resort import (
    FAILED,
    INTERRUPTED,
    explain,
    one_interrupt,
    open_what_is_closed,
)
from hodor.errors import LIST_ITEM, HodorError
from hodor.types import Untyped
from hodor.waiting import spin_briefly

COMMANDS = {
    "track": "Follow objects through a video, a folder of images or a camera.",
    "mask": "Make a first mask from a box or points.",
    "convert": "Convert masks between formats: CVAT, COCO, YouTube-VIS, YOLO, mattes, ...",
    "measure": "Numbers over time: area, place, shape and speed of each object.",
    "studio": "Draw, follow, correct and export masks in the browser.",
    "train": "Train a model from still images with masks.",
    "evaluate": "Score results, models and baselines on DAVIS, YouTube-VOS, MOSE, LVOS.",
    "analyze": "Descriptors as data: tables, retrieval, t-SNE, heat maps, finding again.",
    "export": "Write a model as ONNX files, which run without PyTorch.",
    "weights": "List, describe, check and convert models.",
    "doctor": "Say what is installed and how it does, to paste into a report.",
    "bench": "Measure the tracker on this machine: time by stage, work, memory.",
    "demo": "Follow the objects of a small bundled clip.",
}

# Installed with hodor, unless it was installed without its dependencies for exported models alone.
WITH_HODOR = ("torch", "torchvision", "timm", "huggingface_hub")


WIDEST = 200
"""Columns of help in a terminal that has them"""


class Lazy(TyperGroup):
    """Commands by name, each in a module of its own."""

    def list_commands(self, ctx: Untyped) -> list[str]:
        """Names in the order of the help."""
        return list(COMMANDS)

    def parse_args(self, ctx: Untyped, args: list[str]) -> list[str]:
        """Without words, show the help where help is shown."""
        if not args:
            typer.echo(ctx.get_help())
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Untyped, args: list[str]) -> Untyped:
        """The command, or what was probably meant."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            ctx.fail(f"there is no command {name!r}. {_meant(name)}hodor --help lists all.")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: Untyped, cmd_name: str) -> Untyped:
        """The command, or for the overview only its name and line."""
        if cmd_name not in COMMANDS:
            return None
        # Importing PyTorch takes seconds, and the list of commands does not need it.
        if not any(word in COMMANDS for word in sys.argv[1:]):
            return TyperCommand(cmd_name, short_help=COMMANDS[cmd_name])
        module = import_module(f"hodor.cli.{cmd_name}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command


def _meant(name: str) -> str:
    if Path(name).exists():
        return f"Did you mean hodor track {name}? "
    close = get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
    return f"Did you mean {close[0]}? " if close else ""


app = App(
    cls=Lazy,
    context_settings={"max_content_width": WIDEST},
    help="Follow any objects through any video, given their masks in one frame.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hodor {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, help="Show the version."),
) -> None:
    pass


def main() -> None:
    """Run the command line; an error that a user can mend ends in one line."""
    keep_freed_memory()
    spin_briefly()
    open_what_is_closed()
    try:
        with one_interrupt():
            app()
    except HodorError as error:
        _end(_lines(str(error)))
    except ModuleNotFoundError as error:
        if error.name not in WITH_HODOR:
            _end(*explain(error))
        _end(
            f"this needs {error.name}, which is not installed: pip install {' '.join(WITH_HODOR)}; "
            "hodor track --runtime onnx does without"
        )
    except KeyboardInterrupt:
        _end("stopped", INTERRUPTED)
    except BrokenPipeError:
        # Who read our output is gone, as after "| head"; at exit Python would complain of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except Exception as error:
        _end(*explain(error))


def _end(message: str, status: int = FAILED) -> NoReturn:
    text = f"hodor: {message}".encode(errors="backslashreplace").decode()
    with suppress(OSError):  # nobody is there to be told
        typer.echo(text, err=True)
    sys.exit(status)


def _lines(message: str) -> str:
    """One line; a list of problems keeps a line for each."""
    parts = message.split(f"\n{LIST_ITEM}")
    return f"\n{LIST_ITEM}".join(" ".join(part.split()) for part in parts)
