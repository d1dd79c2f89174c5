"""What the console says while DVC works: stage 9 of 21, less of Ultralytics' log, how to go on after an error.

Nothing here can change what a stage writes, so no stage depends on this file.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from mobileyolo.core import environment
from mobileyolo.core.config import PARAMS_FILE
from mobileyolo.core.console import say
from mobileyolo.core.files import BASELINE, NONE, read_mapping, write_text

# Lines of Ultralytics 8.4 that say nothing to a user of the pipeline: all 116 arguments, where it keeps settings and
# checkpoints (folders of ours that are removed again), GFLOPs at 640 pixels whatever the model's input, hours.
_UNWANTED = re.compile(
    r"engine/trainer: |Logging results to |Freezing layer |Model summary|(Creating new|View|Update) .*Settings|"
    r"\d+ epochs completed in|Ultralytics \d|Using \d+ dataloader workers"
)
FAILURE_FILE = environment.STATE_DIR / "failed.txt"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_TEMPLATE = re.compile(r"\$\{(item(?:\.\w+)?|key|seeds\[0\])\}")


def quiet_libraries() -> None:
    """Drop log lines that a user of the pipeline can't use; before Ultralytics and MLflow are imported."""
    logging.getLogger("ultralytics").addFilter(_wanted)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # it tells each table that it creates


def _wanted(record: logging.LogRecord) -> bool:
    """Take the unwanted lines out of a message; false if nothing is left of it."""
    lines = record.getMessage().split("\n")
    kept = [line for line in lines if not _UNWANTED.match(_COLOUR.sub("", line))]
    if len(kept) == len(lines):
        return True
    record.msg, record.args = "\n".join(kept), None
    return bool(record.msg.strip())


_Parts = tuple[str, ...]  # of a path; paths themselves take much longer to compare


@dataclass(frozen=True)
class _Stage:
    name: str
    dependencies: tuple[_Parts, ...]
    outputs: tuple[_Parts, ...]


def stage_order(pipeline: Mapping[str, Any], seeds: list[int]) -> list[str]:
    """Names of all stages in the order in which DVC runs them: each one behind those that it waits for.

    Args:
        pipeline: what dvc.yaml holds.
        seeds: those of params.yaml.
    """
    stages = [stage for name, entry in pipeline["stages"].items() for stage in _expanded(name, entry, seeds)]
    order: dict[str, None] = {}

    def visit(stage: _Stage) -> None:
        if stage.name in order:
            return
        for needed in stages:
            if any(_overlap(path, output) for path in stage.dependencies for output in needed.outputs):
                visit(needed)
        order[stage.name] = None

    for stage in stages:
        visit(stage)
    return list(order)


def stage_line(stage: str, pipeline: Mapping[str, Any], params: Mapping[str, Any]) -> str | None:
    """Which stage of how many this is, and how many trainings come after it; None for a stage that is not known.

    Args:
        stage: DVC's name for it.
        pipeline: what dvc.yaml holds.
        params: what params.yaml holds.
    """
    order = stage_order(pipeline, params["seeds"])
    if stage not in order:
        return None
    position = order.index(stage)
    nobody = params["train"]["teacher"] in (NONE, BASELINE)  # and the stage of its training trains nothing
    training = ("train@",) if nobody else ("train@", "train-teacher@")
    trainings = sum(name.startswith(training) for name in order[position + 1 :])
    after = f"; at most {trainings} training{'s' * (trainings > 1)} after it" if trainings else ""
    return f"Stage {position + 1} of {len(order)}{after}"


def announce(root: Path) -> None:
    """Print the line of the stage that DVC runs, as far as dvc.yaml and params.yaml tell."""
    try:
        pipeline = read_mapping(root / "dvc.yaml")
        params = yaml.safe_load((root / PARAMS_FILE).read_text(encoding="utf-8"))
        line = stage_line(environment.stage_name() or "", pipeline, params)
    except (OSError, yaml.YAMLError, KeyError, TypeError):  # the stage check says what is wrong with the file
        return
    if line:
        say(line)


