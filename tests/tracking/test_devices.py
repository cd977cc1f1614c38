"""Which precision is taken where none is asked for."""

from pathlib import Path

import pytest
import torch

from hodor.tracking.torch import devices


@pytest.mark.parametrize(
    ("flags", "native"),
    [
        ("flags : fma avx512f avx512bw avx512_vnni", False),  # emulated: five times slower
        ("flags : avx512f avx512_bf16", True),
        ("flags : avx512f amx_bf16 amx_tile", True),
        ("Features : asimd bf16", True),
    ],
)
def test_bfloat16_is_taken_only_from_processors_that_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, native: bool
) -> None:
    (tmp_path / "cpuinfo").write_text(flags)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    assert devices._native_on_processor(tmp_path / "cpuinfo") is native


def test_a_processor_that_is_not_listed_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for answer in (True, False):
        monkeypatch.setattr(
            torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda answer=answer: answer
        )
        assert devices._native_on_processor(tmp_path / "none") is answer
