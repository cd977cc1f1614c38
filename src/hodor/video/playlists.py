"""Playlists on this machine: files that make FFmpeg open others, which must lie beside them."""

import re
from pathlib import Path

from hodor.errors import SourceError
from hodor.files import stays_inside

HEAD = 4096
"""Bytes at the beginning that tell a playlist."""

LARGEST = 4 * 2**20
"""Bytes of a playlist: a day in parts of two seconds."""

NESTED = 3
"""Playlists in a playlist: a list of qualities, one of parts."""

# What names another file: a line of HLS that is no tag, URI="..." in a tag, and what DASH has.
HLS_NAMES = re.compile(r'^([^#\s].*?)\s*$|URI="([^"]*)"', re.MULTILINE)
DASH_NAMES = re.compile(
    r"<BaseURL[^>]*>([^<]*)<|(?:media|initialization|sourceURL|index|href)\s*=\s*[\"']([^\"']*)[\"']"
)
SCRIPTS = re.compile(rb"\A\s*(v=0\r?\n|ffconcat version)")
"""Descriptions of sessions in the network, and lists for FFmpeg itself."""


def check_playlist(path: Path, depth: int = 0) -> None:
    """See that a file that is a playlist names only files beside it, or in folders there.

    Raises:
        SourceError: it names others, or is too long, or playlists are nested without end.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            if SCRIPTS.match(head):
                raise SourceError(
                    f"{path} is a list of other sources and no video; name the video itself."
                )
            names = HLS_NAMES if head.lstrip(b"\xef\xbb\xbf").startswith(b"#EXTM3U") else None
            names = DASH_NAMES if b"<MPD" in head else names
            if names is None:
                return
            data = head + file.read(LARGEST)
    except OSError:
        return  # told by who opens it
    if len(data) > LARGEST or depth > NESTED:
        raise SourceError(f"{path} is a playlist that is too long, or names others without end.")
    for match in names.finditer(data.decode("utf-8", "replace")):
        for name in filter(None, match.groups()):
            _check_name(path, name, depth)


def _check_name(path: Path, name: str, depth: int) -> None:
    beside = Path(name)
    outside = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", name) or beside.is_absolute()
    if outside or name.startswith(("/", "\\")) or ".." in beside.parts:
        raise SourceError(
            f"{path} is a playlist that names {name!r}, which does not lie beside it; download all "
            "parts into its folder, or name the playlist by its URL."
        )
    there = stays_inside(path.parent, path.parent / name)
    if there.is_file() and depth <= NESTED:
        check_playlist(there, depth + 1)
