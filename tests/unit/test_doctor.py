from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from mlflow.tracking import MlflowClient

from mobileyolo import progress
from mobileyolo.commands.doctor import run
from mobileyolo.core.files import replacing, replacing_folder
from mobileyolo.doctor import Finding, find

HALF = '{"write": {"models/candidate/s0/be'
RESULTS = ("models/candidate/s0/best.pt", "reports/metrics.json", "data/manifest/boxes.parquet", "dvc.lock")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A healthy one, of which no result may change."""
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "dvc.yaml": "stages: {}\n",
        "params.yaml": "seeds: [0]\ntrain: {epochs: 7}\n",
        ".dvc/tmp/rwlock": "{}",
        ".dvc/tmp/lock": " 4711\n",
        ".mobileyolo/mlflow.lock": "",
        ".mobileyolo/Ultralytics/settings.json": "{}",
        "models/.gitignore": "/candidate\n",
        **dict.fromkeys(RESULTS, "stages: {}\n"),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "s"]):
        subprocess.run(["git", *command], check=True)
    yield tmp_path
    assert [(tmp_path / name).read_text(encoding="utf-8") for name in RESULTS[:3]] == ["stages: {}\n"] * 3


def only_finding() -> Finding:
    (finding,) = find()
    return finding


def mend() -> None:
    """Mend the one finding, after which there is none."""
    finding = only_finding()
    assert finding.mend
    finding.mend()
    assert list(find()) == []


def test_in_a_healthy_workspace_nothing_is_found(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(fix=False)
    assert capsys.readouterr().out.startswith("Nothing is wrong here.")


@pytest.mark.parametrize("name", ["rwlock", "exps/rwlock", "exps/run/workspace/workspace.run", "exps/run/a/a.json"])
@pytest.mark.parametrize("content", [HALF, "", "[]"])
def test_a_half_written_note_of_dvc_is_deleted(workspace: Path, name: str, content: str) -> None:
    path = workspace / ".dvc/tmp" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    assert "JSON structure is corrupted" in only_finding().why
    mend()
    assert not path.exists()


def test_while_dvc_runs_its_notes_are_left_to_it(workspace: Path) -> None:
    path = workspace / ".dvc/tmp/rwlock"
    path.write_text(HALF, encoding="utf-8")
    script = workspace / "dvc"  # a process of this name
    script.write_text("print('ready', flush=True); import time; time.sleep(60)\n", encoding="utf-8")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE) as dvc:
        assert dvc.stdout
        dvc.stdout.readline()
        assert only_finding().mend is None
        assert f"process {dvc.pid}" in only_finding().remedy
        dvc.kill()
    mend()


@pytest.mark.parametrize("content", ["stages:\n  check:\n    cmd: 'python -m", "", "\x00\x00"])
def test_a_damaged_lock_file_is_told_and_left(workspace: Path, content: str) -> None:
    (workspace / "dvc.lock").write_text(content, encoding="utf-8")
    assert only_finding().mend is None
    assert "git checkout dvc.lock" in only_finding().remedy


def test_mlflows_own_database_is_sound(workspace: Path) -> None:
    MlflowClient(f"sqlite:///{(workspace / 'mlflow.db').as_posix()}").create_experiment("shapes")
    assert list(find()) == []


@pytest.mark.parametrize("kind", ["garbage", "half of the tables", "empty"])
def test_a_damaged_database_of_mlflow_is_renamed_and_kept(workspace: Path, kind: str) -> None:
    path = workspace / "mlflow.db"
    if kind == "half of the tables":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("create table experiments (id)")
    else:
        path.write_bytes(b"no database" * 100 if kind == "garbage" else b"")
    before = path.read_bytes()
    mend()
    assert not path.exists()
    (kept,) = workspace.glob("mlflow-damaged-*.db")
    assert kept.read_bytes() == before


@pytest.fixture
def dead() -> int:
    """Number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_temporary_files_of_dead_processes_are_deleted(workspace: Path, dead: int) -> None:
    left = [
        workspace / f"models/candidate/s0/.best.pt.{dead}.tmp",
        workspace / f"data/.dataset.yaml.{dead}.tmp",
        workspace / ".mobileyolo/candidate-s0-ab12_xyz/weights/last.pt",
        workspace / "data/raw/.digits.ab12_xyz/content/data.yaml",
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"0" * 1_000_000)
    assert "4 temporary files of killed processes, 4.0 MB" in only_finding().what
    mend()
    assert not any(path.exists() for path in left)
    assert not (workspace / "data/raw/.digits.ab12_xyz").exists()
    assert (workspace / ".mobileyolo/Ultralytics/settings.json").is_file()
    assert (workspace / "models/.gitignore").is_file()


