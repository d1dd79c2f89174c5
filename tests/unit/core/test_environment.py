from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from mobileyolo.core import environment
from mobileyolo.core.errors import ConfigError, StageError
from mobileyolo.core.invocation import seed_of_stage

SOURCE = Path(__file__).parents[3] / "src"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MOBILEYOLO_THREADS", "many"),
        ("MOBILEYOLO_THREADS", "0"),
        ("MOBILEYOLO_DEVICE", "gpu"),
        ("MOBILEYOLO_DEVICE", "0,"),
        ("MOBILEYOLO_DEVICE", "0,cpu"),
        ("MOBILEYOLO_DEVICE", "1,1"),
        ("MOBILEYOLO_WORKERS", "few"),
        ("MOBILEYOLO_WORKERS", "-1"),
    ],
)
def test_a_wrong_variable_is_named_with_its_value_and_the_choices(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"{name}: {value!r}: choose"):
        {"THREADS": environment.threads, "DEVICE": environment.device, "WORKERS": environment.workers}[name[11:]]()


@pytest.mark.parametrize(
    ("limit", "threads"),
    [("max 100000\n", 8), ("250000 100000\n", 2), ("50000 100000\n", 1), ("1600000 100000\n", 8), (None, 8), ("", 8)],
)
def test_a_containers_share_of_the_processor_is_not_exceeded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: str | None, threads: int
) -> None:
    monkeypatch.delenv("MOBILEYOLO_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8), raising=False)
    monkeypatch.setattr(environment, "_CPU_QUOTA", tmp_path / "cpu.max")
    if limit is not None:
        (tmp_path / "cpu.max").write_text(limit, encoding="ascii")
    assert environment.threads() == threads
    monkeypatch.setenv("MOBILEYOLO_THREADS", "5")
    assert environment.threads() == 5


@pytest.mark.parametrize("value", ["", "cpu", "mps", "0", "3"])
def test_a_device_is_spelt_as_ultralytics_does(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MOBILEYOLO_DEVICE", value)
    assert environment.device() == value
    assert environment.devices() == (value,)


def test_several_gpus_train_and_the_first_one_does_what_is_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBILEYOLO_DEVICE", "1,0,3")
    assert (environment.devices(), environment.device()) == (("1", "0", "3"), "1")


@pytest.mark.parametrize(("system", "workers"), [("linux", 4), ("win32", 2)])
def test_loader_workers_are_few_on_windows_unless_they_are_set(
    monkeypatch: pytest.MonkeyPatch, system: str, workers: int
) -> None:
    monkeypatch.delenv("MOBILEYOLO_WORKERS", raising=False)
    monkeypatch.setattr(sys, "platform", system)
    assert environment.workers() == workers
    monkeypatch.setenv("MOBILEYOLO_WORKERS", "0")
    assert environment.workers() == 0


def test_isolating_switches_off_what_would_reach_the_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ULTRALYTICS_API_KEY", "secret")
    for name in ("YOLO_OFFLINE", "YOLO_AUTOINSTALL", "ORT_DISABLE_TELEMETRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("YOLO_CONFIG_DIR", "elsewhere")
    environment.isolate(tmp_path)
    assert "ULTRALYTICS_API_KEY" not in os.environ
    assert os.environ["YOLO_OFFLINE"] == "1"
    assert (os.environ["YOLO_AUTOINSTALL"], os.environ["ORT_DISABLE_TELEMETRY"]) == ("false", "1")
    assert os.environ["YOLO_CONFIG_DIR"] == str(tmp_path / ".mobileyolo")


def test_threads_that_wait_leave_their_core_to_others_unless_they_were_told_not_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("YOLO_CONFIG_DIR", "elsewhere")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    environment.isolate(tmp_path)
    assert os.environ["OMP_WAIT_POLICY"] == "passive"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    environment.isolate(tmp_path)
    assert os.environ["OMP_WAIT_POLICY"] == "active"


@pytest.mark.parametrize(
    ("stage", "seed"),
    [("train@baseline-0", 0), ("evaluate@candidate-10", 10), ("train@candidate-1", 1), ("teach-candidate@1", 1)],
)
def test_a_stage_has_the_seed_in_its_name(monkeypatch: pytest.MonkeyPatch, stage: str, seed: int) -> None:
    monkeypatch.setenv("DVC_STAGE", stage)
    assert seed_of_stage() == seed


@pytest.mark.parametrize(
    "stage", ["", "train@baseline", "train@baseline-x", "train@baseline--1", "train@baseline-0; touch pwned"]
)
def test_a_stage_without_a_seed_is_refused(monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    monkeypatch.setenv("DVC_STAGE", stage)
    with pytest.raises(StageError, match="run this stage through `dvc repro"):
        seed_of_stage()


PARENT_AND_CHILD = textwrap.dedent(
    """
    import subprocess, sys
    child = "import psutil, sys, time; from mobileyolo.core import environment; sys.platform = sys.argv[1]; " \\
            "environment.end_with_parent(); print('ready', flush=True); time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", child, sys.argv[1]], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    print(process.pid, flush=True)
    process.wait()
    """
)


@pytest.mark.parametrize("system", [sys.platform, pytest.param("another", id="a system without prctl")])
def test_a_training_ends_when_the_process_that_started_it_is_killed(system: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT_AND_CHILD, system],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait(timeout=60)
    _, alive = psutil.wait_procs([child], timeout=60)
    assert alive == []


PARENT_SHELL_AND_CHILD = textwrap.dedent(
    """
    import subprocess, sys
    child = "from mobileyolo.core import environment; import os, time; environment.end_with_parent(); " \\
            "print(os.getpid(), flush=True); time.sleep(600)"
    stage = "stages" + ".train"  # this process must not be named like that, as dvc is not
    command = f"'{sys.executable}' -c '{child}' {stage}; exit 0"  # with a command after it, the shell stays
    subprocess.run(["/bin/sh", "-c", command])
    """
)


@pytest.mark.skipif(os.name != "posix", reason="it needs /bin/sh")
def test_a_training_ends_with_dvc_though_a_shell_stands_between_them() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT_SHELL_AND_CHILD],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SOURCE), "DVC_STAGE": "train@candidate-0"},
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    assert child.ppid() != parent.pid
    parent.kill()
    parent.wait(timeout=60)
    _, alive = psutil.wait_procs([child], timeout=60)
    assert alive == []


PARENT_THAT_ENDS_FIRST = textwrap.dedent(
    """
    import os, subprocess, sys
    child = "import os, sys, time; from mobileyolo.core import environment\\n" \\
            "while os.getppid() == int(sys.argv[1]): time.sleep(0.01)\\n" \\
            "try: environment.end_with_parent()\\n" \\
            "except SystemExit as end: print(end)\\n" \\
            "else: print('goes on')"
    subprocess.Popen([sys.executable, "-c", child, str(os.getpid())])
    """
)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread finds out, also afterwards")
@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("train@candidate-0", "dvc has ended, so this stage ends too"),
        ("", "goes on"),  # by hand, for example with nohup
    ],
)
def test_a_stage_whose_dvc_was_killed_before_it_could_look_ends_too(stage: str, said: str) -> None:
    told = subprocess.run(
        [sys.executable, "-c", PARENT_THAT_ENDS_FIRST],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SOURCE), "DVC_STAGE": stage},
        start_new_session=True,  # the child's; who takes it over belongs to another one
        timeout=120,
    )
    assert (told.stdout.strip(), told.stderr) == (said, "")


