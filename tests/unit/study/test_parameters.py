from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mobileyolo.core.errors import ConfigError
from mobileyolo.parameters import check_parameters

VALUES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[3] / "params.yaml").read_text(encoding="utf-8"))


def check(**changes: object) -> None:
    check_parameters({**VALUES, "study": {**VALUES["study"], **changes}})


def test_the_shipped_study_is_n_s_and_m_with_three_seeds() -> None:
    study = check_parameters(VALUES).study
    assert (study.backbones, study.seeds) == (("mnv1_n", "mnv1_s", "mnv1_m"), (0, 1, 2))
    assert {getattr(study, key) for key in ("imgsz", "starts", "teachers")} == {()}


def test_a_grid_may_have_any_width_start_and_teacher() -> None:
    check(backbones=["mnv1@0.75"], starts=["none", "init.backbone=imagenet"], teachers=["none", "baseline", "yolo11s"])


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("backbones", "mnv1_n", "study.backbones: 'mnv1_n': input should be a list, such as [mnv1_n]"),
        ("backbones", ["mnv1_n", "mnv1_n"], "study.backbones: ['mnv1_n', 'mnv1_n']: 'mnv1_n' occurs twice"),
        ("backbones", ["mnv2"], "study.backbones.0: 'mnv2': unknown backbone; choose one of mnv1_n,"),
        ("backbones", [], "study.backbones: []: "),
        ("imgsz", [100], "study.imgsz.0: 100: input should be a multiple of 32"),
        ("starts", ["imagenet"], "study.starts.0: 'imagenet': write none, init.backbone=<weights> or init.detector="),
        ("teachers", ["a.pt"], "study.teachers.0: 'a.pt': choose none, baseline,"),
        ("widths", [1], "study.widths: unknown key; choose one of backbones, imgsz, seeds, starts, teachers"),
        ("resources", {**VALUES["study"]["resources"], "gpus": 2.0}, "study.resources.gpus: 2.0: input should be"),
        (
            "resources",
            {"cpu": 1},
            "study.resources.cpu: unknown key; did you mean 'cpus'? choose one of cpus, gpus",
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_what_is_right(key: str, value: object, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check(**{key: value})
    assert f"params.yaml: {told}" in str(raised.value)
