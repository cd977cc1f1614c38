"""One process writes to a folder at a time, and a death lets go."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hodor.errors import HodorError
from hodor.locks import FolderLock

HOLD = """
import os, sys
from pathlib import Path
from hodor.locks import FolderLock
lock = FolderLock(Path(sys.argv[1]))
child = os.fork() if sys.argv[2:] else 0
if child == 0:  # the worker, when it runs; without one, the process itself
    print(os.getpid(), flush=True)
sys.stdin.read()
"""


def test_a_second_writer_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    with FolderLock(tmp_path / "out"):
        with pytest.raises(HodorError, match="another run is writing to this folder"):
            FolderLock(tmp_path / "out")
        with pytest.raises(HodorError, match="use that page"):
            FolderLock(tmp_path / "out", "use that page")
    FolderLock(tmp_path / "out").release()
    assert not (tmp_path / "out").exists()  # nothing was written


@pytest.mark.parametrize("fork", [False, True], ids=["alone", "with a forked worker"])
def test_a_killed_process_lets_go(tmp_path: Path, fork: bool) -> None:
    if fork and not hasattr(os, "fork"):
        pytest.skip("this system does not fork")
    command = [sys.executable, "-c", HOLD, str(tmp_path), *(["fork"] if fork else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        with pytest.raises(HodorError):
            FolderLock(tmp_path)
        process.kill()
        process.wait()
        try:
            FolderLock(tmp_path).release()
        finally:
            if fork:
                os.kill(child, signal.SIGTERM)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_link_in_place_of_the_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HodorError, match="is a link"):
        FolderLock(tmp_path)
    assert not (tmp_path / "elsewhere").exists()
