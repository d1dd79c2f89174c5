"""Train one model with one seed, or go on with it, and keep the best epoch."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from mobileyolo.core import environment
from mobileyolo.core.backbones import TEACHER, TRAINEES, Trainee
from mobileyolo.core.config import Params
from mobileyolo.core.console import say
from mobileyolo.core.declared import declared_code
from mobileyolo.core.files import (
    DATASET_FILE,
    NONE,
    ModelFiles,
    is_none,
    model_file,
    start_file,
    start_weights_file,
    write_none,
)
from mobileyolo.core.invocation import argument, seed_of_stage
from mobileyolo.core.records import DatasetCard, StartRecord, Teacher, TrainingRecord, TrainingTime
from stages import run


def main(params: Params) -> None:
    """Write models/<arm>/s<seed>/ and reports/times/<arm>/s<seed>.json, and log the run while it goes on."""
    arm, seed = argument(TRAINEES), seed_of_stage()
    if is_none(model_file(arm)):  # the usual case of a teacher, which need not wait for torch and pandas
        write_none(*ModelFiles(arm, seed).trained)
    else:
        _train(arm, seed, params)


def _train(arm: Trainee, seed: int, params: Params) -> None:
    with environment.importing():
        from mobileyolo.core.tables import Manifest
        from mobileyolo.tracking import Tracker
        from mobileyolo.training.checkpoints import Checkpoints
        from mobileyolo.training.parameters import TrainingRecipe
        from mobileyolo.training.train import Task, plan, train
        from mobileyolo.training.trainer import ArmModel

    card, files = DatasetCard.read(DATASET_FILE), ModelFiles(arm, seed)
    start = StartRecord.read(start_file(arm))
    teacher = Teacher(name=NONE) if arm == TEACHER else Teacher.read(files.teacher)
    planned = plan(arm, seed, params.section(TrainingRecipe), card, start, teacher)
    inputs = [model_file(arm), start_weights_file(arm), files.teacher_weights]
    checkpoints = Checkpoints.of(planned, inputs, [Path(code) for code in declared_code(Path("dvc.yaml"), "train")])
    checkpoints.tidy()
    with checkpoints.held(say):
        if not checkpoints.restore(files):
            state = checkpoints.latest()
            epochs = state["history"] if state else ()
            say(checkpoints.told(state))
            with Tracker.open(params.data_dir, card).training(planned, epochs) as live:
                root, model = Path(params.data_dir), ArmModel.read(arm, seed)
                task = Task(planned, root, card, Manifest.read(), model, checkpoints, state)
                trained = train(task, live.log_epoch)
                trained.write(files)
                live.finish(trained.record)
            checkpoints.finish(files)
    best, time = TrainingRecord.read(files.training).best_epoch, TrainingTime.read(files.time)
    say(f"{checkpoints.label}: trained in {timedelta(seconds=time.seconds)}; the best epoch on val was {best}")


if __name__ == "__main__":
    run(main)
