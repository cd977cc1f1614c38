"""Freed memory that is kept: fewer fresh pages."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
import hodor
if sys.argv[1] == "kept":
    assert hodor.keep_freed_memory()
for size in (3_000_000, 5_000_000):
    np.ones(size)  # 24 and 40 MB
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(3_000_000)
    np.ones(5_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    words = [sys.executable, "-c", FAULTS, how]
    return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_blocks_that_are_freed_are_used_again() -> None:
    assert faults("kept") < faults("not kept") / 4
