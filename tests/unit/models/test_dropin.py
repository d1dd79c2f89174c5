"""After `import mobileyolo`, a tutorial's YAML works in plain Ultralytics."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import pytest
import torch
from ultralytics import YOLO
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn import tasks
from ultralytics.nn.modules import TorchVision
from ultralytics.utils import ROOT, SETTINGS, YAML
from ultralytics.utils.dist import ddp_cleanup, generate_ddp_file

import mobileyolo
from mobileyolo.core.errors import ArchitectureError
from mobileyolo.costs.profile import profile
from mobileyolo.models import bridge, dropin
from mobileyolo.models.architecture import model_dict
from tests.stock import fingerprints
from tests.synthetic import write_dataset
from tests.trap import sitecustomize as trap
from tests.tutorial import tutorial, write_tutorial

CHECKOUT = Path(__file__).parents[3]
# Any image gives some boxes, even from a network that has hardly been trained.
ANY_BOX = {"imgsz": 64, "conf": 1e-6, "max_det": 20, "verbose": False, "device": "cpu"}


@pytest.fixture(scope="module", autouse=True)
def _no_integrations() -> None:
    """Ultralytics would log to MLflow below the working folder; its settings file is this test run's own."""
    SETTINGS.update(dict.fromkeys(("mlflow", "dvc", "sync"), False))


