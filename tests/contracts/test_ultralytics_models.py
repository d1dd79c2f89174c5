"""What models/, costs/, deployment/ and core/environment.py rely on in Ultralytics."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np
import pytest
from PIL import Image

from tests.contracts.table import contract


def tiny(*rows: list[Any], scale: str = "n") -> dict[str, Any]:
    """A model dictionary of these rows."""
    return {"nc": 1, "scales": {scale: [1.0, 1.0, 1024]}, "scale": scale, "backbone": list(rows), "head": []}


@contract("tasks.parse_model")
def test_a_model_looks_its_parser_up_by_a_global(monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics.nn import tasks

    from mobileyolo.models import bridge

    bridge.prepare()
    seen: list[dict[str, Any]] = []
    original = tasks.parse_model

    def parse(d: dict[str, Any], ch: int, verbose: bool = True) -> Any:
        seen.append(d)
        return original(d, ch=ch, verbose=verbose)

    monkeypatch.setattr(tasks, "parse_model", parse)
    stock = bridge.stock_architecture()
    tasks.DetectionModel({**stock, "scale": "n"}, nc=1, verbose=False)
    assert [each["backbone"] for each in seen] == [stock["backbone"]]


@contract("vars(tasks)")
def test_the_parser_looks_a_module_up_by_a_global(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch import nn
    from ultralytics.nn import tasks

    class Probe(nn.Module):
        def __init__(self, *given: object) -> None:
            super().__init__()
            self.given = given

    monkeypatch.setitem(vars(tasks), "Probe", Probe)
    layers, _ = tasks.parse_model(tiny([-1, 1, "Probe", [0.25, 3]]), 3, False)
    assert [(type(layer), layer.given) for layer in layers] == [(Probe, (0.25, 3))]


@contract("DetectionModel.__init__")
def test_a_detector_runs_an_image_through_its_layers_where_it_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    import traceback

    from torch import nn
    from ultralytics.nn import tasks

    from mobileyolo.models import bridge

    class Broken(nn.Module):
        def forward(self, _image: object) -> None:
            raise ZeroDivisionError

    monkeypatch.setitem(vars(tasks), "Broken", Broken)
    stock = bridge.stock_architecture()
    stock["backbone"][3] = [-1, 1, "Broken", []]
    stock["scale"] = "n"
    for kind in (tasks.DetectionModel, tasks.WorldModel, tasks.YOLOEModel):
        with pytest.raises(ZeroDivisionError) as caught:
            kind(stock, nc=1, verbose=False)
        frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
        (built,) = (frame.f_locals["self"] for frame in frames if frame.f_code.co_qualname == "DetectionModel.__init__")
        assert type(built) is kind
        assert built.model[3] in [frame.f_locals.get("self") for frame in frames]


@contract("Index")
def test_an_index_row_names_the_channels_and_the_position_of_a_map(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from torch import nn
    from ultralytics.nn import tasks

    class Maps(nn.Module):
        def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
            return [image, image.repeat(1, 2, 1, 1)]

    monkeypatch.setitem(vars(tasks), "Maps", Maps)
    rows = [[-1, 1, "Maps", []], [0, 1, "Index", [6, -1]], [-1, 1, "Conv", [8, 1]]]
    layers, _ = tasks.parse_model(tiny(*rows), 3, False)
    assert layers[2].conv.in_channels == 6
    image = torch.rand(1, 3, 4, 4)
    assert torch.equal(layers[1](layers[0](image)), image.repeat(1, 2, 1, 1))


@contract("layer.f")
def test_each_layer_has_its_sources_and_detect_is_the_last() -> None:
    from ultralytics.nn.modules import Detect

    from mobileyolo.models import bridge

    model = bridge.build_model({**bridge.stock_architecture(), "scale": "n", "nc": 2})
    assert type(model.model[-1]) is Detect
    assert model.model[-1].f == [16, 19, 22]
    assert [layer.f for layer in model.model[:2]] == [-1, -1]


@contract("TorchVision.__new__")
def test_a_torchvision_module_is_its_blocks_and_a_flag() -> None:
    import torch

    from mobileyolo.models.mobilenet_v1 import MobileNetV1

    network = MobileNetV1(0.25).eval()
    module = network.as_stock_module()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        given, *maps = module(image)
        expected = network(image)
    assert given is image
    assert len(maps) == len(expected)
    assert all(torch.equal(one, other) for one, other in zip(maps, expected, strict=True))
    assert b"mobileyolo" not in pickle.dumps(module)


@contract("C3k2")
@pytest.mark.parametrize(("scale", "has_c3k"), [("n", False), ("s", False), ("m", True), ("l", True), ("x", True)])
def test_larger_scales_have_c3k_blocks_whatever_the_row_says(scale: str, has_c3k: bool) -> None:
    from ultralytics.nn.modules.block import C3k
    from ultralytics.nn.tasks import parse_model

    layers, _ = parse_model(tiny([-1, 1, "C3k2", [64, False]], scale=scale), 3, False)
    assert any(isinstance(module, C3k) for module in layers.modules()) == has_c3k


@contract("Conv.fuse")
def test_fusing_leaves_no_batch_norm_in_our_network() -> None:
    from torch import nn

    from mobileyolo.models import bridge
    from mobileyolo.models.architecture import model_dict

    model = bridge.build_model(model_dict("mnv1_n", 2, bridge.stock_architecture()))

    def norms() -> int:
        return sum(isinstance(module, nn.BatchNorm2d) for module in model.model[0].modules())

    assert norms() == 27  # the stem's, and two for each of the paper's 13 separable layers
    model.fuse(verbose=False)
    assert norms() == 0


@contract("_YOLO_CLI_COMMAND")
def test_trainings_on_a_list_of_datasets_are_started_by_the_yolo_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ultralytics.cfg import _YOLO_CLI_COMMAND
    from ultralytics.engine import trainer

    from mobileyolo.models import bridge

    bridge.prepare()
    started: list[list[str]] = []
    monkeypatch.setattr(trainer.subprocess, "run", lambda command, check: started.append(command))
    model = bridge.build_model({**bridge.stock_architecture(), "scale": "n", "nc": 2})
    arguments = {"data": ["a.yaml"], "task": "detect", "project": str(tmp_path), "model": "a.yaml"}
    trainer.MultiTrainer(None, arguments, model).train()
    assert [command[:4] for command in started] == [[*_YOLO_CLI_COMMAND, "train"]]
    assert "mobileyolo" in _YOLO_CLI_COMMAND[-1]
    assert "data=a.yaml" in started[0]


class StubTrainer:
    """As much of a trainer as Ultralytics hands to other processes."""

    def __init__(self, callbacks: dict[str, list[Any]]) -> None:
        self.args = SimpleNamespace(device="0,1")
        self.model = None
        self.callbacks = callbacks


@contract("default_callbacks")
def test_a_training_hands_its_callbacks_to_the_processes_of_several_gpus() -> None:
    import torch
    from ultralytics.utils.callbacks.base import get_default_callbacks
    from ultralytics.utils.dist import generate_ddp_file

    from mobileyolo.models import bridge
    from mobileyolo.models.dropin import known_to_workers
    from tests.contracts.recording import trained

    bridge.prepare()
    event = "on_pretrain_routine_start"
    assert known_to_workers in get_default_callbacks()[event]
    assert known_to_workers in trained().subject.callbacks[event]
    script = Path(generate_ddp_file(StubTrainer({event: [known_to_workers]})))
    state = script.with_suffix(".pt")
    try:
        assert torch.load(state, weights_only=False)["callbacks"] == {event: [known_to_workers]}
    finally:
        script.unlink()
        state.unlink()


@contract("SETTINGS")
def test_each_trainer_reads_which_integrations_are_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics.utils import SETTINGS
    from ultralytics.utils.callbacks import base

    from mobileyolo.models import bridge

    bridge.prepare()
    switches = {name for name, value in SETTINGS.defaults.items() if isinstance(value, bool)}
    assert switches == {*bridge._INTEGRATIONS, *bridge._HINTS}
    assert not any(SETTINGS[name] for name in switches)

    asked: list[str] = []

    def import_module(name: str, _package: str) -> SimpleNamespace:
        asked.append(name)
        return SimpleNamespace(callbacks={})

    monkeypatch.setattr(base, "import_module", import_module)
    trainer = StubTrainer(defaultdict(list))
    base.add_integration_callbacks(trainer)
    assert asked == []
    monkeypatch.setitem(SETTINGS, "mlflow", True)
    base.add_integration_callbacks(trainer)
    assert asked == [".mlflow"]


@contract("torch_utils.NUM_THREADS")
def test_selecting_the_cpu_sets_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from ultralytics.utils import torch_utils

    before = torch.get_num_threads()
    try:
        for threads in (before + 1, before + 2):
            monkeypatch.setattr(torch_utils, "NUM_THREADS", threads)
            torch_utils.select_device("cpu", verbose=False)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


@contract("cfg/models/11/yolo11.yaml")
def test_ultralytics_ships_yolo11_with_its_scales() -> None:
    from mobileyolo.models import bridge
    from mobileyolo.models.architecture import STOCK_BACKBONE_ROWS

    stock = bridge.stock_architecture()
    assert list(stock["scales"]) == ["n", "s", "m", "l", "x"]
    assert stock["backbone"][STOCK_BACKBONE_ROWS][2] == "SPPF"
    assert stock["head"][-1][2] == "Detect"


BUILT: list[str] = []


class Foreign:
    """A class that is none of Ultralytics', and says when it is built from a file."""

    def __setstate__(self, state: dict[str, str]) -> None:
        BUILT.append(state["path"])


