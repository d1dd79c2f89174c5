from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mobileyolo.core.backbones import BACKBONES
from mobileyolo.costs import profile
from mobileyolo.models import bridge
from mobileyolo.models.architecture import model_dict

STOCK = bridge.stock_architecture()


@pytest.mark.parametrize("backbone", ["mnv1_n", "mnv1_s", "mnv1_m", "yolo11n"])
def test_gflops_agree_with_torchs_own_count_of_convolutions_and_products(backbone: str) -> None:
    architecture = model_dict(backbone, 3, STOCK)
    model = bridge.build_model(architecture).fuse(verbose=False).eval()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(torch.zeros(1, 3, 320, 320))
    # Ultralytics' profiler also counts activations and pooling.
    assert profile.profile(backbone, architecture, 320).gflops == pytest.approx(
        counter.get_total_flops() / 1e9, rel=0.03
    )


@pytest.mark.parametrize(
    ("backbone", "gflops"),
    # 640 px, 3 classes, fused; yolo11n is published with 6.5 at 80 classes.
    [("mnv1_n", 4.3), ("mnv1_s", 6.3), ("mnv1_m", 13.9), ("yolo11n", 6.4)],
)
def test_gflops_at_the_articles_resolution(backbone: str, gflops: float) -> None:
    assert profile.profile(backbone, model_dict(backbone, 3, STOCK), 640).gflops == pytest.approx(gflops, abs=0.05)


def test_a_failed_count_is_an_error_not_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "get_flops", lambda *_args: 0.0)
    with pytest.raises(RuntimeError, match="mnv1_n at 640"):
        profile.profile("mnv1_n", model_dict("mnv1_n", 1, STOCK), 640)


def test_every_backbone_has_a_cost() -> None:
    costs = {name: profile.profile(name, model_dict(name, 3, STOCK), 64).parameters for name in BACKBONES}
    assert costs["mnv1_n"] < costs["yolo11n"] < costs["mnv1_s"] < costs["yolo11s"] < costs["yolo11x"]