def test_what_living_processes_write_is_left_to_them(workspace: Path) -> None:
    with replacing(workspace / "models/candidate/s0/best.pt") as temporary:
        temporary.touch()
        assert list(find()) == []
        temporary.write_text("stages: {}\n", encoding="utf-8")
    with stage(workspace, "sleeping") as process:
        with replacing_folder(workspace / "data/raw/digits"):
            assert not any("temporary" in finding.what for finding in find())
        process.kill()


def stage(workspace: Path, name: str, runner: str = "") -> subprocess.Popen[bytes]:
    """Start `python -m stages.<name>`, as dvc does, from a process of another name."""
    (workspace / "stages").mkdir(exist_ok=True)
    script = "print('ready', flush=True); import time; time.sleep(60)\n"
    (workspace / f"stages/{name}.py").write_text(script, encoding="utf-8")
    variables = {**os.environ, "DVC_STAGE": name, "PYTHONPATH": ""}
    command = [sys.executable, "-m", f"stages.{name}"]
    if runner:
        (workspace / runner).write_text(f"import subprocess; subprocess.run({command!r})\n", encoding="utf-8")
        command = [sys.executable, runner]
    process = subprocess.Popen(command, cwd=workspace, env=variables, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    return process


def test_a_stage_whose_dvc_is_dead_is_ended(workspace: Path) -> None:
    with stage(workspace, "train") as process:
        finding = only_finding()
        assert finding.what.startswith(f"process {process.pid} (-m stages.train): runs for 0:00:")
        assert finding.mend
        finding.mend()
        assert not psutil.pid_exists(process.pid)
    assert list(find()) == []


def test_a_stage_whose_dvc_lives_is_none_of_the_doctors_business(workspace: Path) -> None:
    with stage(workspace, "train", runner="dvc") as process:
        assert list(find()) == []
        for child in psutil.Process(process.pid).children():
            child.kill()


def test_what_a_failed_experiment_left_in_params_yaml_is_told_and_left(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DVC_STAGE", "check")
    edited = "seeds: [0]\ntrain: {epochs: many}\n"
    (workspace / "params.yaml").write_text(edited, encoding="utf-8")
    assert list(find()) == []  # an edit is no failure
    progress.record_failure("train.epochs: 'many'")
    with pytest.raises(SystemExit) as end:
        run(fix=True)
    assert end.value.code == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "train.epochs: 7 -> many" in told
    assert "by hand: git checkout params.yaml" in told
    assert (workspace / "params.yaml").read_text(encoding="utf-8") == edited
    subprocess.run(["git", "checkout", "--quiet", "params.yaml"], check=True)
    assert list(find()) == []


@pytest.mark.parametrize(("instructions", "warned"), [({"avx2": True}, True), ({"amx_bf16": True}, False)])
def test_bfloat16_on_a_processor_without_it_is_told_with_the_remedy(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, instructions: dict[str, bool], warned: bool
) -> None:
    monkeypatch.setenv("MOBILEYOLO_DEVICE", "cpu")
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: instructions)
    (workspace / "params.yaml").write_text("seeds: [0]\ntrain: {precision: bf16}\n", encoding="utf-8")
    remedies = [each.remedy for each in find() if not each.mend]
    assert remedies == warned * ["set train.precision to fp32 in params.yaml"]


def test_the_command_says_what_fix_would_do_and_then_does_it(
    workspace: Path, capsys: pytest.CaptureFixture[str], dead: int
) -> None:
    (workspace / ".dvc/tmp/rwlock").write_text(HALF, encoding="utf-8")
    (workspace / f"models/.x.{dead}.tmp").touch()
    with pytest.raises(SystemExit) as end:
        run(fix=False)
    assert end.value.code == 1
    told = capsys.readouterr().out
    assert told.count("  --fix: delete") == 2
    assert told.endswith("wrong: 2; mobileyolo doctor --fix mends 2 of them\n")
    run(fix=True)
    assert capsys.readouterr().out.count("  mended: delete") == 2
    run(fix=False)
    assert capsys.readouterr().out.startswith("Nothing is wrong here.")


def test_what_can_not_be_mended_is_told_and_does_not_keep_the_rest(
    workspace: Path, capsys: pytest.CaptureFixture[str], dead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / ".dvc/tmp/rwlock").write_text(HALF, encoding="utf-8")
    left = workspace / f"models/.x.{dead}.tmp"
    left.touch()

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == "rwlock":
            raise PermissionError("not yours")
        os.unlink(path)  # noqa: PTH108 -- Path's own is replaced

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(SystemExit):
        run(fix=True)
    told = capsys.readouterr().out
    assert "not mended (not yours); by hand: delete it" in told
    assert told.endswith("wrong: 1\n")
    assert not left.exists()