def write_foreign(path: Path) -> Path:
    """A checkpoint with an object of that class."""
    import torch

    foreign = Foreign()
    vars(foreign)["path"] = str(path)
    torch.save({"model": foreign}, path)
    return path


@contract("DetectionModel.__setstate__")
def test_a_network_is_filled_by_its_state_and_no_constructor_is_needed(tmp_path: Path) -> None:
    import torch

    from mobileyolo.models import bridge
    from mobileyolo.models.architecture import model_dict
    from mobileyolo.models.checkpoints import read_checkpoint

    model = bridge.build_model(model_dict("mnv1_n", 2, bridge.stock_architecture()))
    torch.save({"model": model}, tmp_path / "model.pt")
    read = read_checkpoint(tmp_path / "model.pt")["model"]
    assert [type(module) for module in read.modules()] == [type(module) for module in model.modules()]
    assert bridge.weights_digest(read) == bridge.weights_digest(model)


@contract("ClassificationModel")
def test_a_classifier_has_the_backbone_of_its_detector(tmp_path: Path) -> None:
    import torch
    from ultralytics.data.augment import classify_transforms
    from ultralytics.nn.tasks import ClassificationModel

    from mobileyolo.models import bridge
    from mobileyolo.models.architecture import STOCK_BACKBONE_ROWS, model_dict
    from mobileyolo.models.weights import read_backbone

    model = ClassificationModel("yolo11n-cls.yaml", nc=2, verbose=False)
    model.transforms = classify_transforms(64)  # as its trainer does
    torch.save({"model": model}, tmp_path / "model.pt")
    detector = bridge.build_model(model_dict("yolo11n", 2, bridge.stock_architecture())).model[:STOCK_BACKBONE_ROWS]
    assert {name: tensor.shape for name, tensor in read_backbone(tmp_path / "model.pt").items()} == {
        f"model.{name}": tensor.shape for name, tensor in detector.state_dict().items()
    }


