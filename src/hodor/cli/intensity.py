"""Options that say which values of images are seen, for all commands that read frames."""

import typer

INTENSITY_HELP = (
    "How greys of more than 8 bits become 8, the same in all frames: auto stretches what "
    "the video holds, full takes 0 to 65535, LOW:HIGH takes these values."
)

INTENSITY = typer.Option("auto", help=INTENSITY_HELP)

CHANNEL = typer.Option(
    None,
    min=1,
    help="The one channel that is seen, as grey: of a TIFF stack with several, or of colours (1 is "
    "red); the first is 1. Default: colours as they are.",
)
