"""What a run owns while it lasts, how it starts, and how it goes on from a checkpoint."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from hodor.errors import RecipeError, WeightsError
from hodor.model import Hodor, load_backbone_weights
from hodor.training.checkpoints import Checkpoint
from hodor.training.optimiser import Average, make_optimiser
from hodor.training.plain import flat, from_plain, to_plain
from hodor.training.propagation import ClipModel
from hodor.training.settings import Recipe
from hodor.weights import load_model, save_model

# A run may go on with other values of these: they change neither clips nor losses so far.
MAY_CHANGE = (
    "name",
    "about",
    "root",
    "tracking",
    "optimisation.iterations",
    "validation",
    "running",
    "checkpoint_every",
    "pictures_every",
    "cache_gb",
)


@dataclass
class Run:
    """What a run owns."""

    recipe: Recipe
    network: Hodor
    model: ClipModel
    """The network as clips pass it"""
    optimiser: torch.optim.AdamW
    average: Average | None
    step: int = 0
    broken: int = 0
    """Steps in a row whose loss was not finite."""


def start(recipe: Recipe, device: torch.device, *, resumed: bool = False) -> Run:
    """Network, optimiser and average at step 0.

    Args:
        recipe: the run.
        device: where they go.
        resumed: a checkpoint will fill them; ``initial`` is not read.

    Raises:
        WeightsError: ``initial`` names what is not there or does not fit.
    """
    torch.manual_seed(recipe.seed)
    network = Hodor(recipe.model)
    if not resumed:
        _fill(network, recipe)
    network = network.to(device).to(memory_format=torch.channels_last)
    optimiser = make_optimiser(network, recipe.optimisation)
    decay = recipe.optimisation.average
    average = None if decay is None else Average(network, decay)
    running = recipe.running
    model = ClipModel(
        network,
        mask_gradients=recipe.mask_gradients,
        mistaken=recipe.mistaken,
        save_memory=running.save_memory,
        compiled=running.compile,
    )
    return Run(recipe, network, model, optimiser, average)


def _fill(network: Hodor, recipe: Recipe) -> None:
    initial = recipe.initial
    if initial.weights is not None and not initial.partial:
        _fill_whole(network, initial.weights)
        return
    if initial.backbone == "timm":
        _fill_from_timm(network)
    elif initial.backbone is not None:
        path = recipe.root / initial.backbone
        if not path.is_file():
            raise WeightsError(f"{path}: no such file; initial.backbone names pretrained weights")
        try:
            state = load_file(path)
        except SafetensorError as error:
            raise WeightsError(f"{path}: not a safetensors file ({error})") from error
        load_backbone_weights(network.backbone, state)
    if initial.weights is not None:
        _fill_partly(network, initial.weights)


def _fill_partly(network: Hodor, which: str) -> None:
    ours = {k: v.shape for k, v in network.state_dict().items()}
    found = load_model(which).state_dict()
    fits = {k: v for k, v in found.items() if ours.get(k) == v.shape}
    if all(v.dim() < 2 for v in fits.values()):  # single factors fit everywhere
        raise WeightsError(f"initial.weights {which}: nothing in it has the recipe's shapes")
    network.load_state_dict(fits, strict=False)


def _fill_from_timm(network: Hodor) -> None:
    load_backbone_weights(network.backbone, network.backbone.fetch())


def _fill_whole(network: Hodor, which: str) -> None:
    found = load_model(which)
    theirs = {k: v.shape for k, v in found.state_dict().items()}
    ours = {k: v.shape for k, v in network.state_dict().items()}
    if theirs != ours:
        differ = {
            name: f"{value!r} (the recipe says {getattr(network.config, name)!r})"
            for name, value in found.config.to_dict().items()
            if value != network.config.to_dict()[name]
        }
        raise WeightsError(
            f"initial.weights {which}: its network differs from the recipe's: "
            + ", ".join(f"{name} is {text}" for name, text in differ.items())
        )
    network.load_state_dict(found.state_dict())


def state_of(run: Run) -> Checkpoint:
    """Everything that ``restore`` needs; no matter how many processes there were."""
    average = run.average
    return {
        "step": run.step,
        "recipe": json.dumps(to_plain(run.recipe)),
        "network": run.network.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "average": None if average is None else {"steps": average.steps, "values": average.values},
    }


def restore(run: Run, saved: Checkpoint) -> None:
    """Bring a started run to where a checkpoint was.

    Raises:
        RecipeError: the recipe is another one than the checkpoint's; what differs is named.
    """
    different = changes(_recipe_of(saved), run.recipe)
    if different:
        raise RecipeError(
            f"the run in this folder has another recipe: {'; '.join(different)}. Go on with the "
            "old settings (optimisation.iterations may grow), or choose another folder"
        )
    if saved["step"] > run.recipe.optimisation.iterations:
        raise RecipeError(
            f"the run in this folder is at step {saved['step']}, past optimisation.iterations "
            f"{run.recipe.optimisation.iterations}"
        )
    try:
        run.network.load_state_dict(saved["network"])
        run.optimiser.load_state_dict(saved["optimiser"])
    except (RuntimeError, ValueError) as error:
        raise RecipeError(
            f"the checkpoint is of another network than the recipe's: {error}".replace("\n", " ")
        ) from error
    if run.average is not None and saved["average"] is not None:
        run.average.steps = saved["average"]["steps"]
        for name, value in saved["average"]["values"].items():
            run.average.values[name].copy_(value)
    run.step = saved["step"]


def _recipe_of(saved: Checkpoint) -> Recipe:
    text = saved["recipe"]
    if text.startswith("{"):
        return from_plain(Recipe, json.loads(text))
    import yaml  # as checkpoints were before

    return from_plain(Recipe, yaml.safe_load(text))


def changes(before: Recipe, now: Recipe) -> list[str]:
    """What of a recipe differs, and may not."""
    old, new = flat(to_plain(before)), flat(to_plain(now))
    return [
        f"{key} was {old.get(key)!r} and is {new.get(key)!r}"
        for key in {**old, **new}
        if old.get(key) != new.get(key) and not _may_change(key)
    ]


def _may_change(key: str) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in MAY_CHANGE)


def write_model(run: Run, path: Path) -> None:
    """Save the (averaged) network as a model that ``hodor track --model`` takes."""
    state = run.network.state_dict() | (run.average.values if run.average else {})
    about = {"name": run.recipe.name, "steps": run.step, "recipe": to_plain(run.recipe)}
    if run.recipe.tracking:
        about["tracking"] = run.recipe.tracking
    save_model(path, run.network.config, dict(state), about)
