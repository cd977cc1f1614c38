"""What a run's end says of its objects: which one, which frames, and how to see them."""

import shlex
from pathlib import Path

from hodor.runs import Summary, most_doubtful


def where_to_look(summary: Summary, out: Path) -> str:
    """One line: the object and the frames that are most doubtful, and what opens the studio there.

    out: the run's folder.
    """
    # A camera's or a stream's frames are gone; what is a file was noted by its whole path.
    there = Path(summary.inputs.get("source") or "").is_absolute()
    command = f": hodor studio {shlex.quote(str(out))}" if there else ""
    doubtful = most_doubtful(summary.confidence)
    if doubtful is None:
        line = "no object's confidence falls far below what is usual for it"
        return f"{line}; to look or correct{command}" if there else line
    frames = f"frames {doubtful.first} to {doubtful.last}"
    if doubtful.first == doubtful.last:
        frames = f"frame {doubtful.first}"
    why = f"confidence {doubtful.confidence:.2f}, usually {doubtful.usual:.2f}"
    if doubtful.confidence == 0:
        why = "not visible"
    line = f"look first at {called(doubtful.object, summary)} in {frames} ({why})"
    return f"{line}{command} --frame {doubtful.worst}" if there else line


def called(number: int, summary: Summary) -> str:
    """An object as people read it, such as "object 1 (camel)"."""
    name = summary.names.get(number)
    return f"object {number}" if name is None else f"object {number} ({name})"
