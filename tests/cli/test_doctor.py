"""``hodor doctor``: all that a report of a fault needs, whatever is broken."""

import importlib.metadata
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from hodor import __version__, doctor

pytestmark = pytest.mark.usefixtures("one_thread")
Hodor = Callable[..., Any]


def test_the_doctor_says_what_is_there_and_how_fast_it_is(hodor: Hodor, bundled: Path) -> None:
    ran = hodor("doctor")
    assert ran.code == 0, ran.out
    lines = dict(line.split(":", 1) for line in ran.out.splitlines())
    assert __version__ in lines["hodor"]
    assert torch.__version__.split("+")[0] in lines["libraries"]
    assert "h264" in lines["codecs"]
    assert "libx264" in lines["codecs"]
    assert "analysis " in lines["extras"]
    assert "intact" in lines["models"]
    assert " ms for a frame of 512 x 288, 3 objects" in lines["one step"]


def test_a_damaged_model_is_a_finding_and_the_rest_is_told(hodor: Hodor, bundled: Path) -> None:
    bundled.write_bytes(b"nothing")
    ran = hodor("doctor")
    assert ran.code == 1
    assert "BROKEN: " in ran.out
    assert "one step:  failed: " in ran.out
    assert "codecs:    reads h264" in ran.out


def test_a_missing_package_of_an_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "pyarrow":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = dict(islice(doctor.examine("small"), 6))
    assert "analysis NO (pyarrow)" in found["extras"]
    assert "train yes" in found["extras"]
