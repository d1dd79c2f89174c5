"""What evaluation/evaluator.py, loading.py and models/bridge.py rely on in Ultralytics' validator and dataset."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.contracts.table import contract


@contract("DetectionValidator._process_batch")
def test_the_validator_matches_each_image_by_itself() -> None:
    from tests.contracts.recording import evaluated

    calls = evaluated().of("_process_batch")
    assert [Path(call.given[1]["im_file"]).name for call in calls] == ["000.png", "001.png"]
    for predictions, labels in (call.given for call in calls):
        assert {"conf", "cls", "bboxes"} <= predictions.keys()
        assert {"cls", "bboxes", "imgsz", "ori_shape", "ratio_pad"} <= labels.keys()
    found = [len(call.given[0]["conf"]) for call in calls]
    assert sum(found)
    assert [call.returned["tp"].shape for call in calls] == [(number, 10) for number in found]


@contract("DetectionValidator._check_max_det")
def test_the_validator_checks_max_det_through_itself() -> None:
    from tests.contracts.recording import evaluated

    recorded = evaluated()
    (call,) = recorded.of("_check_max_det")
    settings, datasets = call.given
    assert settings is recorded.subject.args
    assert len(datasets) == 1


@contract("DetectionValidator.init_metrics")
def test_the_validator_begins_once_with_a_model_that_has_names() -> None:
    from tests.contracts.recording import evaluated

    recorded = evaluated()
    (call,) = recorded.of("init_metrics")
    assert call.given[0].names == recorded.data["names"]
    assert recorded.order.index("init_metrics") < recorded.order.index("_process_batch")


@contract("DetectionValidator.build_dataset")
def test_the_validator_asks_for_the_images_of_its_split() -> None:
    from tests.contracts.recording import evaluated

    recorded = evaluated()
    (call,) = recorded.of("build_dataset")
    assert call.given == (recorded.data["val"],)
    assert call.named == {"batch": 2, "mode": "val"}


@contract("validator.check_det_dataset")
def test_the_validator_looks_its_dataset_up_by_a_global() -> None:
    from tests.contracts.recording import evaluated

    recorded = evaluated()  # with only the global replaced, and settings that name no file that exists
    assert recorded.subject.data is recorded.data


@contract("ConfusionMatrix.process_batch")
def test_a_confusion_matrix_has_a_row_for_each_predicted_class() -> None:
    import torch
    from ultralytics.utils.metrics import ConfusionMatrix

    confusion = ConfusionMatrix(names={0: "square", 1: "bar"})
    box = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    predictions = {"bboxes": box, "conf": torch.tensor([0.9]), "cls": torch.tensor([1.0])}
    labels = {"bboxes": box, "cls": torch.tensor([0.0])}
    confusion.process_batch(predictions, labels, conf=0.25)
    confusion.process_batch(predictions | {"conf": torch.tensor([0.2])}, labels, conf=0.25)
    expected = np.zeros((3, 3))
    expected[1, 0] = 1  # predicted as 1, is 0
    expected[2, 0] = 1  # not predicted
    np.testing.assert_array_equal(confusion.matrix, expected)


@contract("ops.scale_boxes")
def test_boxes_scaled_back_are_those_of_the_image_before_it_was_letterboxed() -> None:
    import cv2
    import torch
    from ultralytics.data.augment import LetterBox
    from ultralytics.utils import ops
    from ultralytics.utils.instance import Instances

    image, box = np.zeros((300, 517, 3), np.uint8), np.array([[31.0, 40.0, 271.0, 209.0]], np.float32)
    height, width = 96, 165  # as the dataset resizes an image, before it is letterboxed
    shrunk = box * np.tile([width / 517, height / 300], 2).astype(np.float32)
    label = {
        "img": cv2.resize(image, (width, height)),
        "cls": np.zeros((1, 1)),
        "instances": Instances(shrunk, np.zeros((0, 1000, 2), np.float32), bbox_format="xyxy", normalized=False),
        "ratio_pad": (height / 300, width / 517),
    }
    boxed = LetterBox((128, 192), auto=False, scaleup=False)(label)
    inside = torch.from_numpy(boxed["instances"].bboxes)
    given = boxed["img"].shape[:2], (300, 517), boxed["ratio_pad"]
    assert np.abs(inside.numpy() - box).min() > 1
    scaled = ops.scale_boxes(given[0], inside.clone(), given[1], ratio_pad=given[2])
    np.testing.assert_allclose(scaled.numpy(), box, atol=1e-3)
    outside = torch.tensor([[-50.0, -50.0, 500.0, 500.0]])
    assert ops.scale_boxes(given[0], outside, given[1], ratio_pad=given[2]).tolist() == [[0, 0, 517, 300]]


@contract("metrics.nt_per_image")
def test_metrics_count_by_class_id_and_keep_results_by_position() -> None:
    from ultralytics.utils.metrics import DetMetrics

    metrics = DetMetrics(names=dict(enumerate("abc")))
    labelled = np.array([2, 2, 0])
    metrics.update_stats(
        {
            "tp": np.arange(10) < [[10], [7], [3]],  # the last one is a true positive up to IoU 0.6
            "conf": np.array([0.9, 0.8, 0.7]),
            "pred_cls": labelled,
            "target_cls": labelled,
            "target_img": np.unique(labelled),
            "im_name": "a.png",
        }
    )
    metrics.process()
    assert list(metrics.nt_per_image) == [1, 0, 1]
    assert list(metrics.nt_per_class) == [1, 0, 2]
    assert list(metrics.box.ap_class_index) == [0, 2]
    assert metrics.box.all_ap.shape == (2, 10)  # average precision by class and IoU threshold
    assert metrics.box.map50 == pytest.approx(metrics.box.all_ap[:, 0].mean())
    assert metrics.box.map75 == pytest.approx(metrics.box.all_ap[:, 5].mean())
    assert metrics.box.map == pytest.approx(metrics.box.all_ap.mean())


@contract("YOLODataset.get_img_files")
def test_a_dataset_asks_for_its_paths() -> None:
    from tests.contracts.recording import trained

    recorded = trained()
    dataset = recorded.subject.train_loader.dataset
    assert dataset.img_path is recorded.data["train"]
    assert dataset.im_files == [label["im_file"] for label in recorded.data["train"].labels]
    assert dataset.ni == 2


@contract("YOLODataset.get_labels")
def test_a_dataset_asks_for_its_labels_and_writes_no_cache() -> None:
    from tests.contracts.recording import trained

    recorded = trained()
    dataset = recorded.subject.test_loader.dataset
    given = recorded.data["val"].labels
    for kept, label in zip(dataset.labels, given, strict=True):
        np.testing.assert_array_equal(kept["bboxes"], label["bboxes"])
        np.testing.assert_array_equal(kept["cls"], label["cls"])
    folder = Path(given[0]["im_file"]).parents[2]
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {".png", ".txt", ".yaml"}


@contract("npy_files")
def test_a_dataset_reads_an_image_from_its_place_in_npy_files(tmp_path: Path) -> None:
    from tests.contracts.recording import train

    dataset = train().subject.test_loader.dataset
    assert dataset.npy_files == [Path("no-npy-cache")] * 2
    np.save(tmp_path / "black.npy", np.zeros((64, 64, 3), np.uint8))
    image = Path(dataset.im_files[0])
    os.utime(tmp_path / "black.npy", (image.stat().st_mtime + 1,) * 2)
    assert dataset.load_image(0)[0].any()
    dataset.npy_files[0] = tmp_path / "black.npy"
    assert not dataset.load_image(0)[0].any()


@contract("build_yolo_dataset")
@pytest.mark.parametrize("mode", ["train", "val"])
def test_ultralytics_gives_its_own_dataset_the_same_settings(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics.cfg import get_cfg
    from ultralytics.data import build
    from ultralytics.data.base import BaseDataset

    from mobileyolo import loading

    given: list[dict[str, Any]] = []
    monkeypatch.setattr(build, "YOLODataset", lambda **named: given.append(named))
    monkeypatch.setattr(loading, "ManifestDataset", lambda **named: given.append(named))
    settings, data = get_cfg(overrides={"task": "detect", "imgsz": 96}), {"names": {0: "square"}}
    build.build_yolo_dataset(settings, "images", 4, data, mode=mode, rect=mode == "val", stride=32)
    source: Any = "images"  # it is only passed on here
    loading.build_dataset(source, settings, data, batch=4, stride=32, augment=mode == "train")
    parameters = inspect.signature(BaseDataset.__init__).parameters.values()
    defaults = {each.name: each.default for each in parameters if each.default is not each.empty}
    theirs, ours = ({**defaults, **named, "prefix": ""} for named in given)
    assert theirs.pop("cache") in {None, False}
    assert ours.pop("cache") in {None, False}
    assert ours == theirs
