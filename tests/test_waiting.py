"""Threads that sleep soon, so that a busy machine is not spent on waiting."""

import os
import subprocess
import sys

import pytest

from hodor.waiting import spin_briefly

SHOWN = """
import sys
from hodor.waiting import spin_briefly
if sys.argv[1] == "late":
    import torch
print(spin_briefly())
import torch
"""


def loaded(when: str = "first", **chosen: str) -> tuple[str, str]:
    """What was returned, and what the library said when it was loaded."""
    unset = {n: v for n, v in os.environ.items() if not n.startswith(("OMP_", "GOMP_"))}
    environment = {**unset, "OMP_DISPLAY_ENV": "VERBOSE", **chosen}
    words = [sys.executable, "-c", SHOWN, when]
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=environment)
    if "GOMP_SPINCOUNT" not in done.stderr:
        pytest.skip("PyTorch computes here without GNU OpenMP")
    return done.stdout.strip(), done.stderr


def test_threads_of_pytorch_spin_for_a_short_while_only() -> None:
    returned, said = loaded()
    assert returned == "True"
    assert "GOMP_SPINCOUNT = '10000'" in said


def test_nothing_is_set_when_it_is_too_late() -> None:
    returned, said = loaded("late")
    assert returned == "False"
    assert "GOMP_SPINCOUNT = '10000'" not in said


def test_what_a_user_chose_is_kept() -> None:
    assert "GOMP_SPINCOUNT = '77'" in loaded(GOMP_SPINCOUNT="77")[1]
    assert loaded(OMP_WAIT_POLICY="ACTIVE")[0] == "False"


def test_the_command_line_says_so_before_pytorch_is_loaded() -> None:
    asked = "import os, sys; sys.argv[1:] = ['doctor', '--help']; from hodor.cli import main\n"
    shown = "try: main()\nexcept SystemExit: print('spins', os.environ['GOMP_SPINCOUNT'])"
    unset = {n: v for n, v in os.environ.items() if not n.startswith(("OMP_", "GOMP_"))}
    words = [sys.executable, "-c", asked + shown]
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=unset)
    assert "spins 10000" in done.stdout


def test_it_is_set_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", "5")
    assert not spin_briefly()
    assert os.environ["GOMP_SPINCOUNT"] == "5"
