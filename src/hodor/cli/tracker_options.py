"""The options that say how a model follows objects, for all commands that track."""

import typer

from hodor.cli.shared_options import shared_options
from hodor.tracking import TrackerOverrides

LOST = "an object is taken to be out of sight, and its mask is empty. 0: never."


def _by_model(what: str, paper: str) -> str:
    """Help of an option whose value a model's file states. paper: the paper's."""
    return f"{what} Default: the model's (paper: {paper})."


OPTIONS = {
    "size": typer.Option(
        min=64,
        help="Shorter side, in pixels, at which the network sees frames; larger is finer and "
        "slower. Default: the model's.",
    ),
    "window": typer.Option(min=1, help=_by_model("Past frames remembered.", "7")),
    "keep_reference": typer.Option(
        "--keep-reference/--no-keep-reference",
        help=_by_model("Remember the given masks' frame for good.", "no"),
    ),
    "keep_every": typer.Option(
        min=0,
        help=_by_model(
            "Remember what was found, one frame in so many, as given masks are: helps with what "
            "turns round.",
            "0, never",
        ),
    ),
    "search_radius": typer.Option(
        metavar="X|off",
        help=_by_model(
            "How far from where it was last seen an object is expected, in shares of the shorter "
            "side of what the network sees and of its own size, such as 0.15: helps against "
            "look-alikes.",
            "off, anywhere",
        ),
    ),
    "crop_margin": typer.Option(
        metavar="X|off",
        help=_by_model(
            "Look closer: the network sees only the objects and this margin around them, in "
            "shares of the frame's shorter side and of their size, such as 0.1.",
            "off, the whole frame",
        ),
    ),
    "min_confidence_ratio": typer.Option(
        min=0,
        max=0.99,
        help=_by_model(f"Found with less than this share of its usual confidence, {LOST}", "0"),
    ),
    "min_confidence": typer.Option(
        min=0,
        max=0.99,
        help=_by_model(
            "Found with less than this probability, on average over its mask, and not much like its"
            f" given masks, {LOST}",
            "0",
        ),
    ),
    "min_similarity": typer.Option(
        min=0,
        max=0.99,
        help=_by_model(
            "Found with a descriptor that is less like those of its given masks (cosine), and with "
            f"a probability under 0.85, {LOST}",
            "0",
        ),
    ),
    "min_matched": typer.Option(
        min=0,
        max=0.99,
        help=_by_model(
            "Less likely than this where it was found, by given masks' places that match, and with "
            f"a probability under 0.85, {LOST}",
            "0",
        ),
    ),
    "keep_apart": typer.Option(
        "--keep-apart/--no-keep-apart",
        help=_by_model(
            "Of objects that look alike none is in two places: what it gets where another one is "
            "goes to that.",
            "no",
        ),
    ),
    "thin_parts": typer.Option(
        "--thin-parts/--no-thin-parts",
        help=_by_model(
            "Follow what of a given mask is too thin for the network, such as ropes, by its "
            "colour and contrast.",
            "no",
        ),
    ),
    "device": typer.Option(help="auto, cpu, cuda or mps."),
    "precision": typer.Option(
        help="auto, fp32 or bf16; auto is bf16 where the processor has it natively."
    ),
    "step": typer.Option(
        help="plain; for GPUs fixed (at fixed shapes, few copies) or captured (CUDA graphs)."
    ),
}

with_tracker_options = shared_options(TrackerOverrides, OPTIONS, "How the model follows")
"""For a command that takes ``TrackerOverrides``"""
