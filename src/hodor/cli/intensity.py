"""Options that say which values of images are seen, for all commands that read frames."""

from dataclasses import dataclass
from pathlib import Path

import typer

from hodor.cli.shared_options import shared_options
from hodor.formats import noted_intensity
from hodor.video import Intensity

INTENSITY_HELP = (
    "How greys of more than 8 bits become 8, the same in all frames: auto stretches what "
    "the video holds, full takes 0 to 65535, LOW:HIGH takes these values."
)

CHANNEL_HELP = (
    "The one channel that is seen, as grey: of a TIFF stack with several, or of colours (1 is "
    "red); the first is 1. Default: colours as they are."
)

SLICE_HELP = (
    "Of a TIFF stack with several slices for each frame the one that is seen, from 1, or max: the "
    "brightest of all in each pixel."
)

CHANNEL = typer.Option(None, min=1, help=CHANNEL_HELP)
SLICE = typer.Option(None, "--slice", metavar="N|max", help=SLICE_HELP)
"""For a command that takes no other of ``IntensityOptions`` as they are"""


@dataclass(frozen=True)
class IntensityOptions:
    """As ``hodor.video.Intensity`` has them."""

    intensity: str = "auto"
    channel: int | None = None
    z_slice: str | None = None

    @property
    def chosen(self) -> Intensity:
        """Raises SourceError for other words than it knows."""
        return Intensity.parse(self.intensity, self.channel, self.z_slice)

    def chosen_after(self, given: Path) -> Intensity:
        """The same; what is left at its default is as the run in the folder ``given`` had it."""
        noted = noted_intensity(given) if self.intensity == "auto" else self.intensity
        return Intensity.parse(noted, self.channel, self.z_slice)


with_intensity = shared_options(
    IntensityOptions,
    {
        "intensity": typer.Option(help=INTENSITY_HELP),
        "channel": typer.Option(min=1, help=CHANNEL_HELP),
        "z_slice": typer.Option("--slice", metavar="N|max", help=SLICE_HELP),
    },
    "Images",
)
"""For a command that takes ``IntensityOptions``"""
