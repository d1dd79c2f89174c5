"""Files of weights: what was saved is read, and of whatever else a file holds there is one error that names it."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save as safetensors
from torch import Tensor, nn
from ultralytics.nn import modules
from ultralytics.nn.tasks import DetectionModel

from mobileyolo.core.errors import WeightsError
from mobileyolo.core.files import FetchedWeights, Role
from mobileyolo.core.records import WeightsSource
from mobileyolo.models import bridge
from mobileyolo.models.architecture import model_dict
from mobileyolo.models.imagenet import convert
from mobileyolo.models.mobilenet_v1 import MobileNetV1
from mobileyolo.models.weights import Offer, Pretrained, fetch, read_saved, save, start

Tensors = dict[str, Tensor]

DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool]
SHAPES = st.lists(st.integers(0, 3), max_size=4)
COPY = FetchedWeights("backbone").weights().name  # that of the first file
# What a MobileNetV1 of timm's is known by.
OUTLINE = {"conv_stem.weight": torch.zeros(8, 1, 1, 1), "blocks.4.1.conv_pw.weight": torch.zeros(256, 1, 1, 1)}
NAMES = st.sampled_from(["model.0.conv.weight", "module.model.0.conv.weight", "bn1.bias", ""]) | st.text(max_size=8)


def tensor(dtype: torch.dtype, shape: list[int], seed: int) -> Tensor:
    """Whatever bits: also NaN and infinity."""
    size = torch.Size(shape).numel() * dtype.itemsize
    bits = torch.randint(256, [size], dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return (bits % 2).bool().reshape(shape) if dtype is torch.bool else bits.view(dtype).reshape(shape)


TENSOR = st.builds(tensor, st.sampled_from(DTYPES), SHAPES, st.integers(0, 99))
STATE = st.dictionaries(NAMES, TENSOR, max_size=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


def assert_equal(read: Mapping[str, Tensor], written: Mapping[str, Tensor]) -> None:
    torch.testing.assert_close(dict(read), dict(written), rtol=0, atol=0, equal_nan=True)


@given(STATE)
def test_what_was_saved_is_read_and_the_same_tensors_give_the_same_bytes(folder: Path, state: Tensors) -> None:
    file, again = folder / "state.pt", folder / "again.pt"
    save(state, file)
    read = read_saved(file)
    assert list(read) == list(state)
    assert_equal(read, state)
    save(read, again)
    assert again.read_bytes() == file.read_bytes()


@given(STATE)
def test_a_file_of_safetensors_is_read_and_copied_as_it_was_saved(folder: Path, state: Tensors) -> None:
    file = folder / "state.safetensors"
    file.write_bytes(safetensors(state | OUTLINE))
    fetch("backbone", file, folder)
    assert_equal(read_saved(folder / COPY), state | OUTLINE)


# --- damage ---

Damage = list[tuple[float, int]]  # where, as a share of the file, and the bits to flip there
FLIPS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=4)


def flipped(content: bytes, flips: Damage) -> bytes:
    damaged = bytearray(content)
    for place, bits in flips:
        damaged[int(place * len(content))] ^= bits
    return bytes(damaged)


DAMAGED = st.floats(0, 1, exclude_max=True).map(lambda share: lambda content: content[: int(share * len(content))])
DAMAGED |= FLIPS.map(lambda flips: lambda content: flipped(content, flips))


def tiny_detector() -> dict[str, object]:
    """A checkpoint with the layers of YOLO11's neck and head by name, but with next to nothing in them."""
    stock = bridge.stock_architecture()
    layers = []
    for row in [*stock["backbone"], *stock["head"]]:
        kind = nn.Upsample if row[2] == "nn.Upsample" else getattr(modules, row[2])
        layer = kind.__new__(kind)
        nn.Module.__init__(layer)
        layer.register_buffer("weight", torch.zeros(2))
        layers.append(layer)
    head = layers[-1]
    head.f, head.stride, head.anchors, head.strides = [0, 1, 2], torch.ones(3), torch.ones(3), torch.ones(3)
    model = DetectionModel.__new__(DetectionModel)
    nn.Module.__init__(model)
    model.model = nn.Sequential(*layers)
    return {"model": model, "ema": None}


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


