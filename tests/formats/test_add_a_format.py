"""The page "Add a format": its example is a format that works."""

import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.tracks import COUNT, hard_track, label_map_at

from hodor.errors import MaskError
from hodor.formats import FORMATS, guess_format, read_track, write_track

PAGE = Path(__file__).parents[2] / "docs/guides/add-a-format.md"


def test_the_example_writes_reads_and_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert code
    names: dict[str, Any] = {}
    exec(textwrap.dedent(code[1]), names)
    monkeypatch.setitem(FORMATS, "runs", names["RUNS"])
    write_track(hard_track(), tmp_path / "a.runs", "runs")
    assert guess_format(tmp_path / "a.runs") == "runs"
    frames = list(read_track(tmp_path / "a.runs").frames())
    assert [frame.index for frame in frames] == list(range(COUNT))
    for frame in frames:
        np.testing.assert_array_equal(frame.label_map, label_map_at(frame.index))
    (tmp_path / "a.runs").write_text("0 1 nonsense")
    with pytest.raises(MaskError, match=r"a\.runs is no file of runs that can be read"):
        list(read_track(tmp_path / "a.runs").frames())


def test_every_format_says_what_it_is() -> None:
    for name, one in FORMATS.items():
        assert one.title, name
        assert one.about, name
        assert one.what, name
    assert len({one.title for one in FORMATS.values()}) == len(FORMATS)
