from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mobileyolo.core.backbones import BACKBONES
from mobileyolo.core.cost_sheet import CostSheet, ModelCost, Saving
from mobileyolo.costs import counting as cost
from mobileyolo.costs.profile import profile
from mobileyolo.models import bridge
from mobileyolo.models.architecture import model_dict
from mobileyolo.models.mobilenet_v1 import MobileNetV1

STOCK = bridge.stock_architecture()


@pytest.fixture(scope="module")
def sheet() -> CostSheet:
    return cost.measure(classes=80, imgsz=640)


@pytest.fixture(scope="module")
def models(sheet: CostSheet) -> dict[str, ModelCost]:
    return {model.name: model for model in sheet.models}


def test_every_backbone_and_every_width_of_the_paper_is_on_the_sheet(sheet: CostSheet) -> None:
    assert [(model.name, model.width) for model in sheet.models[:5]] == [
        ("mnv1_n", 0.25),
        ("mnv1_s", 0.5),
        ("mnv1@0.75", 0.75),
        ("mnv1_m", 1.0),
        ("yolo11n", None),
    ]
    names = [model.name for model in sheet.models]
    assert set(BACKBONES) <= set(names)
    assert len(names) == len(set(names))


def test_so_are_the_arms_of_a_run_whatever_their_width() -> None:
    names = [model.name for model in cost.measure(classes=3, imgsz=32, arms=("mnv1@0.3", "yolo11n")).models]
    assert names[:3] == ["mnv1_n", "mnv1@0.3", "mnv1_s"]
    assert names.count("yolo11n") == 1


@pytest.mark.parametrize(
    ("imgsz", "sides"),
    [
        (640, (640, 544, 448, 352)),  # 548.6, 457.1 and 365.7 pixels before rounding
        (224, (224, 192, 160, 128)),  # the paper's own
        (160, (160, 128, 96)),  # 137.1 and 114.3 round to the same
        (32, (32,)),
    ],
)
def test_resolutions_are_the_papers_shares_in_multiples_of_32(imgsz: int, sides: tuple[int, ...]) -> None:
    assert cost.resolutions(imgsz) == sides


@pytest.mark.parametrize("name", ["mnv1_n", "mnv1_s", "mnv1_m", "yolo11n", "yolo11m"])
def test_the_parts_add_up_to_what_the_profile_of_an_arm_says(
    sheet: CostSheet, models: dict[str, ModelCost], name: str
) -> None:
    for side, flops in zip(sheet.imgsz, models[name].flops, strict=True):
        whole = profile(name, model_dict(name, 80, STOCK), side)
        assert models[name].parameters.total == whole.parameters
        assert round(flops.total / 1e9, 4) == whole.gflops


@pytest.mark.parametrize("name", ["mnv1_s", "yolo11n"])
def test_the_operations_of_a_large_image_are_those_it_really_takes(models: dict[str, ModelCost], name: str) -> None:
    """Of each part: counted on the whole image rather than from two small ones."""
    model = bridge.build_model(model_dict(name, 80, STOCK)).fuse(verbose=False).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, 352, 352))
    by_module = counter.get_flop_counts()
    first_of_neck = 5 if name == "mnv1_s" else 9
    parts = [0, 0, 0]
    for index in range(len(model.model)):
        part = 0 if index < first_of_neck else 2 if index == len(model.model) - 1 else 1
        parts[part] += sum(by_module.get(f"DetectionModel.model.{index}", {}).values())
    flops = models[name].flops[-1]
    assert [flops.backbone, flops.neck, flops.head] == parts
    assert flops.total == counter.get_total_flops()


def test_yolo11n_costs_what_ultralytics_publishes(models: dict[str, ModelCost]) -> None:
    """In its YOLO11 model table: detection, COCO's 80 classes, 640 pixels, fused."""
    assert models["yolo11n"].parameters.total / 1e6 == pytest.approx(2.6, abs=0.05)
    assert models["yolo11n"].gflops == pytest.approx(6.5, rel=0.01)


def test_a_mobilenets_backbone_is_the_network_and_nothing_else(models: dict[str, ModelCost]) -> None:
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        MobileNetV1(0.25).eval()(torch.zeros(1, 3, 640, 640))
    assert models["mnv1_n"].flops[0].backbone == counter.get_total_flops()


def test_the_head_grows_with_the_number_of_classes_and_the_rest_does_not(models: dict[str, ModelCost]) -> None:
    few = {model.name: model for model in cost.measure(classes=1, imgsz=640).models}["mnv1_n"]
    many = models["mnv1_n"]
    assert (few.parameters.backbone, few.parameters.neck) == (many.parameters.backbone, many.parameters.neck)
    assert few.parameters.head < many.parameters.head
    assert few.flops[0].head < many.flops[0].head


def test_mnv1_s_and_not_mnv1_m_costs_what_yolo11n_does(models: dict[str, ModelCost]) -> None:
    assert models["mnv1_s"].gflops / models["yolo11n"].gflops == pytest.approx(1, abs=0.02)
    assert models["mnv1_m"].gflops / models["yolo11n"].gflops > 2


@pytest.mark.parametrize("width", cost.PAPER_WIDTHS)
def test_the_real_layers_save_exactly_what_the_papers_formula_says(width: float) -> None:
    """arXiv 1704.04861, section 3.1: the ratio is 1/N + 1/D_K^2."""
    saving = cost.measure_saving(width, 640)
    assert sum(layer.repeats for layer in saving.layers) == 13
    for layer in saving.layers:
        assert (layer.separable, layer.standard) == layer.formula
        assert layer.separable / layer.standard == pytest.approx(1 / layer.outputs + 1 / 9, rel=1e-12)
    assert saving.measured == saving.formula


def test_the_full_network_saves_what_the_paper_says() -> None:
    """arXiv 1704.04861, table 4: 4866 million multiply-adds with standard convolutions, 569 million with separable."""
    saving: Saving = cost.measure_saving(1.0, 224)
    classifier = 1024 * 1000
    assert (saving.standard + classifier) / 1e6 == pytest.approx(4866, rel=0.001)
    assert (saving.separable + classifier) / 1e6 == pytest.approx(569, rel=0.001)


def test_the_same_question_gives_the_same_bytes_and_survives_the_file(sheet: CostSheet, tmp_path: Path) -> None:
    sheet.write(tmp_path / "cost.json")
    cost.measure(classes=80, imgsz=640).write(tmp_path / "again.json")
    assert (tmp_path / "cost.json").read_bytes() == (tmp_path / "again.json").read_bytes()
    assert CostSheet.read(tmp_path / "cost.json") == sheet
