from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mobileyolo.core.backbones import ARMS, Arm
from mobileyolo.core.results import ArmResult
from mobileyolo.reporting.comparison.plots import write_plots
from mobileyolo.verdict.metrics import WeightedMetrics
from tests.synthetic_comparison import make_inputs
from tests.synthetic_results import make_history, make_statistics

SEEDS = 2
SKILLS: dict[Arm, float] = {"baseline": 0.8, "candidate": 0.6}
HISTORIES = {arm: [make_history(seed, final=SKILLS[arm]) for seed in range(SEEDS)] for arm in ARMS}


@pytest.fixture(scope="module")
def results() -> dict[Arm, list[ArmResult]]:
    made = make_inputs(seeds=SEEDS).results
    return {
        arm: [
            dataclasses.replace(made[arm][seed], statistics=make_statistics(seed, skill=skill, per_class=False))
            for seed in range(SEEDS)
        ]
        for arm, skill in SKILLS.items()
    }


@pytest.fixture(scope="module")
def folder(results: dict[Arm, list[ArmResult]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plots")
    write_plots(folder, results, HISTORIES)
    return folder


@pytest.mark.parametrize("name", ["map50_95", "map50"])
def test_training_curves_are_means_over_the_seeds(folder: Path, name: str) -> None:
    table = pd.read_csv(folder / f"{name}.csv")
    assert list(table.columns) == ["epoch", "baseline", "candidate"]
    assert table["epoch"].tolist() == list(range(1, 41))
    expected = np.mean([history[name] for history in HISTORIES["candidate"]], axis=0)
    np.testing.assert_allclose(table["candidate"], expected, atol=1e-6)


@pytest.mark.parametrize("part", ["train", "val"])
def test_a_loss_is_the_sum_of_its_parts(folder: Path, part: str) -> None:
    table = pd.read_csv(folder / f"{part}_loss.csv")
    sums = [
        history[[f"{part}_box_loss", f"{part}_cls_loss", f"{part}_dfl_loss"]].sum(axis=1)
        for history in HISTORIES["baseline"]
    ]
    np.testing.assert_allclose(table["baseline"], np.mean(sums, axis=0), atol=1e-6)


def test_precision_recall_has_map50_below_it(folder: Path, results: dict[Arm, list[ArmResult]]) -> None:
    table = pd.read_csv(folder / "precision_recall.csv")
    assert list(table.columns) == ["recall", "baseline", "candidate"]
    assert len(table) == 101
    for arm in ARMS:
        map50s = [WeightedMetrics(each.statistics)(np.ones(len(each.statistics.images)))[1] for each in results[arm]]
        assert np.trapezoid(table[arm], table["recall"]) == pytest.approx(np.mean(map50s), abs=1e-5)


def test_confusion_has_one_row_a_box_of_every_seed(folder: Path, results: dict[Arm, list[ArmResult]]) -> None:
    table = pd.read_csv(folder / "confusion_candidate.csv")
    counts = np.sum([result.statistics.confusion for result in results["candidate"]], axis=0)
    assert len(table) == counts.sum()
    names = [*results["candidate"][0].statistics.names, "background"]
    found = table.groupby(["predicted", "actual"]).size()
    for predicted, actual in np.argwhere(counts):
        assert found[names[predicted], names[actual]] == counts[predicted, actual]
