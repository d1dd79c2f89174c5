"""Real exports of both arms' models in every format, at 64 pixels."""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path

import pytest
import torch
from ultralytics import YOLO
from ultralytics.engine.exporter import Exporter
from ultralytics.nn.tasks import DetectionModel

from mobileyolo import commands as command_line
from mobileyolo.core import environment
from mobileyolo.core.backbones import Arm
from mobileyolo.core.errors import ExportError
from mobileyolo.core.files import DATASET_FILE, ModelFiles, write_text
from mobileyolo.core.records import DatasetCard, SplitCount, Teacher, TrainingRecord
from mobileyolo.deployment import exporting
from mobileyolo.deployment.delivery import deliver
from mobileyolo.deployment.formats import EXPORT_FORMATS
from mobileyolo.deployment.records import ExportRecord
from mobileyolo.models import bridge
from mobileyolo.models.architecture import model_dict
from tests.synthetic import write_dataset
from tests.synthetic_results import RANDOM
from tests.unit.training.test_trainer import NAMES, SHIPPED, make_manifest

CARD = DatasetCard(
    digest="d" * 64, names=NAMES, splits={"train": SplitCount(images=4, boxes=8), "test": SplitCount(images=2, boxes=4)}
)
BACKBONES: dict[Arm, str] = {"baseline": "yolo11n", "candidate": "mnv1_n"}


def write_model(arm: Arm) -> ModelFiles:
    """A model with many uncertain boxes: random weights, but confidences of about one half."""
    torch.manual_seed(0)
    model = bridge.build_model(model_dict(BACKBONES[arm], len(NAMES), bridge.stock_architecture()))
    model.names, model.args = dict(enumerate(NAMES)), {}
    with torch.no_grad():
        for branch in model.model[-1].cv3:
            branch[-1].bias.fill_(0)
    files = ModelFiles(arm, 0)
    files.weights.parent.mkdir(parents=True)
    torch.save({"model": model.half()}, files.weights)
    TrainingRecord(
        arm=arm,
        backbone=BACKBONES[arm],
        width=None,
        seed=0,
        data_digest=CARD.digest,
        recipe={"imgsz": 64},
        start=RANDOM,
        teacher=Teacher(name="none"),
        engine={},
        recipe_digest="r",
        best_epoch=1,
        weights_digest=bridge.weights_digest(model),
    ).write(files.training)
    write_text(files.history, "epoch,map50,map50_95\n1,0.2,0.1\n")
    return files


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a dataset; the network is switched off."""

    def refused(*_: object) -> None:
        raise AssertionError("something asked the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.chdir(tmp_path)
    write_dataset(tmp_path / "data" / "shapes", classes=NAMES)
    return tmp_path


def run(files: ModelFiles, *formats: str, imgsz: int | None = None) -> ExportRecord:
    root = Path("data/shapes")
    return deliver(files, formats or tuple(EXPORT_FORMATS), imgsz, root, "auto", CARD, make_manifest(root))


def break_exports_of(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Export other weights than the model's in one format."""
    whole = exporting.export

    def broken(model: DetectionModel, exported: str, folder: Path, imgsz: int) -> Path:
        if exported == name:
            with torch.no_grad():
                for branch in model.model[-1].cv2:
                    branch[-1].bias[0] += 1  # of the boxes' distances
        return whole(model, exported, folder, imgsz)

    monkeypatch.setattr(exporting, "export", broken)


@pytest.mark.parametrize("arm", BACKBONES)
def test_every_format_finds_what_the_model_finds_and_nothing_else_is_left(
    workspace: Path, arm: Arm, capfd: pytest.CaptureFixture[str]
) -> None:
    files = write_model(arm)
    record = run(files)
    folder = Path("exports", f"{arm}-s0")
    assert list(record.formats) == list(EXPORT_FORMATS)
    assert all(each.boxes > 0 and list(each.failures()) == [] for each in record.formats.values())
    assert ExportRecord.read(folder / "parity.json") == record
    assert {path.name for path in folder.iterdir()} == {"parity.json", *(each.file for each in EXPORT_FORMATS.values())}
    assert {path.name for path in workspace.iterdir()} == {"data", "models", "exports", ".mobileyolo"}
    assert list(environment.STATE_DIR.iterdir()) == []
    assert len(list(files.weights.parent.iterdir())) == 3
    assert "".join(capfd.readouterr()) == ""
    image = next((Path("data/shapes/test/images")).iterdir())
    for each in record.formats.values():
        (result,) = YOLO(folder / each.file, task="detect").predict(image, imgsz=64, verbose=False, save=False)
        assert result.names == dict(enumerate(NAMES))


