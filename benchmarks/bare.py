"""The peer of `dvc repro`: trainings and evaluations alone, called from Python in one process.

Without DVC, MLflow, validation, latency and report. Run in a prepared checkout: python -m benchmarks.bare [ARM].
"""

from __future__ import annotations

import sys
from pathlib import Path

from mobileyolo.core import environment


def main() -> None:
    """Train and evaluate both arms, or the one that is asked for, with the first seed; nothing is kept."""
    environment.isolate(Path.cwd())
    from mobileyolo.core.backbones import ARMS
    from mobileyolo.core.config import load_params
    from mobileyolo.core.files import DATASET_FILE, ModelFiles, profile_file, start_file
    from mobileyolo.core.records import DatasetCard, Profile, StartRecord, Teacher
    from mobileyolo.core.tables import Manifest
    from mobileyolo.evaluation.evaluator import evaluate
    from mobileyolo.evaluation.parameters import EvaluationOptions
    from mobileyolo.models.weights import save
    from mobileyolo.training.checkpoints import Checkpoints
    from mobileyolo.training.parameters import TrainingRecipe
    from mobileyolo.training.train import Task, plan, train
    from mobileyolo.training.trainer import ArmModel

    params = load_params()
    recipe, root = params.section(TrainingRecipe), Path(params.data_dir)
    card, manifest = DatasetCard.read(DATASET_FILE), Manifest.read()
    for arm in (each for each in ARMS if each in (sys.argv[1:] or ARMS)):
        files = ModelFiles(arm, 0)
        planned = plan(arm, 0, recipe, card, StartRecord.read(start_file(arm)), Teacher.read(files.teacher))
        checkpoints = Checkpoints.of(planned, [], [])
        with checkpoints.held(print):
            task = Task(planned, root, card, manifest, ArmModel.read(arm, 0), checkpoints)
            trained = train(task, lambda *_: None)
        weights = Path(f"bare-{arm}.pt")
        save(trained.checkpoint, weights)
        options, profile = params.section(EvaluationOptions), Profile.read(profile_file(arm))
        evaluate(weights, root, options, recipe.imgsz, card, manifest, profile)


if __name__ == "__main__":
    main()
