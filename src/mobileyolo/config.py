"""params.yaml as one frozen, strict object. Nothing else reads that file."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from mobileyolo.errors import ConfigError
from mobileyolo.models.architecture import BACKBONES, width_of

PARAMS_FILE = Path("params.yaml")
WEIGHTS_DIR = Path("data/weights")  # where weights from elsewhere are looked for by name

Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Arm = Literal["baseline", "candidate"]
ARMS: tuple[Arm, Arm] = ("baseline", "candidate")
Role = Literal["backbone", "detector", "teacher"]
# What weights from elsewhere can be, and the parameter that names them.
WEIGHTS_KEYS: dict[Role, str] = {"backbone": "init.backbone", "detector": "init.detector", "teacher": "train.teacher"}
NONE, BASELINE = "none", "baseline"  # names that stand for no file; DVC finds one-line files of these names


class Section(BaseModel):
    """Base of every section: unknown keys, other types and later changes are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Data(Section):
    """Where the dataset lies; its content, not its place, decides what is trained again."""

    dir: Annotated[str, Field(min_length=1)]


class Digits(Section):
    """The generated default dataset."""

    seed: Seed
    train: Annotated[int, Field(ge=1, le=100_000)]
    val: Annotated[int, Field(ge=1, le=100_000)]
    test: Annotated[int, Field(ge=1, le=100_000)]
    scene_size: Annotated[int, Field(ge=64, le=1280)]  # pixels


class Tolerance(Section):
    """Share of rows up to which a kind of fault is a warning; above it, it is an error."""

    unreadable_image: Share
    lying_extension: Share
    missing_label: Share
    orphan_label: Share
    duplicate_stem: Share
    malformed_line: Share
    class_out_of_range: Share
    coordinate_out_of_range: Share
    zero_size_box: Share
    duplicate_box: Share
    image_in_two_splits: Share


class Limits(Section):
    """Where one row begins to offend, and the share of rows up to which that isn't mentioned."""

    limit: float
    share: Share


class Count(Limits):
    """A limit that counts."""

    limit: Annotated[float, Field(ge=0)]


class Part(Limits):
    """A limit that is a part of a whole."""

    limit: Share


class Ratio(Limits):
    """A limit that is a ratio of the larger to the smaller."""

    limit: Annotated[float, Field(ge=1)]


class Overlap(Limits):
    """A limit that is an IoU; lesser ones than a half aren't looked for."""

    limit: Annotated[float, Field(ge=0.5, le=1)]


class HashBits(Limits):
    """A limit in bits of a perceptual hash; images that differ in more aren't looked for."""

    limit: Annotated[int, Field(ge=0, le=4)]


class Quality(Section):
    """What is remarked on without stopping the pipeline, kind by kind."""

    missing_class: Count  # boxes
    scarce_class: Count  # images
    rare_class: Part  # of the most frequent class's boxes
    class_shift: Part  # total variation distance
    size_shift: Part  # Kolmogorov-Smirnov distance
    brightness_shift: Part  # Kolmogorov-Smirnov distance
    few_scenes: Count
    near_duplicate_in_split: HashBits
    near_duplicate_across_splits: HashBits
    background_image: Count  # boxes
    crowded_image: Count  # boxes
    long_image: Ratio
    dark_image: Part
    bright_image: Part
    blurred_image: Count  # sharpness, as in dataset.images
    blank_image: Part  # contrast, as in dataset.images
    tiny_box: Part  # of the image, each way
    huge_box: Part  # of the image's area
    box_at_border: Count  # pixels
    elongated_box: Ratio
    odd_size_for_class: Count  # modified z-score
    odd_shape_for_class: Count  # modified z-score
    overlapping_box: Overlap
    contested_box: Overlap
    mixed_label_file: Count  # lines


class Validate(Section):
    """What the dataset gate lets through and what it remarks on."""

    slack: Share  # of the image's side that a box may stick out by
    tolerance: Tolerance
    quality: Quality


WeightsName = Annotated[str, Field(min_length=1)]  # none, a file in WEIGHTS_DIR, or an absolute path


class Init(Section):
    """Starting weights that both arms are offered; each takes what fits."""

    backbone: WeightsName
    detector: WeightsName


