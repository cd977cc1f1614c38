"""Jobs on several processes and on Ray: results as they come, lost workers, nothing twice."""

import importlib.util
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from hodor.errors import HodorError, SourceError
from hodor.jobs import RETRIES, run_jobs

pytestmark = pytest.mark.slow

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs the extra [ray]"
)
PLACES = [
    pytest.param({}, id="here"),
    pytest.param({"workers": 2}, id="processes"),
    pytest.param({"workers": 2, "ray_address": "local"}, id="ray", marks=needs_ray),
]
LOSSES = PLACES[1:]


def note(folder: Path, name: str) -> int:
    """Write down that a job was begun; how often it was."""
    with (folder / name).open("a") as file:
        file.write("x")
    return len((folder / name).read_text())


def work(argument: tuple[Path, str]) -> str:
    """Does what the job's name says."""
    folder, name = argument
    times = note(folder, name)
    if name == "bad":
        raise SourceError("no such\nvideo")
    if name == "doomed" or (name == "unlucky" and times == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "interrupted":
        os.kill(os.getpid(), signal.SIGINT)
    if name == "defect":
        raise ZeroDivisionError("ours")
    if name == "slow":
        (folder.parent / "go").read_text()  # a pipe: waits for who writes
    if name == "unlucky":
        (folder.parent / "go").write_text("")
    return name.upper()


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder for notes, beside the pipe that a slow job waits for."""
    os.mkfifo(tmp_path / "go")
    (tmp_path / "notes").mkdir()
    return tmp_path / "notes"


def outcomes(folder: Path, names: list[str], **place: Any) -> dict[str, Any]:
    jobs = {name: (folder, name) for name in names}
    return {one.name: one for one in run_jobs(work, jobs, **place)}


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers find this file as pytest does."""
    here = str(Path(__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, os.environ.get("PYTHONPATH", "")]))


@pytest.mark.parametrize("place", PLACES)
def test_every_job_is_done_once_and_a_users_error_ends_its_own_only(
    tmp_path: Path, place: dict[str, Any]
) -> None:
    found = outcomes(tmp_path, ["a", "bad", "b", "c"], **place)
    assert {name: one.value for name, one in found.items() if one.error is None} == {
        "a": "A", "b": "B", "c": "C"
    }  # fmt: skip
    assert found["bad"].error == "no such video"
    assert {path.read_text() for path in tmp_path.iterdir()} == {"x"}


@pytest.mark.parametrize("place", LOSSES)
def test_a_job_whose_worker_is_killed_begins_again_and_others_are_not_disturbed(
    notes: Path, place: dict[str, Any]
) -> None:
    found = outcomes(notes, ["unlucky", "slow", "a", "b"], **place)
    assert sorted(one.value for one in found.values()) == ["A", "B", "SLOW", "UNLUCKY"]
    begun = {path.name: len(path.read_text()) for path in notes.iterdir()}
    assert begun == {"unlucky": 2, "slow": 1, "a": 1, "b": 1}


def test_a_job_that_kills_every_worker_is_given_up(tmp_path: Path) -> None:
    found = outcomes(tmp_path, ["doomed", "a"], workers=2)
    assert found["a"].value == "A"
    assert "its worker was lost 3 times" in found["doomed"].error
    assert len((tmp_path / "doomed").read_text()) == RETRIES + 1


def test_a_defect_is_not_taken_for_a_lost_worker(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError, match="ours"):
        outcomes(tmp_path, ["defect", "a"], workers=2)
    assert (tmp_path / "defect").read_text() == "x"


def test_ctrl_c_is_the_parents_to_hear_and_workers_say_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = outcomes(tmp_path, ["interrupted", "a"], workers=2)
    assert sorted(str(one.value) for one in found.values()) == ["A", "INTERRUPTED"]
    assert capfd.readouterr().err == ""


def test_results_come_before_the_last_job_ends(notes: Path) -> None:
    jobs = {name: (notes, name) for name in ("slow", "a")}
    assert next(iter(run_jobs(work, jobs, workers=2))).name == "a"


@needs_ray
def test_a_cluster_that_does_not_answer_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(HodorError, match="no cluster answers"):
        outcomes(tmp_path, ["a"], ray_address="127.0.0.1:1")
