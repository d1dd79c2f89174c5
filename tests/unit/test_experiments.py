from __future__ import annotations

from pathlib import Path

import pytest

from mobileyolo.core.files import WEIGHTS_DIR
from mobileyolo.experiments import own_weights


@pytest.mark.parametrize(
    ("backbone", "detector", "teacher", "copied"),
    [
        ("none", "none", "none", []),  # git has it
        ("imagenet", "mine.pt", "none", ["imagenet", "mine.pt"]),
        ("imagenet/yolo11n-cls.pt", "none", "mobilenetv1_100", ["imagenet", "mobilenetv1_100"]),
        ("imagenet", "none", "imagenet/yolo11n-cls.pt", ["imagenet"]),  # once
        ("/data/imagenet", "gone.pt", "none", []),
    ],
)
def test_an_experiment_beside_the_workspace_takes_the_users_weights_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backbone: str, detector: str, teacher: str, copied: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (WEIGHTS_DIR / "imagenet").mkdir(parents=True)
    for name in ("none", "mine.pt", "mobilenetv1_100", "imagenet/yolo11n-cls.pt"):
        (WEIGHTS_DIR / name).touch()
    params = {"init": {"backbone": backbone, "detector": detector, "teacher": teacher}}
    assert own_weights(params) == [WEIGHTS_DIR / name for name in copied]
