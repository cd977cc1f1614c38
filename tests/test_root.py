"""The files at the root agree with one another."""

import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_pre_commit_runs_the_ruff_that_is_pinned() -> None:
    hooks = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"][0]["hooks"]
    pinned = re.search(r"^ruff==.+$", read("requirements-dev.txt"), re.MULTILINE)
    assert pinned
    assert [hook["additional_dependencies"] for hook in hooks] == [[pinned.group()]] * 2


def test_the_oldest_torch_that_is_tested_is_the_oldest_that_is_promised() -> None:
    ranges = read("pyproject.toml")
    oldest = re.search(r"^OLDEST := torch==(\S+) torchvision==(\S+)$", read("Makefile"), re.M)
    assert oldest
    assert f'"torch>={oldest.group(1).removesuffix(".0")}"' in ranges
    assert f'"torchvision>={oldest.group(2).removesuffix(".0")}"' in ranges


def test_the_workflow_runs_make_targets_on_every_system_and_python() -> None:
    jobs = yaml.safe_load(read(".github/workflows/checks.yml"))["jobs"]
    matrix = jobs["fast"]["strategy"]["matrix"]
    assert {system.split("-")[0] for system in matrix["system"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert {row["torch"] for row in matrix["include"]} == {"oldest"}
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    made = [command.split()[1] for command in commands if command.startswith("make ")]
    assert {"setup", "test", "test-fast", "docs"} == set(made)
    assert set(made) <= targets


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_help_lists_every_target() -> None:
    # Run by `make test`, an inner make would print the folders that it enters.
    command = ["make", "--no-print-directory", "help"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    phony = re.search(r"^\.PHONY: (.+)$", read("Makefile"), re.MULTILINE)
    assert phony
    assert sorted(line.split()[0] for line in said.stdout.splitlines()) == sorted(
        phony.group(1).split()
    )


def test_the_pages_of_the_api_begin_with_what_people_use_and_leave_nothing_out() -> None:
    for room, first in (("tracking", "Tracker"), ("weights", "load_model")):
        page = read(f"docs/api/{room}.md")
        # YAML takes some words for true or false unless they are quoted.
        names = re.findall(r"^ +- \"?(\w+)\"?$", page, re.MULTILINE)
        assert names[0] == first
        assert sorted(names) == sorted(import_module(f"hodor.{room}").__all__)


def test_the_moving_picture_is_there_and_small_and_moves() -> None:
    (name,) = re.findall(r"\((docs/images/\S+\.webp)\)", read("README.md"))
    assert (ROOT / name).stat().st_size < 2_000_000
    with Image.open(ROOT / name) as picture:
        assert picture.n_frames > 10  # type: ignore[attr-defined]


@pytest.mark.slow
def test_the_snippet_of_the_readme_runs_as_it_stands(
    bundled: Path, one_thread: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (snippet, *_) = re.findall(r"```python\n(.+?)```", read("README.md"), re.DOTALL)
    exec(compile(snippet, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 72
