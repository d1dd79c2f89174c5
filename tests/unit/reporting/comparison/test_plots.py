from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mobileyolo.reporting.comparison.plots import write_plots
from tests.synthetic_results import ReportInputs, make_report_inputs


@pytest.fixture(scope="module")
def inputs() -> ReportInputs:
    return make_report_inputs(seeds=2)


@pytest.fixture(scope="module")
def folder(inputs: ReportInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plots")
    write_plots(folder, inputs.baseline, inputs.candidate, inputs.histories)
    return folder


@pytest.mark.parametrize("name", ["map50_95", "map50"])
def test_training_curves_are_means_over_the_seeds(folder: Path, inputs: ReportInputs, name: str) -> None:
    table = pd.read_csv(folder / f"{name}.csv")
    assert list(table.columns) == ["epoch", "baseline", "candidate"]
    assert table["epoch"].tolist() == list(range(1, 41))
    expected = np.mean([history[name] for history in inputs.histories["candidate"]], axis=0)
    np.testing.assert_allclose(table["candidate"], expected, atol=1e-6)


@pytest.mark.parametrize("part", ["train", "val"])
def test_a_loss_is_the_sum_of_its_parts(folder: Path, inputs: ReportInputs, part: str) -> None:
    table = pd.read_csv(folder / f"{part}_loss.csv")
    sums = [
        history[[f"{part}_box_loss", f"{part}_cls_loss", f"{part}_dfl_loss"]].sum(axis=1)
        for history in inputs.histories["baseline"]
    ]
    np.testing.assert_allclose(table["baseline"], np.mean(sums, axis=0), atol=1e-6)


def test_precision_recall_has_map50_below_it(folder: Path, inputs: ReportInputs) -> None:
    table = pd.read_csv(folder / "precision_recall.csv")
    assert list(table.columns) == ["recall", "baseline", "candidate"]
    assert len(table) == 101
    for arm in ("baseline", "candidate"):
        area = np.trapezoid(table[arm], table["recall"])
        assert area == pytest.approx(inputs.comparison.metrics["map50"].model_dump()[arm], abs=1e-5)


def test_confusion_has_one_row_a_box_of_every_seed(folder: Path, inputs: ReportInputs) -> None:
    table = pd.read_csv(folder / "confusion_candidate.csv")
    counts = np.sum([result.statistics.confusion for result in inputs.candidate], axis=0)
    assert len(table) == counts.sum()
    names = [*inputs.candidate[0].statistics.names, "background"]
    found = table.groupby(["predicted", "actual"]).size()
    for predicted, actual in np.argwhere(counts):
        assert found[names[predicted], names[actual]] == counts[predicted, actual]
