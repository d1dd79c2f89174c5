"""One short training and its evaluation on a tiny dataset, and what they promise."""

from __future__ import annotations

import copy
import hashlib
import os
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from mlflow.tracking import MlflowClient
from ultralytics import YOLO
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils.metrics import box_iou

from mobileyolo.core.backbones import Arm
from mobileyolo.core.errors import DatasetError, TrainingError, WeightsError
from mobileyolo.core.files import ModelFiles
from mobileyolo.core.records import (
    METRICS,
    DatasetCard,
    MetricsRecord,
    Split,
    SplitCount,
    Teacher,
    TrainingPlan,
    TrainingRecord,
    WeightsSource,
)
from mobileyolo.core.results import CORNERS, ArmResult, Statistics
from mobileyolo.core.tables import Manifest
from mobileyolo.costs.profile import profile
from mobileyolo.evaluation import evaluator as evaluation
from mobileyolo.evaluation.evaluator import evaluate
from mobileyolo.loading import SplitLabels
from mobileyolo.models import bridge, weights
from mobileyolo.models.architecture import ModelDict, model_dict
from mobileyolo.parameters import Parameters
from mobileyolo.tracking import Tracker
from mobileyolo.tracking.model import name_of_model
from mobileyolo.training import train as training
from mobileyolo.training.checkpoints import Checkpoints
from mobileyolo.training.parameters import TrainingRecipe
from mobileyolo.training.trainer import ArmModel, ArmTrainer, EpochListener
from mobileyolo.verdict.metrics import WeightedMetrics
from tests.synthetic import write_dataset

SHIPPED = Path(__file__).parents[3] / "params.yaml"
NAMES = ("square", "bar")
NO_OFFER = weights.Offer()
NO_TEACHER = Teacher(name="none")


def make_params(root: Path, **train: object) -> Parameters:
    values = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    values["data"]["dir"] = str(root)
    values["train"] |= {"epochs": 2, "imgsz": 64, "batch": 4} | train
    return Parameters.model_validate(values)


def recipe_of(params: Parameters) -> TrainingRecipe:
    return TrainingRecipe(**params.train.model_dump(include=set(TrainingRecipe.model_fields)))


def make_manifest(root: Path) -> Manifest:
    """A manifest without Great Expectations, whose import takes seconds."""
    images, boxes = [], []
    for split in ("train", "val", "test"):
        for file in sorted((root / split / "images").iterdir()):
            image, label = (
                path.relative_to(root).as_posix() for path in (file, root / split / f"labels/{file.stem}.txt")
            )
            images.append(
                (split, image, label, 64, 64, file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())
            )
            for line, text in enumerate((root / label).read_text(encoding="utf-8").splitlines(), start=1):
                class_id, *xywh = text.split()
                boxes.append((image, line, int(class_id), *map(float, xywh)))
    return Manifest(
        pd.DataFrame(images, columns=list(Manifest.IMAGE_COLUMNS)),
        pd.DataFrame(boxes, columns=list(Manifest.BOX_COLUMNS)),
    )


class Setting(NamedTuple):
    root: Path
    params: Parameters
    card: DatasetCard
    manifest: Manifest


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    root = write_dataset(tmp_path_factory.mktemp("data") / "shapes", train=8, val=4, test=4, classes=NAMES)
    manifest = make_manifest(root)
    counts: dict[Split, int] = {"train": 8, "val": 4, "test": 4}
    splits = {split: SplitCount(images=count, boxes=2 * count) for split, count in counts.items()}
    return Setting(root, make_params(root), DatasetCard(digest="d" * 64, names=NAMES, splits=splits), manifest)


def architecture_of(backbone: str) -> ModelDict:
    return model_dict(backbone, len(NAMES), bridge.stock_architecture())


def planned(setting: Setting, arm: Arm = "candidate", seed: int = 0, **terms: Any) -> TrainingPlan:
    start, _ = weights.start("mnv1_n", architecture_of("mnv1_n"), NO_OFFER)
    given: dict[str, Any] = {
        "recipe": recipe_of(setting.params),
        "card": setting.card,
        "start": start,
        "teacher": NO_TEACHER,
    }
    return training.plan(arm, seed, **(given | terms))


