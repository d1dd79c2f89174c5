from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mobileyolo import commands as command_line
from mobileyolo.core import environment
from tests.damage import line, snapshot

SHIPPED = Path(__file__).parents[3] / "params.yaml"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that holds nothing of this project."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(environment, "isolate", lambda _root: None)
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """Exit code of the command."""
    monkeypatch.setattr(sys, "argv", ["mobileyolo", "validate", *map(str, arguments)])
    try:
        command_line.main()
    except SystemExit as end:
        sys.stdout.write(f"{end.code}\n")
        return end.code if isinstance(end.code, int) else 1
    return 0


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A params.yaml that has nothing against a dataset of eight images."""
    params = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    for limits in params["validate"]["quality"].values():
        limits["share"] = 1.0
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(params), encoding="utf-8")
    return file


def test_a_sound_dataset_passes_anywhere_and_leaves_nothing_behind(
    elsewhere: Path, dataset: Path, rules: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(dataset)
    assert run(monkeypatch, dataset, "--params", rules, "--strict") == 0
    said = capsys.readouterr().out
    assert f"{dataset}: train: 4 images, 8 boxes" in said
    assert f"{dataset}: passed, 0 warnings" in said
    assert list(elsewhere.iterdir()) == []
    assert snapshot(dataset) == before


def test_the_shipped_rules_hold_where_there_is_no_params_yaml(
    elsewhere: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, dataset) == 0
    said = capsys.readouterr().out
    assert "WARNING few_scenes: 3 of 3 splits" in said
    assert "why mAP may be low: too few scenes" in said
    assert "validate.quality.few_scenes.limit" in said
    assert run(monkeypatch, dataset, "--strict") == 1
    assert "did not pass validation without warnings" in capsys.readouterr().out


def test_a_fault_fails_with_file_and_line_and_a_report(
    elsewhere: Path, dataset: Path, rules: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line("7 .5 .5 .2 .2")(dataset, 1)
    for _ in range(2):  # an earlier report is replaced
        assert run(monkeypatch, dataset, "--params", rules, "--report", "report") == 1
    said = capsys.readouterr().out
    assert "ERROR class_out_of_range: 1 of 17 boxes" in said
    assert "    train/labels/001.txt:3: class 7" in said
    report = elsewhere / "report"
    verdict = json.loads((report / "verdict.json").read_text())
    assert (verdict["passed"], list(verdict["findings"])) == (False, ["class_out_of_range"])
    findings = pd.read_csv(report / "findings.csv")
    assert findings[["kind", "file", "line"]].to_numpy().tolist() == [["class_out_of_range", "train/labels/001.txt", 3]]
    assert "train/labels/001.txt:3" in (report / "index.html").read_text(encoding="utf-8")
    assert (report / "docs/validations/faults/validation/latest/dataset.html").is_file()
    assert list(elsewhere.iterdir()) == [report]


@pytest.mark.parametrize("folder", ["report", ".", "train/images/report"])
def test_a_report_never_goes_into_the_dataset(
    elsewhere: Path, dataset: Path, folder: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(dataset)
    assert run(monkeypatch, dataset, "--report", dataset / folder) == 1
    assert "is inside the dataset" in capsys.readouterr().out
    assert snapshot(dataset) == before


def test_a_report_never_replaces_what_is_no_report(
    elsewhere: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "thesis").mkdir()
    (elsewhere / "thesis/docs").mkdir()
    assert run(monkeypatch, dataset, "--report", "thesis") == 1
    assert "nor an earlier report" in capsys.readouterr().out
    assert (elsewhere / "thesis/docs").is_dir()


@pytest.mark.parametrize(("path", "said"), [("nowhere", "no such folder"), ("rules.yaml", "a file; name the folder")])
def test_what_is_no_dataset_is_one_error(
    elsewhere: Path,
    rules: Path,
    path: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, rules.parent / path, "--report", "report") == 1
    assert said in capsys.readouterr().out
    assert list(elsewhere.iterdir()) == []


def test_two_reports_of_one_dataset_are_the_same_bytes_but_for_data_docs(
    elsewhere: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (dataset / "train/images/001.png").write_bytes(b"no image")
    for name in ("one", "other"):
        run(monkeypatch, dataset, "--report", name)
    for file in ("index.html", "findings.csv", "verdict.json"):
        assert (elsewhere / "one" / file).read_bytes() == (elsewhere / "other" / file).read_bytes()
