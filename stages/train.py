"""Train one arm with one seed, and keep the best epoch."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mobileyolo.core import environment
from mobileyolo.core.config import Params
from mobileyolo.core.console import say
from mobileyolo.core.files import DATASET_FILE, ModelFiles, start_file
from mobileyolo.core.records import DatasetCard, Manifest, StartRecord, Teacher, TrainingTime
from mobileyolo.tracking import Tracker
from mobileyolo.training.parameters import TrainingRecipe
from mobileyolo.training.trainer import ArmModel, plan, train
from stages import arm_argument, run, seed_of_stage


def main(params: Params) -> None:
    """Write models/<arm>/s<seed>/ and reports/times/<arm>/s<seed>.json, and log the run while it goes on."""
    environment.end_with_parent()
    started, start = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    arm, seed = arm_argument(), seed_of_stage()
    recipe = params.section(TrainingRecipe)
    card = DatasetCard.read(DATASET_FILE)
    files = ModelFiles(arm, seed)
    planned = plan(arm, seed, recipe, card, StartRecord.read(start_file(arm)), Teacher.read(files.teacher))
    with Tracker.open(params.data_dir, card).training(planned) as live:
        trained = train(planned, Path(params.data_dir), card, Manifest.read(), ArmModel.read(arm, seed), live.log_epoch)
        trained.write(files)
        live.finish(trained.record)
    seconds = round(time.monotonic() - start)
    machine, threads = environment.processor(), environment.threads()
    TrainingTime(started=started, seconds=seconds, machine=machine, threads=threads).write(files.time)
    epochs, best = f"{len(trained.history)} of {recipe.epochs} epochs", trained.record.best_epoch
    say(f"{arm}, seed {seed}: {epochs} in {timedelta(seconds=seconds)}; the best on val was epoch {best}")


if __name__ == "__main__":
    run(main)
