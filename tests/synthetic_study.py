"""A study of three backbones whose costs are round numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from mobileyolo.core.records import Profile
from mobileyolo.study.course import Course
from mobileyolo.study.estimate import Pace
from mobileyolo.study.parameters import StudyOptions
from mobileyolo.study.trials import trials_of

VALUES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text(encoding="utf-8"))
GFLOPS = {"yolo11n": 2.0, "mnv1_n": 1.0, "mnv1_s": 2.0, "mnv1_m": 4.0}
EPOCHS = 4  # as shipped


def make_course(**grid: object) -> Course:
    """A study with one seed that has not begun."""
    options = StudyOptions.model_validate({**VALUES["study"], "seeds": [0], **grid})
    profiles = {
        (name, 128): Profile(backbone=name, imgsz=128, classes=10, parameters=1_000_000, gflops=gflops)
        for name, gflops in GFLOPS.items()
    }
    return Course(trials_of(options, VALUES), {}, profiles, Pace())
