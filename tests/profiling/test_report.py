"""A measurement on paper says what was measured; the machine says what it is."""

import platform
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from rich.console import Console

from hodor.profiling.machine import describe_machine, versions, yardsticks
from hodor.profiling.measure import Measurement
from hodor.profiling.operations import Counts
from hodor.profiling.report import bench_table, operations_table

CPU = torch.device("cpu")

FOUND = Measurement(
    seconds_per_frame=0.2,
    stages={"decode": 0.05, "backbone": 0.15, "label map": 0.04, "rest": 0.01},
    gflop_per_frame=30.0,
    stage_gflop={"backbone": 30.0},
    peak_gflops=400.0,
    share_of_peak=0.375,
    peak_memory_bytes=700 * 2**20,
    memory_of="resident memory of the process",
    settings={
        "model": "small", "height": 480, "width": 854, "image": [480, 864], "objects": 3,
        "window": 7, "precision": "fp32", "codec": "h264",
    },
    machine={"device": "cpu", "name": "Abacus 9", "threads": 2, "system": "Linux"},
    versions={"hodor": "0", "torch": "2", "python": "3"},
)  # fmt: skip


def lines_of(table: Any) -> list[str]:
    console = Console(width=120)
    with console.capture() as caught:
        console.print(table)
    return [" ".join(line.split()) for line in caught.get().splitlines()]


def row(lines: list[str], name: str) -> list[str]:
    found = [line for line in lines if f" {name} " in f" {line} "]
    return found[0].replace("│", " ").split(name, 1)[1].split()


def test_each_stage_has_its_time_share_work_speed_and_share_of_the_peak() -> None:
    lines = lines_of(bench_table(FOUND))
    assert row(lines, "backbone") == ["150.00", "75.0", "30.00", "200", "50.0"]
    assert row(lines, "label map") == ["40.00", "20.0"], "without work there is no speed"
    assert row(lines, "decode") == ["50.00"], "it comes before the step, and is no share of it"
    assert row(lines, "whole step") == ["200.00", "100.0", "30.00", "150", "37.5"]


def test_the_title_and_the_notes_say_what_was_measured_on_what() -> None:
    said = "\n".join(lines_of(bench_table(FOUND)))
    for words in (
        "small, 480 x 854 seen at 480 x 864, 3 objects, window 7, fp32",
        "5.0 frames/s, decoding and writing left out",
        "37.5 % of the machine's 400 GFLOP/s",
        "peak memory 700 MiB, resident memory of the process",
        "a file of this size, h264",
        "Abacus 9, 2 threads",
    ):
        assert words in said


def test_a_system_that_tells_no_peak_and_a_stage_of_no_time_do_not_stop_the_report() -> None:
    unknown = replace(FOUND, peak_memory_bytes=None, memory_of="not told by this system")
    quick = replace(unknown, stages={"backbone": 0.0}, stage_gflop={"backbone": 1.0})
    lines = lines_of(bench_table(quick))
    assert row(lines, "backbone") == ["0.00", "0.0", "1.00", "0", "0.0"]
    assert any("peak memory unknown, not told by this system" in line for line in lines)


def test_operations_reads_and_uploads_add_up() -> None:
    found = {"backbone": Counts(120, 0, 1, 2500), "label map": Counts(30, 2, 0, 0)}
    lines = lines_of(operations_table(found))
    assert row(lines, "backbone") == ["120", "0", "1", "2.5"]
    assert row(lines, "label map") == ["30", "2", "0", "0.0"]
    assert row(lines, "whole step") == ["150", "2", "1", "2.5"]


def test_a_measurement_as_plain_values_keeps_all_that_it_says() -> None:
    plain = FOUND.to_json()
    assert plain["stages"] == FOUND.stages
    assert plain["settings"] == FOUND.settings
    assert set(plain) == set(Measurement.__dataclass_fields__)


def test_the_machine_is_described_without_asking_any_program() -> None:
    about = describe_machine(CPU)
    assert (about["device"], about["threads"]) == ("cpu", torch.get_num_threads())
    assert about["system"] == platform.system()
    assert isinstance(about["name"], str)
    assert about["name"]
    assert versions()["torch"] == torch.__version__


# In a process of its own: this one may have had any amount before, and given it back.
PEAKS = """
import torch
from hodor.profiling.machine import peak_memory
cpu = torch.device("cpu")
before, of = peak_memory(cpu)
block = b"x" * 200_000_000
with_block, _ = peak_memory(cpu)
del block
print(of, before, with_block, peak_memory(cpu)[0], sep=",")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of a process")
def test_the_peak_of_memory_is_the_most_that_this_process_had(
    run_python: Callable[..., Any],
) -> None:
    done = run_python(PEAKS)
    assert done.returncode == 0, done.stderr
    of, *peaks = done.stdout.strip().split(",")
    assert of == "resident memory of the process"
    before, with_block, after = map(int, peaks)
    assert with_block > before + 150_000_000
    assert after > before + 150_000_000, "what is given back still counts"


def test_work_that_shows_the_peak_says_how_much_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hodor.profiling.machine.PRODUCT", {"cpu": 16})
    monkeypatch.setattr("hodor.profiling.machine.CONVOLUTION", (4, 5, 6))
    found = yardsticks(CPU, torch.float32)
    assert found["product"].flop == 2 * 16 * 16 * 16
    assert tuple(found["product"].work().shape) == (16, 16)  # type: ignore[attr-defined]
    # Each of 5 x 6 places and 4 outputs takes 4 x 9 products, added up.
    assert found["convolution"].flop == 2 * (5 * 6 * 4) * (4 * 9)
    assert tuple(found["convolution"].work().shape) == (1, 4, 5, 6)  # type: ignore[attr-defined]
