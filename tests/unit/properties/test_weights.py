from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mobileyolo.core.errors import WeightsError
from mobileyolo.core.records import WeightsSource
from mobileyolo.models import bridge
from mobileyolo.models.architecture import model_dict
from mobileyolo.models.imagenet import from_timm
from mobileyolo.models.weights import Offer, Tensors, read_backbone, start

SOURCE = WeightsSource(name="weights.pt", digest="d" * 64)
ARMS = ("yolo11n", "mnv1_n")
TAIL = 14  # layers of YOLO11's neck and head, SPPF and C2PSA among them


@functools.cache
def model(backbone: str, classes: int) -> nn.Module:
    return bridge.build_model(model_dict(backbone, classes, bridge.stock_architecture()))


@functools.cache
def detector(classes: int) -> dict[str, Tensor]:
    state = model("yolo11n", classes).state_dict()
    return {name: torch.full_like(tensor, number) for number, (name, tensor) in enumerate(state.items())}


@pytest.fixture(autouse=True)
def built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Building a model takes a second, and `start` only looks at it."""
    built = {(arm, classes): model(arm, classes) for arm in ARMS for classes in (3, 80)}
    architectures = {key: str(model_dict(*key, bridge.stock_architecture())) for key in built}

    def build(architecture: object) -> nn.Module:
        return next(built[key] for key, each in architectures.items() if each == str(architecture))

    monkeypatch.setattr(bridge, "build_model", build)


def expected_name(name: str, layers: int) -> str | None:
    """A tensor's name in an arm of so many layers; None if the arm has no such layer."""
    model_name, layer, rest = name.split(".", 2)
    from_the_end = 24 - int(layer)  # a stock model has 24 layers
    if layers == 24 or from_the_end <= TAIL:
        return f"{model_name}.{layers - from_the_end}.{rest}"
    return None


@given(st.sampled_from(ARMS), st.sampled_from([3, 80]), st.sampled_from([3, 80]), st.data())
@settings(max_examples=30)
def test_a_tensor_is_taken_if_the_arm_has_its_name_and_its_shape_and_else_left_random(
    backbone: str, classes: int, own: int, data: st.DataObject
) -> None:
    offered: Tensors = dict(detector(classes))
    last = next(reversed(offered))  # says how many layers the detector has
    names = st.sampled_from(list(offered)[:-1])
    for name in data.draw(st.lists(names, max_size=30), "left out"):
        offered.pop(name, None)
    for name in data.draw(st.lists(names, max_size=30), "of another shape"):
        shape = data.draw(st.lists(st.integers(0, 3), max_size=4), "shape")
        offered[name] = torch.zeros(shape)
    for layer in data.draw(st.lists(st.integers(0, 23), max_size=5), "without a place"):
        offered[f"model.{layer}.unknown.weight"] = torch.zeros(2)
    architecture = model_dict(backbone, own, bridge.stock_architecture())
    state = model(backbone, own).state_dict()
    layers = len(architecture["backbone"]) + len(architecture["head"])
    wanted = {
        moved: tensor
        for name, tensor in offered.items()
        if (moved := expected_name(name, layers)) in state and state[str(moved)].shape == tensor.shape
    }
    record, taken = start(backbone, architecture, Offer({"detector": SOURCE}, {"detector": offered}))
    assert last in offered
    assert taken.keys() == wanted.keys()
    assert all(torch.equal(taken[name], tensor) for name, tensor in wanted.items() if name)
    assert (record.tensors, record.of_tensors) == (len(wanted), len(state))
    assert set(record.random) == state.keys() - wanted.keys()


SHAPES = st.lists(st.integers(0, 4), max_size=4)
TIMM_NAMES = st.sampled_from(["conv_stem.weight", "bn1.weight", "bn1.bias", "blocks.4.1.conv_pw.weight", "x"])


@given(st.dictionaries(TIMM_NAMES, SHAPES.map(torch.zeros), max_size=5))
def test_tensors_that_are_no_mobilenet_are_one_error(weights: dict[str, Tensor]) -> None:
    with pytest.raises(WeightsError):
        from_timm(weights, model("mnv1_n", 3).get_submodule("model.0"))


CONTENT: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | SHAPES.map(torch.zeros),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(CONTENT)
def test_what_a_file_of_torch_holds_is_a_state_dict_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, content: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "backbone.pt"
    torch.save(content, path)
    if isinstance(content, dict) and all(isinstance(value, Tensor) for value in content.values()):
        assert read_backbone(path).keys() == content.keys()
    else:
        with pytest.raises(WeightsError, match=r"backbone\.pt: is not a state dict"):
            read_backbone(path)


@given(st.binary(min_size=1, max_size=200), st.sampled_from(["pt", "safetensors"]))
def test_any_bytes_are_one_error(tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str) -> None:
    path: Path = tmp_path_factory.getbasetemp() / f"bytes.{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=rf"bytes\.{suffix}: "):
        read_backbone(path)
