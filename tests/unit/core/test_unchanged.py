from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mobileyolo.core.errors import StageError
from mobileyolo.core.unchanged import check_unchanged, code_digests

PIPELINE = Path(__file__).parents[3] / "dvc.yaml"
PARAMS = {"backbone": "mnv1_n", "baseline": "yolo11n", "train": {"imgsz": 160, "epochs": 7}}
CODE = {"src/mobileyolo/models/bridge.py": "1", "src/mobileyolo/verdict/interval.py": "1", "stages/build.py": "1"}


def check(params: dict[str, Any], code: dict[str, str], stage: str = "build@candidate") -> None:
    check_unchanged(PIPELINE, stage, (PARAMS, params), (CODE, code))


def test_an_edit_of_what_a_stage_does_not_depend_on_is_of_no_account() -> None:
    check(
        {**PARAMS, "baseline": "yolo11s", "train": {"imgsz": 160, "epochs": 8}},
        {**CODE, "src/mobileyolo/verdict/interval.py": "2", "src/mobileyolo/verdict/new.py": "1"},
    )


@pytest.mark.parametrize(
    ("params", "code", "said"),
    [
        ({**PARAMS, "backbone": "mnv1_m"}, CODE, r"backbone in params.yaml \(mnv1_n -> mnv1_m\) changed"),
        ({"backbone": "mnv1_n"}, CODE, r"train.imgsz in params.yaml \(160 -> None\) changed"),
        (PARAMS, {**CODE, "stages/build.py": "2"}, "stages/build.py changed while this stage ran"),
        (PARAMS, {**CODE, "src/mobileyolo/models/new.py": "1"}, "src/mobileyolo/models/new.py changed"),
        (PARAMS, {"stages/build.py": "1"}, "src/mobileyolo/models/bridge.py changed"),
    ],
)
def test_an_edit_of_what_a_stage_depends_on_is_an_error(
    params: dict[str, Any], code: dict[str, str], said: str
) -> None:
    with pytest.raises(StageError, match=f"^{said}"):
        check(params, code)


def test_a_stage_in_another_working_directory_has_its_code_named_from_there() -> None:
    with pytest.raises(StageError, match=r"models/bridge\.py changed"):
        check(PARAMS, {**CODE, "src/mobileyolo/models/bridge.py": "2"}, "fetch@teacher")


def test_the_code_is_every_file_of_it_but_not_what_python_compiled(tmp_path: Path) -> None:
    names = ["src/mobileyolo/a.py", "src/mobileyolo/reporting/page.html", "stages/build.py"]
    for name in [*names, "src/mobileyolo/__pycache__/a.pyc", "tests/test_a.py"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    digests = code_digests(tmp_path)
    assert sorted(digests) == sorted(names)
    assert len({*digests.values()}) == len(names)