@contract("torch_utils.initialize_weights")
def test_a_detectors_norms_have_the_epsilon_that_any_module_gets() -> None:
    from torch import nn

    from mobileyolo.models import bridge
    from mobileyolo.models.architecture import model_dict

    model = bridge.build_model(model_dict("yolo11n", 2, bridge.stock_architecture()))
    assert {norm.eps for norm in model.modules() if isinstance(norm, nn.BatchNorm2d)} == {bridge.norm_eps()}


@contract("attempt_download_asset")
def test_an_asset_is_put_where_it_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics.utils import downloads

    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(downloads, "safe_download", lambda url, file, **_: asked.append((url, str(file))))
    target = tmp_path / "yolo11n.pt"
    downloads.attempt_download_asset(target)
    ((url, file),) = asked
    assert url.endswith("/yolo11n.pt")
    assert file == str(target)


@contract("get_flops")
def test_counting_operations_says_0_where_it_fails() -> None:
    from torch import nn
    from ultralytics.utils.torch_utils import get_flops

    from mobileyolo.models import bridge

    class Broken(nn.Conv2d):
        def forward(self, *_: object) -> Any:
            raise RuntimeError("can't be counted")

    assert get_flops(Broken(3, 3, 1), 64) == 0.0
    assert get_flops(bridge.build_model({**bridge.stock_architecture(), "scale": "n"}), 64) > 0