def way_back() -> str:
    """What to do about params.yaml after an error of an experiment; empty where -S has left nothing in it."""
    if not environment.experiment_name() or environment.main_workspace() != Path.cwd():
        return ""
    try:
        changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", PARAMS_FILE], check=False).returncode == 1
    except OSError:
        return ""
    if not changed:
        return ""
    return f"\n{PARAMS_FILE} now holds what -S has set. To go back to the last commit's: git checkout {PARAMS_FILE}"


def record_failure(message: str) -> None:
    """Remember that this stage failed, for `mobileyolo show`; on a full or read-only disk there is no such memory."""
    stage = environment.stage_name() or "a stage"
    with suppress(OSError):
        first = message.splitlines()[0] if message else "failed"
        write_text(FAILURE_FILE, f"{_parameters_digest()}\n{stage}: {first}\n")


def forget_failure() -> None:
    """Forget a failure of this stage, now that it succeeded; of any stage, once the last one did."""
    stage = environment.stage_name() or "a stage"
    if FAILURE_FILE.is_file() and (stage == "compare" or last_failure().startswith(f"{stage}: ")):
        FAILURE_FILE.unlink(missing_ok=True)


def last_failure() -> str:
    """Stage and message of the last run's failure with the present params.yaml; empty where there was none."""
    if not FAILURE_FILE.is_file():
        return ""
    parameters, _, failure = FAILURE_FILE.read_text(encoding="utf-8").strip().partition("\n")
    return failure if parameters == _parameters_digest() else ""


def _parameters_digest() -> str:
    """SHA-256 of params.yaml: who takes a wrong value back has taken its failure back."""
    return hashlib.sha256(PARAMS_FILE.read_bytes() if PARAMS_FILE.is_file() else b"").hexdigest()


def _expanded(name: str, entry: Mapping[str, Any], seeds: list[int]) -> Iterator[_Stage]:
    """The stages that one entry of dvc.yaml stands for."""
    if "matrix" in entry:
        for arm in entry["matrix"]["arm"]:
            for seed in seeds:
                yield _stage(f"{name}@{arm}-{seed}", entry, {"item.arm": arm, "item.seed": seed})
    elif "foreach" in entry and isinstance(entry["foreach"], str):  # ${seeds}
        for seed in seeds:
            yield _stage(f"{name}@{seed}", entry["do"], {"item": seed, "seeds[0]": seeds[0]})
    elif isinstance(entry.get("foreach"), list):  # the first of them
        yield _stage(f"{name}@{seeds[0]}", entry["do"], {"item": seeds[0]})
    elif "foreach" in entry:
        for key, item in entry["foreach"].items():
            own = {f"item.{part}": value for part, value in item.items()} if isinstance(item, dict) else {"item": item}
            yield _stage(f"{name}@{key}", entry["do"], {"key": key, **own})
    else:
        yield _stage(name, entry, {"seeds[0]": seeds[0]})


def _stage(name: str, body: Mapping[str, Any], values: Mapping[str, object]) -> _Stage:
    folder = body.get("wdir", ".")

    def paths(section: str) -> tuple[_Parts, ...]:
        found = []
        for each in body.get(section, []):
            path = each if isinstance(each, str) else next(iter(each))
            filled = _TEMPLATE.sub(lambda match: str(values.get(match[1], match[0])), path)
            found.append(Path(os.path.normpath(PurePosixPath(folder, filled))).parts)
        return tuple(found)

    return _Stage(name, paths("deps"), paths("outs") + paths("metrics"))


def _overlap(dependency: _Parts, output: _Parts) -> bool:
    """Is one of the two paths the other, or in it?"""
    return all(one == other for one, other in zip(dependency, output, strict=False))
