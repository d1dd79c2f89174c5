from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mobileyolo.core.backbones import Arm
from mobileyolo.core.records import (
    METRICS,
    DatasetCard,
    History,
    SplitCount,
    Start,
    Teacher,
    TrainingRecord,
    WeightsSource,
)
from mobileyolo.core.results import ArmResult, Statistics
from mobileyolo.tracking import read_history
from mobileyolo.tracking.dataset_runs import Runs
from mobileyolo.tracking.results import evaluation_tags
from tests.synthetic_results import make_metrics

RANDOM = Start(sources={}, tensors=0, of_tensors=475, values=0, of_values=1_865_771)
PRETRAINED = Start(**RANDOM.model_dump() | {"sources": {"backbone": WeightsSource(name="a.pt", digest="a")}})
CARD = DatasetCard(digest="d" * 64, names=("square",), splits={"test": SplitCount(images=2, boxes=4)})
NOTHING = History(candidates=1, spread=None)
EMPTY = pd.DataFrame()
STATISTICS = Statistics(
    split="test",
    measured={"iou": "0.7"},
    names=CARD.names,
    images=EMPTY,
    predictions=EMPTY,
    boxes=EMPTY,
    targets=EMPTY,
    thresholds=EMPTY,
    confusion=np.zeros((2, 2), np.int64),
    per_class=EMPTY,
)


pytestmark = pytest.mark.usefixtures("store")


def result(arm: str = "candidate", backbone: str = "mnv1_n", seed: int = 0, **training: object) -> ArmResult:
    """A model whose weights no other one has."""
    values: dict[str, object] = {
        "data_digest": CARD.digest,
        "recipe": {"epochs": 2},
        "start": RANDOM,
        "teacher": Teacher(name="none"),
        "engine": {},
        "recipe_digest": "r" * 64,
        "best_epoch": 1,
        "weights_digest": f"{arm} {backbone} {seed} {training}",
    }
    record = TrainingRecord.model_validate(
        {**values, "arm": arm, "backbone": backbone, "width": None, "seed": seed} | training
    )
    return ArmResult(record, make_metrics(), STATISTICS)


def log(model: ArmResult, metrics: Mapping[str, float] = MappingProxyType({}), folder: str = "shapes") -> None:
    """Log a trained and measured model as the stages do, but for its epochs and its checkpoint."""
    run = Runs.open(folder, CARD.model_copy(update={"digest": model.training.data_digest})).start_run(model.training)
    run.mark_trained(model.training)
    run.log_changed_metrics(metrics)
    run.set_tags(evaluation_tags(model.statistics))
    run.end("FINISHED")


def measured(map50_95: float) -> dict[str, float]:
    return {"map50_95": map50_95, "map50": 2 * map50_95, "map75": map50_95}


def known(*models: ArmResult) -> History:
    """What is known to a comparison of these candidates."""
    return asked(*models)[0]


def asked(*models: ArmResult) -> tuple[History, bool]:
    """The same, and whether it lasts."""
    arms: Mapping[Arm, list[ArmResult]] = {
        "baseline": [result("baseline", "yolo11n", model.training.seed) for model in models],
        "candidate": list(models),
    }
    return read_history(arms)


def test_an_empty_store_knows_this_candidate_only() -> None:
    assert known(result()) == NOTHING


