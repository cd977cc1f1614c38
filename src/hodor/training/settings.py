"""A training run, stated whole, as frozen data. ``recipe`` reads it from YAML."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from hodor.data import ClipSettings, WholeClips
from hodor.model import HodorConfig
from hodor.training.losses import LossSettings
from hodor.training.plain import Limit, to_plain
from hodor.training.propagation import Schedule
from hodor.types import JsonObject

Count = Annotated[int, Limit(least=1)]
Steps = Annotated[int, Limit(least=0)]


@dataclass(frozen=True)
class DataSet:
    """One dataset. Paths are relative to the recipe's ``root``."""

    kind: Literal["masks", "coco", "videos", "davis", "youtube-vos", "mose"]
    images: Path
    """Folder of images, or of folders of frames; for a benchmark its root."""
    masks: Path | None = None
    """For ``masks``: folder of masks with the images' stems; for ``videos``: see ``Videos``."""
    annotations: Path | None = None
    """For ``coco``: instances JSON."""
    year: Literal[2016, 2017] = 2017
    """For ``davis``."""
    split: str = "train"
    """For benchmarks: which part."""
    annotated: Literal["one", "any", "all"] = "one"
    """For videos: use one annotated frame of each, any one in a clip, or all; see
    ``VideoRules``."""
    as_stills: bool = False
    """For videos: take annotated frames as still images (Table 1, row 4)."""
    without: tuple[str, ...] = ()
    """File stems of images, or of label maps of a video, that are left out."""
    listed: Path | None = None
    """For ``videos``: text file that names those to use."""
    span: Count = 8
    """For videos: how far the frames of a clip may be from its first, in frames."""
    reference: Literal["middle", "last"] = "middle"
    """For videos: which frame ``one`` takes; see ``VideoRules``."""
    order: Literal["away", "shuffled", "after"] = "away"
    """For videos: where the other frames of a clip lie; see ``VideoRules``."""
    weight: Annotated[float, Limit(over=0)] = 1.0
    """How often it is drawn from, relative to the others."""
    held_out: bool = False
    """Leave out one image in twenty, from which measuring clips are made."""
    short_side: Annotated[int | None, Limit(least=64)] = 512
    """Images are shrunk to this shorter side, in pixels; null: they stay as they are."""


@dataclass(frozen=True)
class Initial:
    """Where weights come from before the first step; nothing: from scratch."""

    backbone: str | None = None
    """``timm`` for timm's own pretrained weights (downloaded), or a safetensors file of a backbone
    in timm's or Swin's layout, relative to ``root``."""
    weights: str | None = None
    """A whole model: a bundled name, a path (a converted released checkpoint, or the model of
    another run) or ``hub:ORG/REPO``."""
    partial: bool = False
    """``weights`` may be of another network: what has the same name and shape there is taken, the
    rest starts as without it. A network with fewer layers takes the first ones."""


@dataclass(frozen=True)
class Optimisation:
    """How weights change."""

    iterations: Count
    batch: Count = 8
    """Clips for each step."""
    group: Annotated[int | None, Limit(least=1)] = None
    """Clips of a step that share number of objects and size; null: all of them. Released: 2."""
    learning_rate: Annotated[float, Limit(over=0)] = 1e-4
    backbone_rate: Annotated[float, Limit(least=0)] = 1.0
    """Factor on the learning rate for the backbone; 0 freezes it."""
    frozen: tuple[str, ...] = ()
    """Prefixes of parameter names that do not learn."""
    warmup: Steps = 0
    """Steps over which the rate rises linearly."""
    warmup_start: float = 1e-7
    """Rate at step 0."""
    decay: Literal["step", "cosine", "constant"] = "step"
    decay_at: tuple[int, ...] = ()
    """For ``step``: steps at which the rate is divided by ten."""
    weight_decay: float = 0.01
    clip_gradients: float | None = None
    """Largest L2 norm of all gradients."""
    average: Annotated[float | None, Limit(over=0, under=1)] = None
    """Decay of a moving average of the weights, which is then what is saved as the model."""


@dataclass(frozen=True)
class Validation:
    """J and F on annotated videos now and then."""

    davis: Path
    """A folder in DAVIS layout, relative to ``root``."""
    year: Literal[2016, 2017] = 2017
    split: str = "val"
    every: Count = 10_000
    """Steps between measurements; the last step is always measured."""


@dataclass(frozen=True)
class Running:
    """What decides how fast a run is and what it needs, and not what it computes."""

    workers: Annotated[int | None, Limit(least=0)] = None
    """Processes that make clips, for each process that trains; 0: threads of that process; null:
    0 on a CPU, else one for each core but one, shared among the processes, at most 8."""
    at_once: Annotated[int | None, Limit(least=1)] = None
    """Clips that go through the network at once; the rest of a step follows, and gradients add up.
    null: all of a group."""
    save_memory: bool = False
    """Keep no activations inside backbone, encoder and decoder; they are computed a second time
    for the gradients."""
    compile: bool = False
    """Compile the network with ``torch.compile``, once for every form of a batch that it meets:
    minutes at the start, which long runs on a GPU may win back."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run. ``hodor train`` saves it beside its checkpoints."""

    # For pydantic, on this and everything in it: a typo must not train something else.
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    name: str
    data: tuple[DataSet, ...]
    optimisation: Optimisation
    about: str = ""
    root: Path = Path()
    """Folder that data paths are relative to."""
    model: HodorConfig = field(default_factory=HodorConfig)
    initial: Initial = field(default_factory=Initial)
    clips: ClipSettings | WholeClips = field(default_factory=ClipSettings)
    schedule: Schedule = "released"
    mask_gradients: bool = False
    """Whether gradients flow through predicted masks (paper) or stop there (released)."""
    mistaken: Annotated[float, Limit(least=0)] = 0.0
    """For a network with a refiner: share of clips and steps in which the last masks have a part
    too much or too little, which the next prediction has to mend (beyond the paper)."""
    loss: LossSettings = field(default_factory=LossSettings)
    tracking: JsonObject = field(default_factory=dict)
    """Fields of ``TrackerOptions`` that the model's file carries as its defaults."""
    precision: Literal["fp32", "bf16"] = "fp32"
    seed: int = 42
    validation: Validation | None = None
    running: Running = field(default_factory=Running)
    checkpoint_every: Count = 500
    pictures_every: Count = 200
    cache_gb: Annotated[float, Limit(least=0)] = 2.0
    """Memory for decoded stills, for each process that trains."""

    def to_yaml(self) -> str:
        """The recipe with every default written out."""
        import yaml

        return yaml.safe_dump(to_plain(self), sort_keys=False)
