from __future__ import annotations

from typing import Any

import pytest
import torch
from ultralytics.nn.tasks import DetectionModel

from mobileyolo.core.backbones import BACKBONES, width_of
from mobileyolo.models import bridge
from mobileyolo.models.architecture import STOCK_BACKBONE_ROWS, mobilenet_channels, model_dict

STOCK = bridge.stock_architecture()


def shapes(model: torch.nn.Module, layers: range | None = None) -> dict[str, tuple[int, ...]]:
    """Shapes of a model's tensors, by name, of all layers or some."""
    return {
        name: tuple(tensor.shape)
        for name, tensor in model.state_dict().items()
        if layers is None or int(name.split(".")[1]) in layers
    }


def neck_and_head(backbone: str) -> list[tuple[int, ...]]:
    """Shapes of every layer whose input is not of the backbone's width."""
    first_layer = 5 if backbone.startswith("mnv1") else STOCK_BACKBONE_ROWS
    model = bridge.build_model(model_dict(backbone, 3, STOCK))
    late = shapes(model, range(first_layer + 8, 99))  # after the last layer that reads a map of the backbone
    return list(late.values())


def test_the_baseline_is_ultralytics_own_yolo11n_tensor_by_tensor() -> None:
    ours = bridge.build_model(model_dict("yolo11n", 3, STOCK))
    theirs = DetectionModel("yolo11n.yaml", nc=3, verbose=False)
    assert shapes(ours) == shapes(theirs)
    assert [type(m) for m in ours.modules()] == [type(m) for m in theirs.modules()]


def test_the_baseline_computes_what_ultralytics_own_yolo11n_computes() -> None:
    ours = bridge.build_model(model_dict("yolo11n", 3, STOCK)).eval()
    theirs = DetectionModel("yolo11n.yaml", nc=3, verbose=False).eval()
    ours.load_state_dict(theirs.state_dict())
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(ours(image)[0], theirs(image)[0], rtol=0, atol=0)


@pytest.mark.parametrize("scale", "smlx")
def test_a_stock_backbone_is_that_of_its_scale(scale: str) -> None:
    ours = bridge.build_model(model_dict(f"yolo11{scale}", 3, STOCK))
    theirs = DetectionModel(f"yolo11{scale}.yaml", nc=3, verbose=False)
    backbone = range(STOCK_BACKBONE_ROWS)
    assert shapes(ours, backbone) == shapes(theirs, backbone)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_neck_and_head_are_yolo11ns_under_every_backbone(backbone: str) -> None:
    assert neck_and_head(backbone) == neck_and_head("yolo11n")


@pytest.mark.parametrize(
    ("backbone", "parameters"),
    # Fused, 3 classes; the stock figure agrees with Ultralytics' own summary of yolo11n at 3 classes.
    [("mnv1_n", 1_840_233), ("mnv1_s", 2_693_001), ("mnv1_m", 5_772_489), ("yolo11n", 2_582_737)],
)
def test_fusing_leaves_no_batch_norm_and_the_known_number_of_parameters(backbone: str, parameters: int) -> None:
    model = bridge.build_model(model_dict(backbone, 3, STOCK)).fuse(verbose=False)
    assert [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)] == []
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


@pytest.mark.parametrize("backbone", BACKBONES)
def test_strides_are_8_16_32_and_the_dictionary_is_left_as_it_was(backbone: str) -> None:
    architecture = model_dict(backbone, 3, STOCK)
    before = repr(architecture)
    assert bridge.build_model(architecture).stride.tolist() == [8, 16, 32]
    assert repr(architecture) == before


def test_layers_count_as_in_the_article() -> None:
    """Layers 0-4 are the backbone, SPPF 5, C2PSA 6; the neck joins 3, 2, 9 and 6, and Detect reads 12, 15, 18."""
    architecture: dict[str, Any] = model_dict("mnv1_n", 2, STOCK)
    rows = architecture["backbone"] + architecture["head"]
    assert [row[2] for row in rows[:7]] == ["MobileNetV1", *["Index"] * 4, "SPPF", "C2PSA"]
    assert [row[0] for row in rows if row[2] == "Concat"] == [[-1, 3], [-1, 2], [-1, 9], [-1, 6]]
    assert rows[-1][0] == [12, 15, 18]


@pytest.mark.parametrize(
    ("channels", "width", "expected"), [(32, 0.25, 8), (32, 0.1, 8), (1024, 0.5, 512), (64, 0.75, 48), (32, 1.3, 40)]
)
def test_channels_are_multiples_of_8_and_never_fewer(channels: int, width: float, expected: int) -> None:
    assert mobilenet_channels(channels, width) == expected


def test_only_mobilenets_have_a_width() -> None:
    assert [width_of(name) for name in ("mnv1_n", "mnv1_s", "mnv1_m", "yolo11n")] == [0.25, 0.5, 1.0, None]


def test_any_width_has_its_own_channels_and_the_same_neck_and_head() -> None:
    wider = model_dict("mnv1@0.75", 3, STOCK)
    assert [row[3] for row in wider["backbone"][:5]] == [[0.75], [96, -4], [192, -3], [384, -2], [768, -1]]
    assert wider["backbone"][5:] == model_dict("mnv1_s", 3, STOCK)["backbone"][5:]
    assert wider["head"] == model_dict("mnv1_s", 3, STOCK)["head"]


@pytest.mark.parametrize("scale", ["n", "s", "m", "l", "x"])
def test_a_whole_stock_model_is_the_one_that_ultralytics_ships(scale: str) -> None:
    ours = bridge.build_model(model_dict(f"yolo11{scale}", 3, STOCK, whole=True))
    theirs = DetectionModel(f"yolo11{scale}.yaml", nc=3, verbose=False)
    assert shapes(ours) == shapes(theirs)
    assert [type(m) for m in ours.modules()] == [type(m) for m in theirs.modules()]


def test_a_whole_mobilenet_is_the_same_as_in_an_arm() -> None:
    assert model_dict("mnv1_n", 3, STOCK, whole=True) == model_dict("mnv1_n", 3, STOCK)