STATE_SAVED = OUTLINE | {
    "conv.weight": torch.arange(6.0).reshape(2, 3),
    "conv.bias": torch.ones(2, dtype=torch.float16),
}
SOUND: dict[Role, bytes] = {
    "backbone": saved(STATE_SAVED),
    "detector": saved(tiny_detector()),
    "teacher": saved(tiny_detector()),
}
ROLES: st.SearchStrategy[Role] = st.sampled_from(list(SOUND))


def outcome(folder: Path, role: Role, content: bytes, name: str = "bad.pt") -> Path | None:
    """The copy, or None after one error of one line that names the file; whatever the file held, nothing of it ran."""
    file, copy = folder / name, folder / "copies" / COPY
    copy.unlink(missing_ok=True)
    file.write_bytes(content)
    try:
        fetch(role, file, copy.parent)
    except WeightsError as error:
        line, *more = str(error).split("\n")
        assert (line.startswith(f"{file}: "), more) == (True, [])
        assert not copy.parent.exists() or not list(copy.parent.iterdir())
        return None
    finally:
        assert not hasattr(sys, "pwned")
    return copy


@pytest.fixture(scope="module")
def copies(folder: Path) -> dict[Role, bytes]:
    """What is kept of each file where it is whole."""
    found = {}
    for role, content in SOUND.items():
        copy = outcome(folder, role, content)
        assert copy
        found[role] = copy.read_bytes()
    return found


@given(ROLES, DAMAGED)
@settings(max_examples=200)
def test_of_a_damaged_file_all_is_read_as_it_was_or_there_is_one_error(
    folder: Path, copies: dict[Role, bytes], role: Role, damage: Any
) -> None:
    """Also a bit of a tensor is noticed, because torch's files have checksums."""
    copy = outcome(folder, role, damage(SOUND[role]))
    assert not copy or copy.read_bytes() == copies[role]


def with_pickle(content: bytes, pickled: bytes) -> bytes:
    """A file of torch with other bytes in place of its pickle; the checksums are right."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as original, zipfile.ZipFile(buffer, "w") as changed:
        for name in original.namelist():
            changed.writestr(name, pickled if name.endswith("data.pkl") else original.read(name))
    return buffer.getvalue()


def pickle_of(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))


@given(ROLES, DAMAGED)
@settings(max_examples=200)
def test_a_damaged_pickle_under_a_right_checksum_is_read_or_one_error(folder: Path, role: Role, damage: Any) -> None:
    outcome(folder, role, with_pickle(SOUND[role], damage(pickle_of(SOUND[role]))))


CODE = b"__import__('sys').pwned = True"
PIECES = st.sampled_from(
    [b"cbuiltins\nexec\n", b"cos\nsystem\n", b"cultralytics.nn.tasks\nDetectionModel\n", b"ccollections\nOrderedDict\n"]
    + [b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch.storage\n_load_from_bytes\n"]
    + [
        b"X" + len(text).to_bytes(4, "little") + text
        for text in (CODE, b"model", b"ema", b"_modules", b"storage", b"0")
    ]
    + [b"(", b"t", b"\x85", b")", b"R", b"\x81", b"o", b"b", b"}", b"]", b"s", b"u", b"a", b"q\0", b"h\0", b"0", b"2"]
    + [b"K\1", b"J\xff\xff\xff\x7f", b"N", b"\x88", b"Q"]
)


@given(ROLES, st.lists(PIECES, max_size=20).map(b"".join))
@settings(max_examples=200)
def test_nothing_runs_whatever_a_pickle_is_made_of(folder: Path, role: Role, pickled: bytes) -> None:
    outcome(folder, role, with_pickle(SOUND[role], b"\x80\2" + pickled + b"."))


@given(DAMAGED)
@settings(max_examples=200)
def test_a_damaged_file_of_safetensors_is_tensors_or_one_error(folder: Path, damage: Any) -> None:
    """It has no checksum, so that tensors of other values may be read."""
    outcome(folder, "backbone", damage(safetensors(STATE_SAVED)), "bad.safetensors")


# --- tensors that do not fit ---


@pytest.fixture(scope="module")
def mobilenet() -> Tensors:
    state: Tensors = timm.create_model("mobilenetv1_100", pretrained=False).state_dict()
    return state


@given(st.data(), STATE)
@settings(max_examples=30)
def test_a_tensor_that_is_missing_or_of_another_shape_is_named(mobilenet: Tensors, data: Any, more: Tensors) -> None:
    """What is there beside MobileNetV1's own tensors changes nothing."""
    used = [name for name in mobilenet if name.startswith(("conv_stem", "bn1", "blocks")) and "num_b" not in name]
    name = data.draw(st.sampled_from(used))
    wrong = data.draw(TENSOR.filter(lambda tensor: tensor.shape != mobilenet[name].shape) | st.none())
    weights = {**more, **mobilenet} | ({} if wrong is None else {name: wrong})
    if wrong is None:
        del weights[name]
    with pytest.raises(WeightsError) as caught:
        convert(weights, MobileNetV1())
    said = f"it has no tensor {name!r}" if wrong is None else f"{name} is {tuple(wrong.shape)} and the network's is "
    assert said in str(caught.value)


