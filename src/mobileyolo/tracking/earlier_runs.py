"""What the store knows of models that were trained on the same data: how many were tried, and how much luck matters."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from mlflow.tracking import MlflowClient

from mobileyolo.core.backbones import TEACHER, Arm
from mobileyolo.core.records import METRICS, History, SeedSpread
from mobileyolo.core.results import ArmResult
from mobileyolo.tracking.dataset_runs import params_of, tags_of
from mobileyolo.tracking.results import evaluation_tags, measured_tag
from mobileyolo.tracking.store import active_experiments

Setup = tuple[str, ...]  # all that makes a model another candidate: backbone, recipe, start, teacher; not the seed


@dataclass(frozen=True)
class LoggedModel:
    """A trained model as its run tells it.

    Attributes:
        setup: equal for two models that differ in arm, seed and luck only.
        seed: of its training.
        tags: all of the run.
        metrics: the last value of each.
    """

    setup: Setup
    seed: int
    tags: Mapping[str, str]
    metrics: Mapping[str, float]

    @classmethod
    def of(cls, params: Mapping[str, str], tags: Mapping[str, str], metrics: Mapping[str, float]) -> Self:
        """Take what a run holds."""
        # The baseline as a teacher is another model for each seed, but the same teacher: its recipe is the candidate's.
        teacher = params["train.teacher"].removesuffix(f" s{params['seed']}")
        by_baseline = teacher != params["train.teacher"]
        starts = sorted(f"{key} {value}" for key, value in tags.items() if key.startswith("start."))
        digest = "" if by_baseline else tags.get("teacher.digest", "")
        setup = (params["backbone"], tags["recipe.digest"], teacher, digest, params["train.dis"], *starts)
        return cls(setup, int(params["seed"]), tags, metrics)

    @property
    def roles(self) -> set[str]:
        """What it started from, in kind: the tags of the weights that it took, without their values."""
        return {key for key in self.tags if key.startswith("start.")}

    @classmethod
    def of_result(cls, result: ArmResult) -> Self:
        """What the run of a result holds, or will."""
        tags = tags_of(result.training, None) | evaluation_tags(result.statistics)
        return cls.of(params_of(result.training), tags | {"weights.digest": result.training.weights_digest}, {})


def find_models(client: MlflowClient, data_digest: str) -> list[LoggedModel]:
    """Every model of an arm that was trained on this data, oldest first, wherever the dataset's folder lay.

    A model that was trained to teach is none of them, since it was never to be compared.
    """
    found = client.search_runs(
        active_experiments(client),
        f"tags.\"data.digest\" = '{data_digest}' and tags.arm != '{TEACHER}'",
        max_results=50_000,  # the most that MLflow 3.17 gives at once
        order_by=["attributes.start_time"],
    )
    params = {"backbone", "seed", "train.teacher", "train.dis"}  # which a run lacks if it was killed at its start
    tags = {"arm", "recipe.digest"}  # which can be deleted on a run's page
    complete = [run.data for run in found if params <= run.data.params.keys() and tags <= run.data.tags.keys()]
    return [LoggedModel.of(data.params, data.tags, data.metrics) for data in complete]


def history_of(arms: Mapping[Arm, Sequence[ArmResult]], known: Iterable[LoggedModel]) -> History:
    """What is known of a comparison's data.

    Args:
        arms: the comparison's models, by arm.
        known: the models of the same data; those of this comparison may be among them.
    """
    known = list(known)
    own = {result.training.weights_digest for results in arms.values() for result in results}
    candidate = LoggedModel.of_result(arms["candidate"][0])
    measured = measured_candidates(known, candidate.tags["evaluate.split"])
    earlier = [model for model in known if model.tags.get("weights.digest") not in own]
    return History(candidates=len({candidate.setup, *measured}), spread=spread(earlier, candidate))


def measured_candidates(models: Iterable[LoggedModel], split: str) -> set[Setup]:
    """The distinct candidates that were measured on a split."""
    marks = {("evaluate.split", split), (measured_tag(split), "true")}
    return {model.setup for model in models if model.tags["arm"] == "candidate" and marks & model.tags.items()}


def spread(models: Iterable[LoggedModel], like: LoggedModel) -> SeedSpread | None:
    """Standard deviation over seeds of models with one recipe, evaluation and kind of start; None without two seeds.

    Args:
        models: in order of time; of one that was trained twice with the same seed, the first counts.
        like: has the recipe, the evaluation and the kind of start.
    """
    terms = {key: value for key, value in like.tags.items() if key == "recipe.digest" or key.startswith("evaluate.")}
    values: dict[Setup, dict[int, list[float]]] = defaultdict(dict)
    for model in models:
        alike = terms.items() <= model.tags.items() and model.roles == like.roles
        if alike and set(METRICS) <= model.metrics.keys():
            values[model.setup].setdefault(model.seed, [model.metrics[name] for name in METRICS])
    groups = [np.array(list(by_seed.values())) for by_seed in values.values() if len(by_seed) > 1]
    if not groups:
        return None
    degrees = sum(len(group) - 1 for group in groups)
    squares = sum(((group - group.mean(0)) ** 2).sum(0) for group in groups)
    return SeedSpread(
        metrics={name: round(math.sqrt(total / degrees), 6) for name, total in zip(METRICS, squares, strict=True)},
        degrees=degrees,
        models=sum(len(group) for group in groups),
    )
