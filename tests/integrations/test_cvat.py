"""The functions for CVAT, with its own package: what it asks, and what it gets."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cvat_sdk.auto_annotation as cvat
import numpy as np
import pytest
from cvat_sdk.masks import decode_mask, encode_mask
from PIL import Image

from hodor.errors import HodorError
from hodor.formats import outline
from hodor.integrations import cvat as tracking
from hodor.integrations import cvat_frames as frames
from hodor.tracking import References, Tracker
from hodor.video import fill_polygons

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@dataclass
class Context:
    """What CVAT tells with a call."""

    original_shape_type: str = "mask"
    frame_name: str = "00000.jpg"
    conf_threshold: float | None = None
    conv_mask_to_poly: bool = False


def pictures(scene: Any) -> list[Image.Image]:
    return [Image.fromarray(frame) for frame in scene.frames]


def decoded(points: list[float], scene: Any) -> Any:
    height, width = scene.labels[0].shape
    return decode_mask(points, image_width=width, image_height=height)


def expected(make_tracker: Callable[..., Tracker], scene: Any, number: int) -> list[Any]:
    """Masks of one object followed alone."""
    tracker = make_tracker()
    alone = (scene.labels[0] == number).astype(np.uint8)
    tracker.step(scene.frames[0], alone)
    return [tracker.step(frame).mask(1) for frame in scene.frames[1:]]


def test_shapes_are_followed_each_on_its_own(
    make_tracker: Callable[..., Tracker], scene: Any
) -> None:
    function = tracking.TrackingFunction(make_tracker())
    assert function.spec == cvat.TrackingFunctionSpec(supported_shape_types={"mask", "polygon"})
    first, *rest = [function.preprocess_image(None, picture) for picture in pictures(scene)]
    shapes = [
        cvat.TrackableShape(type="mask", points=encode_mask(scene.labels[0] == number))
        for number in (3, 7)
    ]
    states = [function.init_tracking_state(Context(), first, shape) for shape in shapes]
    wanted = [expected(make_tracker, scene, number) for number in (3, 7)]
    assert any(mask.any() for masks in wanted for mask in masks), "or nothing is compared"
    # CVAT asks in turn; the one must not disturb the other.
    for index, frame in enumerate(rest):
        for state, masks in zip(states, wanted, strict=True):
            found = function.track(Context(), frame, state)
            if not masks[index].any():
                assert found is None
                continue
            assert isinstance(found, cvat.TrackableShape)
            np.testing.assert_array_equal(decoded(found.points, scene), masks[index])


def test_a_polygon_comes_back_as_a_polygon(
    make_tracker: Callable[..., Tracker], scene: Any
) -> None:
    function = tracking.TrackingFunction(make_tracker(), tolerance=0.0)
    context = Context("polygon")
    (polygon,) = outline(scene.labels[0] == 3)
    shape = cvat.TrackableShape(type="polygon", points=polygon.ravel().tolist())
    state = function.init_tracking_state(context, scene.frames[0], shape)
    (wanted, *_) = expected(make_tracker, scene, 3)
    found = function.track(context, scene.frames[1], state)
    assert found.type == "polygon"
    corners = np.reshape(found.points, (-1, 2))
    np.testing.assert_array_equal(fill_polygons([corners], wanted.shape), wanted)


def test_a_shape_without_a_pixel_is_refused(
    make_tracker: Callable[..., Tracker], scene: Any
) -> None:
    function = tracking.TrackingFunction(make_tracker())
    line = cvat.TrackableShape(type="polygon", points=[1, 1, 9, 1, 5, 1])
    with pytest.raises(HodorError, match="covers no pixel"):
        function.init_tracking_state(Context("polygon"), scene.frames[0], line)


def test_cvat_cli_makes_the_function_of_its_parameters(tiny_model: Path) -> None:
    function = tracking.create(model=str(tiny_model), device="cpu", size=64, tolerance=2.0)
    assert isinstance(function.spec, cvat.TrackingFunctionSpec)


@pytest.fixture
def references(tiny_model: Path, scene: Any, tmp_path: Path) -> Path:
    tracker = Tracker.from_pretrained(str(tiny_model), device="cpu")
    tracker.step(scene.frames[0], scene.labels[0])
    tracker.references().save(tmp_path / "objects.safetensors")
    return tmp_path / "objects.safetensors"


def follow(model: Path, scene: Any, references: Path) -> list[Any]:
    tracker = Tracker.from_pretrained(str(model), device="cpu")
    tracker.add_references(References.load(references))
    return [tracker.step(frame) for frame in scene.frames]


def test_a_task_is_annotated_frame_by_frame(tiny_model: Path, scene: Any, references: Path) -> None:
    names = "3=ball,7=猫"
    function = frames.create(str(references), names, model=str(tiny_model), device="cpu")
    assert [(label.name, label.id) for label in function.spec.labels] == [("ball", 0), ("猫", 1)]
    results = follow(tiny_model, scene, references)
    count = 0
    for picture, result in zip(pictures(scene), results, strict=True):
        found = function.detect(Context(), picture)
        label_map = np.zeros_like(result.label_map)
        for shape in found:
            assert (shape.frame, shape.type.value) == (0, "mask")
            assert not hasattr(shape, "id")
            assert not hasattr(shape, "source")
            assert (shape.label_id, shape.group) in ((0, 3), (1, 7))
            label_map[decoded(shape.points, scene)] = shape.group
            count += 1
        np.testing.assert_array_equal(label_map, result.label_map)
    assert count > 0


def test_polygons_and_a_threshold_are_given_where_cvat_asks(
    tiny_model: Path, scene: Any, references: Path
) -> None:
    function = frames.create(str(references), model=str(tiny_model), device="cpu", tolerance=0.0)
    result = follow(tiny_model, scene, references)[0]
    seen = [i for i in result.ids if result.visible[i]]
    least = max(result.confidence[i] for i in seen)
    context = Context(conf_threshold=least, conv_mask_to_poly=True)
    found = function.detect(context, pictures(scene)[0])
    assert [shape.group for shape in found] == [i for i in seen if result.confidence[i] >= least]
    for shape in found:
        assert shape.type.value == "polygon"
        corners = np.reshape(shape.points, (-1, 2))
        wanted = result.mask(shape.group)
        np.testing.assert_array_equal(fill_polygons([corners], wanted.shape), wanted)


def test_names_that_are_none_are_told(references: Path, tiny_model: Path) -> None:
    with pytest.raises(HodorError, match="expected such as 1=cat,2=dog, found 'cat'"):
        frames.create(str(references), "cat", model=str(tiny_model), device="cpu")


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from hodor.integrations.needed import needed

    monkeypatch.setitem(sys.modules, "cvat_sdk", None)
    monkeypatch.delitem(sys.modules, "cvat_sdk.auto_annotation")
    with pytest.raises(HodorError, match=r"pip install 'hodor-vos\[cvat\]'"):
        needed("cvat_sdk.auto_annotation", "cvat")