def run(
    setting: Setting,
    seed: int = 0,
    start: weights.Tensors | None = None,
    teacher: Path | None = None,
    on_epoch: EpochListener = lambda *_: None,
) -> training.Trained:
    taught_by = Teacher(name="a teacher", digest="t" * 64, dis=6.0) if teacher else NO_TEACHER
    plan = planned(setting, seed=seed, teacher=taught_by)
    model = ArmModel(architecture_of("mnv1_n"), start or {}, teacher)
    checkpoints = Checkpoints.of(plan, [], [])
    task = training.Task(plan, setting.root, setting.card, setting.manifest, model, checkpoints)
    return training.train(task, on_epoch)


@pytest.fixture(scope="module")
def trained(setting: Setting) -> training.Trained:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(setting.root.parent)
        return run(setting)


@pytest.fixture
def files(trained: training.Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelFiles:
    monkeypatch.chdir(tmp_path)
    files = ModelFiles("candidate", 0)
    trained.write(files)
    return files


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_one_seed_gives_the_same_checkpoint_byte_for_byte_and_another_seed_does_not(
    setting: Setting, files: ModelFiles, trained: training.Trained
) -> None:
    again = run(setting)
    again.write(ModelFiles("again", 0))
    assert again.record == trained.record
    assert ModelFiles("again", 0).weights.read_bytes() == files.weights.read_bytes()
    pd.testing.assert_frame_equal(again.history, trained.history)
    assert run(setting, seed=1).record.weights_digest != trained.record.weights_digest


def first_losses(setting: Setting, **train: object) -> np.ndarray:
    """Of the first batch, before any step."""
    params = make_params(setting.root, **{"epochs": 1, "batch": setting.card.splits["train"].images, **train})
    history = run(setting._replace(params=params)).history
    losses: np.ndarray = history.filter(like="train_").to_numpy(float)[0]
    return losses


def test_bfloat16_changes_a_loss_a_little(setting: Setting) -> None:
    exact, mixed = first_losses(setting), first_losses(setting, precision="bf16")
    np.testing.assert_allclose(mixed, exact, rtol=0.02, atol=1e-4)
    assert (mixed != exact).any()


def test_bfloat16_gives_the_same_bytes_each_time_and_is_another_recipe(
    setting: Setting, trained: training.Trained
) -> None:
    mixed = setting._replace(params=make_params(setting.root, precision="bf16"))
    one, other = run(mixed), run(mixed)
    assert one.record == other.record
    assert one.record.recipe_digest != trained.record.recipe_digest
    assert one.checkpoint["train_args"]["amp"] == "bf16"


def test_training_and_evaluation_only_read_the_dataset(setting: Setting, files: ModelFiles) -> None:
    before = bytes_below(setting.root)
    measure(setting, files)
    run(setting)
    assert bytes_below(setting.root) == before


def test_the_record_says_what_was_trained(trained: training.Trained, files: ModelFiles, setting: Setting) -> None:
    record = TrainingRecord.read(files.training)
    assert record == trained.record
    assert (record.backbone, record.width, record.seed, record.data_digest) == ("mnv1_n", 0.25, 0, "d" * 64)
    assert 1 <= record.best_epoch <= 2
    assert record.weights_digest == bridge.weights_digest(torch.load(files.weights, weights_only=False)["model"])
    assert pd.read_csv(files.history)["epoch"].tolist() == [1, 2]


def test_the_recipe_digest_depends_on_data_and_recipe_but_not_on_arm_or_seed(setting: Setting) -> None:
    digest = planned(setting).recipe_digest
    assert planned(setting, "baseline", 1).recipe_digest == digest
    assert planned(setting, recipe=recipe_of(make_params(setting.root, lr0=0.5))).recipe_digest != digest
    assert planned(setting, card=setting.card.model_copy(update={"digest": "e" * 64})).recipe_digest != digest


def test_the_recipe_digest_does_not_depend_on_starting_weights(setting: Setting) -> None:
    start, _ = weights.start("mnv1_n", architecture_of("mnv1_n"), NO_OFFER)
    source = WeightsSource(name="yolo11n.pt", digest="f" * 64)
    taken = start.model_copy(update={"sources": {"detector": source}, "values": 7})
    assert planned(setting, start=taken).recipe_digest == planned(setting).recipe_digest


def test_a_training_is_the_same_whatever_the_other_arm_starts_from(setting: Setting) -> None:
    """The stage train depends on start.json and start.pt."""
    tensors = {"conv_stem.weight": torch.zeros(8, 3, 3, 3), "blocks.4.1.conv_pw.weight": torch.zeros(256, 256, 1, 1)}
    mobilenet = weights.Pretrained(WeightsSource(name="mobilenet.pt", digest="f" * 64), tensors)
    offered = weights.Offer(backbones=(mobilenet,))
    assert offered.backbone_for("mnv1_n") is mobilenet
    alone, _ = weights.start("yolo11n", architecture_of("yolo11n"), NO_OFFER)
    start, taken = weights.start("yolo11n", architecture_of("yolo11n"), offered)
    assert (start, taken) == (alone, {})
    assert planned(setting, "baseline", start=start) == planned(setting, "baseline", start=alone)


def test_the_recipe_digest_depends_on_a_teacher_of_both_arms_only(setting: Setting) -> None:
    digest = planned(setting).recipe_digest
    of_both = Teacher(name="yolo11m.pt", digest="t" * 64, dis=6.0, both_arms=True)
    assert planned(setting, teacher=of_both).recipe_digest != digest
    of_the_candidate = of_both.model_copy(update={"both_arms": False})
    assert planned(setting, teacher=of_the_candidate).recipe_digest == digest


def test_weights_from_elsewhere_survive_into_the_first_step(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    start = {"model.5.cv1.conv.weight": torch.full((128, 256, 1, 1), 0.125)}
    seen: list[torch.nn.Module] = []
    preprocess = ArmTrainer.preprocess_batch

    def first_batch(trainer: ArmTrainer, batch: dict[str, Any]) -> Any:
        if not seen:
            seen.append(copy.deepcopy(trainer.model))
        return preprocess(trainer, batch)

    monkeypatch.setattr(ArmTrainer, "preprocess_batch", first_batch)
    torch.manual_seed(7)
    run(setting, start=start)
    begun = seen[0].state_dict()
    assert torch.equal(begun["model.5.cv1.conv.weight"], start["model.5.cv1.conv.weight"])
    assert begun["model.5.cv2.conv.weight"].std() > 0  # what nothing was given for is random


def test_a_taught_model_learns_something_else_and_its_checkpoint_holds_the_pupil_alone(
    setting: Setting, trained: training.Trained, files: ModelFiles
) -> None:
    taught = run(setting, teacher=files.weights)
    taught.write(ModelFiles("taught", 0))
    assert taught.record.weights_digest != trained.record.weights_digest
    assert taught.history["train_dis_loss"].gt(0).all()
    alone, with_teacher = (YOLO(each).model for each in (files.weights, ModelFiles("taught", 0).weights))
    assert with_teacher.state_dict().keys() == alone.state_dict().keys()
    assert not any(module._forward_hooks for module in with_teacher.modules())
    assert run(setting, teacher=files.weights).record == taught.record  # one seed, one result, with a teacher as well


class Exploit:
    """Unpickling it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def test_a_teacher_that_would_run_code_is_refused(setting: Setting, tmp_path: Path) -> None:
    torch.save({"model": Exploit(tmp_path / "pwned"), "ema": None}, tmp_path / "teacher.pt")
    with pytest.raises(WeightsError, match="which no detector or classifier needs"):
        run(setting, teacher=tmp_path / "teacher.pt")
    assert not (tmp_path / "pwned").exists()


def test_a_checkpoint_holds_no_class_of_this_package(files: ModelFiles) -> None:
    named = torch.serialization.get_unsafe_globals_in_checkpoint(str(files.weights))
    assert [name for name in named if name.startswith("mobileyolo")] == []


def test_the_checkpoint_holds_no_path_of_the_machine(files: ModelFiles, setting: Setting) -> None:
    content = files.weights.read_bytes()
    for path in (setting.root.parent, SHIPPED.parent):  # where the training ran, and this repository
        assert str(path).encode() not in content


def test_plain_ultralytics_loads_and_predicts_with_the_checkpoint(files: ModelFiles, setting: Setting) -> None:
    image = next((setting.root / "test" / "images").iterdir())
    (result,) = YOLO(files.weights).predict(image, imgsz=64, verbose=False, save=False)
    assert result.names == dict(enumerate(NAMES))


def test_an_image_that_changed_since_validation_stops_the_training(setting: Setting, tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "shapes")
    manifest = make_manifest(root)
    image = root / "train" / "images" / "000.png"
    image.write_bytes(image.read_bytes() + b"x")
    with pytest.raises(DatasetError, match=r"train.images.000\.png: gone or changed"):
        SplitLabels(manifest, root, "train")


def test_an_image_that_changes_during_the_training_is_refused_by_name(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = setting.root / "val/images/001.png"
    with pytest.raises(DatasetError, match=r"val.images.001\.png: gone or changed since the dataset was validated"):
        run(setting, on_epoch=lambda *_: os.utime(image))
    assert [file.name for file in tmp_path.rglob("epoch-*.pt")] == ["epoch-00001.pt"]  # of before the change


def test_an_image_that_changes_during_the_evaluation_is_refused_by_name(
    setting: Setting, files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = setting.root / "test/images/001.png"

    def touch(validator: evaluation.RecordingValidator) -> None:
        os.utime(image)

    monkeypatch.setattr(evaluation.RecordingValidator, "finalize_metrics", touch)
    with pytest.raises(DatasetError, match=r"test.images.001\.png: gone or changed since the dataset was validated"):
        measure(setting, files)


def test_an_npy_file_beside_an_image_is_neither_used_nor_deleted(
    setting: Setting, trained: training.Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stray = [path.with_suffix(".npy") for path in (setting.root / "train" / "images").glob("*.png")]
    for path in stray:
        np.save(path, np.zeros((64, 64, 3), np.uint8))
    try:
        assert run(setting).record.weights_digest == trained.record.weights_digest
        assert all(path.is_file() for path in stray)
    finally:
        for path in stray:
            path.unlink()


def measure(setting: Setting, files: ModelFiles, split: str = "auto") -> tuple[MetricsRecord, Statistics]:
    cost = profile("mnv1_n", model_dict("mnv1_n", len(NAMES), bridge.stock_architecture()), 64)
    options = setting.params.evaluate.model_copy(update={"split": split})
    return evaluate(files.weights, setting.root, options, 64, setting.card, setting.manifest, cost)


@pytest.fixture
def knowing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that has learnt something: its boxes are the labelled ones, moved a little, and some wrong ones."""
    matched = evaluation.RecordingValidator.update_metrics

    def update_metrics(validator: Any, preds: list[dict[str, torch.Tensor]], batch: dict[str, Any]) -> None:
        generator = torch.Generator().manual_seed(0)
        known = []
        for index in range(len(preds)):
            labels = validator._prepare_batch(index, batch)
            boxes, classes = labels["bboxes"].repeat(3, 1), labels["cls"].repeat(3)
            confidence, order = torch.rand(len(classes), generator=generator).sort(descending=True)
            moved = boxes + 2 * torch.randn(boxes.shape, generator=generator)
            known.append({"bboxes": moved[order], "conf": confidence, "cls": classes[order], "extra": boxes[:, :0]})
        matched(validator, known, batch)

    monkeypatch.setattr(evaluation.RecordingValidator, "update_metrics", update_metrics)


def test_metrics_follow_exactly_from_the_per_image_statistics(
    setting: Setting, files: ModelFiles, knowing: None
) -> None:
    metrics, statistics = measure(setting, files)
    reported = tuple(getattr(metrics, name) for name in METRICS)
    assert all(0.05 < value < 1 for value in reported)
    assert WeightedMetrics(statistics)(np.ones(len(statistics.images))) == pytest.approx(reported, abs=1e-6)


def test_every_image_and_box_of_the_held_out_split_is_counted(setting: Setting, files: ModelFiles) -> None:
    _, statistics = measure(setting, files)
    assert statistics.split == "test"
    assert statistics.images["image"].tolist() == [f"test/images/{number:03d}.png" for number in range(4)]
    assert statistics.targets.groupby("image").size().tolist() == [2, 2, 2, 2]
    assert statistics.confusion.sum() >= 8
    assert statistics.per_class["boxes"].sum() == 8
    assert set(zip(statistics.images["width"], statistics.images["height"], strict=True)) == {(64, 64)}


def test_boxes_are_in_pixels_of_the_images(setting: Setting, files: ModelFiles, knowing: None) -> None:
    """The labels are the manifest's, and what `knowing` found lies a few pixels from them."""
    _, statistics = measure(setting, files)
    boxes = setting.manifest.boxes[setting.manifest.boxes["image"].str.startswith("test/")]
    centre, size = boxes[["x", "y"]].to_numpy() * 64, boxes[["w", "h"]].to_numpy() * 64
    labelled = statistics.targets[list(CORNERS)].to_numpy()
    np.testing.assert_allclose(labelled, np.hstack((centre - size / 2, centre + size / 2)), atol=1e-3)
    predicted = statistics.predicted_boxes()
    assert len(predicted) == 3 * len(boxes)
    for image, own in predicted.groupby("image"):
        distances = np.abs(own[list(CORNERS)].to_numpy()[:, None] - labelled[statistics.targets["image"] == image])
        assert distances.max(axis=2).min(axis=1).max() < 12


def test_a_box_is_a_true_positive_where_its_iou_says_so(setting: Setting, files: ModelFiles, knowing: None) -> None:
    """What was matched in the network's input is what the kept boxes give."""
    _, statistics = measure(setting, files)
    predicted, targets = statistics.predicted_boxes(), statistics.targets
    best = []
    for row in predicted.itertuples(index=False):
        own = targets[(targets["image"] == row.image) & (targets["class_id"] == row.class_id)][list(CORNERS)].to_numpy()
        box = torch.tensor([[row.x1, row.y1, row.x2, row.y2]], dtype=torch.float32)
        best.append(float(box_iou(box, torch.tensor(own)).max()) if len(own) else 0.0)
    found = predicted["tp_50"].to_numpy()
    assert found.any()
    assert (np.array(best)[found] >= 0.5 - 1e-3).all()


def test_the_confidence_to_deploy_with_is_chosen_on_val(
    setting: Setting, files: ModelFiles, knowing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[str] = []
    begin = evaluation.RecordingValidator.init_metrics

    def init_metrics(validator: Any, model: torch.nn.Module) -> None:
        passes.append(validator.args.split)
        begin(validator, model)

    monkeypatch.setattr(evaluation.RecordingValidator, "init_metrics", init_metrics)
    metrics, statistics = measure(setting, files)
    best = statistics.thresholds.set_index("confidence")["f1"]
    assert best[metrics.confidence] == best.max()
    kept = statistics.predictions[statistics.predictions["confidence"] >= metrics.confidence]
    assert metrics.precision == pytest.approx(kept["tp_50"].mean(), abs=1e-6)
    assert metrics.recall == pytest.approx(kept["tp_50"].sum() / len(statistics.targets), abs=1e-6)
    assert passes == ["test", "val"]

    on_val, of_val = measure(setting, files, split="val")
    assert passes == ["test", "val", "val"]
    assert on_val.map50_95 == on_val.val_map50_95 == metrics.val_map50_95
    assert (of_val.split, on_val.confidence) == ("val", metrics.confidence)
    pd.testing.assert_frame_equal(of_val.thresholds, statistics.thresholds)


def test_a_class_that_is_never_predicted_has_no_precision(
    setting: Setting, files: ModelFiles, knowing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    matched = evaluation.RecordingValidator._process_batch

    def squares_only(validator: Any, preds: dict[str, torch.Tensor], batch: dict[str, Any]) -> Any:
        square = preds["cls"] == 0
        for key, value in preds.items():
            preds[key] = value[square]
        return matched(validator, preds, batch)

    monkeypatch.setattr(evaluation.RecordingValidator, "_process_batch", squares_only)
    _, statistics = measure(setting, files)
    square, bar = statistics.per_class.to_dict("records")
    assert 0 < square["precision"] < 1
    assert np.isnan(bar["precision"])
    assert (bar["recall"], bar["f1"], bar["map50"]) == (0, 0, 0)


def test_evaluating_twice_gives_the_same_bytes(setting: Setting, files: ModelFiles) -> None:
    for name in ("one", "two"):
        measure(setting, files)[1].write(Path(name))
    assert bytes_below(Path("one")) == bytes_below(Path("two"))


@pytest.mark.parametrize(
    ("asked", "splits", "used"),
    [
        ("auto", {"train": 1, "val": 1, "test": 1}, "test"),
        ("auto", {"train": 1, "val": 1}, "val"),  # no test split: the report says that val chose the checkpoint
        ("val", {"train": 1, "val": 1, "test": 1}, "val"),
    ],
)
def test_the_held_out_split_is_test_where_there_is_one(
    setting: Setting, asked: str, splits: dict[str, int], used: str
) -> None:
    card = setting.card.model_copy(update={"splits": {k: SplitCount(images=v, boxes=v) for k, v in splits.items()}})
    assert card.held_out(asked) == used


@pytest.mark.parametrize(
    ("asked", "splits", "said"),
    [
        ("test", {"train": 1, "val": 1}, "the dataset has no 'test', only train, val"),
        ("auto", {"train": 1, "val": 0}, "'val' has no labelled box"),
    ],
)
def test_a_split_that_measures_nothing_is_refused(
    setting: Setting, asked: str, splits: dict[str, int], said: str
) -> None:
    card = setting.card.model_copy(update={"splits": {k: SplitCount(images=1, boxes=v) for k, v in splits.items()}})
    with pytest.raises(DatasetError, match=said):
        card.held_out(asked)


def test_the_logged_model_predicts_a_table_of_boxes(
    setting: Setting, trained: training.Trained, files: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    metrics, statistics = measure(setting, files)
    result = ArmResult(trained.record, metrics, statistics)
    Tracker.open("shapes", setting.card).log_evaluation(result, trained.history, files.weights)
    address = f"sqlite:///{(tmp_path / 'mlflow.db').as_posix()}"
    (run,) = MlflowClient(address).search_runs(["1"])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    images = sorted(str(path) for path in (setting.root / "test" / "images").iterdir())
    model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/{name_of_model(run.data.params)}")
    table = model.predict(images, params={"conf": 0.001})
    assert table.columns.tolist() == ["image", "class_id", "name", "confidence", "x1", "y1", "x2", "y2"]
    assert set(table["image"]) == set(range(4))
    assert set(table["name"]) <= set(NAMES)


@pytest.mark.parametrize("failing", ["batch", "loss"])
def test_a_training_that_leaves_its_recipe_is_an_error(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """Ultralytics halves the batch when memory runs out, and returns to a checkpoint when the loss is NaN."""
    monkeypatch.chdir(tmp_path)
    if failing == "batch":
        monkeypatch.setattr(ArmTrainer, "optimizer_step", lambda trainer: setattr(trainer.args, "batch", 2))
    else:
        monkeypatch.setattr(DetectionTrainer, "validate", lambda _: ({}, float("nan")))
    with pytest.raises(TrainingError, match="unequal terms"):
        run(setting)
    assert not list(tmp_path.rglob("epoch-*.pt"))
