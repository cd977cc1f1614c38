"""The bundled segmenter finds objects of the sample clip by a box and by clicks."""

import json
import shutil
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from hodor.assets import sample_clip, sample_masks
from hodor.errors import HodorError, MaskError, WeightsError
from hodor.video import open_source, read_label_map

pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")

from hodor.segmenter import Embedding, Prompts, Segmenter, check_box, check_point
from hodor.segmenter import segmenter as module
from hodor.segmenter.segmenter import _without_islands, seen_size

pytestmark = pytest.mark.slow

Bools = NDArray[np.bool_]
ASTRONAUT = 1


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter(threads=1)


@pytest.fixture(scope="module")
def seen(segmenter: Segmenter) -> Embedding:
    """The sample clip's first frame."""
    with open_source(str(sample_clip())) as source:
        return segmenter.embed(next(iter(source.frames())).pixels)


@pytest.fixture(scope="module")
def truth() -> Bools:
    return np.asarray(read_label_map(sample_masks()) == ASTRONAUT)


def _box(mask: Bools) -> tuple[float, float, float, float]:
    rows, columns = np.nonzero(mask)
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def _middle(mask: Bools) -> tuple[float, float]:
    """The point of a mask that is farthest from its outline."""
    distance = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    row, column = np.unravel_index(distance.argmax(), distance.shape)
    return float(column) + 0.5, float(row) + 0.5


def _iou(a: Bools, b: Bools) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_a_box_finds_the_object(segmenter: Segmenter, seen: Embedding, truth: Bools) -> None:
    found = segmenter.mask(seen, Prompts(box=_box(truth)))
    assert found.masks.shape == (4, *truth.shape)
    assert found.masks.dtype == np.bool_
    assert _iou(found.mask, truth) > 0.85


def test_a_click_offers_whole_part_and_smaller_part(
    segmenter: Segmenter, seen: Embedding, truth: Bools
) -> None:
    found = segmenter.mask(seen, Prompts((_middle(truth),), (True,)))
    whole, part, smaller = (int(mask.sum()) for mask in found.masks[1:])
    assert whole > part > smaller > 0
    assert found.best == 1 + int(found.scores[1:].argmax())


def test_a_correction_at_the_largest_error_mends_the_mask(
    segmenter: Segmenter, seen: Embedding, truth: Bools
) -> None:
    head = np.zeros_like(truth)
    rows = np.nonzero(truth)[0]
    head[: int(np.quantile(rows, 0.2))] = True
    prompts = Prompts((_middle(truth & head),), (True,))
    before = segmenter.follow(seen, prompts).mask
    missing, wrong = truth & ~before, before & ~truth
    on_it = missing.sum() > wrong.sum()
    where = _middle(missing if on_it else wrong)
    after = segmenter.follow(seen, Prompts((*prompts.points, where), (True, bool(on_it)))).mask
    assert _iou(after, truth) > max(0.8, _iou(before, truth))
    assert after[int(where[1]), int(where[0])] == on_it


def test_a_point_that_is_not_the_object_is_left_out(
    segmenter: Segmenter, seen: Embedding, truth: Bools
) -> None:
    rows, columns = np.nonzero(truth)
    around = (0.0, 0.0, float(truth.shape[1]), float(truth.shape[0]))
    outside = (float(columns.min()) / 2, float(rows.max()) - 0.5)
    found = segmenter.follow(seen, Prompts((_middle(truth), outside), (True, False), around))
    assert not found.mask[int(outside[1]), int(outside[0])]


def test_the_view_keeps_the_frames_shape_in_portrait_too(segmenter: Segmenter) -> None:
    assert seen_size((480, 854)) == (576, 1024)
    assert seen_size((1920, 1080)) == (1024, 576)
    frame = np.full((200, 100, 3), 30, np.uint8)
    frame[120:180, 20:80] = (250, 200, 40)
    found = segmenter.mask(segmenter.embed(frame), Prompts(box=(18, 118, 82, 182))).mask
    truth = np.zeros((200, 100), np.bool_)
    truth[120:180, 20:80] = True
    assert _iou(found, truth) > 0.9


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ((0.1, 0.2, 0.5, 0.6), r"looks like shares of the frame; .*: 20,20,100,60"),
        ((150, 60, 40, 30), r"right or lower edge before the other; .*150,60,190,90$"),
        ((150, 60, 120, 90), r"right or lower edge before the other; a box is x0,y0,x1,y1"),
        ((300, 10, 400, 40), r"outside of the frame; .*200 x 100"),
    ],
)
def test_a_box_of_another_form_is_refused_with_what_it_should_be(
    box: tuple[float, float, float, float], said: str
) -> None:
    with pytest.raises(MaskError, match=said):
        check_box(box, (100, 200))


def test_a_box_that_reaches_out_of_the_frame_is_cut_to_it() -> None:
    assert check_box((-5, 10, 250, 60), (100, 200)) == (0, 10, 200, 60)


def test_a_point_outside_of_the_frame_and_prompts_of_nothing_are_refused() -> None:
    with pytest.raises(MaskError, match=r"point 210,5 is outside of the frame of 200 x 100"):
        check_point((210, 5), (100, 200))
    with pytest.raises(MaskError, match="nothing shows the object"):
        Prompts(((3, 4),), (False,))


def test_a_damaged_file_is_told_before_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Path(str(resources.files("hodor.segmenter")))
    shutil.copytree(room / "bundled", tmp_path / "bundled")
    damaged = tmp_path / "bundled" / "decoder.onnx"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    monkeypatch.setattr(module.resources, "files", lambda _: tmp_path)
    with pytest.raises(WeightsError, match=r"decoder.onnx: damaged: .*install the package again"):
        Segmenter()


def test_every_bundled_file_is_listed_with_its_digest_and_has_a_card() -> None:
    bundled = Path(str(resources.files("hodor.segmenter"))) / "bundled"
    digests = json.loads((bundled / "sha256.json").read_text())
    assert {path.stem for path in bundled.glob("*.onnx")} == set(digests)
    card = (bundled / "card.md").read_text()
    assert "MobileSAM" in card
    assert "Apache-2.0" in card
    assert "MIT" in card


def test_without_onnxruntime_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(HodorError, match=r"needs onnxruntime: pip install 'hodor-vos\[onnx\]'"):
        Segmenter()


def test_stray_specks_are_dropped_and_parts_with_a_click_or_of_some_size_stay() -> None:
    mask = np.zeros((200, 200), bool)
    mask[20:120, 20:120] = True  # 10,000 pixels
    mask[150:160, 150:160] = True  # a hundredth of them
    mask[180:184, 20:24] = mask[180:184, 60:64] = True  # specks
    found = _without_islands(mask, Prompts(((62.0, 182.0), (22.0, 182.0)), (True, False)))
    mask[180:184, 20:24] = False
    np.testing.assert_array_equal(found, mask)
    one = np.zeros((20, 20), bool)
    one[3:5, 3:5] = True
    for whole in (one, np.zeros_like(one), np.ones_like(one)):
        np.testing.assert_array_equal(_without_islands(whole, Prompts(box=(0, 0, 9, 9))), whole)
