"""Whatever goes wrong ends in one line; what nobody foresaw leaves a log."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Hodor = Callable[..., Any]

WITHOUT = """
import sys
for name in {missing!r}:
    sys.modules[name] = None
from hodor.cli import main
main()
"""


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(_: str) -> None:
        raise error

    monkeypatch.setattr("hodor.cli.weights.model_path", fail)


def test_what_nobody_foresaw_is_one_line_a_log_and_its_own_status(
    hodor: Hodor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing(monkeypatch, RuntimeError("what\n  now"))
    ran = hodor("weights", "info", "x")
    assert ran.code == 70
    assert ran.err.count("\n") == 1
    assert "a defect of hodor (RuntimeError: what now)" in ran.err
    log = Path(re.search(r"the log is (\S+\.log)", ran.err)[1])  # type: ignore[index]
    text = log.read_text()
    assert "Traceback (most recent call last)" in text
    assert "hodor weights info x" in text


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied", "/a/b"), "hodor: /a/b: Permission denied; check"),
        (FileNotFoundError(2, "No such file or directory", b"/a/\xe9"), "No such file"),
        (OSError(28, "No space left on device", "out"), "hodor: out: No space left"),
        (MemoryError(), "not enough memory"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_the_system_refuses_is_the_users_to_mend(
    hodor: Hodor, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    failing(monkeypatch, error)
    ran = hodor("weights", "info", "x")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert message in ran.err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals and closed outputs of POSIX")
def test_a_second_interrupt_ends_the_command_without_a_word(tmp_path: Path) -> None:
    program = (
        "import signal, sys, threading\n"
        "# Where the tests run in the background, it would be ignored from the start.\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import hodor.cli.weights as weights\n"
        "from hodor.cli import main\n"
        "def wait(_):\n"
        "    try:\n"
        "        print('ready', flush=True)\n"
        "        threading.Event().wait()\n"
        "    finally:\n"
        "        print('stopping', flush=True)\n"
        "        threading.Event().wait()\n"
        "weights.model_path = wait\n"
        "sys.argv = ['hodor', 'weights', 'info', 'x']\n"
        "main()\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in (b"ready\n", b"stopping\n"):
            assert process.stdout.readline() == line
            process.send_signal(signal.SIGINT)
        assert process.wait() == -signal.SIGINT
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals and closed outputs of POSIX")
@pytest.mark.parametrize(
    "words", ["--help >&-", "--help 2>&-", "--help >&- 2>&-", "weights list | true"]
)
def test_a_closed_output_is_no_failure_of_ours(words: str) -> None:
    command = f"{sys.executable} -m hodor {words}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.slow
def test_training_without_its_extra_says_so_before_any_work(
    run_python: Callable[..., Any], tmp_path: Path
) -> None:
    program = WITHOUT.format(missing=["lightning_fabric", "lightning"])
    done = run_python(program, "train", "small-1", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "this needs lightning_fabric, which is not installed: pip install" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root has all rights")
def test_a_recipe_without_rights_is_told_in_one_line(hodor: Hodor, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("base: small-1\n")
    path.chmod(0)
    ran = hodor("train", path, "--out", tmp_path / "out")
    assert (ran.code, ran.err.count("\n")) == (1, 1)


def test_a_recipe_that_is_not_utf8_is_told_in_one_line(hodor: Hodor, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(b"name: caf\xe9\n")
    ran = hodor("train", path, "--out", tmp_path / "out")
    assert ran.code == 1
    assert "is not text in UTF-8 (byte 0xe9 at 9)" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("change", ["name=[", "name={a: ", "name=\t\x00"])
def test_a_change_that_is_no_yaml_is_told_in_one_line(
    hodor: Hodor, tmp_path: Path, change: str
) -> None:
    ran = hodor("train", "small-1", "--set", change, "--out", tmp_path / "out")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "is not YAML" in ran.err
