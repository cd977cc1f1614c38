"""The options that say how a model follows objects, for all commands that track."""

import typer

from hodor.cli.shared_options import shared_options
from hodor.tracking import TrackerOverrides

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
    "search_radius": typer.Option(
        metavar="X|off",
        help="How far from where it was last seen an object is expected, in shares of the shorter "
        "side of what the network sees and of its own size, such as 0.15: helps against "
        "look-alikes. Default: the model's (paper: off, anywhere).",
    ),
    "crop_margin": typer.Option(
        metavar="X|off",
        help="Look closer: the network sees only the objects and this margin around them, in "
        "shares of the frame's shorter side and of their size, such as 0.1. Default: the model's "
        "(paper: off, the whole frame).",
    ),
    "min_confidence_ratio": typer.Option(
        min=0,
        max=0.99,
        help="Found with less than this share of its usual confidence, an object is taken to be "
        "out of sight, and its mask is empty. 0: never. Default: the model's (paper: 0).",
    ),
    "min_similarity": typer.Option(
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

with_tracker_options = shared_options(TrackerOverrides, OPTIONS, "How the model follows")
"""For a command that takes ``TrackerOverrides``"""
