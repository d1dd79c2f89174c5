from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from ultralytics.utils import downloads as ultralytics_downloads

from mobileyolo.core import environment
from mobileyolo.core.errors import WeightsError
from mobileyolo.downloads import download
from mobileyolo.models.weights import read_backbone


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records the downloads that would be made, and makes their files itself."""
    asked: list[str] = []

    def asset(path: Path) -> None:
        asked.append(path.name)
        path.write_bytes(b"weights of " + path.name.encode())

    create = timm.create_model

    def create_model(name: str, pretrained: bool) -> torch.nn.Module:
        asked.append(name)
        assert pretrained
        model: torch.nn.Module = create(name, pretrained=False)
        return model

    monkeypatch.setattr(ultralytics_downloads, "attempt_download_asset", asset)
    monkeypatch.setattr(timm, "create_model", create_model)
    return asked


def test_a_checkpoint_of_ultralytics_lands_under_its_name(network: list[str], tmp_path: Path) -> None:
    path = download("yolo11n.pt", tmp_path / "weights")
    assert path == tmp_path / "weights" / "yolo11n.pt"
    assert path.read_bytes() == b"weights of yolo11n.pt"
    assert list(path.parent.iterdir()) == [path]


def test_imagenet_weights_of_timm_land_under_their_name_as_a_state_dict(network: list[str], tmp_path: Path) -> None:
    path = download("mobilenetv1_100", tmp_path)
    assert path == tmp_path / "imagenet" / "mobilenetv1_100"
    assert network == ["mobilenetv1_100"]
    assert "conv_stem.weight" in read_backbone(path)


def test_a_classifier_lands_beside_the_other_imagenet_weights_and_nothing_else_does(
    network: list[str], tmp_path: Path
) -> None:
    path = download("yolo11s-cls.pt", tmp_path)
    assert path == tmp_path / "imagenet" / "yolo11s-cls.pt"
    assert path.read_bytes() == b"weights of yolo11s-cls.pt"
    assert list(path.parent.iterdir()) == [path]


def test_what_lies_there_is_not_asked_for_again(network: list[str], tmp_path: Path) -> None:
    (tmp_path / "yolo11n.pt").write_bytes(b"mine")
    assert download("yolo11n.pt", tmp_path).read_bytes() == b"mine"
    assert network == []


@pytest.mark.parametrize("name", ["yolo12n.pt", "../yolo11n.pt", "resnet50", "none"])
def test_an_unknown_name_is_refused_with_the_choices(network: list[str], tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match=r"unknown weights; choose one of yolo11n\.pt, .*mobilenetv1_100"):
        download(name, tmp_path)
    assert network == []


def failing(*_: Any, **__: Any) -> None:
    raise ConnectionError("no route")


def silent(*_: Any, **__: Any) -> None:
    """Ultralytics only logs some failures."""


@pytest.mark.parametrize("outcome", [failing, silent])
def test_a_failed_download_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: Any) -> None:
    monkeypatch.setattr(ultralytics_downloads, "attempt_download_asset", outcome)
    with pytest.raises(WeightsError, match=r"yolo11n\.pt: the download failed"):
        download("yolo11n.pt", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_downloads_are_off_until_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("YOLO_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("YOLO_CONFIG_DIR", os.environ["YOLO_CONFIG_DIR"])
    environment.isolate(tmp_path)
    assert (os.environ["YOLO_OFFLINE"], os.environ["HF_HUB_OFFLINE"]) == ("1", "1")
    environment.allow_downloads()
    assert (os.environ["YOLO_OFFLINE"], os.environ["HF_HUB_OFFLINE"]) == ("0", "0")
