"""What a run was begun with, noted so that one that goes on notices when a file was replaced."""

import glob
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TypedDict

from hodor.tracking import TrackerOptions
from hodor.tracking.options import NEVER_OFF
from hodor.types import Json

END_BYTES = 64 * 1024
"""Of a file's beginning and of its end that are looked at: whole videos would take minutes."""

OPTION = re.compile(r"(\w+)=([^,()]*)")
"""In options of a tracker, as text."""


class Fingerprint(TypedDict):
    """What tells a file, or a folder of files, from another of its name."""

    files: int
    bytes: int
    changed: int
    """Newest time stamp, in nanoseconds since 1970"""
    digest: str
    """sha256 of both ends of the first and the last file, and of all names, sizes and times"""


def fingerprint(what: str | Path | None) -> Fingerprint | None:
    """What tells a source, or masks, from others of the same name; None for cameras and URLs.

    Args:
        what: a file, a folder, or a pattern such as "shots/*.png".

    Raises:
        OSError: a file cannot be read.
    """
    if what is None:
        return None
    path = Path(what)
    if path.is_dir():
        inside = (file.relative_to(path) for file in path.rglob("*"))
        shown = (one for one in inside if not any(p.startswith(".") for p in one.parts))
        return _of_files(path, sorted(one for one in shown if (path / one).is_file()))
    if path.is_file():
        return _of_files(path.parent, [Path(path.name)])
    if glob.has_magic(str(what)) and "://" not in str(what):
        found = sorted(Path(name) for name in glob.glob(str(what), recursive=True))
        return _of_files(Path(), [one for one in found if one.is_file()])
    return None


def _of_files(folder: Path, names: list[Path]) -> Fingerprint:
    digest = hashlib.sha256()
    size = changed = 0
    for name in names:
        about = (folder / name).stat()
        size, changed = size + about.st_size, max(changed, about.st_mtime_ns)
        digest.update(repr((str(name), about.st_size, about.st_mtime_ns)).encode())
    # In this order in every process: a set's would differ.
    for name in dict.fromkeys((names[0], names[-1])) if names else ():
        digest.update(_ends(folder / name))
    return Fingerprint(files=len(names), bytes=size, changed=changed, digest=digest.hexdigest())


def _ends(path: Path) -> bytes:
    with path.open("rb") as file:
        first = file.read(END_BYTES)
        file.seek(-min(path.stat().st_size, END_BYTES), 2)
        return hashlib.sha256(first + file.read()).digest()


def difference(before: Fingerprint, now: Fingerprint) -> str:
    """In words, how an input differs from what it was; "" if it does not."""
    for key in ("files", "bytes"):
        if before[key] != now[key]:
            return f"it had {before[key]:,} {key} and has {now[key]:,}"
    if before["changed"] != now["changed"]:
        return "its time stamp is another"
    return "its content is another" if before["digest"] != now["digest"] else ""


def changed_inputs(
    before: Mapping[str, Fingerprint | None], now: Mapping[str, Fingerprint | None]
) -> list[str]:
    """What of a run's inputs is not what it was, each in words."""
    return [
        f"the {name} {'was' if name == 'source' else 'were'} replaced: {words}"
        for name, old in before.items()
        if old is not None and (new := now.get(name)) is not None
        for words in [difference(old, new)]
        if words
    ]


def changed_settings(before: Mapping[str, Json], now: Mapping[str, Json]) -> list[str]:
    """Settings that a run was not begun with, each in words.

    An option that the run's version did not know is the same at its default, which does nothing.
    """
    old, new = _by_option(before), _by_option(now)
    old = _SINCE | old
    return [
        f"{name} was {old.get(name)!r} and is {new.get(name)!r}"
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    ]


def _by_option(settings: Mapping[str, Json]) -> dict[str, Json]:
    """Settings with each option of the tracker by itself."""
    options = OPTION.findall(str(settings.get("options", "")))
    others = {name: value for name, value in settings.items() if name != "options"}
    return others | {f"option {name}": value for name, value in options}


_SINCE: dict[str, Json] = {
    f"option {field.name}": str(field.default)
    for field in fields(TrackerOptions)
    if field.name not in NEVER_OFF
}
"""What a run did whose version knew nothing of an option."""


def missing(folder: Path, names: Iterable[str]) -> list[str]:
    """Files of label maps that a folder should hold, and does not."""
    files = (folder / f"{name}.png" for name in names)
    return [file.name for file in files if not file.is_file() or not file.stat().st_size]
