"""Options that say which values of images are seen, for all commands that read frames."""

from dataclasses import dataclass

import typer

from hodor.cli.shared_options import shared_options
from hodor.video import Intensity

INTENSITY_HELP = (
    "How greys of more than 8 bits become 8, the same in all frames: auto stretches what "
    "the video holds, full takes 0 to 65535, LOW:HIGH takes these values."
)

CHANNEL_HELP = (
    "The one channel that is seen, as grey: of a TIFF stack with several, or of colours (1 is "
    "red); the first is 1. Default: colours as they are."
)

CHANNEL = typer.Option(None, min=1, help=CHANNEL_HELP)
"""For a command that takes no other of ``IntensityOptions`` as they are"""


@dataclass(frozen=True)
class IntensityOptions:
    """As ``hodor.video.Intensity`` has them."""

    intensity: str = "auto"
    channel: int | None = None

    @property
    def chosen(self) -> Intensity:
        """Raises SourceError for other words than it knows."""
        return Intensity.parse(self.intensity, self.channel)


with_intensity = shared_options(
    IntensityOptions,
    {
        "intensity": typer.Option(help=INTENSITY_HELP),
        "channel": typer.Option(min=1, help=CHANNEL_HELP),
    },
    "Images",
)
"""For a command that takes ``IntensityOptions``"""