@pytest.fixture(scope="module", autouse=True)
def _lookups_need_not_be_told() -> Iterator[None]:
    """The drop-in leaves Ultralytics' own lookups alone; here they are refused, and not written down."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(trap.LOG, os.devnull)
        yield


def run(script: str | Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a Python script (its text, or its file), where mobileyolo can be imported but nothing has imported it."""
    paths = os.pathsep.join(map(str, (Path(trap.__file__).parent, CHECKOUT, Path(mobileyolo.__file__).parents[1])))
    environment = {**os.environ, "PYTHONPATH": paths, **variables}
    environment.pop("YOLO_AUTOINSTALL", None)  # Ultralytics may install, as on a user's machine, but must not want to
    command = [script] if isinstance(script, Path) else ["-c", script]
    return subprocess.run(
        [sys.executable, *map(str, (*command, *arguments))],
        cwd=os.environ["YOLO_CONFIG_DIR"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def told(process: subprocess.CompletedProcess[str]) -> Any:
    """What a script has printed in its last line, as JSON."""
    assert process.returncode == 0, process.stdout + process.stderr
    return json.loads(process.stdout.splitlines()[-1])


class Trained(NamedTuple):
    data: Path
    weights: Path
    image: Path
    boxes: np.ndarray  # (n, 6): xyxy in pixels, confidence, class; what `weights` finds in `image`
    epochs: list[int]  # that were trained after the interruption


def settings(data: Path, project: Path, name: str, **more: object) -> dict[str, Any]:
    return {
        "data": str(data),
        "epochs": 1,
        "imgsz": 64,
        "batch": 4,
        "device": "cpu",
        "plots": False,
        "project": str(project),
        "name": name,
        **more,
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Two epochs of a tutorial's YAML, interrupted after the first and resumed."""
    folder = tmp_path_factory.mktemp("dropin")
    root = write_dataset(folder / "shapes")
    data = root / "data.yaml"

    def interrupt(_trainer: DetectionTrainer) -> None:
        raise KeyboardInterrupt

    yolo = YOLO(write_tutorial(folder))
    yolo.add_callback("on_model_save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        yolo.train(**settings(data, folder, "first", epochs=2))
    epochs: list[int] = []
    yolo = YOLO(folder / "first/weights/last.pt")
    yolo.add_callback("on_train_epoch_end", lambda trainer: epochs.append(trainer.epoch))
    yolo.train(resume=True)
    weights, image = folder / "first/weights/best.pt", root / "val/images/000.png"
    boxes = YOLO(weights).predict(image, **ANY_BOX)[0].boxes.data.numpy()
    return Trained(data, weights, image, boxes, epochs)


def test_importing_it_imports_neither_torch_nor_ultralytics() -> None:
    script = (
        "import json, sys, mobileyolo; print(json.dumps([n for n in ('torch', 'ultralytics') if n in sys.modules]))"
    )
    assert told(run(script)) == []


def test_ultralytics_builds_its_own_models_as_without_it_and_either_may_be_imported_first(tmp_path: Path) -> None:
    script = """
import json, sys
from tests.stock import fingerprints
found = fingerprints()
assert "mobileyolo" not in sys.modules
import mobileyolo
from ultralytics import YOLO
assert type(YOLO(sys.argv[1]).model.model[0]).__name__ == "TorchVision"
print(json.dumps(found))
"""
    assert told(run(script, write_tutorial(tmp_path))) == fingerprints()


def test_the_parser_gets_a_stock_dictionary_as_it_came() -> None:
    seen = []

    def parse(d: object, ch: int, verbose: bool) -> tuple[torch.nn.Sequential, list[int]]:
        seen.append(d)
        return torch.nn.Sequential(), []

    stock = bridge.stock_architecture()
    parser = types.ModuleType("tasks")
    vars(parser)["parse_model"] = parse
    dropin._with_mobilenet(parser)(stock, 3)
    assert seen[0] is stock


@pytest.mark.parametrize("backbone", ["mnv1_n", "mnv1_s", "mnv1_m"])
@pytest.mark.parametrize("classes", [2, 7])
def test_a_tutorials_yaml_is_our_candidate_tensor_for_tensor(tmp_path: Path, backbone: str, classes: int) -> None:
    path = write_tutorial(tmp_path, variant=backbone.replace("mnv1", "MobileNetV1"))
    torch.manual_seed(0)
    theirs = tasks.DetectionModel(str(path), nc=classes, verbose=False)
    torch.manual_seed(0)
    ours = bridge.build_model(model_dict(backbone, classes, bridge.stock_architecture()))
    assert bridge.weights_digest(theirs) == bridge.weights_digest(ours)
    assert theirs.stride.tolist() == [8, 16, 32]


def test_the_scale_in_a_yamls_name_scales_the_neck_and_never_the_backbone(tmp_path: Path) -> None:
    write_tutorial(tmp_path)
    n, s = (YOLO(tmp_path / f"yolo11{scale}-MobileNetV1.yaml").model for scale in "ns")
    assert [n.model[5].cv2.conv.out_channels, s.model[5].cv2.conv.out_channels] == [256, 512]
    assert [n.model[0].channels, s.model[0].channels] == [(32, 64, 128, 256)] * 2


# One of each family whose backbone can be replaced, with the class that builds it.
FAMILIES = {
    "11/yolo11-seg": tasks.SegmentationModel,
    "11/yolo11-pose": tasks.PoseModel,
    "11/yolo11-obb": tasks.OBBModel,
    "11/yolo11-cls": tasks.ClassificationModel,
    "11/yoloe-11-seg": tasks.YOLOESegModel,
    "12/yolo12": tasks.DetectionModel,
    "26/yolo26-p2": tasks.DetectionModel,
    "26/yolo26-p6": tasks.DetectionModel,
    "v5/yolov5-p6": tasks.DetectionModel,
    "v8/yolov8-world": tasks.WorldModel,
    "v8/yolov8-worldv2": tasks.WorldModel,
    "v8/yoloe-v8": tasks.YOLOEModel,
    "v8/yolov8-rtdetr": tasks.RTDETRDetectionModel,
    "v9/yolov9t": tasks.DetectionModel,
    "v10/yolov10n": tasks.DetectionModel,
}


@pytest.mark.parametrize("name", FAMILIES)
def test_what_ultralytics_builds_it_builds_with_our_backbone_at_the_same_strides(name: str) -> None:
    stock = YAML.load(Path(ROOT, f"cfg/models/{name}.yaml"))
    stock["scale"] = next(iter(stock.get("scales", {"": None})))
    theirs, ours = (FAMILIES[name](each, nc=2, verbose=False) for each in (stock, tutorial(stock=stock)))
    assert type(ours.model[0]) is TorchVision
    assert ours.stride.tolist() == theirs.stride.tolist()


def test_a_model_that_ultralytics_builds_without_running_it_is_built() -> None:
    """Its constructor runs an image through models that end in Detect only."""
    architecture = tutorial(stock=YAML.load(Path(ROOT, "cfg/models/11/yolo11-cls.yaml")))
    model = tasks.ClassificationModel(architecture, ch=1, nc=2, verbose=False)  # our stem takes three channels
    with pytest.raises(RuntimeError, match="3 channels, but got 1"):
        model(torch.zeros(1, 1, 64, 64))


@pytest.mark.parametrize(
    ("row", "channels", "said"),
    [
        ([[-1, 2], 1, "Concat", [1]], 3, r"^head row 2, \[\[-1, 2\], 1, 'Concat', \[1\]\]: .*must match"),  # 16 and 8
        ([[-1, 3], 1, "Concat", [1]], 1, r"^backbone row 1, .*: .*3 channels, but got 1"),
    ],
)
def test_maps_that_do_not_fit_are_blamed_on_the_row_that_takes_them(row: list[Any], channels: int, said: str) -> None:
    architecture = tutorial()
    architecture["head"][1] = row
    with pytest.raises(ArchitectureError, match=said):
        tasks.DetectionModel(architecture, ch=channels, verbose=False)


def test_a_row_of_ultralytics_that_picks_a_map_may_read_the_backbones() -> None:
    """Layer 0 outputs all of them: the image, and the maps at strides 4, 8, 16 and 32."""
    rows = [tutorial()["backbone"][0], [0, 1, "Index", [128, 3]]]
    layers, _ = tasks.parse_model({**tutorial(), "backbone": rows, "head": []}, 3, False)
    assert layers[5](layers[0](torch.zeros(1, 3, 64, 64))).shape == (1, 128, 4, 4)


def test_a_row_is_blamed_behind_one_that_takes_more_than_a_map() -> None:
    """YOLO-World's attention reads text as well, and stands before the row that is wrong."""
    architecture = tutorial(stock=YAML.load(Path(ROOT, "cfg/models/v8/yolov8-worldv2.yaml")))
    assert architecture["head"][2][2] == "C2fAttn"
    architecture["head"][4][0] = [-1, 3]  # stride 16, where the map is at stride 8
    with pytest.raises(ArchitectureError, match=r"^head row 5, \[\[-1, 3\], 1, 'Concat', \[1\]\]: .*must match"):
        tasks.WorldModel({**architecture, "scale": "n"}, verbose=False)


def test_errors_of_other_models_are_ultralytics_own() -> None:
    stock = bridge.stock_architecture()
    stock["head"][1] = [[-1, 4], 1, "Concat", [1]]
    with pytest.raises(RuntimeError, match="must match"):
        tasks.DetectionModel({**stock, "scale": "n"}, verbose=False)


def test_a_model_tells_its_size_as_the_pipelines_does(tmp_path: Path) -> None:
    yolo = YOLO(write_tutorial(tmp_path))
    yolo.fuse()
    _, parameters, _, gflops = yolo.info(imgsz=320)
    ours = profile("mnv1_n", model_dict("mnv1_n", 2, bridge.stock_architecture()), 320)
    assert (parameters, round(gflops, 4)) == (ours.parameters, ours.gflops)


def test_loaded_weights_are_what_a_training_starts_from(trained: Trained, tmp_path: Path) -> None:
    """As for any model, Ultralytics takes the tensors whose names and shapes are the same."""
    YOLO("yolo11n.yaml").save(tmp_path / "yolo11n.pt")
    yolo = YOLO(write_tutorial(tmp_path)).load(tmp_path / "yolo11n.pt")
    source = YOLO(tmp_path / "yolo11n.pt").model.float().state_dict()
    own = yolo.model.state_dict()
    common = {name for name, tensor in source.items() if name in own and own[name].shape == tensor.shape}
    assert len(common) > 5
    assert [name for name in common if not torch.equal(own[name], source[name])] == []
    yolo.train(**settings(trained.data, tmp_path, "loaded", optimizer="SGD", lr0=1e-12, warmup_epochs=0))
    ended = yolo.model.state_dict()
    weights = {name for name, _ in yolo.model.named_parameters()} & common
    assert max((ended[name] - source[name]).abs().max().item() for name in weights) < 1e-3


def test_freezing_layer_0_freezes_the_backbone_and_nothing_else(trained: Trained, tmp_path: Path) -> None:
    yolo = YOLO(trained.weights)
    before = {name: each.clone() for name, each in yolo.model.float().named_parameters()}
    yolo.train(**settings(trained.data, tmp_path, "frozen", freeze=1, optimizer="SGD", warmup_epochs=0))
    moved = {name for name, each in yolo.model.named_parameters() if not torch.equal(each, before[name])}
    assert {name.split(".")[1] for name in moved} >= {"5", "6", "19"}
    assert [name for name in moved if name.startswith("model.0.")] == []


@pytest.mark.parametrize("started_by", ["tune", "a list of datasets"])
def test_trainings_in_processes_of_the_yolo_command_build_the_network(
    trained: Trained, tmp_path: Path, started_by: str
) -> None:
    yolo = YOLO(write_tutorial(tmp_path))
    arguments = settings(trained.data, tmp_path, "tuned")
    if started_by == "tune":
        yolo.tune(iterations=1, **arguments)
        (told,) = (tmp_path / "tuned/tune_results.ndjson").read_text(encoding="utf-8").splitlines()
        assert json.loads(told)["datasets"]["shapes"]["val/cls_loss"] > 0
    else:
        results = yolo.train(**{**arguments, "data": [str(trained.data)]})
        assert results["shapes"]["val/cls_loss"] > 0
    weights = next(tmp_path.rglob("best.pt"))
    assert type(YOLO(weights).model.model[0]) is TorchVision


def test_an_interrupted_training_goes_on_where_it_was(trained: Trained) -> None:
    assert trained.epochs == [1]  # counted from 0
    assert torch.load(trained.weights, weights_only=False)["model"].yaml["backbone"][0][2] == "MobileNetV1_n"


def test_a_checkpoint_holds_no_class_of_ours(trained: Trained) -> None:
    # The scan leaves out what an earlier safe load in this process has allowed.
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    names = torch.serialization.get_unsafe_globals_in_checkpoint(trained.weights)
    torch.serialization.add_safe_globals(allowed)
    assert "ultralytics.nn.modules.block.TorchVision" in names
    assert [name for name in names if "mobileyolo" in name.lower()] == []


def test_a_checkpoint_validates_and_is_trained_on(trained: Trained, tmp_path: Path) -> None:
    yolo = YOLO(trained.weights)
    metrics = yolo.val(data=str(trained.data), imgsz=64, device="cpu", plots=False, project=str(tmp_path))
    assert 0 <= metrics.box.map <= 1
    before = bridge.weights_digest(yolo.model)
    yolo.train(**settings(trained.data, tmp_path, "again", optimizer="SGD", lr0=1e-12, warmup_epochs=0))
    assert type(yolo.model.model[0]) is TorchVision
    assert bridge.weights_digest(yolo.model) != before
    # It continued from these weights: at that learning rate they hardly change.
    known = YOLO(trained.weights).model.state_dict()
    moved = max((p - known[name]).abs().max().item() for name, p in yolo.model.named_parameters())
    assert moved < 1e-3


def test_a_checkpoint_exports_to_onnx_which_computes_the_same(trained: Trained, tmp_path: Path) -> None:
    weights = tmp_path / "best.pt"  # the export lands beside it
    weights.write_bytes(trained.weights.read_bytes())
    yolo = YOLO(weights)
    exported = yolo.export(format="onnx", imgsz=64, device="cpu", verbose=False)
    images = torch.rand(1, 3, 64, 64)
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = bridge.load_model(weights)(images)[0].numpy()
    np.testing.assert_allclose(session.run(None, {"images": images.numpy()})[0], expected, atol=1e-3)


# Loads and predicts; prints the boxes, the processes that were started and why training on fails.
WITHOUT_US = """
import json, sys
sys.modules["mobileyolo"] = None  # what Python puts there to make an import fail
started = []
sys.addaudithook(lambda event, args: started.append(str(args)) if event == "subprocess.Popen" else None)
from ultralytics import YOLO
weights, image, options, train = json.loads(sys.argv[1])
yolo = YOLO(weights)
boxes = yolo.predict(image, **options)[0].boxes.data.tolist()
try:
    yolo.train(**train)
except Exception as error:
    print(json.dumps([boxes, started, repr(error)]))
"""


@pytest.mark.parametrize("safe_load", ["0", "1"])
def test_a_checkpoint_predicts_where_this_package_is_not_installed(
    trained: Trained, tmp_path: Path, safe_load: str
) -> None:
    train = settings(trained.data, tmp_path, "elsewhere")
    arguments = json.dumps([str(trained.weights), str(trained.image), ANY_BOX, train])
    process = run(WITHOUT_US, arguments, ULTRALYTICS_SAFE_LOAD=safe_load)
    boxes, started, error = told(process)
    np.testing.assert_allclose(boxes, trained.boxes, atol=1e-4)
    assert [command for command in started if "install" in command] == []
    assert "AutoInstall" not in process.stdout + process.stderr
    assert error == "KeyError('MobileNetV1_n')"  # as the README says


def test_a_checkpoint_is_trained_on_under_safe_load(trained: Trained, tmp_path: Path) -> None:
    script = """
import json, sys
import mobileyolo
from ultralytics import YOLO
weights, train = json.loads(sys.argv[1])
yolo = YOLO(weights)
yolo.train(**train)
print(json.dumps(type(yolo.model.model[0]).__name__))
"""
    arguments = json.dumps([str(trained.weights), settings(trained.data, tmp_path, "safe")])
    assert told(run(script, arguments, ULTRALYTICS_SAFE_LOAD="1")) == "TorchVision"


def test_a_process_of_a_training_on_several_gpus_builds_the_network_too(trained: Trained, tmp_path: Path) -> None:
    """Ultralytics starts one process a GPU from a script of its own; here it runs as the only one, on the CPU."""
    model = write_tutorial(tmp_path, "MobileNetV1_s")
    trainer = DetectionTrainer(overrides=settings(trained.data, tmp_path, "gpus", model=str(model)))
    file = generate_ddp_file(trainer)
    try:
        process = run(Path(file), PYTHONPATH="")
    finally:
        ddp_cleanup(trainer, file)
    assert process.returncode == 0, process.stdout + process.stderr
    assert YOLO(tmp_path / "gpus/weights/best.pt").model.model[0].channels == (64, 128, 256, 512)


# Does what makes Ultralytics ask the network; prints what was asked for after `offline`, and what stops the rest.
OFFLINE = """
import json, sys
import mobileyolo
if sys.argv[1] == "before":
    mobileyolo.offline()
from ultralytics import YOLO
from ultralytics.utils import SETTINGS, checks, events
theirs = [module for name, module in sys.modules.items() if "ultralytics" in name and "ONLINE" in vars(module)]
asked = []
sys.addaudithook(lambda event, args: asked.append(str(args)) if event == "socket.getaddrinfo" else None)
if sys.argv[1] == "after":
    for module in theirs:
        module.ONLINE = True  # as it is where there is a network
    events.events.enabled = True
    mobileyolo.offline()
checks.check_font("Nowhere.ttf")
checks.check_pip_update_available()
refused = []
for name in ("yolo11n.pt", "unknown.pt"):
    try:
        YOLO(name)
    except (ConnectionError, FileNotFoundError) as error:
        refused.append(str(error))
print(json.dumps([asked, refused, [module.ONLINE for module in theirs], events.events.enabled, SETTINGS["sync"]]))
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_offline_asks_the_network_for_nothing_whether_called_before_or_after(
    tmp_path: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("YOLO_OFFLINE", "MLFLOW_DISABLE_TELEMETRY", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name)
    if when == "after":  # what is asked for during Ultralytics' import is over by then
        monkeypatch.setenv(trap.LOG, str(tmp_path / "log"))
    (tmp_path / "config").mkdir()
    asked, refused, *switches = told(run(OFFLINE, when, YOLO_CONFIG_DIR=str(tmp_path / "config")))
    assert asked == []
    assert "not downloaded, because of mobileyolo.offline()" in refused[0]
    assert "unknown.pt" in refused[1]
    assert switches == [[False] * len(switches[0]), False, False]
    assert len(switches[0]) >= 3
