"""Recipes build on one another, shrink, and stand for the rows of the paper's tables."""

import json
from pathlib import Path

import pytest
import yaml

from hodor.data import ClipSettings, WholeClips
from hodor.errors import RecipeError
from hodor.model import HodorConfig
from hodor.tracking import TrackerOptions
from hodor.training import bundled_recipes, load_recipe, read_plain, to_plain
from hodor.training.optimiser import learning_rate
from hodor.weights import bundled_models, model_path, read_info


def write(folder: Path, file: str, **values: object) -> Path:
    path = folder / file
    path.write_text(yaml.safe_dump(values))
    return path


def test_a_recipe_changes_its_base_key_by_key_and_lists_as_a_whole(tmp_path: Path) -> None:
    write(tmp_path, "first.yaml", base="paper/static", name="first", model={"channels": 128})
    data = [{"kind": "masks", "images": "i", "masks": "m"}]
    path = write(tmp_path, "second.yaml", base="first.yaml", name="second", data=data)
    recipe = load_recipe(path)
    assert recipe.name == "second"
    assert recipe.model == HodorConfig.paper(channels=128)
    assert [one.kind for one in recipe.data] == ["masks"]
    assert recipe.optimisation == load_recipe("paper/static").optimisation
    # What is saved needs no base.
    saved = tmp_path / "saved.yaml"
    saved.write_text(recipe.to_yaml())
    assert "base" not in yaml.safe_load(saved.read_text())
    assert load_recipe(saved) == recipe