def test_an_export_that_finds_other_boxes_fails_and_leaves_what_was_there(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_model("candidate")
    run(files, "torchscript")
    before = {path: path.read_bytes() for path in Path("exports").rglob("*") if path.is_file()}
    break_exports_of("torchscript", monkeypatch)
    with pytest.raises(ExportError) as caught:
        run(files, "onnx", "torchscript")
    message = str(caught.value)
    assert "TorchScript, candidate s0: the network's boxes differ by up to " in message
    assert "the bound is 0.1 px" in message
    assert "ONNX" not in message
    assert {path: path.read_bytes() for path in Path("exports").rglob("*") if path.is_file()} == before
    assert list(environment.STATE_DIR.iterdir()) == []


def test_a_later_export_takes_the_place_of_an_earlier_one_as_a_whole(workspace: Path) -> None:
    files = write_model("candidate")
    run(files, "onnx")
    assert run(files, "torchscript", imgsz=96).imgsz == 96
    assert {path.name for path in Path("exports/candidate-s0").iterdir()} == {"parity.json", "best.torchscript"}


def test_the_command_ends_with_one_clear_error(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YOLO_CONFIG_DIR", os.environ["YOLO_CONFIG_DIR"])  # so that it is restored
    text = SHIPPED.read_text(encoding="utf-8").replace("data/raw/digits", "data/shapes")
    write_text(Path("params.yaml"), text)
    CARD.write(DATASET_FILE)
    make_manifest(Path("data/shapes")).write()
    write_model("baseline")
    break_exports_of("torchscript", monkeypatch)
    monkeypatch.setattr(sys, "argv", ["mobileyolo", "export", "--arm", "baseline", "--format", "torchscript"])
    with pytest.raises(SystemExit) as caught:
        command_line.main()
    assert str(caught.value.code).startswith("error: TorchScript, baseline s0: the network's boxes differ by up to ")
    assert not Path("exports").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "tflite"], "invalid choice: 'tflite'"),
        (["--imgsz", "100"], "'100' is not a multiple of 32 from 32 to 8192"),
        (["--imgsz", "0"], "'0' is not a multiple of 32 from 32 to 8192"),
    ],
)
def test_a_wrong_option_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    monkeypatch.setenv("YOLO_CONFIG_DIR", os.environ["YOLO_CONFIG_DIR"])
    monkeypatch.setattr(sys, "argv", ["mobileyolo", "export", *arguments])
    with pytest.raises(SystemExit) as caught:
        command_line.main()
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_a_model_that_is_not_there_is_named(workspace: Path) -> None:
    with pytest.raises(ExportError, match=r"models.candidate.s3.best\.pt: no such file; run dvc repro first"):
        run(ModelFiles("candidate", 3))


def test_a_model_of_another_dataset_is_refused(workspace: Path) -> None:
    files = write_model("candidate")
    record = TrainingRecord.read(files.training).model_copy(update={"data_digest": "e" * 64})
    record.write(files.training)
    with pytest.raises(ExportError, match="was trained on another dataset"):
        run(files)


def test_a_missing_package_is_said_before_anything_is_exported(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ncnn", None)
    with pytest.raises(ExportError, match="NCNN: ncnn is not installed"):
        run(write_model("candidate"))
    assert not Path("exports").exists()


def test_an_error_of_the_exporter_comes_with_what_it_printed(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        os.write(2, b"what the converter said\n")
        raise RuntimeError("no such operator")

    monkeypatch.setattr(Exporter, "__call__", fail)
    with pytest.raises(ExportError, match="OpenVINO: the export failed: RuntimeError: no such operator\nwhat the conv"):
        run(write_model("candidate"), "openvino")


def test_a_full_disk_is_no_fault_of_the_exporter(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Exporter, "__call__", fail)
    with pytest.raises(OSError, match="No space left"):
        run(write_model("candidate"), "openvino")
    assert not Path("exports").exists()