class Train(Section):
    """The recipe that both arms share. Names and meanings are those of Ultralytics' train settings, but for teacher."""

    epochs: Annotated[int, Field(ge=1)]
    imgsz: Annotated[int, Field(ge=32, multiple_of=32)]  # pixels
    batch: Annotated[int, Field(ge=1)]
    nbs: Annotated[int, Field(ge=1)]
    optimizer: Literal["auto", "SGD", "Adam", "AdamW", "NAdam", "RAdam", "RMSProp"]
    lr0: Annotated[float, Field(gt=0)]
    lrf: Annotated[float, Field(gt=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_epochs: Annotated[float, Field(ge=0)]
    cos_lr: bool
    mosaic: Share
    close_mosaic: Annotated[int, Field(ge=0)]
    mixup: Share
    hsv_h: Share
    hsv_s: Share
    hsv_v: Share
    degrees: Annotated[float, Field(ge=0, le=180)]
    translate: Share
    scale: Share
    fliplr: Share
    flipud: Share
    teacher: WeightsName  # or baseline
    dis: Annotated[float, Field(ge=0)]


class Evaluate(Section):
    """How the trained arms are measured."""

    split: Literal["auto", "test", "val"]
    batch: Annotated[int, Field(ge=1)]
    conf: Share
    iou: Share
    max_det: Annotated[int, Field(ge=1)]


class Latency(Section):
    """How long a forward pass of each arm takes, measured in turn."""

    rounds: Annotated[int, Field(ge=5)]
    threads: Annotated[int, Field(ge=1)]


class Compare(Section):
    """How sure a verdict has to be."""

    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    resamples: Annotated[int, Field(ge=100)]
    seed_sd: Share
    margin: Share
    seed: Seed


def _backbone(name: object) -> object:
    if not isinstance(name, str) or name not in BACKBONES:
        raise ValueError(f"unknown backbone; choose one of {', '.join(BACKBONES)}")
    return name


Backbone = Annotated[str, BeforeValidator(_backbone)]


def _tuple(values: object) -> object:
    return tuple(values) if isinstance(values, list) else values


class Params(Section):
    """All of params.yaml."""

    backbone: Backbone
    baseline: Backbone
    seeds: Annotated[tuple[Seed, ...], BeforeValidator(_tuple), Field(min_length=1)]
    data: Data
    digits: Digits
    validate_: Annotated[Validate, Field(alias="validate")]  # pydantic's BaseModel has a method of that name
    init: Init
    train: Train
    evaluate: Evaluate
    latency: Latency
    compare: Compare

    @field_validator("seeds")
    @classmethod
    def _no_seed_twice(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) != len(seeds):
            raise ValueError("a seed stands twice")
        return seeds

    @model_validator(mode="after")
    def _somebody_starts_from_the_backbone(self) -> Self:
        if self.init.backbone != NONE and not any(width_of(name) for name in (self.backbone, self.baseline)):
            raise ValueError(
                f"init.backbone: {self.init.backbone!r}: only MobileNetV1 starts from it, and neither backbone "
                f"{self.backbone} nor baseline {self.baseline} is one; set it to {NONE}"
            )
        return self

    def weights_name(self, role: Role) -> str:
        """What params.yaml names for a role."""
        return {"backbone": self.init.backbone, "detector": self.init.detector, "teacher": self.train.teacher}[role]

    def weights_file(self, role: Role) -> Path | None:
        """The file that params.yaml names for a role; None where it names none, or the baseline as teacher."""
        name = self.weights_name(role)
        if name == NONE or (role == "teacher" and name == BASELINE):
            return None
        return WEIGHTS_DIR / name

    def backbone_of(self, arm: Arm) -> str:
        """Name of the backbone that an arm trains."""
        return self.baseline if arm == "baseline" else self.backbone


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check params.yaml.

    Raises:
        ConfigError: the file is missing, is no YAML, or has unknown keys or wrong values; the message names
            each key, the value and the choices.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; run from the repository's root") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8; save it as UTF-8") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply; it has three levels") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected a mapping of sections, found {type(raw).__name__}")
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        lines = [_describe(problem) for problem in error.errors()]
        raise ConfigError("\n".join(f"{path}: {line}" for line in lines)) from None


def _describe(problem: Any) -> str:
    """One of pydantic's error records as a line that names key, value and choices."""
    location = list(problem["loc"])
    key = ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return f"{key}: unknown key; {hint}choose one of {', '.join(known)}"
    if problem["type"] == "missing":
        return f"{key}: missing key"
    message = problem["msg"].removeprefix("Value error, ")
    if not location:  # the message names the keys
        return str(message)
    return f"{key}: {problem['input']!r}: {message[0].lower()}{message[1:]}"


def _known_keys(location: list[Any]) -> list[str]:
    """Keys that the section at a location has."""
    section: Any = Params
    for part in location:
        fields = {field.alias or name: field for name, field in section.model_fields.items()}
        section = fields[part].annotation
    return [field.alias or name for name, field in section.model_fields.items()]
