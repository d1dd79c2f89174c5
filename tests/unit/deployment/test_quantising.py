"""Real int8 files of a small model, at 64 pixels."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
import torch
from ultralytics import YOLO

from mobileyolo import commands as command_line
from mobileyolo.core import environment
from mobileyolo.core.config import load_params
from mobileyolo.core.errors import DatasetError, ExportError
from mobileyolo.core.files import ModelFiles
from mobileyolo.core.tables import Manifest, Scenes
from mobileyolo.deployment import engines, onnx_quantiser, openvino_quantiser, quantising
from mobileyolo.deployment.delivery import deliver
from mobileyolo.deployment.formats import EXPORT_FORMATS, INT8_FORMATS
from mobileyolo.deployment.inputs import CALIBRATION_IMAGES, CalibrationImages, spread
from mobileyolo.deployment.quantising import Measuring, map_difference
from mobileyolo.deployment.records import ExportRecord
from mobileyolo.evaluation.parameters import EvaluationOptions
from mobileyolo.models import bridge
from mobileyolo.verdict.parameters import VerdictOptions
from tests.synthetic import write_dataset
from tests.synthetic_results import make_statistics, with_changes
from tests.unit.deployment.test_delivery import CARD, write_model
from tests.unit.training.test_trainer import NAMES, SHIPPED, make_manifest

ROOT = Path("data/shapes")
FOLDER = Path("exports/candidate-s0")
QUANTISERS = {"onnx": onnx_quantiser.quantise, "openvino": openvino_quantiser.quantise}


def measuring(manifest: Manifest) -> Measuring:
    """As the shipped parameters have it, with each image a scene of its own."""
    params = load_params(SHIPPED)
    table = manifest.images[["split", "image"]].assign(scene=range(len(manifest.images)))
    return Measuring(params.section(EvaluationOptions), params.section(VerdictOptions), Scenes(table))


def run(files: ModelFiles, *formats: str, manifest: Manifest | None = None) -> ExportRecord:
    manifest = manifest or make_manifest(ROOT)
    return deliver(files, formats, None, ROOT, "auto", CARD, manifest, measuring(manifest))


@pytest.fixture(scope="module")
def _offline() -> Iterator[None]:
    def refused(*_: object) -> None:
        raise AssertionError("something asked the network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refused)
        patch.setattr(socket, "getaddrinfo", refused)
        yield


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, _offline: None) -> Path:
    """A folder with a dataset and a model."""
    folder = tmp_path_factory.mktemp("int8")
    with chdir(folder):
        write_dataset(ROOT, classes=NAMES)
        normalise(write_model("candidate").weights)
    return folder


def normalise(weights: Path) -> None:
    """Let the batch norms of a model with random weights see images, so that what it finds depends on the image."""
    model = bridge.load_model(weights).train()
    for norm in (layer for layer in model.modules() if isinstance(layer, torch.nn.BatchNorm2d)):
        norm.momentum = 1.0
    with torch.no_grad():
        model(torch.from_numpy(np.concatenate(list(CalibrationImages(make_manifest(ROOT), ROOT, NAMES, 64)))))
    torch.save({"model": model.eval().half()}, weights)


@pytest.fixture(scope="module")
def exported(workspace: Path, request: pytest.FixtureRequest) -> ExportRecord:
    """What was recorded of the model, exported and quantised in every format that has a quantiser."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with chdir(workspace):
        capture.read_global_capture()
        record = run(ModelFiles("candidate", 0), *INT8_FORMATS)
        assert "".join(capture.read_global_capture()) == ""
    return record


@pytest.fixture(autouse=True)
def _there(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)


def test_int8_files_lie_beside_the_others_and_are_far_smaller(exported: ExportRecord) -> None:
    assert exported.int8
    assert tuple(exported.int8.files) == INT8_FORMATS == ("onnx", "openvino")
    for name, each in exported.int8.files.items():
        assert each.file == EXPORT_FORMATS[name].int8_file
        assert each.mb < exported.formats[name].mb / 2
    of_both = [each.file for files in (exported.formats, exported.int8.files) for each in files.values()]
    assert {path.name for path in FOLDER.iterdir()} == {"parity.json", *of_both}
    assert list(environment.STATE_DIR.glob("export-*")) == []
    assert {"nncf", "onnxruntime"} <= exported.versions.keys()


