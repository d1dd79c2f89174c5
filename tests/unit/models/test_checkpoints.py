"""Files of torch from others: nothing in them runs, and nothing is unpacked that the file is too small for."""

from __future__ import annotations

import ast
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from ultralytics.nn.modules import TorchVision
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils import DEFAULT_CFG

from mobileyolo.core.errors import WeightsError
from mobileyolo.models import bridge
from mobileyolo.models.architecture import model_dict
from mobileyolo.models.checkpoints import read_checkpoint, read_tensors

ROOT = Path(__file__).parents[3]
# Ways to unpickle, and the classes of Ultralytics that do so with a path.
UNPICKLING = {"load", "loads", "Unpickler", "read_pickle", "torch_load", "torch_safe_load", "load_checkpoint", "YOLO"}
KNOWN = {"json.loads", "image.load", "engines.load", "torch.jit.load"}  # the last opens what was exported just now


class Calls:
    """An object whose pickle calls something."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self.called = function, arguments

    def __reduce__(self) -> Any:
        return self.called


def write(path: Path, model: object) -> Path:
    torch.save({"model": model, "ema": None}, path)
    return path


def test_files_are_unpickled_where_no_class_is_built_that_was_not_named() -> None:
    found = {}
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called.rpartition(".")[2] in UNPICKLING and called not in KNOWN:
                found[f"{path.parent.name}/{path.name}", called] = [ast.unparse(each) for each in node.keywords]
    assert found == {
        ("models/checkpoints.py", "torch.load"): ["map_location='cpu'", "weights_only=True"],
        # The states of a training hold tensors and plain values, and torch builds nothing else.
        ("training/checkpoints.py", "torch.load"): ["map_location='cpu'", "weights_only=True"],
        ("core/config.py", "yaml.load"): ["Loader=_Loader"],  # a child of PyYAML's safe one, see tests/unit/core
        ("core/files.py", "yaml.load"): ["Loader=_SafeLoader"],  # PyYAML's own, in C where it is built with that
        ("training/several_gpus.py", "pickle.loads"): [],  # no file: what the process that started this one gives to it
    }


@pytest.mark.parametrize("name", ["yolov3-tiny", "yolov5n", "yolov8n", "yolov9t", "yolo11n", "yolo12n", "yolo26n"])
def test_a_detector_of_ultralytics_is_read_as_it_was_saved(tmp_path: Path, name: str) -> None:
    model = DetectionModel(f"{name}.yaml", nc=2, verbose=False)
    model.args = DEFAULT_CFG
    model.criterion = model.init_criterion()  # releases of before saved the loss with the model
    read = read_checkpoint(write(tmp_path / "model.pt", model))["model"]
    assert [type(each) for each in read.modules()] == [type(each) for each in model.modules()]
    assert bridge.weights_digest(read) == bridge.weights_digest(model)
    assert (read.names, read.stride.tolist()) == (model.names, model.stride.tolist())


def test_a_model_of_ours_computes_what_it_did(tmp_path: Path) -> None:
    model = bridge.build_model(model_dict("mnv1_n", 2, bridge.stock_architecture())).eval()
    read = bridge.load_model(write(tmp_path / "model.pt", model))
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(read(image)[0], model(image)[0])
    assert type(read.model[0]) is TorchVision


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    path = write(tmp_path / "best.pt", Calls(os.mkdir, str(tmp_path / "pwned")))
    for read in (bridge.load_model, read_checkpoint, read_tensors):
        with pytest.raises(
            (WeightsError, ValueError), match=r"it names '\w+\.mkdir', which no detector or classifier needs"
        ):
            read(path)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("kind", "arguments"), [(TorchVision, ("resnet18",)), (DetectionModel, ("https://example.invalid/model.yaml",))]
)
def test_no_constructor_runs_and_so_none_downloads(tmp_path: Path, kind: type, arguments: tuple[str]) -> None:
    path = write(tmp_path / "best.pt", Calls(kind, *arguments))
    torch.serialization.add_safe_globals([kind])  # as a load by Ultralytics leaves it behind
    try:
        with pytest.raises(WeightsError, match=f"it calls {kind.__name__}, where a checkpoint only fills it"):
            bridge.load_model(path)
        assert kind in torch.serialization.get_safe_globals()  # others' list is as it was
    finally:
        torch.serialization.clear_safe_globals()


def test_a_name_in_a_file_reaches_no_terminal_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evil = type("evil\x1b[2J", (), {"__module__": "builtins"})
    monkeypatch.setattr("builtins.evil\x1b[2J", evil, raising=False)
    path = write(tmp_path / "best.pt", evil())
    with pytest.raises(WeightsError, match=r"it names '\S*evil\\x1b\[2J'"):
        bridge.load_model(path)


def packed(path: Path, compression: int, **sizes: int) -> Path:
    """An archive like torch's, whose parts hold this many zeros."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, size in sizes.items():
            archive.writestr(f"best/{name}", bytes(size))
    return path


@pytest.mark.parametrize("read", [bridge.load_model, read_tensors])
def test_a_bomb_is_refused_by_what_it_declares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Any) -> None:
    path = packed(tmp_path / "best.pt", zipfile.ZIP_DEFLATED, data=50_000_000)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_args: pytest.fail("it was unpacked"))
    with pytest.raises((WeightsError, ValueError), match="it would unpack to 50,000,000 bytes, and has"):
        read(path)


def test_a_bomb_that_declares_less_is_refused_too(tmp_path: Path) -> None:
    path = packed(tmp_path / "best.pt", zipfile.ZIP_DEFLATED, data=50_000_000)
    declared, small = (size.to_bytes(4, "little") for size in (50_000_000, 7))
    path.write_bytes(path.read_bytes().replace(declared, small))
    with pytest.raises(ValueError, match="it would unpack to 7 bytes"):
        read_checkpoint(path)


def test_parts_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("best/data", bytes(100_000))
        archive.filelist *= 9
    with pytest.raises(ValueError, match="it would unpack to 900,000 bytes"):
        read_checkpoint(path)


def test_a_tensor_that_claims_more_than_its_bytes_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1).expand(10**12)}, tmp_path / "tensors.pt")
    with pytest.raises(ValueError, match="its tensors take more memory than the file has bytes"):
        read_tensors(tmp_path / "tensors.pt")
    model = bridge.build_model(model_dict("mnv1_n", 2, bridge.stock_architecture()))
    model.model[0].m[0][0].bn.running_mean = torch.zeros(1).expand(10**12)
    with pytest.raises(WeightsError, match="its tensors take more memory than the file has bytes"):
        bridge.load_model(write(tmp_path / "best.pt", model))


def test_tensors_in_anything_but_a_dictionary_of_tensors_are_refused(tmp_path: Path) -> None:
    for content, said in (([torch.zeros(1)], "it holds a list"), ({"epoch": 1}, "it is not a state dict")):
        torch.save(content, tmp_path / "tensors.pt")
        with pytest.raises(ValueError, match=said):
            read_tensors(tmp_path / "tensors.pt")
