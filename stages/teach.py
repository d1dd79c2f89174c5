"""Choose the model that teaches an arm: nobody, a checkpoint from elsewhere, or the baseline of the same seed."""

from __future__ import annotations

import shutil

from mobileyolo.core.config import Params, Weight
from mobileyolo.core.console import say
from mobileyolo.core.files import BASELINE, NONE, FetchedWeights, ModelFiles, replacing_folder
from mobileyolo.core.records import Fetched, Teacher, TrainingRecord
from stages import arm_argument, run, seed_of_stage


def main(params: Params) -> None:
    """Write models/<arm>/teacher/s<seed>/."""
    arm, seed = arm_argument(), seed_of_stage()
    files, copies = ModelFiles(arm, seed), FetchedWeights("teacher")
    dis = params.get("train.dis", Weight)
    fetched = Fetched.read(copies.record)
    teacher = Teacher(name=NONE)
    with replacing_folder(files.teacher_folder) as folder:
        if fetched.files:
            (source,) = fetched.files
            teacher = Teacher(name=source.name, digest=source.digest, dis=dis, both_arms=True)
            shutil.copyfile(copies.weights(), folder / files.teacher_weights.name)
        elif fetched.name == BASELINE and arm == "candidate":
            baseline = ModelFiles("baseline", seed)
            record = TrainingRecord.read(baseline.training)
            teacher = Teacher(name=f"{record.backbone} s{seed}", digest=record.weights_digest, dis=dis)
            shutil.copyfile(baseline.weights, folder / files.teacher_weights.name)
        teacher.write(folder / files.teacher.name)
    say(f"{arm} s{seed}: teacher {teacher.name}")


if __name__ == "__main__":
    run(main)
