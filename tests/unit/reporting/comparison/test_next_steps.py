from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import pytest

from mobileyolo.core.files import REPORT_FILE
from mobileyolo.reporting.comparison.next_steps import commands, next_steps
from mobileyolo.reporting.shared.languages import ENGLISH
from mobileyolo.verdict.records import Comparison
from tests.synthetic_comparison import make_comparison


def suggested(comparison: Comparison) -> list[str]:
    return [shlex.split(command)[-1] for command, _ in commands(comparison, ENGLISH)]


def settled(comparison: Comparison, **changes: Any) -> Comparison:
    settling = comparison.settling.model_copy(update={"settled": True, "seeds": None, "images": None, **changes})
    return comparison.model_copy(update={"settling": settling})


def test_the_seeds_that_would_settle_it_are_suggested() -> None:
    assert suggested(make_comparison(seeds=2)) == ["seeds=[0,1,2,3]", "backbone=mnv1_s"]
    assert suggested(make_comparison(seeds=4)) == ["backbone=mnv1_s"]


def test_a_provisional_verdict_asks_for_the_seeds_that_measure_luck() -> None:
    assert suggested(settled(make_comparison(seeds=1))) == ["seeds=[0,1,2]", "backbone=mnv1_s"]
    assert suggested(settled(make_comparison(seeds=2))) == ["backbone=mnv1_s"]


def test_a_model_that_was_still_rising_is_trained_longer_first() -> None:
    comparison = settled(make_comparison(seeds=3))
    rising = comparison.baseline.model_copy(update={"maturity": "rising"})
    comparison = comparison.model_copy(update={"baseline": rising})
    assert suggested(comparison) == ["train.epochs=80", "backbone=mnv1_s"]


def test_the_backbone_of_equal_cost_is_not_suggested_twice() -> None:
    comparison = settled(make_comparison(seeds=3))
    matched = comparison.candidate.model_copy(update={"backbone": "mnv1_s"})
    assert suggested(comparison.model_copy(update={"candidate": matched})) == []


def test_a_run_ends_with_how_to_keep_it_and_what_to_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / ".git").mkdir()
    comparison = make_comparison()
    shown = next_steps(comparison)
    assert "git add params.yaml dvc.lock reports/metrics.json\n" in shown
    assert 'git commit -m "mnv1_n against yolo11n"\n' in shown
    assert [command for command, _ in commands(comparison, ENGLISH) if command not in shown] == []
    assert "dvc exp run -S data.dir=FOLDER" in shown
    assert "Runs:    mlflow ui\n" in shown
    assert "Runs:    https://mlflow.example/#/page\n" in next_steps(comparison, "https://mlflow.example/#/page")


def test_without_git_neither_a_commit_nor_an_experiment_is_proposed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    shown = next_steps(make_comparison(seeds=2))
    assert "seeds: [0,1,2,3] in params.yaml, then dvc repro" in shown
    assert [word for word in ("git commit", "dvc exp") if word in shown] == []
    (tmp_path / ".git").touch()  # of a worktree
    assert "git add" in next_steps(make_comparison(seeds=2))


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_the_report_is_named_where_it_lies_and_not_where_dvc_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    REPORT_FILE.parent.mkdir()
    (tmp_path / "d3b07384d113").touch()
    REPORT_FILE.symlink_to(tmp_path / "d3b07384d113")
    assert f"Report:  {tmp_path / REPORT_FILE}\n" in next_steps(make_comparison())
