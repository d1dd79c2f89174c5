"""The runs of one dataset's models: opened, found and created."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from mlflow.entities import DatasetInput, Run
from mlflow.tracking import MlflowClient

from mobileyolo.core import environment
from mobileyolo.core.files import digest_of
from mobileyolo.core.records import DatasetCard, TrainingPlan, TrainingRecord
from mobileyolo.tracking.dataset import dataset_input
from mobileyolo.tracking.descriptions import colour_of, of_experiment, of_models
from mobileyolo.tracking.endings import end_lost_runs, origin_tags
from mobileyolo.tracking.pages import comparison_page, way_to
from mobileyolo.tracking.registry import Registry
from mobileyolo.tracking.run_writer import Epoch, RunWriter
from mobileyolo.tracking.store import find_or_create_experiment, open_store, store_address


class Runs:
    """The runs in one dataset's experiment."""

    def __init__(self, client: MlflowClient, experiment: str, dataset: DatasetInput, registry: Registry) -> None:
        """Take the experiment.

        Args:
            client: on an open store.
            experiment: its id.
            dataset: the input of every run in it.
            registry: what is registered of their models.
        """
        self._client = client
        self._experiment = experiment
        self._dataset = dataset
        self.registered = registry

    @classmethod
    def open(cls, dataset: str, card: DatasetCard) -> Runs:
        """Open the store that the environment names, find or create the dataset's experiment, and mark killed runs.

        Args:
            dataset: its folder, as data.dir has it; the last part is its name.
            card: what validation found the dataset to be.
        """
        client = open_store()
        folder = Path(dataset).name
        name = f"{folder}-{card.digest[:8]}"
        experiment = find_or_create_experiment(client, name, lambda created: of_experiment(folder, card, created))
        end_lost_runs(client)
        return cls(client, experiment, dataset_input(dataset, card), Registry(client, name, of_models(folder, card)))

    @property
    def way(self) -> str:
        """How somebody at a terminal comes to the page that compares these runs."""
        return way_to(comparison_page(self._experiment), store_address())

    def start_run(self, planned: TrainingPlan, done: Sequence[Epoch] = ()) -> RunWriter:
        """The run of a training that begins or goes on in this process.

        Args:
            planned: the training.
            done: the epochs that a process which was killed has trained. Its run is taken up again; if the store has
                none, these epochs go to a new one.
        """
        run = self._take_up_run(planned, done, origin_tags()) if done else None
        run = run or self._create_run(planned, origin_tags())
        run.log_missing_epochs(done)
        return run

    def find_or_create_run(self, record: TrainingRecord, history: pd.DataFrame) -> RunWriter:
        """The run of a model that was trained, with all of its epochs.

        The run is found by the digest of its weights. If its end could not be logged, it lacks that, and looks killed.
        If the training could not be logged at all, or DVC restored its result from the cache, there is no run, and it
        is created from the files.

        Args:
            record: what was trained.
            history: all epochs.
        """
        epochs: list[Epoch] = history.to_dict("records")  # type: ignore[assignment]  # its columns are text
        found = self._find(record)
        if found:
            run = RunWriter(self._client, found.info.run_id)
            run.log_missing_epochs(epochs)
            if found.info.status != "FINISHED":  # 0.2 took it for killed if its last call was lost
                run.end("FINISHED")
        else:
            run = self._take_up_run(record, epochs, {}) or self._create_run(record, {"replayed": "true"})
            run.log_missing_epochs(epochs)
            run.mark_trained(record)
            run.end("FINISHED")
        return run

    def find_run(self, record: TrainingRecord) -> RunWriter:
        """The run of a model that was logged.

        Raises:
            ConnectionError: the store has none.
        """
        found = self._find(record)
        if found is None:
            raise ConnectionError(f"the run of {record.arm} s{record.seed} is not there")
        return RunWriter(self._client, found.info.run_id)

    def _find(self, record: TrainingRecord) -> Run | None:
        wanted = f"tags.arm = '{record.arm}' and tags.\"weights.digest\" = '{record.weights_digest}'"
        found = self._client.search_runs([self._experiment], wanted, max_results=1)
        return found[0] if found else None

    def _take_up_run(self, planned: TrainingPlan, epochs: Sequence[Epoch], origin: dict[str, str]) -> RunWriter | None:
        """The last run of this plan that was killed on this machine, if it is of the same training; RUNNING again.

        Args:
            planned: the training.
            epochs: of the training. The run may lack some of them, but must not have others in their place.
            origin: tags that say where it goes on.
        """
        end_lost_runs(self._client)
        wanted = (
            f"attributes.status = 'KILLED' and tags.host = '{platform.node()}' "
            f"and tags.\"plan.digest\" = '{_plan_digest(planned)}'"
        )
        for found in self._client.search_runs([self._experiment], wanted, order_by=["attributes.start_time DESC"]):
            run = RunWriter(self._client, found.info.run_id)
            if "weights.digest" not in found.data.tags and run.agrees_with(epochs):
                run.resume()
                run.set_tags(origin)
                self._describe(run, planned)  # as the process may have been killed before it could
                return run
        return None

    def _create_run(self, planned: TrainingPlan, origin: dict[str, str]) -> RunWriter:
        """Create a run, with what is known of a training before it begins.

        Args:
            planned: the training.
            origin: tags that say where the run comes from.
        """
        experiment = environment.experiment_name()
        name = f"{planned.backbone}-s{planned.seed}" + (f"-{experiment}" if experiment else "")
        created = self._client.create_run(self._experiment, run_name=name, tags=tags_of(planned, experiment) | origin)
        run = RunWriter(self._client, created.info.run_id)
        self._describe(run, planned)
        return run

    def _describe(self, run: RunWriter, planned: TrainingPlan) -> None:
        """Log parameters and dataset, of which the store keeps one each."""
        run.log_params(params_of(planned))
        run.log_input(self._dataset)


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
        "plan.digest": _plan_digest(planned),
        "start": str(planned.start),
        "mlflow.runColor": colour_of(planned.backbone),
        **{f"start.{role}.digest": source.digest for role, source in planned.start.sources.items()},
        **planned.engine,
    }
    if planned.teacher.digest:
        tags["teacher.digest"] = planned.teacher.digest
    if experiment:
        tags["dvc.exp"] = experiment
    return tags


def _plan_digest(planned: TrainingPlan) -> str:
    """Equal for two trainings that differ in nothing but luck and code."""
    return digest_of(planned.model_dump(mode="json", include=set(TrainingPlan.model_fields)))


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
