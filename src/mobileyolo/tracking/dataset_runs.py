"""The runs of one dataset's models: opened, found and created."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from mlflow.entities import DatasetInput
from mlflow.tracking import MlflowClient

from mobileyolo.core import environment
from mobileyolo.core.records import DatasetCard, TrainingPlan, TrainingRecord
from mobileyolo.tracking.dataset import dataset_input
from mobileyolo.tracking.killed_runs import end_killed_runs, origin_tags
from mobileyolo.tracking.run_writer import RunWriter
from mobileyolo.tracking.store import find_or_create_experiment, open_store


class Runs:
    """The runs in one dataset's experiment."""

    def __init__(self, client: MlflowClient, experiment: str, dataset: DatasetInput) -> None:
        """Take the experiment.

        Args:
            client: on an open store.
            experiment: its id.
            dataset: the input of every run in it.
        """
        self._client = client
        self._experiment = experiment
        self._dataset = dataset

    @classmethod
    def open(cls, dataset: str, card: DatasetCard) -> Runs:
        """Open the store that the environment names, find or create the dataset's experiment, and mark killed runs.

        Args:
            dataset: its folder, as data.dir has it; the last part is its name.
            card: what validation found the dataset to be.
        """
        client = open_store()
        experiment = find_or_create_experiment(client, f"{Path(dataset).name}-{card.digest[:8]}")
        end_killed_runs(client)
        return cls(client, experiment, dataset_input(dataset, card))

    def start_run(self, planned: TrainingPlan) -> RunWriter:
        """Create the run of a training that begins in this process."""
        return self._create_run(planned, origin_tags())

    def find_or_create_run(self, record: TrainingRecord, history: pd.DataFrame) -> RunWriter:
        """The run of a model that was trained, with all of its epochs.

        The run is found by the digest of its weights. If the training could not be logged, or DVC restored its result
        from the cache, there is none, and it is created from the files.

        Args:
            record: what was trained.
            history: all epochs.
        """
        wanted = f"tags.arm = '{record.arm}' and tags.\"weights.digest\" = '{record.weights_digest}'"
        found = self._client.search_runs([self._experiment], wanted, max_results=1)
        if found:
            run = RunWriter(self._client, found[0].info.run_id)
            run.log_missing_epochs(history)
        else:
            run = self._create_run(record, {"replayed": "true"})
            run.log_missing_epochs(history)
            run.mark_trained(record)
            run.end("FINISHED")
        return run

    def _create_run(self, planned: TrainingPlan, origin: dict[str, str]) -> RunWriter:
        """Create a run, with what is known of a training before it begins.

        Args:
            planned: the training.
            origin: tags that say where the run comes from.
        """
        experiment = environment.experiment_name()
        name = f"{planned.backbone}-s{planned.seed}" + (f"-{experiment}" if experiment else "")
        created = self._client.create_run(self._experiment, run_name=name, tags=tags_of(planned, experiment) | origin)
        run_id: str = created.info.run_id
        run = RunWriter(self._client, run_id)
        run.log_params(params_of(planned))
        self._client.log_inputs(run_id, [self._dataset])
        return run


def tags_of(planned: TrainingPlan, experiment: str | None) -> dict[str, str]:
    """What a training is, in the tags of its run.

    Args:
        planned: the training.
        experiment: name of the DVC experiment, if any.
    """
    tags = {
        "arm": planned.arm,
        "stage": "training",
        "data.digest": planned.data_digest,
        "recipe.digest": planned.recipe_digest,
        "start": str(planned.start),
        **{f"start.{role}.digest": source.digest or "" for role, source in planned.start.sources.items()},
        **planned.engine,
    }
    if planned.teacher.digest:
        tags["teacher.digest"] = planned.teacher.digest
    if experiment:
        tags["dvc.exp"] = experiment
    return tags


def params_of(planned: TrainingPlan) -> dict[str, str]:
    """The parameters of a training's run, as text."""
    values = {
        "backbone": planned.backbone,
        "width": planned.width,
        "seed": planned.seed,
        **{f"init.{role}": source.name for role, source in planned.start.sources.items()},
        **{f"train.{key}": value for key, value in planned.recipe.items()},
        "train.teacher": planned.teacher.name,
        "train.dis": planned.teacher.dis,
    }
    return {name: str(value) for name, value in values.items()}
