"""Exports as single files: what is a folder becomes a ZIP file beside it."""

import zipfile
from pathlib import Path

from hodor.errors import HodorError, explained
from hodor.files import replacing, safe_name


def as_download(root: Path, name: str) -> Path:
    """The file, or the ZIP file of the folder, of an export.

    Raises:
        HodorError: there is no such export yet, or the ZIP file cannot be written.
    """
    path = root / safe_name(name, "export")
    if path.is_symlink() or not path.exists():
        raise HodorError(f"{name!r} is not exported yet")
    if path.is_file():
        return path
    target = root / f"{name}.zip"
    with (
        explained(target),
        replacing(target) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,  # PNGs are compressed
    ):
        for file in sorted(path.rglob("*")):
            if file.is_file() and not file.is_symlink():
                archive.write(file, file.relative_to(root))
    return target
