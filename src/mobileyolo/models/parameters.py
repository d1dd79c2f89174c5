"""The pretrained weights and the teacher that params.yaml names: the section `init`, and three keys of `train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field

from mobileyolo.core.backbones import IMAGENET_WIDTHS, imagenet_weights_of, spec_of
from mobileyolo.core.config import Section, Weight
from mobileyolo.core.files import BASELINE, NONE, WEIGHTS_DIR, Role

# The parameter that names the weights for each role.
WEIGHTS_KEYS: dict[Role, str] = {role: f"init.{role}" for role in get_args(Role)}

WeightsName = Annotated[str, Field(min_length=1)]  # none, a path in WEIGHTS_DIR, or an absolute path


class StartingWeights(Section):
    """Weights from elsewhere, for both arms.

    Attributes:
        backbone: to start from, a file, or a folder with a file for each arm's backbone.
        detector: to start from, a file; each arm takes the tensors that fit.
        teacher: a file, which teaches the arms.
    """

    key: ClassVar[str] = "init"

    backbone: WeightsName
    detector: WeightsName
    teacher: WeightsName


NO_MODEL = (NONE, BASELINE)  # as train.teacher: no model is trained for it


def _known_teacher(name: object) -> object:
    if name not in NO_MODEL:
        try:
            spec_of(name if isinstance(name, str) else "")
        except ValueError as error:
            told = str(error).replace("unknown backbone; choose", f"choose {', '.join(NO_MODEL)},")
            raise ValueError(f"{told}; a file goes to init.teacher") from None
    return name


TeacherName = Annotated[str, BeforeValidator(_known_teacher)]
Taught = Literal["both", "candidate"]


class Teaching(Section):
    """The teacher of the candidate or of both arms (distillation)."""

    key: ClassVar[str] = "train"
    whole: ClassVar[bool] = False  # the other keys are in training/parameters.py

    teacher: TeacherName
    taught: Taught  # by a trained model or a file; the baseline teaches the candidate alone
    dis: Weight


def weights_path(name: str) -> Path | None:
    """The file that a parameter of the section init names, or the folder; None for `none`."""
    return None if name == NONE else WEIGHTS_DIR / name


def files_in(folder: Path) -> list[Path]:
    """What lies in a folder of weights, in order of name; names that begin with a dot are left out."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def imagenet_advice(*backbones: str) -> str:
    """How to get ImageNet weights of backbones, as the end of an error.

    >>> imagenet_advice("mnv1_n", "yolo11n")
    'ImageNet weights: mobileyolo fetch mobilenet_v1_0.25_224 yolo11n-cls.pt'
    >>> imagenet_advice("mnv1@0.3")
    'ImageNet weights of MobileNetV1 are published for the widths 0.25, 0.5, 0.75, 1, 1.25 only, not for mnv1@0.3'
    """
    known = {backbone: imagenet_weights_of(backbone) for backbone in dict.fromkeys(backbones)}
    said = []
    if names := [name for name in known.values() if name]:
        said.append(f"ImageNet weights: mobileyolo fetch {' '.join(names)}")
    if without := [backbone for backbone, name in known.items() if not name]:
        widths = ", ".join(f"{width:g}" for width in IMAGENET_WIDTHS)
        said.append(
            f"ImageNet weights of MobileNetV1 are published for the widths {widths} only, not for {', '.join(without)}"
        )
    return "; ".join(said)
