"""A training run, stated whole, as a YAML file."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hodor.data import Annotated, ClipSettings
from hodor.errors import HodorError, RecipeError
from hodor.model import HodorConfig
from hodor.tracking import TrackerOptions
from hodor.training.losses import LossSettings
from hodor.training.propagation import Schedule, schedule


class _Part(BaseModel):
    """Unknown keys are errors: a typo must not train something else."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSet(_Part):
    """One dataset. Paths are relative to the recipe's ``root``."""

    kind: Literal["masks", "coco", "videos"]
    images: Path
    masks: Path | None = None
    """For ``masks``: folder of masks with the images' stems; for ``videos``: see ``Videos``."""
    annotations: Path | None = None
    """For ``coco``: instances JSON."""
    annotated: Annotated = "one"
    """For ``videos``: use one annotated frame of each, or all."""
    listed: Path | None = None
    """For ``videos``: text file that names those to use."""
    span: int = Field(8, ge=1)
    """For ``videos``: how far the frames of a clip may be from its first, in frames."""
    weight: float = Field(1.0, gt=0)
    """How often it is drawn from, relative to the others."""
    held_out: bool = False
    """Leave out one image in twenty, from which measuring clips are made."""
    short_side: int = Field(512, ge=64)
    """Images are shrunk to this shorter side, in pixels."""


class Initial(_Part):
    """Where weights come from before the first step."""

    backbone: Path | None = None
    """safetensors of a pretrained backbone in timm's or Swin's layout; relative to ``root``."""
    weights: str | None = None
    """A whole model: a bundled name or a path."""


class Optimisation(_Part):
    """How weights change."""

    iterations: int = Field(gt=0)
    batch: int = Field(8, gt=0)
    """Clips for each step."""
    learning_rate: float = Field(1e-4, gt=0)
    backbone_rate: float = Field(1.0, ge=0)
    """Factor on the learning rate for the backbone; 0 freezes it."""
    frozen: tuple[str, ...] = ()
    """Prefixes of parameter names that do not learn."""
    warmup: int = Field(0, ge=0)
    """Steps over which the rate rises linearly."""
    warmup_start: float = 1e-7
    """Rate at step 0."""
    decay: Literal["step", "cosine", "constant"] = "step"
    decay_at: tuple[int, ...] = ()
    """For ``step``: steps at which the rate is divided by ten."""
    weight_decay: float = 0.01
    clip_gradients: float | None = None
    """Largest L2 norm of all gradients."""
    average: float | None = Field(None, gt=0, lt=1)
    """Decay of a moving average of the weights, which is then what is saved as the model."""


class Recipe(_Part):
    """Everything that decides a run. ``hodor train`` saves it beside its checkpoints."""

    name: str
    about: str = ""
    root: Path = Path()
    """Folder that data paths are relative to."""
    model: dict[str, Any] = Field(default_factory=dict)
    """Fields of ``HodorConfig``."""
    initial: Initial = Initial()
    data: tuple[DataSet, ...] = Field(min_length=1)
    clips: dict[str, Any] = Field(default_factory=dict)
    """Fields of ``ClipSettings``, ``motion`` and ``colour`` nested."""
    schedule: Schedule = "released"
    mask_gradients: bool = False
    loss: dict[str, Any] = Field(default_factory=dict)
    """Fields of ``LossSettings``."""
    optimisation: Optimisation
    tracking: dict[str, Any] = Field(default_factory=dict)
    """Fields of ``TrackerOptions`` that the model's file carries as its defaults."""
    precision: Literal["fp32", "bf16"] = "fp32"
    seed: int = 42
    checkpoint_every: int = Field(500, gt=0)
    pictures_every: int = Field(200, gt=0)
    cache_gb: float = Field(2.0, ge=0)
    """Memory for decoded stills."""

    def config(self) -> HodorConfig:
        """The network's config."""
        return HodorConfig.from_dict(self.model)

    def clip_settings(self) -> ClipSettings:
        """How clips are made."""
        values = dict(self.clips)
        nested = {f.name: f for f in _nested(ClipSettings)}
        for name, field in nested.items():
            if isinstance(values.get(name), Mapping):
                values[name] = _filled(field.default_factory, values[name], f"clips.{name}")
        return _filled(ClipSettings, values, "clips")  # type: ignore[no-any-return]

    def loss_settings(self) -> LossSettings:
        """The objective's form."""
        return _filled(LossSettings, self.loss, "loss")  # type: ignore[no-any-return]

    def to_yaml(self) -> str:
        """The recipe with every default written out."""
        whole = self.model_dump(mode="json")
        whole["model"] = self.config().to_dict()
        whole["clips"] = asdict(self.clip_settings())
        whole["loss"] = asdict(self.loss_settings())
        return yaml.safe_dump(_plain(whole), sort_keys=False)


def _nested(kind: Any) -> list[Any]:
    from dataclasses import MISSING, fields

    return [f for f in fields(kind) if f.default_factory is not MISSING]


def _filled(kind: Any, values: Mapping[str, Any], where: str) -> Any:
    """A dataclass from plain values; names the wrong key."""
    from dataclasses import fields

    known = [f.name for f in fields(kind)]
    unknown = [name for name in values if name not in known]
    if unknown:
        raise RecipeError(
            f"recipe: {where}.{unknown[0]} is not known; known are {', '.join(known)}"
        )
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def bundled_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files("hodor") / "recipes"
    return sorted(
        p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml")
    )


def load_recipe(which: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        which: path of a YAML file, or the name of a bundled recipe.
        changes: ``a.b=value`` settings that override it; values are read as YAML.

    Raises:
        RecipeError: no such recipe, not YAML, or wrong keys and values (all are listed).
    """
    text, where = _text(which)
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"{where}: not YAML: {error}".replace("\n", " ")) from error
    if not isinstance(values, dict):
        raise RecipeError(f"{where}: expected keys and values, found {type(values).__name__}")
    for change in changes:
        _apply(values, change)
    try:
        recipe = Recipe(**values)
        recipe.config()
        recipe.loss_settings()
        _filled(TrackerOptions, recipe.tracking, "tracking")
        schedule(recipe.schedule, recipe.clip_settings().frames, 0)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}{_line_of(text, e['loc'])}"
            for e in error.errors()
        )
        raise RecipeError(f"{where}: {problems}") from error
    except HodorError as error:
        raise RecipeError(f"{where}: {error}") from error
    return recipe


def _text(which: str | Path) -> tuple[str, str]:
    path = Path(which)
    if path.is_file():
        return path.read_text(encoding="utf-8"), str(path)
    bundled = resources.files("hodor") / "recipes" / f"{which}.yaml"
    if bundled.is_file():
        return bundled.read_text(encoding="utf-8"), f"recipe {which}"
    raise RecipeError(
        f"{which}: no such file and no bundled recipe; bundled are {', '.join(bundled_recipes())}"
    )


def _apply(values: dict[str, Any], change: str) -> None:
    key, sign, value = change.partition("=")
    if not sign:
        raise RecipeError(f"--set {change}: expected KEY=VALUE, such as optimisation.batch=4")
    *path, last = key.split(".")
    for name in path:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise RecipeError(f"--set {change}: {name} holds no further keys")
    values[last] = yaml.safe_load(value)


def _line_of(text: str, location: tuple[int | str, ...]) -> str:
    """Where the last named key stands, for people who edit the file."""
    names = [part for part in location if isinstance(part, str)]
    for number, line in enumerate(text.splitlines(), 1):
        if names and line.strip().startswith(f"{names[-1]}:"):
            return f" (line {number})"
    return ""
