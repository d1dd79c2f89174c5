from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mobileyolo import commands
from mobileyolo.core.files import DATASET_FILE, ModelFiles
from mobileyolo.core.records import CocoAP, DatasetCard, MetricsRecord
from mobileyolo.core.results import BOXES_AN_IMAGE, CORNERS, Statistics
from mobileyolo.evaluation.coco import coco_annotations, coco_ap, coco_results
from mobileyolo.evaluation.deployed import CONFIDENCES, deployed_metrics
from mobileyolo.evaluation.image_results import ResultTables
from tests.detections import NAMES, detected, tables_of
from tests.synthetic import write_dataset
from tests.synthetic_results import make_metrics
from tests.unit.training.test_trainer import SHIPPED, make_manifest

SCENES: dict[str, dict[str, Any]] = {
    "ordinary": {},
    "more than 100 predictions an image": {"false": 150},
    "equal confidences": {"digits": 1},
    "small objects only": {"side": 12, "spread": 0.2},
}


def measured(tables: ResultTables) -> CocoAP:
    return coco_ap(coco_annotations(tables.images, tables.targets, NAMES), coco_results(tables.most_confident()))


def peer(annotations: Path, results: Path) -> dict[str, float | None]:
    """What pycocotools measures of the same files."""
    truth = COCO(str(annotations))
    evaluation = COCOeval(truth, truth.loadRes(str(results)), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    values = [None if value == -1 else float(value) for value in evaluation.stats[:6]]
    return dict(zip(CocoAP.model_fields, values, strict=True))


@pytest.mark.parametrize("scene", SCENES)
def test_ap_is_that_of_pycocotools(tmp_path: Path, scene: str) -> None:
    tables = tables_of(detected(tmp_path, **SCENES[scene]))
    annotations, results = tmp_path / "annotations.json", tmp_path / "results.json"
    annotations.write_text(json.dumps(coco_annotations(tables.images, tables.targets, NAMES)), encoding="utf-8")
    results.write_text(json.dumps(coco_results(tables.most_confident())), encoding="utf-8")
    ap = measured(tables)
    assert 0.2 < ap.ap < 0.9
    assert (ap.ap_large is None) == (scene == "small objects only")
    assert ap.model_dump() == pytest.approx(peer(annotations, results), abs=1e-6)


def test_ultralytics_own_map_is_near_cocos_ap(tmp_path: Path) -> None:
    """Within 0.01.

    Ultralytics draws straight lines between the points of the precision-recall curve, weighs the ends half, and takes
    300 boxes an image; COCO reads the curve in steps, and takes 100.
    """
    validator = detected(tmp_path)
    ap, box = measured(tables_of(validator)), validator.metrics.box
    assert ap.ap != pytest.approx(box.map, abs=1e-4)
    assert (ap.ap, ap.ap50, ap.ap75) == pytest.approx((box.map, box.map50, box.map75), abs=0.01)


def test_without_a_prediction_ap_is_0(tmp_path: Path) -> None:
    tables = tables_of(detected(tmp_path))
    none = ResultTables(tables.images, tables.predictions[:0], tables.targets)
    assert set(measured(none).model_dump().values()) == {0.0}


def test_measuring_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    measured(tables_of(detected(tmp_path)))
    assert "".join(capfd.readouterr()) == ""


def write_evaluated(files: ModelFiles, tables: ResultTables) -> MetricsRecord:
    """What the stage evaluate would have written of a model."""
    predictions = tables.predictions
    thresholds = deployed_metrics(CONFIDENCES, predictions["confidence"], predictions["tp_50"], len(tables.targets))
    Statistics(
        split="test",
        measured={},
        names=NAMES,
        images=tables.images,
        predictions=predictions.drop(columns=list(CORNERS)),
        boxes=tables.boxes(),
        targets=tables.targets,
        thresholds=thresholds,
        confusion=np.zeros((4, 4), dtype=np.int64),
        per_class=thresholds[:0],
    ).write(files.statistics)
    metrics = make_metrics(coco=measured(tables))
    metrics.write(files.metrics)
    return metrics


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in which a dataset was validated."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("YOLO_CONFIG_DIR", os.environ["YOLO_CONFIG_DIR"])  # so that it is restored
    Path("params.yaml").write_text(SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")
    DatasetCard(digest="d" * 64, names=NAMES, splits={}).write(DATASET_FILE)
    make_manifest(write_dataset(tmp_path / "shapes")).write()
    return tmp_path


def export(monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr(sys, "argv", ["mobileyolo", "export", "--format", "coco", *options])
    commands.main()


def test_exported_predictions_give_pycocotools_the_ap_of_the_evaluation(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Up to the rounding of the boxes to 1 / 65535 of the image, within 0.001."""
    tables = tables_of(detected(workspace, false=150))
    metrics = write_evaluated(ModelFiles("candidate", 0), tables)
    folder = workspace / "exports/candidate-s0"
    folder.mkdir(parents=True)
    (folder / "best.onnx").write_bytes(b"a model that was exported before")
    export(monkeypatch, "--arm", "candidate")
    assert "predictions on 40 test images" in capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} == {"best.onnx", "coco_annotations.json", "coco_predictions.json"}
    annotations, predictions = folder / "coco_annotations.json", folder / "coco_predictions.json"
    assert len(json.loads(predictions.read_text(encoding="utf-8"))) == 40 * BOXES_AN_IMAGE
    assert metrics.coco.model_dump() == pytest.approx(peer(annotations, predictions), abs=0.001)


def test_exported_labels_have_names_and_sizes(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = tables_of(detected(workspace))
    write_evaluated(ModelFiles("baseline", 0), tables)
    export(monkeypatch, "--arm", "baseline")
    content = json.loads(Path("exports/baseline-s0/coco_annotations.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in content["categories"]] == list(NAMES)
    assert content["images"][2] == {"id": 3, "file_name": "002.png", "width": 640, "height": 480}
    first = tables.targets.iloc[0]
    assert content["annotations"][0]["category_id"] == first["class_id"] + 1
    assert content["annotations"][0]["bbox"] == pytest.approx(
        [first["x1"], first["y1"], first["x2"] - first["x1"], first["y2"] - first["y1"]]
    )


def test_a_model_that_was_not_evaluated_is_named(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"reports.metrics.baseline.s3\.json: no such file; run dvc repro first"):
        export(monkeypatch, "--seed", "3")