@pytest.mark.parametrize("prefix", ["module.", "model.", "backbone."])
def test_tensors_under_a_prefix_are_missing(mobilenet: Tensors, prefix: str) -> None:
    with pytest.raises(WeightsError, match=r"it has no tensor 'conv_stem\.weight'"):
        convert({f"{prefix}{name}": tensor for name, tensor in mobilenet.items()}, MobileNetV1())


ARCHITECTURES = {name: model_dict(name, 2, bridge.stock_architecture()) for name in ("yolo11n", "mnv1_n")}
TAIL = 15  # layers of YOLO11's neck and head, with SPPF and C2PSA
LAYER = st.dictionaries(st.sampled_from(["weight", "conv.weight", "bias"]), st.integers(1, 2), max_size=3)
LAYERS = st.builds(
    lambda layers, last: [*layers, {"weight": last}],  # the last layer always has a tensor
    st.lists(LAYER, min_size=TAIL, max_size=TAIL + 5),
    st.integers(1, 2),
)


class TinyArm(nn.Module):
    """A model with tensors of 1 or 2 values."""

    def __init__(self, layers: list[dict[str, int]]) -> None:
        super().__init__()
        self.model = nn.Sequential(*(nn.Module() for _ in layers))
        for layer, sizes in zip(self.model, layers, strict=True):
            for name, size in sizes.items():
                inside, _, last = name.rpartition(".")
                if inside:
                    layer.add_module(inside, nn.Module())
                layer.get_submodule(inside).register_buffer(last, torch.zeros(size))


@given(LAYERS, LAYERS, STATE, st.sampled_from(list(ARCHITECTURES)))
@settings(max_examples=60)
def test_a_detectors_tensors_are_taken_where_they_fit_and_all_others_are_named(
    theirs: list[dict[str, int]], ours: list[dict[str, int]], more: Tensors, backbone: str
) -> None:
    """Those that lie in no layer are left out, such as those under another prefix."""
    state = TinyArm(theirs).state_dict()
    state = {name: torch.full_like(tensor, number) for number, (name, tensor) in enumerate(state.items())}
    offered = Offer(Pretrained(WeightsSource(name="x.pt", digest="d" * 64), {**more, **state}))
    same = len(theirs) == len(ours)
    expected = {}  # by the layer's distance from the last one
    for distance, (their, our) in enumerate(zip(reversed(theirs), reversed(ours), strict=False)):
        for name in our:
            if our[name] == their.get(name) and (same or distance < TAIL):
                there, here = (f"model.{len(layers) - 1 - distance}.{name}" for layers in (theirs, ours))
                expected[here] = state[there]
    arm = TinyArm(ours)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bridge, "build_model", lambda _architecture: arm)
        if not expected:
            with pytest.raises(WeightsError, match=r"init\.detector: no tensor of x\.pt fits"):
                start(backbone, ARCHITECTURES[backbone], offered)
            return
        record, tensors = start(backbone, ARCHITECTURES[backbone], offered)
    assert_equal(tensors, expected)
    assert {*record.random} == {*arm.state_dict()} - {*expected}
    assert (record.tensors, record.of_tensors) == (len(expected), len(arm.state_dict()))
