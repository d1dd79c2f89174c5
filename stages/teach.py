"""Choose who teaches an arm: nobody, a checkpoint from elsewhere, the trained teacher, or the same seed's baseline."""

from __future__ import annotations

import shutil
from pathlib import Path

from mobileyolo.core.backbones import TEACHER, Arm
from mobileyolo.core.config import Params, Seeds, Weight
from mobileyolo.core.console import say
from mobileyolo.core.files import BASELINE, NONE, FetchedWeights, ModelFiles, is_none, replacing_folder
from mobileyolo.core.invocation import arm_argument, seed_of_stage
from mobileyolo.core.records import Fetched, Teacher, TrainingRecord
from stages import run


def main(params: Params) -> None:
    """Write models/<arm>/teacher/s<seed>/."""
    arm, seed = arm_argument(), seed_of_stage()
    files = ModelFiles(arm, seed)
    teacher, weights = _teacher(arm, seed, params)
    with replacing_folder(files.teacher_folder) as folder:
        if weights is not None:
            shutil.copyfile(weights, folder / files.teacher_weights.name)
        teacher.write(folder / files.teacher.name)
    say(f"{arm} s{seed}: teacher {teacher.name}")


def _teacher(arm: Arm, seed: int, params: Params) -> tuple[Teacher, Path | None]:
    """An arm's teacher, and its checkpoint."""
    dis, both = params.get("train.dis", Weight), params.get("train.taught", str) == "both"
    copies, trained = FetchedWeights("teacher"), ModelFiles(TEACHER, params.get("seeds", Seeds)[0])
    if params.get("train.teacher", str) == BASELINE:
        if arm == "candidate":
            baseline = ModelFiles("baseline", seed)
            record = TrainingRecord.read(baseline.training)
            name = f"{record.backbone} s{seed}"
            return Teacher(name=name, digest=record.weights_digest, dis=dis), baseline.weights
    elif both or arm == "candidate":
        if not is_none(trained.training):
            record = TrainingRecord.read(trained.training)
            name, digest = record.backbone, record.weights_digest
            return Teacher(name=name, digest=digest, dis=dis, both_arms=both), trained.weights
        for source in Fetched.read(copies.record).files:  # of a teacher, one at most
            return Teacher(name=source.name, digest=source.digest, dis=dis, both_arms=both), copies.weights()
    return Teacher(name=NONE), None


if __name__ == "__main__":
    run(main)