def test_bases_that_are_not_there_or_run_in_a_circle_are_told(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", base="b.yaml", name="a")
    with pytest.raises(RecipeError, match=r"a\.yaml: base b\.yaml: no such file"):
        load_recipe(path)
    write(tmp_path, "b.yaml", base="a.yaml")
    with pytest.raises(RecipeError, match="a circle"):
        load_recipe(path)


def test_recipes_build_on_as_many_others_as_a_long_history_has(tmp_path: Path) -> None:
    write(tmp_path, "0.yaml", base="small-2", name="0")
    for number in range(1, 15):
        path = write(tmp_path, f"{number}.yaml", base=f"{number - 1}.yaml", name=str(number))
    assert load_recipe(path).model == load_recipe("small-2").model


def test_paper_recipes_take_the_papers_form_and_released_ones_the_released() -> None:
    for name in bundled_recipes():
        recipe = load_recipe(name)
        if name.startswith("paper/"):
            assert recipe.model.alpha_inside_scaling
            assert recipe.model.ffn_layers == 3
            assert recipe.mask_gradients
            assert recipe.loss.merge == "logsumexp"
        elif name.startswith("released/"):
            assert not recipe.mask_gradients
            assert recipe.schedule == "released"
            assert recipe.loss.merge == "max"
            assert isinstance(recipe.clips, WholeClips)
            assert recipe.clips.making == "released"


def test_nothing_beyond_the_paper_is_on_in_its_recipes() -> None:
    for name in bundled_recipes():
        clips = load_recipe(name).clips
        if isinstance(clips, WholeClips):
            assert set(to_plain(clips.beyond).values()) == {0.0}
        else:
            assert name.startswith(("small-", "tiny-", "base-"))


def test_the_rows_of_table_1_differ_as_the_paper_says() -> None:
    rows = ("single-image", "duplicated", "static", "video-frames", "cyclic", "dense")
    recipes = [load_recipe(f"paper/{row}") for row in rows]
    assert [r.clips.frames for r in recipes] == [1, 3, 3, 3, 3, 3]
    assert [r.schedule for r in recipes] == [
        *("single", "forward", "forward", "forward", "there_and_back", "forward"),
    ]
    assert [r.optimisation.iterations for r in recipes[:5]] == [250_000] * 3 + [20_000] * 2
    assert [r.initial.weights is None for r in recipes] == [True] * 3 + [False] * 3
    assert {one.as_stills for one in recipes[3].data} == {True}
    assert {one.annotated for one in recipes[4].data} == {"one"}
    assert {one.annotated for one in recipes[5].data} == {"all"}


@pytest.mark.parametrize("form", ["paper", "released"])
def test_the_rows_of_table_3_change_one_thing(form: str) -> None:
    whole = to_plain(load_recipe(f"{form}/static"))
    changed = {
        "one-object": {"joint_objects": False},
        "no-masking": {"masking": "none"},
        "hard-masking": {"masking": "hard"},
        "no-encoder-layers": {"encoder_layers": 0},
        "three-encoder-layers": {"encoder_layers": 3},
        "no-decoder-layers": {"decoder_layers": 0},
        "three-decoder-layers": {"decoder_layers": 3},
        "barebones": {"barebones": True},
        "plain-convolution": {"deformable": False},
        "one-background": {"background_grid": [1, 1]},
    }
    found = [n for n in bundled_recipes() if n.startswith(f"{form}/ablations/")]
    assert len(found) == len(changed) == 10
    for name in found:
        recipe = to_plain(load_recipe(name))
        wanted = whole["model"] | changed[name.rpartition("/")[2]]
        assert recipe["model"] == wanted
        other = {"name", "about", "model", *(["clips"] if name.endswith("one-object") else [])}
        assert {k: v for k, v in recipe.items() if k not in other} == {
            k: v for k, v in whole.items() if k not in other
        }


def test_rates_follow_section_s4() -> None:
    optimisation = load_recipe("paper/static").optimisation
    rates = [learning_rate(optimisation, step) for step in (0, 5000, 10_000, 99_999, 100_000)]
    assert rates == pytest.approx([0, 5e-5, 1e-4, 1e-4, 1e-5])
    released = load_recipe("released/static").optimisation
    assert learning_rate(released, 0) == pytest.approx(1e-7)
    cyclic = load_recipe("paper/cyclic").optimisation
    assert learning_rate(cyclic, 19_999) == pytest.approx(1e-5)


def test_scale_shrinks_steps_area_and_channels_together() -> None:
    recipe = load_recipe("paper/static", scale=0.004)
    assert recipe.optimisation.iterations == 1000
    assert recipe.optimisation.warmup == 40
    assert recipe.optimisation.decay_at == (400,)
    assert recipe.model.channels == 64
    assert isinstance(recipe.clips, WholeClips)
    assert recipe.clips.area == pytest.approx(300_000 * 0.004 ** (1 / 3), abs=1)
    assert recipe.model.encoder_layers == 5
    assert (recipe.checkpoint_every, recipe.pictures_every) == (50, 50)  # writing takes time
    layered = load_recipe("small-3", scale=0.1).clips
    assert isinstance(layered, ClipSettings)
    assert layered.size == (160, 256)
    in_turn = load_recipe("small-23", scale=0.1).clips
    assert isinstance(in_turn, ClipSettings)
    assert in_turn.sizes == ((160, 320), (160, 320), (224, 384))
    assert load_recipe("paper/static", scale=1.0) == load_recipe("paper/static")
    for wrong in (0.0, -1.0, 2.0):
        with pytest.raises(RecipeError, match="scale"):
            load_recipe("paper/static", scale=wrong)


def test_settings_come_after_the_scale_and_reach_into_lists() -> None:
    changes = ["optimisation.iterations=7", "data.0.weight=0.5", "data.0.short_side=320"]
    recipe = load_recipe("paper/static", changes, scale=0.01)
    assert recipe.optimisation.iterations == 7
    assert recipe.data[0].weight == 0.5
    assert recipe.data[0].short_side == 320
    with pytest.raises(RecipeError, match=r"--set data\.7"):
        load_recipe("paper/static", ["data.7.weight=1"])


def test_a_recipe_survives_json_without_pydantic(tmp_path: Path) -> None:
    for name in bundled_recipes():
        recipe = load_recipe(name)
        path = tmp_path / "plain.json"
        path.write_text(json.dumps(to_plain(recipe)))
        assert read_plain(path) == recipe
    path.write_text("[1]")
    with pytest.raises(RecipeError, match="not a recipe as JSON"):
        read_plain(path)


@pytest.mark.parametrize("name", bundled_models())
def test_the_last_recipe_of_a_bundled_model_states_its_options(name: str) -> None:
    """Whoever trains by it has a model that is used as the bundled one is."""
    info = read_info(model_path(name)).metadata
    assert isinstance(info["recipe"], list)
    stated = TrackerOptions().changed(load_recipe(str(info["recipe"][-1])).tracking)
    assert stated == TrackerOptions.stated_by(info)
