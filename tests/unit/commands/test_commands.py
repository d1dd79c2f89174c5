from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mobileyolo import commands as command_line
from mobileyolo.core import environment
from mobileyolo.core.files import COMPARISON_FILE, DATASET_FILE
from mobileyolo.core.records import DatasetCard
from mobileyolo.costs import counting as cost
from mobileyolo.reporting.comparison.next_steps import next_steps
from tests.synthetic_comparison import make_comparison
from tests.synthetic_results import make_cost_sheet

SHIPPED = Path(__file__).parents[3] / "params.yaml"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What the command line had measured: classes and imgsz."""
    calls: list[tuple[int, int]] = []

    def measure(classes: int, imgsz: int) -> object:
        calls.append((classes, imgsz))
        return make_cost_sheet()

    monkeypatch.setattr(environment, "isolate", lambda _root: None)
    monkeypatch.setattr(cost, "measure", measure)
    return calls


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["mobileyolo", *arguments])
    command_line.main()


def test_cost_is_that_of_80_classes_at_640_pixels_unless_asked_otherwise(
    asked: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "cost")
    run(monkeypatch, "cost", "--classes", "3", "--imgsz", "320")
    assert asked == [(80, 640), (3, 320)]
    assert "is the MobileNetV1 whose cost is closest to yolo11n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--imgsz", "100"), "argument --imgsz: '100' is not a multiple of 32 from 32 to 8192"),
        (("--imgsz", "0"), "'0' is not a multiple of 32"),
        (("--imgsz", "large"), "'large' is not a multiple of 32"),
        (("--classes", "0"), "argument --classes: '0' is not a whole number from 1 to 100000"),
        (("--classes", "-1"), "'-1' is not a whole number"),
        (("--classes", "2.5"), "'2.5' is not a whole number"),
    ],
)
def test_a_wrong_argument_is_one_error_that_says_what_would_be_right(
    asked: list[tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, "cost", *arguments)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err
    assert asked == []


def test_results_of_another_dataset_than_the_validated_one_are_not_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "isolate", lambda _root: None)
    (tmp_path / "params.yaml").write_bytes(SHIPPED.read_bytes())
    monkeypatch.chdir(tmp_path)
    make_comparison().write(COMPARISON_FILE)
    with pytest.raises(SystemExit, match=r"dataset\.yaml: no such file; run dvc repro first"):
        run(monkeypatch, "log")
    DatasetCard(digest="0" * 64, names=("square",), splits={}).write(DATASET_FILE)
    with pytest.raises(SystemExit, match=r"is of another dataset than .*; run dvc repro first"):
        run(monkeypatch, "log")


def test_show_prints_the_answer_and_what_to_try_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "isolate", lambda _root: None)
    (tmp_path / "params.yaml").write_bytes(SHIPPED.read_bytes())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"comparison\.json: no such file; run dvc repro first"):
        run(monkeypatch, "show")
    comparison = make_comparison()
    comparison.write(COMPARISON_FILE)
    run(monkeypatch, "show")
    shown = capsys.readouterr().out
    assert shown.startswith("No: mnv1_n loses 0.124 mAP50-95 to yolo11n.\n")
    assert shown.rstrip().endswith(next_steps(comparison).strip())
