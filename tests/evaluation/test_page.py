"""The page about an evaluation: whole in one file, with pictures, curves and settings."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation import layouts

from hodor.evaluation import write_davis
from hodor.weights import sha256

pytest.importorskip("jinja2", reason="needs the extra [analysis]")
pytestmark = pytest.mark.usefixtures("one_thread")


class Reader(HTMLParser):
    """Tags with their attributes; fails where one is closed that is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def page(hodor: Callable[..., Any], tiny_model: Path, tmp_path: Path) -> str:
    frames = np.stack([layouts.frame(t, (60, 90)) for t in range(6)])
    maps = np.stack([layouts.labels(t, (1, 2), (60, 90)) for t in range(6)])
    write_davis([("one", frames, maps), ("<two>", frames, maps)], tmp_path / "davis")
    words = ["--davis", tmp_path / "davis", "--report", tmp_path / "r/report.html"]
    model = ["--model", f"ours={tiny_model}", "--device", "cpu", "--baseline", "copy"]
    ran = hodor("evaluate", *model, *words, "--json", tmp_path / "s.json")
    assert ran.code == 0, ran.err
    return (tmp_path / "r/report.html").read_text()


def test_the_page_needs_nothing_from_elsewhere(page: str) -> None:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    for tag, attributes in reader.found:
        assert tag not in ("script", "link", "iframe")
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert "http" not in page
    assert "prefers-color-scheme: dark" in page
    assert "&lt;two&gt;" in page
    assert "<two>" not in page


def test_the_page_shows_worst_sequences_curves_scores_and_settings(
    page: str, tmp_path: Path, tiny_model: Path
) -> None:
    pictures = re.findall(r"src=\"data:image/jpeg;base64,([^\"]+)\"", page)
    assert len(pictures) >= 2 * 2 * 4  # two sequences, result and truth, four moments
    reader = Reader()
    reader.feed(page)
    curves = [a for tag, a in reader.found if tag == "polyline"]
    assert len(curves) == 2 * 2 * 3  # per object: J of two methods, and one confidence
    assert all(len((a["points"] or "").split()) == 4 for a in curves)  # six frames, two unscored
    scores = json.loads((tmp_path / "s.json").read_text())["methods"]
    for name in ("ours", "copy"):
        assert f"<b>{100 * scores[name]['mean']['J&F']:.1f}</b>" in page
    assert sha256(tiny_model) in page
    assert "options.window" in page
    assert "baseline: the given masks, again in every later frame" in page
