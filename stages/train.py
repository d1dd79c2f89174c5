"""Train one arm with one seed, and keep the best epoch."""

from __future__ import annotations

from mobileyolo import environment
from mobileyolo.artifacts import DatasetCard, Manifest, StartRecord, Teacher
from mobileyolo.config import Params
from mobileyolo.files import DATASET_FILE, ModelFiles, start_file
from mobileyolo.tracking import Tracker
from mobileyolo.training import ArmModel, plan, train
from stages import arm_argument, run, seed_of_stage


def main(params: Params) -> None:
    """Write models/<arm>/s<seed>/, and log the run while it goes on."""
    environment.end_with_parent()
    arm, seed = arm_argument(), seed_of_stage(params)
    card = DatasetCard.read(DATASET_FILE)
    files = ModelFiles(arm, seed)
    planned = plan(arm, seed, params, card, StartRecord.read(start_file(arm)), Teacher.read(files.teacher))
    with Tracker(params.data.dir, card).training(planned) as live:
        trained = train(planned, params, card, Manifest.read(), ArmModel.read(arm, seed), live.log_epoch)
        trained.write(files)
        live.finish(trained.record)


if __name__ == "__main__":
    run(main)