@pytest.mark.usefixtures("exported")
def test_every_convolution_of_the_onnx_file_takes_int8_weights_by_channel_and_int8_activations() -> None:
    graph = onnx.load(FOLDER / "best_int8.onnx").graph
    made_by = {output: node for node in graph.node for output in node.output}
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv" and "dfl" not in node.name]
    assert len(convolutions) > 50
    for node in convolutions:
        activation, weight = (made_by[name] for name in node.input[:2])
        assert (activation.op_type, weight.op_type) == ("DequantizeLinear", "DequantizeLinear")
        kernel, scale = (tensors[name] for name in weight.input[:2])
        assert kernel.data_type == onnx.TensorProto.INT8
        assert list(scale.dims) == [kernel.dims[0]]


@pytest.mark.usefixtures("exported")
def test_the_convolutions_of_the_openvino_model_take_int8_weights_and_quantised_activations() -> None:
    operations = openvino.Core().read_model(FOLDER / "best_int8_openvino_model/best.xml").get_ops()
    kinds = [operation.get_type_name() for operation in operations]
    constants = [operation for operation in operations if operation.get_type_name() == "Constant"]
    assert sum(constant.get_element_type() == openvino.Type.i8 for constant in constants) > 50
    assert kinds.count("FakeQuantize") > 50


@pytest.mark.usefixtures("exported")
@pytest.mark.parametrize("name", INT8_FORMATS)
def test_boxes_and_confidences_of_an_int8_file_are_decoded_in_float(name: str) -> None:
    """8 bits for pixels and confidences together would round all confidences to 0, and boxes to quarters of a pixel.

    Random layers multiply every error, so what a trained model finds would be nearer.
    """
    wanted = EXPORT_FORMATS[name]
    for image in CalibrationImages(make_manifest(ROOT), ROOT, NAMES, 64):
        fp32, int8 = (engines.load(name, FOLDER / file, 1)(image)[0] for file in (wanted.file, wanted.int8_file))
        assert np.corrcoef(fp32[:4].ravel(), int8[:4].ravel())[0, 1] > 0.8
        assert len(np.unique(int8[:4])) > 300  # of 336
        assert len(np.unique(int8[4:])) > 50


@pytest.mark.usefixtures("exported")
@pytest.mark.parametrize("name", INT8_FORMATS)
def test_ultralytics_opens_an_int8_file_and_knows_its_classes(name: str) -> None:
    image = next((ROOT / "test/images").iterdir())
    model = YOLO(FOLDER / EXPORT_FORMATS[name].int8_file, task="detect")
    (result,) = model.predict(image, imgsz=64, verbose=False, save=False)
    assert result.names == dict(enumerate(NAMES))


@pytest.mark.usefixtures("exported")
@pytest.mark.parametrize("name", INT8_FORMATS)
def test_the_same_file_and_images_give_the_same_int8_bytes(name: str, tmp_path: Path) -> None:
    wanted, images = EXPORT_FORMATS[name], CalibrationImages(make_manifest(ROOT), ROOT, NAMES, 64)
    contents = []
    for attempt in ("first", "second"):
        path = tmp_path / attempt / wanted.int8_file
        path.parent.mkdir()
        QUANTISERS[name](FOLDER / wanted.file, images, path)
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        contents.append([re.sub(rb'_\d+"', b"", file.read_bytes()) for file in files])  # OpenVINO counts in names
        assert list(path.parent.iterdir()) == [path]
    assert contents[0] == contents[1]


def test_the_record_and_mlflows_metrics_have_the_difference_with_its_interval(exported: ExportRecord) -> None:
    assert ExportRecord.read(exported.file) == exported
    assert exported.int8
    assert (exported.int8.calibration_images, exported.int8.images, exported.int8.confidence) == (4, 2, 0.95)
    metrics = exported.metrics()
    for name, each in exported.int8.files.items():
        assert each.low <= each.delta <= each.high
        assert each.delta == pytest.approx(each.int8 - each.fp32, abs=2e-6)
        ends = [metrics[f"export/{name}_int8_map50_95_diff{end}"] for end in ("_low", "", "_high")]
        assert ends == [each.low, each.delta, each.high]
        assert metrics[f"export/{name}_int8_map50_95"] == each.int8


