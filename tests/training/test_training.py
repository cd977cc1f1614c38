"""Training: recipes, the loss, a network that learns, runs that go on after a kill."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import training_data
import yaml
from holding import Held
from training_data import losses, recipe_file, recipe_values

from hodor.errors import DataError, HodorError, RecipeError, WeightsError
from hodor.tracking import Tracker, TrackerOptions
from hodor.training import (
    ClipModel,
    Listener,
    LossSettings,
    Prediction,
    bundled_recipes,
    clip_loss,
    load_recipe,
    make_batches,
    train,
)
from hodor.training.propagation import schedule
from hodor.training.state import start
from hodor.training.step import forward, truth_of
from hodor.weights import load_model


@pytest.fixture(scope="module")
def two_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training_data.two_images(tmp_path_factory.mktemp("stills"))


@pytest.fixture(scope="module")
def two_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training_data.two_videos(tmp_path_factory.mktemp("videos"))


# One thread, here and in the process that is killed: sums in another order give other losses.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


def test_a_tiny_model_learns_two_images(two_images: Path, tmp_path: Path) -> None:
    values = recipe_values(two_images, iterations=250, decay="cosine", warmup=5)
    values["model"]["backbone_norms"] = "batch"
    values["clips"] |= {"still": 1.0, "zoom": [1.0, 1.0], "size": [96, 128]}
    seen = []
    train(
        load_recipe(recipe_file(tmp_path, values)),
        tmp_path / "run",
        listener=Listener(report=lambda p: seen.append(p.iou)),
    )
    assert np.mean(seen[:3]) < 0.7
    assert np.mean(seen[-10:]) > 0.9


def test_a_trained_model_is_one_file_that_loads(two_images: Path, tmp_path: Path) -> None:
    recipe = load_recipe(recipe_file(tmp_path, recipe_values(two_images, average=0.9)))
    model = train(recipe, tmp_path / "run")
    network = load_model(model)
    assert network.metadata["steps"] == 6
    assert network.metadata["recipe"]["name"] == "tiny"
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    assert yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())["seed"] == 42


def test_a_model_carries_its_recipes_defaults_for_tracking(
    two_images: Path, tmp_path: Path
) -> None:
    values = recipe_values(two_images, iterations=1) | {"tracking": {"size": 96, "window": 3}}
    path = train(load_recipe(recipe_file(tmp_path, values)), tmp_path / "run")
    options = Tracker.from_pretrained(str(path), device="cpu").options
    assert (options.size, options.window, options.keep_reference) == (96, 3, False)
    # A recipe that builds on another one can switch off what that one has on.
    values["tracking"] = {"size": 96, "search_radius": "off"}
    off = load_recipe(recipe_file(tmp_path, values)).tracking
    near = TrackerOptions(search_radius=0.15)
    assert near.changed(off) == TrackerOptions(size=96)
    values["tracking"] = {"sizes": 96}
    with pytest.raises(RecipeError, match=r"tracking\.sizes is not known"):
        load_recipe(recipe_file(tmp_path, values))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_killed_run_goes_on_with_the_same_losses(two_images: Path, tmp_path: Path) -> None:
    values = recipe_values(two_images, iterations=12)
    path = recipe_file(tmp_path, values)
    train(load_recipe(path), tmp_path / "whole")
    killed = tmp_path / "killed"
    command = [
        sys.executable,
        "-c",
        "from hodor.cli import main; main()",
        *("train", str(path), "--out", str(killed), "--device", "cpu"),
    ]
    held = Held(tmp_path / "held", "hodor.training.loop:save_checkpoint")
    process = subprocess.Popen(
        command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, text=True,
        env=held.environment,
    )  # fmt: skip
    held.wait(process)
    process.kill()
    process.wait()
    done = len(losses(killed))
    with pytest.raises(RecipeError, match="--resume"):
        train(load_recipe(path), killed)
    train(load_recipe(path), killed, resume=True)
    assert done >= 2
    np.testing.assert_allclose(losses(killed), losses(tmp_path / "whole"), rtol=1e-4)


def test_a_damaged_checkpoint_is_told_and_not_run(two_images: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"not a checkpoint")
    recipe = load_recipe(recipe_file(tmp_path, recipe_values(two_images)))
    with pytest.raises(WeightsError, match="not a checkpoint"):
        train(recipe, tmp_path / "run", resume=True)


def test_a_recipes_mistakes_are_all_named_with_their_lines(
    two_images: Path, tmp_path: Path
) -> None:
    values = recipe_values(two_images, iterations=-1)
    values["optimisation"]["learning_rat"] = 1
    with pytest.raises(RecipeError) as told:
        load_recipe(recipe_file(tmp_path, values))
    assert "optimisation.iterations" in str(told.value)
    assert "optimisation.learning_rat" in str(told.value)
    assert "(line " in str(told.value)
    values = recipe_values(two_images)
    values["clips"]["framse"] = 3
    with pytest.raises(RecipeError, match=r"clips\.framse is not known"):
        load_recipe(recipe_file(tmp_path, values))
    bases = "base-1, base-2, base-3, base-4, base-5, base-video-1, base-video-2"
    with pytest.raises(RecipeError, match=f"bundled are {bases}, paper/ablations/barebones"):
        load_recipe("no-such-recipe")


def test_settings_on_the_command_line_win(two_images: Path, tmp_path: Path) -> None:
    path = recipe_file(tmp_path, recipe_values(two_images))
    recipe = load_recipe(path, ["optimisation.batch=7", "clips.motion.rotate=1.5"])
    assert recipe.optimisation.batch == 7
    assert recipe.clips.motion.rotate == 1.5
    with pytest.raises(RecipeError, match="KEY=VALUE"):
        load_recipe(path, ["batch"])


def test_bundled_recipes_are_in_order() -> None:
    small = ["small-1", "small-2", "small-3", "small-4", "small-video-1"]
    assert set(small) < set(bundled_recipes())
    for name in bundled_recipes():
        assert load_recipe(name).name == name
    assert {load_recipe(name).model.channels for name in small} == {128}


def test_missing_data_is_told_before_the_first_step(tmp_path: Path) -> None:
    recipe = load_recipe(recipe_file(tmp_path, recipe_values(tmp_path / "nowhere")))
    with pytest.raises(DataError, match="no such folder"):
        train(recipe, tmp_path / "run")


def test_one_annotated_frame_per_video_is_enough_to_learn_from(
    two_videos: Path, tmp_path: Path
) -> None:
    values = recipe_values(two_videos, iterations=150, decay="cosine", warmup=5)
    values["model"]["backbone_norms"] = "batch"
    values["data"] = [{"kind": "videos", "images": "images", "masks": "masks", "span": 2}]
    values["clips"] |= {"size": [96, 128], "zoom": [1.0, 1.0], "frames": 3}
    seen: list[float] = []
    train(
        load_recipe(recipe_file(tmp_path, values)),
        tmp_path / "run",
        listener=Listener(report=lambda p: seen.append(p.iou)),
    )
    # Frame 0 is found again through frames whose masks nobody knows.
    assert np.mean(seen[-10:]) > 0.85
    assert np.mean(seen[:5]) < 0.5


def test_without_labels_only_the_annotated_frame_is_compared(
    two_videos: Path, tmp_path: Path
) -> None:
    values = recipe_values(two_videos)
    values["data"] = [{"kind": "videos", "images": "images", "masks": "masks", "span": 2}]
    values["clips"]["frames"] = 3
    recipe = load_recipe(recipe_file(tmp_path, values))
    run, batch = start(recipe, torch.device("cpu")), make_batches(recipe).make(0)
    truth = truth_of(recipe, batch, 0, torch.device("cpu"))
    predictions, loss = forward(run, batch, truth)
    assert [p.target for p in predictions] == [0]
    loss.total.backward()
    # Through the masks of frames 1 and 2, which cost nothing themselves.
    assert run.model.network.encoder.layers[0].ffn.layers[0].weight.grad.abs().sum() > 0
    assert all(p.present.all() for p in predictions)


def perfect(labels: torch.Tensor, present: torch.Tensor) -> Prediction:
    """A prediction that is certain and right."""
    small = labels[:, 0, 2::4, 2::4]
    one_hot = torch.nn.functional.one_hot(small.long(), 3).movedim(-1, 1).float()
    return Prediction(0, (one_hot - 0.5) * 40, present)


def labels_of_two() -> torch.Tensor:
    labels = torch.zeros(1, 1, 32, 32)
    labels[0, 0, 8:16, 4:12] = 1
    labels[0, 0, 16:24, 20:28] = 2
    return labels


@pytest.mark.parametrize("dice", ["clip", "object"])
def test_a_right_prediction_costs_nothing_and_a_missed_object_does(dice: Any) -> None:
    labels = labels_of_two()
    everyone = torch.ones(1, 2, dtype=torch.bool)
    settings = LossSettings(stride=4, dice=dice)
    right = clip_loss([perfect(labels, everyone)], labels, 1, settings)
    assert right.total.item() < 1e-3
    missed = perfect(labels * (labels != 2), everyone)
    assert clip_loss([missed], labels, 1, settings).total.item() > 0.3


def test_an_object_that_cannot_be_asked_for_is_background() -> None:
    labels = labels_of_two()
    only_first = torch.tensor([[True, False]])
    prediction = perfect(labels * (labels != 2), only_first)
    settings = LossSettings(stride=4, dice="object")
    assert clip_loss([prediction], labels, 1, settings).total.item() < 1e-3


def test_object_weight_makes_misses_dearer_than_false_pixels() -> None:
    labels = labels_of_two()
    everyone = torch.ones(1, 2, dtype=torch.bool)
    missed = perfect(labels * (labels != 2), everyone)

    def entropy(weight: float) -> float:
        settings = LossSettings(stride=4, object_weight=weight)
        return clip_loss([missed], labels, 1, settings).cross_entropy.item()

    assert entropy(3.0) > entropy(1.0)


def test_mask_gradients_decide_whether_the_first_prediction_hears_of_the_second() -> None:
    from hodor.model import Hodor, HodorConfig
    from hodor.training import schedule

    config = HodorConfig(
        backbone="mobilenetv2_035",
        channels=32,
        heads=4,
        encoder_layers=1,
        decoder_layers=1,
        deformable=False,
        dropout=0.0,
        pooling="soft",
    )
    torch.manual_seed(0)
    network = Hodor(config).eval()
    images, masks = torch.randn(1, 3, 3, 64, 96), torch.zeros(1, 1, 64, 96)
    masks[..., 16:48, 24:72] = 1
    presence = torch.ones(1, 1, 3, dtype=torch.bool)
    gradients = []
    for through in (True, False):
        model = ClipModel(network, mask_gradients=through)
        predictions = model(images, masks, presence, schedule("loop", 3, 0))
        predictions[0].logits.retain_grad()
        predictions[1].logits.sum().backward()
        gradients.append(predictions[0].logits.grad)
    assert gradients[0] is not None
    assert gradients[0].abs().sum() > 0
    assert gradients[1] is None


def gradients(recipe: Any, batch: Any) -> dict[str, torch.Tensor]:
    run = start(recipe, torch.device("cpu"))
    _, loss = forward(run, batch, truth_of(recipe, batch, 0, torch.device("cpu")))
    loss.total.backward()
    return {n: p.grad for n, p in run.network.named_parameters() if p.grad is not None}


def test_saving_memory_changes_no_gradient(two_images: Path, tmp_path: Path) -> None:
    values = recipe_values(two_images)
    plain = load_recipe(recipe_file(tmp_path, values))
    saving = load_recipe(recipe_file(tmp_path, values), ["running.save_memory=true"])
    batch = make_batches(plain).make(0)
    kept = gradients(plain, batch)
    again = gradients(saving, batch)
    assert kept.keys() == again.keys()
    for name, gradient in kept.items():
        torch.testing.assert_close(again[name], gradient, rtol=1e-4, atol=1e-6)


def test_compiling_changes_no_gradient(
    two_images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Traced and differentiated as ever, but without the minutes of making machine code.
    compiled = []

    def traced(part: Any, **settings: Any) -> Any:
        compiled.append(part.__name__)
        return compile_part(part, backend="aot_eager", **settings)

    compile_part = torch.compile
    monkeypatch.setattr(torch, "compile", traced)
    values = recipe_values(two_images)
    plain = load_recipe(recipe_file(tmp_path, values))
    compiling = load_recipe(recipe_file(tmp_path, values), ["running.compile=true"])
    batch = make_batches(plain).make(0)
    expected = gradients(plain, batch)
    assert compiled == []
    found = gradients(compiling, batch)
    assert compiled == ["extract", "describe", "segment"]
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6)


def test_a_machine_that_cannot_compile_is_told_so(
    two_images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(graph: Any, inputs: Any) -> Any:
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=broken))
    recipe = load_recipe(recipe_file(tmp_path, recipe_values(two_images)), ["running.compile=true"])
    with pytest.raises(HodorError, match=r"running\.compile.*no C\+\+ compiler.*leave"):
        gradients(recipe, make_batches(recipe).make(0))


def test_an_absent_object_is_asked_for_and_costs_where_it_is_found(
    two_images: Path, tmp_path: Path
) -> None:
    values = recipe_values(two_images)
    values["clips"]["absent"] = 1.0
    recipe = load_recipe(recipe_file(tmp_path, values))
    run, batch = start(recipe, torch.device("cpu")), make_batches(recipe).make(0)
    truth = truth_of(recipe, batch, 0, torch.device("cpu"))
    predictions, loss = forward(run, batch, truth)
    background = run.network.config.background_channels
    assert batch.objects == 1
    assert {p.logits.shape[1] for p in predictions} == {background + 2}
    assert not any(p.present[:, 1].any() for p in predictions)
    found = [
        p._replace(logits=torch.cat([p.logits[:, :-1], p.logits[:, -1:] + 5], 1))
        for p in predictions
    ]
    missed = [
        p._replace(logits=torch.cat([p.logits[:, :-1], p.logits[:, -1:] - 50], 1))
        for p in predictions
    ]
    costs = [
        clip_loss(these, truth.labels, background, truth.settings).cross_entropy.item()
        for these in (missed, predictions, found)
    ]
    assert costs == sorted(costs)
    assert costs[0] < costs[2] - 0.5
    loss.total.backward()
    assert run.network.encoder.layers[0].ffn.layers[0].weight.grad.abs().sum() > 0


def test_pixels_without_a_picture_are_grey_to_the_network_and_background_in_the_loss(
    two_images: Path, tmp_path: Path
) -> None:
    values = recipe_values(two_images)
    values["clips"] = {"making": "paper", "area": 6144, "min_area": 100, "frames": 2}
    recipe = load_recipe(recipe_file(tmp_path, values))
    run, batch = start(recipe, torch.device("cpu")), make_batches(recipe).make(1)
    nowhere = batch.labels == 255
    assert nowhere.any()
    truth = truth_of(recipe, batch, 0, torch.device("cpu"))
    assert truth.labels.max() == batch.objects
    frames = batch.frames.clone()
    frames.masked_fill_(nowhere[:, :, None], 77)
    other = batch._replace(frames=frames)
    with torch.no_grad():
        run.model.eval()
        losses_ = [float(forward(run, one, truth)[1].total) for one in (batch, other)]
    assert losses_[0] == losses_[1]


@pytest.mark.parametrize("matching", [0, 16])
def test_only_what_corrects_learns_where_the_rest_is_frozen(
    two_images: Path, tmp_path: Path, matching: int
) -> None:
    frozen = ["backbone.", "pyramid.", "encoder.", "decoder.", "object_", "background_"]
    values = recipe_values(two_images, iterations=12, frozen=frozen, learning_rate=0.01)
    values["model"] |= {"refiner_channels": 8, "match_channels": matching}
    values["clips"]["frames"] = 3
    values["schedule"] = "window"
    values["loss"] = {"border_weight": 4.0, "merge": "logsumexp", "stride": 2}
    recipe = load_recipe(recipe_file(tmp_path, values))
    before = start(recipe, torch.device("cpu")).network.state_dict()
    train(recipe, tmp_path / "run")
    after = load_model(str(tmp_path / "run/model.safetensors")).state_dict()
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert {name.partition(".")[0] for name in moved} == (
        {"refiner", "matcher"} if matching else {"refiner"}
    )
    numbers = losses(tmp_path / "run")
    assert np.mean(numbers[-3:]) < np.mean(numbers[:3])


def test_in_a_window_each_frame_is_found_from_all_before_it() -> None:
    steps = schedule("window", 4, 0)
    seen = [{0 if s < 0 else steps[s].target for s in step.sources} for step in steps]
    assert [step.target for step in steps] == [1, 2, 3]
    assert seen == [{0}, {0, 1}, {0, 1, 2}]
    assert [step.parent for step in steps] == [None, 0, 1]


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_loss_is_least_where_edges_are(stride: Any) -> None:
    middles = torch.arange(2.0, 64, 4)  # of the cells of stride 4, in pixels
    settings = LossSettings(stride=stride, merge="logsumexp", dice="object")

    def loss(away: float) -> float:
        """Of edges at each pixel of a cell, found so far away from them."""
        total = 0.0
        for edge in range(32, 36):
            labels = torch.zeros(1, 1, 64, 64, dtype=torch.long)
            labels[..., edge:] = 1
            ahead = (middles - edge - away).expand(1, 1, 16, 16)
            logits = torch.cat([torch.zeros_like(ahead), ahead], 1)
            prediction = Prediction(0, logits, torch.ones(1, 1, dtype=torch.bool))
            total += float(clip_loss([prediction], labels, 1, settings).total)
        return total

    before, there, after = loss(-0.4), loss(0), loss(0.4)
    assert there < min(before, after)
    assert abs(before - after) < 0.5 * (max(before, after) - there)


def test_border_weight_makes_a_wrong_border_dearer_than_a_wrong_middle() -> None:
    labels = torch.zeros(1, 2, 64, 64, dtype=torch.uint8)
    labels[:, :, 16:48, 16:48] = 1
    right = torch.where(labels[:, :1, 2::4, 2::4] > 0, 8.0, -8.0)  # (1, 1, 16, 16)
    at_border, inside = right.clone(), right.clone()
    at_border[:, :, 4, 4:12] *= -1
    inside[:, :, 8, 4:12] *= -1

    def cost(logits: torch.Tensor, weight: float) -> float:
        prediction = Prediction(
            1, torch.cat([torch.zeros_like(logits), logits], 1), torch.ones(1, 1) > 0
        )
        settings = LossSettings(stride=4, border_weight=weight)
        return float(clip_loss([prediction], labels, 1, settings).cross_entropy)

    assert cost(at_border, 0) == pytest.approx(cost(inside, 0), rel=1e-3)
    assert cost(at_border, 4) > 1.5 * cost(inside, 4)
    assert cost(right, 4) < 1e-2
