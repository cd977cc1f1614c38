"""Files that hold several videos: one is read, and which one is never guessed."""

from collections.abc import Sequence
from pathlib import Path

from hodor.errors import MaskError, counted
from hodor.formats.reading import folder_of, stem
from hodor.video.limits import some


def one_video(path: Path, videos: Sequence[tuple[str, ...]], wanted: str | None) -> int:
    """Which of a file's videos is read, as a position in `videos`.

    Args:
        path: the file.
        videos: of each video the words that mean it, its name first.
        wanted: one of them, or None for the only one.

    Raises:
        MaskError: there are several and none was named, or none is called so.
    """
    fitting = [at for at, words in enumerate(videos) if wanted is None or wanted in words]
    if len(fitting) == 1:
        return fitting[0]
    names = some(words[0] for words in videos)
    if wanted is None:
        wants = "name one by --video"
    else:
        wants = f"{'several are' if fitting else 'none is'} called {wanted}"
    raise MaskError(f"{path} holds {counted(len(videos), 'video')} ({names}); {wants}.")


def of_one_video(
    path: Path, files: Sequence[str], wanted: str | None, name: str
) -> tuple[list[int], str]:
    """Which of a list of pictures belong to one video, and the folder that it is in.

    Pictures of one name in different folders, such as a/1.jpg and b/1.jpg, are of several videos,
    which are called by their folders.

    Args:
        path: the file that lists them.
        files: names of the pictures, with folders.
        wanted: the folder of the video, or its last part, or None for the only one.
        name: of the file's video, where no folders tell several.

    Returns:
        Positions in `files`, and the video's name.

    Raises:
        MaskError: there are several videos and none was named, or none is called so; or two
            pictures of one folder share a name.
    """
    folders = dict.fromkeys(folder_of(file) for file in files)
    names = [stem(file).casefold() for file in files]
    chosen = None
    last_parts = {folder: folder.rpartition("/")[2] for folder in folders}
    if len(set(names)) < len(names) and len(folders) > 1:
        videos = [(folder, last_parts[folder]) for folder in folders]
        chosen = list(folders)[one_video(path, videos, wanted)]
    elif wanted is not None:
        fitting = [folder for folder in folders if wanted in (folder, last_parts[folder])]
        chosen = fitting[0] if len(fitting) == 1 else None
        if chosen is None:
            one_video(path, [(name,)], wanted)
    kept = [at for at, file in enumerate(files) if chosen in (None, folder_of(file))]
    by_name: dict[str, int] = {}
    for at in kept:
        if names[at] in by_name:
            first = files[by_name[names[at]]]
            raise MaskError(
                f"{path} has two frames of one name ({first} and {files[at]}), so that one would "
                "take the other's place; export each video by itself."
            )
        by_name[names[at]] = at
    return kept, chosen or name
