"""The option that says how deep greys become black and white, for all commands that read frames."""

import typer

INTENSITY_HELP = (
    "How greys of more than 8 bits become 8, the same in all frames: auto stretches what "
    "the video holds, full takes 0 to 65535, LOW:HIGH takes these values."
)

INTENSITY = typer.Option("auto", help=INTENSITY_HELP)
