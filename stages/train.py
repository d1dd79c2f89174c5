"""Train one arm with one seed, from scratch, and keep the best epoch."""

from __future__ import annotations

from pathlib import Path

from mobileyolo import environment
from mobileyolo.artifacts import DATASET_FILE, DatasetCard, Manifest, ModelFiles, model_file, read_mapping
from mobileyolo.config import Params
from mobileyolo.tracking import Tracker
from mobileyolo.training import plan, train
from stages import arm_argument, run, seed_of_stage


def main(params: Params) -> None:
    """Write models/<arm>/s<seed>/, and log the run while it goes on."""
    environment.end_with_parent()
    arm, seed = arm_argument(), seed_of_stage(params)
    card = DatasetCard.read(DATASET_FILE)
    planned = plan(arm, seed, params, card)
    with Tracker(Path(params.data.dir).name, card).training(planned) as live:
        trained = train(planned, params, card, Manifest.read(), read_mapping(model_file(arm)), live.log_epoch)
        trained.write(ModelFiles(arm, seed))
        live.finish(trained.record)


if __name__ == "__main__":
    run(main)