IMPORT_ENGINES = textwrap.dedent(
    """
    from pathlib import Path
    from mobileyolo.core import environment
    environment.isolate(Path("."))
    import onnxruntime, openvino.tools.ovc
    print(type(openvino.tools.ovc.telemetry).__module__)
    """
)


def test_no_garbage_is_looked_for_while_libraries_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: list[bool] = []
    monkeypatch.setattr("gc.freeze", lambda: frozen.append(gc.isenabled()))  # else that of this process would stay
    with environment.importing():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), environment.importing():
        raise ImportError
    assert gc.isenabled()
    assert frozen == [False]


def test_a_stage_looks_for_garbage_once_it_has_imported_what_it_needs() -> None:
    code = """
        import gc, os, sys
        sys.argv[0] = "-m"
        os.environ["DVC_STAGE"] = "check"
        from stages import run
        print(gc.isenabled())
        run(lambda params: print(gc.isenabled(), gc.get_freeze_count() > 0))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, cwd=SOURCE.parent, capture_output=True, text=True, check=False)
    assert done.stdout.split()[:1] + done.stdout.split()[-2:] == ["False", "True", "True"], done.stderr


def test_engines_neither_leave_an_identifier_in_the_home_nor_send_usage_data(tmp_path: Path) -> None:
    """On import, ONNX Runtime creates its identifier, and OpenVINO sends its first report."""
    pytest.importorskip("openvino")
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    variables = {name: value for name, value in os.environ.items() if name not in {"CI", "ORT_DISABLE_TELEMETRY"}}
    variables |= {"HOME": str(home), "USERPROFILE": str(home), "LOCALAPPDATA": str(home)}
    variables |= {"PYTHONPATH": str(SOURCE)}
    variables.pop("XDG_CACHE_HOME", None)
    told = subprocess.run(
        [sys.executable, "-c", IMPORT_ENGINES], cwd=work, env=variables, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["openvino.tools.ovc.telemetry_stub"]
    assert list(home.iterdir()) == []


def test_a_node_trains_as_this_machine_would_unless_its_share_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("MOBILEYOLO_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example:5000")
    monkeypatch.setenv("MOBILEYOLO_CACHE", "/a/folder/of/this/machine")
    server = {"MLFLOW_TRACKING_URI": "http://mlflow.example:5000"}
    for gpus, device in ((0, "cpu"), (0.5, ""), (1, ""), (3, "0,1,2")):
        there = environment.variables_for_node(4, gpus)
        assert there == server | {"MOBILEYOLO_THREADS": "4", "MOBILEYOLO_DEVICE": device}
    monkeypatch.setenv("MOBILEYOLO_THREADS", "1")
    assert environment.variables_for_node(4, 0)["MOBILEYOLO_THREADS"] == "1"
