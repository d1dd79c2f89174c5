from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import all_cases, chosen
from benchmarks.circumstances import ROOT
from benchmarks.measuring import Scale
from benchmarks.processes import BenchmarkError, run
from benchmarks.results import Results
from mobileyolo.core.errors import UserError

CASES = all_cases(Scale())


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_quick_benchmark_measures_for_real_writes_its_results_and_goes_on_from_them(tmp_path: Path) -> None:
    file = tmp_path / "quick.json"
    command = ("--quick", "--json", str(file), "overhead/mobileyolo --help")
    first = bench(*command)
    assert first.returncode == 0, first.stderr
    (measured,) = Results.load(file).measurements
    assert 0 < measured.values["mobileyolo"][0] < 600  # seconds of a process, not of nothing
    assert measured.circumstances.versions["python"]
    assert bench(*command).returncode == 0
    assert Results.load(file).measurements == (measured,)


def test_an_unknown_benchmark_is_an_error_that_names_those_there_are(tmp_path: Path) -> None:
    done = bench("--json", str(tmp_path / "none.json"), "trainings")
    assert done.returncode == 2
    assert "'trainings': no such benchmark; choose from training, neighbour" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_name_chooses_a_subject_or_a_part_of_it() -> None:
    assert chosen(CASES, []) == CASES
    assert {case.subject for case in chosen(CASES, ["training", "report"])} == {"training", "report"}
    assert [case.name for case in chosen(CASES, ["training/mnv1_n, bf16"])] == [
        "mnv1_n, bf16",
        "mnv1_n, bf16, equal threads",
    ]
    with pytest.raises(UserError, match="mnv2"):
        chosen(CASES, ["training/mnv2"])


@pytest.mark.parametrize("scale", [Scale(), Scale(quick=True)], ids=["full", "quick"])
def test_no_two_cases_have_one_name(scale: Scale) -> None:
    names = [(case.subject, case.name) for case in all_cases(scale)]
    assert len(set(names)) == len(names)


def test_a_command_that_fails_says_how_and_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"exit code 3\s+no such thing"):
        run([sys.executable, "-c", "print('no such thing'); raise SystemExit(3)"], tmp_path)


def test_a_command_can_tell_its_value_in_its_last_line(tmp_path: Path) -> None:
    assert run([sys.executable, "-c", "print('read'); print(1.5)"], tmp_path, told=True).value == 1.5


def test_a_command_gets_no_settings_of_the_user_or_of_these_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MOBILEYOLO_THREADS", "OMP_NUM_THREADS", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "1")
    asked = "any(os.environ.get(n) for n in ('MOBILEYOLO_THREADS', 'OMP_NUM_THREADS', 'MLFLOW_TRACKING_URI'))"
    assert run([sys.executable, "-c", f"import os; print(int({asked}))"], tmp_path, told=True).value == 0
