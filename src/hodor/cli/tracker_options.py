"""The options that say how a model follows objects, for all commands that track."""

import typer

SIZE = typer.Option(
    None,
    min=64,
    help="Shorter side, in pixels, at which the network sees frames; larger is finer and slower. "
    "Default: the model's.",
)
WINDOW = typer.Option(None, min=1, help="Past frames remembered. Default: the model's (paper: 7).")
KEEP_REFERENCE = typer.Option(
    None,
    "--keep-reference/--no-keep-reference",
    help="Remember the given masks' frame for good. Default: the model's (paper: no).",
)
REACH = typer.Option(
    None,
    help="How far from where it was last seen an object is expected, in shares of the shorter "
    "side of what the network sees and of its own size, such as 0.15: helps against look-alikes. "
    "Default: the model's (paper: anywhere; so does a large value such as 100).",
)
MARGIN = typer.Option(
    None,
    help="Look closer: the network sees only the objects and this margin around them, in shares of "
    "the frame's shorter side and of their size, such as 0.1. Default: the model's (paper: the "
    "whole frame; so does a large value such as 100).",
)
LOST_BELOW = typer.Option(
    None,
    min=0,
    max=0.99,
    help="Found with less than this share of its usual confidence, an object is taken to be out "
    "of sight, and its mask is empty. 0: never. Default: the model's (paper: 0).",
)
DEVICE = typer.Option("auto", help="auto, cpu, cuda or mps.")
PRECISION = typer.Option(
    "auto", help="auto, fp32 or bf16; auto is bf16 where the processor has it natively."
)