@contract("pt_path")
def test_the_exporter_takes_a_model_from_memory_and_names_the_result_by_its_path(tmp_path: Path) -> None:
    from mobileyolo.deployment import exporting
    from mobileyolo.models import bridge
    from mobileyolo.models.architecture import model_dict

    model = bridge.build_model(model_dict("mnv1_n", 2, bridge.stock_architecture()))
    assert exporting.export(model, "torchscript", tmp_path, 64).is_file()


@contract("non_max_suppression")
def test_suppression_gives_a_row_for_each_class_and_at_most_as_many_as_asked() -> None:
    import torch
    from ultralytics.utils.nms import non_max_suppression

    output = torch.tensor([[[20.0], [30.0], [10.0], [20.0], [0.9], [0.6]]])  # one anchor: xywh, two classes

    def boxes(**named: Any) -> list[list[float]]:
        (found,) = non_max_suppression(output.clone(), 0.25, 0.7, **named)
        return [[round(float(value), 3) for value in row] for row in found]

    best, other = [15.0, 20.0, 25.0, 40.0, 0.9, 0.0], [15.0, 20.0, 25.0, 40.0, 0.6, 1.0]
    assert boxes(multi_label=True, max_det=10) == [best, other]
    assert boxes(multi_label=True, max_det=1) == [best]
    assert boxes(multi_label=False, max_det=10) == [best]


@contract("LetterBox")
def test_letterbox_pads_to_the_exact_shape() -> None:
    from ultralytics.data.augment import LetterBox

    assert LetterBox((64, 64), auto=False)(image=np.zeros((20, 50, 3), np.uint8)).shape == (64, 64, 3)


@contract("patches.imread")
def test_an_image_is_read_as_bgr_and_what_is_none_as_none(tmp_path: Path) -> None:
    from ultralytics.utils.patches import imread

    Image.new("RGB", (4, 2), (255, 0, 0)).save(tmp_path / "red.png")
    (tmp_path / "text.png").write_text("no image", encoding="utf-8")
    pixels = imread(str(tmp_path / "red.png"))
    assert pixels.shape == (2, 4, 3)
    assert pixels[0, 0].tolist() == [0, 0, 255]
    assert imread(str(tmp_path / "text.png")) is None


SETTINGS_SCRIPT = """
import json, socket
asked = []
socket.getaddrinfo = lambda host, *_, **__: asked.append(host) or []
from ultralytics import utils
names = ("AUTOINSTALL", "ONLINE", "SAFE_LOAD", "USER_CONFIG_DIR")
print(json.dumps({name: str(getattr(utils, name, None)) for name in names} | {"asked": asked}))
"""


