from __future__ import annotations

from pathlib import Path

import pytest

from mobileyolo.core.declared import declared_code
from mobileyolo.core.errors import StageError

EXAMPLE = """
stages:
  check:
    cmd: python -m stages.check
    deps: [params.yaml, src/mobileyolo/core, stages/check.py]
  build:
    foreach: {baseline: {}, candidate: {}}
    do:
      cmd: python -m stages.build ${key}
      deps: [data/dataset.yaml, src/mobileyolo/models, stages/build.py]
  fetch:
    wdir: data/weights
    cmd: cd ../.. && python -m stages.fetch
    deps: [../checked.txt, ../../src/mobileyolo/models, ../../stages/fetch.py]
  train:
    matrix: {arm: [baseline, candidate], seed: [0]}
    cmd: python -m stages.train ${item.arm}
    deps: [data/manifest, "models/${item.arm}/start.pt", src/mobileyolo/loading.py, stages/train.py]
"""


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    path = tmp_path / "dvc.yaml"
    path.write_text(EXAMPLE, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("stage", "code"),
    [
        ("check", ["src/mobileyolo/core", "stages/check.py"]),
        ("build@candidate", ["src/mobileyolo/models", "stages/build.py"]),
        ("fetch", ["src/mobileyolo/models", "stages/fetch.py"]),
        ("train@candidate-0", ["src/mobileyolo/loading.py", "stages/train.py"]),
    ],
)
def test_the_code_of_a_stage_is_what_it_depends_on_below_src_and_stages(
    pipeline: Path, stage: str, code: list[str]
) -> None:
    assert declared_code(pipeline, stage) == code


def test_a_stage_that_is_not_there_is_named(pipeline: Path) -> None:
    with pytest.raises(StageError, match=r"dvc\.yaml has no stage 'trian'; it has check, build, fetch, train"):
        declared_code(pipeline, "trian@candidate-0")
