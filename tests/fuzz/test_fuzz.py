"""A short run of the fuzzer over every reader; `make fuzz` makes the long one."""

import sys
from pathlib import Path

import pytest
from fuzz.run import fuzz

INPUTS = 250
"""So many, however long they take: a busy machine is no reason to fail."""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits a child's memory")
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    ends, findings = fuzz(0, INPUTS, tmp_path)
    assert findings == []
    assert sum(ends.values()) == INPUTS
    assert ends["read"] > INPUTS // 20, "some damage does no harm"
    assert ends["refused"] > INPUTS // 4, "most damage is found"