@cache
def isolated() -> dict[str, Any]:
    """What Ultralytics makes of the variables that we set: its own names for it, and the hosts that it asked for."""
    folder = Path(tempfile.mkdtemp(prefix="mobileyolo-contract-"))
    (folder / "config").mkdir()
    variables = {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "false", "ULTRALYTICS_SAFE_LOAD": "1"}
    variables |= {"YOLO_CONFIG_DIR": str(folder / "config"), "HOME": str(folder)}
    told = subprocess.run(
        [sys.executable, "-c", SETTINGS_SCRIPT], env=os.environ | variables, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return found


@contract("YOLO_CONFIG_DIR")
def test_its_folder_is_the_one_that_was_named() -> None:
    folder = Path(isolated()["USER_CONFIG_DIR"])
    assert "config" in {folder.name, folder.parent.name}


@contract("YOLO_OFFLINE")
def test_offline_it_looks_for_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics.utils import is_online

    assert isolated()["ONLINE"] == "False"
    assert isolated()["asked"] == []
    monkeypatch.delenv("YOLO_OFFLINE")  # the variable, and not the lack of a network, is what decides
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    assert is_online()


@contract("YOLO_AUTOINSTALL")
def test_it_installs_nothing() -> None:
    assert isolated()["AUTOINSTALL"] == "False"


@contract("ULTRALYTICS_SAFE_LOAD")
def test_it_loads_by_its_list_of_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics.nn import tasks

    assert isolated()["SAFE_LOAD"] == "True"
    monkeypatch.setattr(tasks, "SAFE_LOAD", True)
    with pytest.raises(TypeError, match=r"served\.pt"):
        tasks.torch_safe_load(write_foreign(tmp_path / "served.pt"))
    assert str(tmp_path / "served.pt") not in BUILT


@contract("ONLINE")
def test_what_it_sends_and_looks_up_depends_on_these_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics.utils import SETTINGS, checks, events

    def asked() -> NoReturn:
        raise ConnectionError("asked")

    monkeypatch.setattr(checks, "IS_PIP_PACKAGE", True)
    monkeypatch.setattr(checks, "check_latest_pypi_version", asked)
    monkeypatch.setattr(checks, "ONLINE", False)
    assert checks.check_pip_update_available() is False
    monkeypatch.setitem(SETTINGS, "sync", True)
    monkeypatch.setattr(events, "TESTS_RUNNING", False)
    monkeypatch.setattr(events, "IS_PIP_PACKAGE", True)
    for online in (False, True):
        monkeypatch.setattr(events, "ONLINE", online)
        assert events.Events().enabled is online


@contract("events.enabled")
def test_it_sends_events_only_while_they_are_enabled() -> None:
    from ultralytics.utils.events import Events, events

    settings = SimpleNamespace(mode="val", task="detect", model="a.pt", data=None)
    assert type(events) is Events
    sender = Events()
    sender.t = time.time()  # as if it had sent just now: it collects until its interval is over
    for enabled in (False, True):
        sender.enabled = enabled
        sender(settings)
        assert len(sender.events) == enabled


@contract("downloads.is_url")
def test_it_asks_for_a_font_through_this_function(monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics.utils import checks, downloads

    asked: list[tuple[str, bool]] = []
    monkeypatch.setattr(downloads, "is_url", lambda url, check=False: asked.append((url.rpartition("/")[2], check)))
    assert checks.check_font("Nowhere.ttf") is None
    assert asked == [("Nowhere.ttf", True)]


@contract("downloads.safe_download")
def test_it_downloads_weights_through_this_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics import YOLO
    from ultralytics.utils import downloads

    def refused(url: str, *_: object, **__: object) -> NoReturn:
        raise ConnectionError(url)

    monkeypatch.setattr(downloads, "safe_download", refused)
    with pytest.raises(ConnectionError, match=r"yolo11n\.pt"):
        YOLO(tmp_path / "yolo11n.pt")
    monkeypatch.setattr(downloads, "get_github_assets", refused)
    with pytest.raises(ConnectionError, match="ultralytics/assets"):
        YOLO(tmp_path / "unknown.pt")


@contract("ULTRALYTICS_API_KEY")
def test_without_a_key_it_streams_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics.utils.callbacks import platform

    class Streaming(Exception):  # noqa: N818  # no error, but what would come next
        pass

    def streaming(_trainer: object) -> None:
        raise Streaming

    trainer = SimpleNamespace(args=SimpleNamespace(project="ours", name="run"))
    monkeypatch.setattr(platform, "TESTS_RUNNING", False)
    monkeypatch.setattr(platform, "_get_project_name", streaming)
    monkeypatch.delenv("ULTRALYTICS_API_KEY", raising=False)
    platform.on_pretrain_routine_start(trainer)
    monkeypatch.setenv("ULTRALYTICS_API_KEY", "a key")
    with pytest.raises(Streaming):
        platform.on_pretrain_routine_start(trainer)
