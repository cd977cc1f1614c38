"""A small video, sessions over it, and servers in processes of their own that can be killed."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

pytest.importorskip("fastapi", reason="needs the extra [studio]")
pytest.importorskip("uvicorn", reason="needs the extra [studio]")

from hodor.studio.folder import SessionFolder
from hodor.studio.opening import Studio, TrackerSettings, open_studio
from hodor.studio.session import Session
from hodor.studio.settings import Video

LENGTH = 40
SIZE = (60, 90)


@pytest.fixture(scope="session")
def clip(make_scene: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty frames of the scene as PNG files."""
    folder = tmp_path_factory.mktemp("clip") / "scene"
    folder.mkdir()
    for t, frame in enumerate(make_scene(LENGTH, SIZE).frames):
        Image.fromarray(frame).save(folder / f"{t:05d}.png")
    return folder


@pytest.fixture(scope="session")
def square() -> Callable[..., NDArray[np.bool_]]:
    """Makes a mask with a square in it."""

    def make(left: int, top: int = 10, side: int = 20) -> NDArray[np.bool_]:
        mask = np.zeros(SIZE, np.bool_)
        mask[top : top + side, left : left + side] = True
        return mask

    return make


@pytest.fixture
def open_session(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    """Opens a session without any video behind it; again after ``session.folder.close()``."""
    opened: list[Session] = []

    def make(name: str = "session", frames: int = LENGTH) -> Session:
        folder = SessionFolder(tmp_path / name)
        opened.append(Session(folder, Video("/x/clip.mp4", "clip", frames, SIZE, 25.0)))
        return opened[-1]

    yield make
    for session in opened:
        session.folder.close()


@pytest.fixture
def studio(clip: Path, tmp_path: Path, tiny_model: Path, one_thread: None) -> Iterator[Studio]:
    """A session over the clip, with the tiny network."""
    settings = TrackerSettings(str(tiny_model), device="cpu")
    opened = open_studio(str(clip), tmp_path / "studio", settings)
    yield opened
    opened.close()


@pytest.fixture
def finish() -> Callable[[Studio], dict[str, Any]]:
    """Waits until a studio's job has ended, and gives its last status."""

    def wait(studio: Studio) -> dict[str, Any]:
        thread = studio.jobs._thread
        assert thread is not None
        thread.join()
        status = studio.jobs.status()
        assert status is not None
        return status

    return wait


class Server:
    """``hodor studio`` in a process."""

    def __init__(self, *words: object) -> None:
        command = [sys.executable, "-m", "hodor", "studio", *map(str, words), "--no-browser"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        assert self.process.stderr is not None
        first = self.process.stderr.readline()
        found = re.search(r"http://\S+", first)
        if found is None:
            raise AssertionError(first + self.process.stderr.read())
        self.address = found[0]
        # What it says later must not fill the pipe.
        self.lines: list[str] = []
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stderr or ()))
        self.reader.start()

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it, or kill it."""
        self.process.send_signal(how)
        self.process.wait()
        self.reader.join()


@pytest.fixture(scope="session")
def server_class() -> type[Server]:
    return Server


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts ``hodor studio`` with words; what still runs after the test is killed."""
    started: list[Server] = []

    def start(*words: object) -> Server:
        started.append(Server(*words))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.end(signal.SIGKILL)
