"""Edits while a stage runs: what DVC makes of them, and that ours are noticed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.workspace import Workspace
from tests.synthetic import write_dataset

pytestmark = pytest.mark.pipeline

PIPELINE = """
stages:
  copy:
    cmd: python copy_then_edit.py
    params: [value]
    deps: [code.txt]
    outs: [out.txt]
"""
# What a person does by hand while it runs: read first, then edited.
SCRIPT = """
from pathlib import Path
params, code = Path("params.yaml"), Path("code.txt")
Path("out.txt").write_text(params.read_text() + code.read_text())
params.write_text("value: 2\\n")
code.write_text("new")
"""


def dvc(folder: Path, *arguments: str) -> str:
    variables = os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=folder, env=variables, check=True, capture_output=True, text=True
    )
    return done.stdout


def test_dvc_records_what_a_stage_depends_on_as_it_is_at_the_end(tmp_path: Path) -> None:
    """Why a stage of ours looks for itself. Should DVC notice one day, `check_unchanged` can go."""
    for name, text in {
        "dvc.yaml": PIPELINE,
        "copy_then_edit.py": SCRIPT,
        "params.yaml": "value: 1\n",
        "code.txt": "old",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    dvc(tmp_path, "init", "--no-scm", "--quiet")
    dvc(tmp_path, "repro")
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == "value: 1\nold"
    assert "value: 2" in (tmp_path / "dvc.lock").read_text(encoding="utf-8")
    assert "up to date" in dvc(tmp_path, "repro")  # with the result of other values


EDITED = """
import os
from pathlib import Path
if "DVC_STAGE" in os.environ and Path("edit").exists():
    Path("edit").unlink()
    {edit}
"""


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            "p = Path('params.yaml'); p.write_text(p.read_text().replace('scene_size: 96', 'scene_size: 128'))",
            "digits.scene_size in params.yaml (96 -> 128) changed while this stage ran",
        ),
        (
            "p = Path('src/mobileyolo/core/files.py'); p.write_text(p.read_text() + '# a comment\\n')",
            "src/mobileyolo/core/files.py changed while this stage ran",
        ),
    ],
    ids=["params.yaml", "code"],
)
def test_an_edit_while_a_stage_runs_is_noticed_and_the_next_repro_runs_it_again(
    tmp_path: Path, edit: str, said: str
) -> None:
    dataset = write_dataset(tmp_path / "shapes")
    (tmp_path / "workspace").mkdir()
    workspace = Workspace.create(tmp_path / "workspace", dataset)
    workspace.dvc("repro", "check")
    # The stage's own code does the edit, so that it falls into the run without a race.
    stage = workspace.path / "stages/digits.py"
    lines = stage.read_text(encoding="utf-8").replace("    generate(", "    edit()\n    generate(", 1)
    body = EDITED.format(edit=edit).strip().replace("\n", "\n    ")
    stage.write_text(lines.replace("def main(", f"def edit() -> None:\n    {body}\n\n\ndef main(", 1), encoding="utf-8")
    (workspace.path / "edit").touch()
    failed = workspace.dvc("repro", "--single-item", "digits", check=False)
    assert failed.code
    assert said in failed.output
    assert "Traceback" not in failed.output
    assert "digits" not in (workspace.path / "dvc.lock").read_text(encoding="utf-8").replace("digits.py", "")
    assert workspace.dvc("repro", "--single-item", "digits").ran("digits")
    assert not workspace.dvc("repro", "--single-item", "digits").ran("digits")