def test_what_finds_the_same_differs_by_nothing_and_what_misses_boxes_is_worse_by_a_paired_interval() -> None:
    options = load_params(SHIPPED).section(VerdictOptions)
    fp32 = make_statistics(0, images=70)
    scenes = np.arange(70)
    same = map_difference(fp32, fp32, scenes, options)
    assert (same.delta, same.low, same.high, same.verdict) == (0, 0, 0, "equivalent")
    fewer = fp32.predictions[np.random.default_rng(0).random(len(fp32.predictions)) < 0.7]
    worse = map_difference(fp32, with_changes(fp32, predictions=fewer), scenes, options)
    assert worse.baseline == same.baseline
    assert worse.low < worse.delta < worse.high < 0
    assert (worse.luck, worse.verdict) == (0, "worse")


@pytest.mark.parametrize(
    ("arguments", "refused"), [(["--format", "ncnn"], "'ncnn'"), (["--format", "onnx", "--format", "coco"], "'coco'")]
)
def test_a_format_without_a_quantiser_is_refused_with_the_choices(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], refused: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["mobileyolo", "export", "--int8", *arguments])
    with pytest.raises(SystemExit) as caught:
        command_line.main()
    assert caught.value.code == f"error: --int8: {refused} can't be quantised here; choose from onnx, openvino"


def test_a_missing_quantiser_is_said_before_anything_is_exported(
    monkeypatch: pytest.MonkeyPatch, exported: ExportRecord
) -> None:
    before = exported.file.read_bytes()
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(ExportError, match=r"OpenVINO: nncf is not installed; pip install 'mobileyolo\[export\]'"):
        run(ModelFiles("candidate", 0), "openvino")
    assert exported.file.read_bytes() == before


def test_without_a_training_image_nothing_is_replaced(exported: ExportRecord) -> None:
    before, whole = exported.file.read_bytes(), make_manifest(ROOT)
    manifest = replace(whole, images=whole.images[whole.images["split"] != "train"])
    with pytest.raises(ExportError, match="the split 'train' has no image to calibrate int8 with"):
        run(ModelFiles("candidate", 0), "onnx", manifest=manifest)
    assert exported.file.read_bytes() == before


@pytest.mark.parametrize("damage", ["deleted", "swapped"])
def test_a_training_image_that_is_not_the_validated_one_is_named_and_nothing_is_replaced(
    exported: ExportRecord, damage: str
) -> None:
    before, manifest = exported.file.read_bytes(), make_manifest(ROOT)
    image = ROOT / "train/images/001.png"
    pixels = image.read_bytes()
    try:
        if damage == "deleted":
            image.unlink()
        else:
            image.write_bytes(pixels[:-1] + b"\0")
        with pytest.raises(DatasetError, match=r"train.images.001\.png: gone or changed since"):
            run(ModelFiles("candidate", 0), "onnx", manifest=manifest)
    finally:
        image.write_bytes(pixels)
    assert exported.file.read_bytes() == before
    assert list(environment.STATE_DIR.glob("export-*")) == []


def test_whatever_a_quantiser_raises_is_one_error_that_names_the_format(
    monkeypatch: pytest.MonkeyPatch, exported: ExportRecord
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no range")

    before = exported.file.read_bytes()
    monkeypatch.setattr(quantising, "_QUANTISERS", {"onnx": fail})
    with pytest.raises(ExportError, match=r"^ONNX: int8: RuntimeError: no range$"):
        run(ModelFiles("candidate", 0), "onnx")
    assert exported.file.read_bytes() == before


def test_calibration_takes_a_fixed_number_of_images_from_all_over_the_split() -> None:
    assert spread(3, CALIBRATION_IMAGES) == [0, 1, 2]
    places = spread(10 * CALIBRATION_IMAGES, CALIBRATION_IMAGES)
    assert len(set(places)) == CALIBRATION_IMAGES
    assert (places[0], places[-1]) == (0, 10 * CALIBRATION_IMAGES - 1)
    images = CalibrationImages(make_manifest(ROOT), ROOT, NAMES, 96)
    first, again = list(images), list(images)
    assert [image.shape for image in first] == 4 * [(1, 3, 96, 96)]
    assert all((one == other).all() for one, other in zip(first, again, strict=True))
    assert max(image.max() for image in first) <= 1
