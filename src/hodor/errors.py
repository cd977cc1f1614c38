"""Errors that a user can mend. Each says what was wrong, what was found and what to do."""

LIST_ITEM = "  - "
"""Begins the lines of a message that lists several problems."""


class HodorError(Exception):
    """Base of every error that a user can cause and mend; the CLI prints it as one line."""


class SourceError(HodorError):
    """A video, folder or camera cannot be opened, or holds nothing to read."""


class MaskError(HodorError):
    """A reference mask or a label map cannot be used as it is."""


class WeightsError(HodorError):
    """A checkpoint is missing, damaged or does not fit the network."""


class DataError(HodorError):
    """Training or benchmark data is missing or broken."""


class RecipeError(HodorError):
    """A training recipe names something wrong."""