def test_an_answer_lasts_unless_a_run_goes_on_or_the_store_could_not_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log(result())
    assert asked(result()) == (NOTHING, True)
    run = Runs.open("shapes", CARD).start_run(result(seed=1).training)
    assert asked(result()) == (NOTHING, False)  # its process may end without a word
    run.end("FINISHED")
    assert asked(result()) == (NOTHING, True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{(tmp_path / 'damaged.db').as_posix()}")
    (tmp_path / "damaged.db").write_bytes(b"no database" * 100)
    with pytest.warns(UserWarning, match="nothing is known of earlier candidates"):
        assert asked(result()) == (NOTHING, False)


def test_a_candidate_is_counted_once_before_and_after_it_is_logged() -> None:
    log(result())
    log(result(seed=1))
    assert known(result()).candidates == 1


@pytest.mark.parametrize(
    "other",
    [
        {"backbone": "mnv1_s"},
        {"recipe_digest": "q" * 64},
        {"start": PRETRAINED},
        {"teacher": Teacher(name="yolo11n s0", digest="t", dis=6.0)},
        {"teacher": Teacher(name="x.pt", digest="t", dis=6.0, both_arms=True)},
    ],
)
def test_another_backbone_recipe_start_or_teacher_is_another_candidate(other: dict[str, object]) -> None:
    log(result(**other))  # type: ignore[arg-type]
    assert known(result()).candidates == 2


def test_the_baseline_of_each_seed_is_one_teacher() -> None:
    for seed in (0, 1):
        log(result(seed=seed, teacher=Teacher(name=f"yolo11n s{seed}", digest=f"teacher {seed}", dis=6.0)))
    assert known(result()).candidates == 2


def test_neither_a_baseline_nor_a_teacher_nor_a_model_of_other_data_is_a_candidate() -> None:
    log(result("baseline", "yolo11s"))
    log(result("teacher", "yolo11m"))
    log(result(backbone="mnv1_s", data_digest="e" * 64))
    assert known(result()).candidates == 1


def test_a_candidate_that_was_measured_on_val_only_does_not_count_on_test() -> None:
    chosen = result(backbone="mnv1_s")
    on_val = ArmResult(chosen.training, chosen.metrics, dataclasses.replace(STATISTICS, split="val"))
    log(on_val)
    assert known(result()).candidates == 1
    log(chosen)
    assert known(result()).candidates == 2


def test_a_candidate_that_was_measured_on_val_again_still_counts_on_test() -> None:
    chosen = result(backbone="mnv1_s")
    log(chosen)
    run = Runs.open("shapes", CARD).find_or_create_run(chosen.training, history=pd.DataFrame({"epoch": []}))
    run.set_tags(evaluation_tags(dataclasses.replace(STATISTICS, split="val")))
    assert run.tags()["evaluate.split"] == "val"
    assert known(result()).candidates == 2


def test_the_dataset_may_have_lain_in_another_folder() -> None:
    log(result(backbone="mnv1_s"), folder="/data/moved")
    assert known(result()).candidates == 2


def test_the_spread_is_pooled_over_models_with_several_seeds() -> None:
    """Variances 0.0002 (one degree of freedom) and 0.0001 (two): (0.0002 + 2 * 0.0001) / 3."""
    for seed, value in enumerate((0.50, 0.52)):
        log(result("baseline", "yolo11s", seed), measured(value))
    for seed, value in enumerate((0.30, 0.31, 0.32)):
        log(result(backbone="mnv1_s", seed=seed), measured(value))
    log(result(backbone="mnv1_m"), measured(0.9))
    spread = known(result()).spread
    assert spread is not None
    sd = math.sqrt(0.0004 / 3)
    assert spread.metrics == pytest.approx({"map50_95": sd, "map50": 2 * sd, "map75": sd}, abs=1e-6)
    assert (spread.degrees, spread.models) == (3, 5)


def test_the_models_of_this_comparison_are_left_out_of_the_spread() -> None:
    models = [result(seed=seed) for seed in range(2)]
    for model, value in zip(models, (0.1, 0.9), strict=True):
        log(model, measured(value))
    assert known(*models) == NOTHING
    spread = known(result(seed=2)).spread
    assert spread is not None
    assert spread.models == 2


@pytest.mark.parametrize("changed", ["nothing", "recipe", "start", "split", "iou", "map75"])
def test_only_models_of_the_same_recipe_start_and_evaluation_with_all_metrics_make_the_spread(changed: str) -> None:
    for seed in range(2):
        changes: dict[str, Any] = {"recipe": {"recipe_digest": "q" * 64}, "start": {"start": PRETRAINED}}
        model = result(backbone="mnv1_s", seed=seed, **changes.get(changed, {}))
        statistics = dataclasses.replace(
            STATISTICS,
            split="val" if changed == "split" else "test",
            measured={"iou": "0.6" if changed == "iou" else "0.7"},
        )
        metrics = measured(0.3 + seed / 100)
        if changed == "map75":  # as in runs of before it was measured
            del metrics["map75"]
        log(ArmResult(model.training, model.metrics, statistics), metrics)
    assert (known(result()).spread is None) == (changed != "nothing")


def test_a_seed_that_was_trained_twice_is_one() -> None:
    for weights, value in (("first", 0.3), ("second", 0.4)):
        log(result(backbone="mnv1_s", weights_digest=weights), measured(value))
    assert known(result()).spread is None


def test_a_store_that_cannot_be_read_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.warns(UserWarning, match="reading earlier runs failed .*; so nothing is known of earlier candidates"):
        assert known(result()) == NOTHING


def test_every_metric_of_a_verdict_has_a_spread() -> None:
    assert set(measured(0.5)) == set(METRICS)
