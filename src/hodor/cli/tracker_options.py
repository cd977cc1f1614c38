"""The options that say how a model follows objects, for all commands that track."""

from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any

import typer

from hodor.tracking import Choices

OPTIONS = {
    "size": typer.Option(
        min=64,
        help="Shorter side, in pixels, at which the network sees frames; larger is finer and "
        "slower. Default: the model's.",
    ),
    "window": typer.Option(min=1, help="Past frames remembered. Default: the model's (paper: 7)."),
    "keep_reference": typer.Option(
        "--keep-reference/--no-keep-reference",
        help="Remember the given masks' frame for good. Default: the model's (paper: no).",
    ),
    "reach": typer.Option(
        help="How far from where it was last seen an object is expected, in shares of the shorter "
        "side of what the network sees and of its own size, such as 0.15: helps against "
        "look-alikes. Default: the model's (paper: anywhere; so does a large value such as 100).",
    ),
    "margin": typer.Option(
        help="Look closer: the network sees only the objects and this margin around them, in "
        "shares of the frame's shorter side and of their size, such as 0.1. Default: the model's "
        "(paper: the whole frame; so does a large value such as 100).",
    ),
    "lost_below": typer.Option(
        min=0,
        max=0.99,
        help="Found with less than this share of its usual confidence, an object is taken to be "
        "out of sight, and its mask is empty. 0: never. Default: the model's (paper: 0).",
    ),
    "unlike_below": typer.Option(
        min=0,
        max=0.99,
        help="Found with a descriptor that is less like those of its given masks (cosine), an "
        "object is taken to be out of sight, and its mask is empty. 0: never. Default: the model's "
        "(paper: 0).",
    ),
    "device": typer.Option(help="auto, cpu, cuda or mps."),
    "precision": typer.Option(
        help="auto, fp32 or bf16; auto is bf16 where the processor has it natively."
    ),
}
"""By the field of ``Choices`` that each sets"""


def with_tracker_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each of ``Choices``, where its parameter ``chosen`` stands."""

    @wraps(command)
    def gathering(**given: Any) -> None:
        chosen = Choices(**{name: given.pop(name) for name in OPTIONS})
        command(**given, chosen=chosen)

    defaults = {field.name: field for field in fields(Choices)}
    added = [
        Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            default=defaults[name].default,
            annotation=Annotated[defaults[name].type, option],
        )
        for name, option in OPTIONS.items()
    ]
    before: list[Parameter] = []
    for own in signature(command).parameters.values():
        before += added if own.name == "chosen" else [own.replace(kind=Parameter.KEYWORD_ONLY)]
    gathering.__signature__ = signature(command).replace(parameters=before)  # type: ignore[attr-defined]
    gathering.__annotations__ = {one.name: one.annotation for one in before} | {"return": None}
    return gathering
