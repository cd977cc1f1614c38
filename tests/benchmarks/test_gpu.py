"""The script for whoever has a GPU runs from end to end, on this processor too."""

import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_the_script_checks_labels_measures_every_row_and_writes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gpu

    out = tmp_path / "gpu.md"
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--tiny", "--device", "cpu", "--out", str(out)])
    gpu.main()
    lines = out.read_text().splitlines()
    checked = {line.split(" | ")[0] for line in lines if line.endswith("| right |")}
    assert checked >= {"| plain, fp32", "| fixed, fp32"}
    measured = [line for line in lines if line.startswith("| ") and " | bf16 | " in line]
    assert len(measured) == 2 * 6 + 1  # and batches, of the plain step
    assert not any("no time left" in line for line in lines)
    assert "these numbers say nothing" in lines[0]
