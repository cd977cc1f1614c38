"""Recipes: YAML that builds on other YAML, checked, and shrunk where little can be spent."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib import resources
from pathlib import Path

import yaml

from hodor.errors import MALFORMED, HodorError, RecipeError, one_line
from hodor.files import read_text
from hodor.training.plain import from_plain, to_plain
from hodor.training.propagation import schedule
from hodor.training.scale import scaled
from hodor.training.settings import Recipe
from hodor.types import Json, JsonObject


def bundled_recipes() -> list[str]:
    """Names of the recipes that come with the package, such as ``paper/static``."""
    folder = Path(str(resources.files("hodor") / "recipes"))
    return sorted(p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.yaml"))


def load_recipe(
    which: str | Path, changes: Sequence[str] = (), *, scale: float | None = None
) -> Recipe:
    """Read a recipe.

    Args:
        which: path of a YAML file (or of JSON that ``Recipe`` was written to), or the name of a
            bundled recipe. A key ``base`` in it names the recipe that it changes, in the same way;
            mappings are merged key by key, everything else is replaced.
        changes: ``a.b=value`` settings that override it; values are read as YAML.
        scale: shrink the run; see ``scaled``. Changes come after it.

    Raises:
        RecipeError: no such recipe, not YAML, or wrong keys and values (all are listed).
    """
    text, where = _text(which)
    values = _merged(text, where)
    if scale is not None:
        values = to_plain(scaled(_read(values, text, where), scale))
    for change in changes:
        _apply(values, change)
    return _read(values, text, where)


def changed(recipe: Recipe, changes: Sequence[str]) -> Recipe:
    """A recipe with ``a.b=value`` settings changed, all of it checked again.

    Raises:
        RecipeError: wrong keys or values.
    """
    values = to_plain(recipe)
    for change in changes:
        _apply(values, change)
    return _read(values, "", f"recipe {recipe.name}")


def read_plain(path: Path) -> Recipe:
    """A recipe that ``hodor train --resolve`` wrote as JSON; pydantic is not needed.

    Raises:
        RecipeError: the file is not such a recipe.
    """
    try:
        return from_plain(Recipe, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, *MALFORMED) as error:
        raise RecipeError(f"{path}: not a recipe as JSON ({error})") from error


def _merged(text: str, where: str) -> JsonObject:
    """The values of a recipe over those of its bases."""
    layers: list[JsonObject] = []
    chain: list[Path] = []
    while True:
        if Path(where).resolve() in chain:
            raise RecipeError(f"{where}: recipes build on one another in a circle")
        chain.append(Path(where).resolve())
        values = _values(text, where)
        base = values.pop("base", None)
        layers.append(values)
        if base is None:
            break
        beside = Path(where).parent / str(base)
        text, where = _text(beside if beside.is_file() else str(base), found_in=where)
    whole: JsonObject = {}
    for values in reversed(layers):
        whole = _over(whole, values)
    return whole


def _over(below: Mapping[str, Json], above: Mapping[str, Json]) -> JsonObject:
    """Mappings merged key by key; anything else in ``above`` replaces what is below."""
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _over(merged[key], value)
        else:
            merged[key] = value
    return merged


def _values(text: str, where: str) -> JsonObject:
    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise RecipeError(f"{where}: not YAML: {one_line(error)}") from error
    if not isinstance(values, dict):
        raise RecipeError(f"{where}: expected keys and values, found {type(values).__name__}")
    return values


def _read(values: Mapping[str, Json], text: str, where: str) -> Recipe:
    """Plain values as a recipe, all of it checked."""
    from pydantic import TypeAdapter, ValidationError

    clips = values.get("clips")
    if isinstance(clips, Mapping):
        values = {**values, "clips": {"making": "layers", **clips}}
    try:
        recipe = TypeAdapter(Recipe).validate_python(values)
        _check(recipe)
    except ValidationError as error:
        problems = [_problem(e["loc"], e["type"], e["msg"], values, text) for e in error.errors()]
        raise RecipeError(f"{where}: {'; '.join(filter(None, problems))}") from error
    except HodorError as error:
        raise RecipeError(f"{where}: {error}") from error
    return recipe


def _problem(
    location: tuple[int | str, ...], kind: str, message: str, values: Mapping[str, Json], text: str
) -> str | None:
    """One mistake in words; None for those of the form of clips that is not meant."""
    parts = list(location)
    if len(parts) > 1 and parts[0] == "clips":
        meant = "ClipSettings" if values["clips"]["making"] == "layers" else "WholeClips"
        if parts.pop(1) != meant:
            return None
    name, line = ".".join(map(str, parts)), _line_of(text, location)
    if kind == "unexpected_keyword_argument":
        return f"{name} is not known{line}"
    return f"{name}: {message.removeprefix('Value error, ')}{line}"


def _check(recipe: Recipe) -> None:
    """What types do not say. Raises HodorError."""
    if not recipe.data:
        raise RecipeError("data is empty; name at least one dataset")
    schedule(recipe.schedule, recipe.clips.frames, 0)
    for number, dataset in enumerate(recipe.data):
        needed = {"masks": "masks", "videos": "masks", "coco": "annotations"}.get(dataset.kind)
        if needed and getattr(dataset, needed) is None:
            raise RecipeError(f"data.{number}: kind {dataset.kind} needs {needed}")
    if recipe.tracking:
        _check_tracking(recipe.tracking)


def _check_tracking(values: Mapping[str, Json]) -> None:
    from hodor.tracking import TrackerOptions  # brings video decoding; only readers need it

    known = [f.name for f in fields(TrackerOptions)]
    for name in values:
        if name not in known:
            raise RecipeError(f"tracking.{name} is not known; known are {', '.join(known)}")
    TrackerOptions().changed(values)


def _text(which: str | Path, *, found_in: str = "") -> tuple[str, str]:
    path = Path(which)
    if path.is_file():
        return read_text(path), str(path)
    bundled = Path(str(resources.files("hodor") / "recipes")) / f"{which}.yaml"
    if bundled.is_file():
        return bundled.read_text(encoding="utf-8"), f"recipe {which}"
    asked = f"{found_in}: base {which}" if found_in else f"{which}"
    raise RecipeError(
        f"{asked}: no such file and no bundled recipe; bundled are {', '.join(bundled_recipes())}"
    )


def _apply(values: JsonObject, change: str) -> None:
    key, sign, value = change.partition("=")
    if not sign:
        raise RecipeError(f"--set {change}: expected KEY=VALUE, such as optimisation.batch=4")
    *path, last = key.split(".")
    inner: Json = values
    for name in path:
        inner = _inside(inner, name, change)
    if isinstance(inner, list) and last.isdigit() and int(last) < len(inner):
        inner[int(last)] = _plain(value, change)
    elif isinstance(inner, dict):
        inner[last] = _plain(value, change)
    else:
        raise RecipeError(f"--set {change}: {path[-1]} holds no further keys")


def _plain(value: str, change: str) -> Json:
    """A value as YAML has it."""
    try:
        return yaml.safe_load(value)
    except (yaml.YAMLError, RecursionError) as error:
        raise RecipeError(f"--set {change!r}: the value is not YAML ({one_line(error)})") from error


def _inside(values: Json, name: str, change: str) -> Json:
    """One step down: into a mapping, or into a list by number."""
    if isinstance(values, list) and name.isdigit() and int(name) < len(values):
        return values[int(name)]
    if not isinstance(values, dict):
        raise RecipeError(f"--set {change}: {name} is not in a mapping or a list")
    if values.get(name) is None:
        values[name] = {}
    return values[name]


def _line_of(text: str, location: tuple[int | str, ...]) -> str:
    """Where the last named key stands, for people who edit the file."""
    names = [part for part in location if isinstance(part, str)]
    for number, line in enumerate(text.splitlines(), 1):
        if names and line.strip().startswith(f"{names[-1]}:"):
            return f" (line {number})"
    return ""
