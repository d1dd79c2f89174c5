"""What the store knows of models that were trained on the same data: how many were tried, and how much luck matters."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from mobileyolo.core import environment
from mobileyolo.core.backbones import TEACHER, Arm
from mobileyolo.core.records import METRICS, History, SeedSpread
from mobileyolo.core.results import ArmResult
from mobileyolo.leaderboard.runs import Setup, TrackedModel, TrackedRun, measured_candidates
from mobileyolo.tracking.dataset_runs import params_of, tags_of
from mobileyolo.tracking.results import evaluation_tags
from mobileyolo.tracking.store import active_experiments

_RUNS_A_CALL = 5_000  # MLflow 3.17 gives at most 50,000 at once; a server's answer to that is some 100 MB


def find_models(client: MlflowClient, data_digest: str) -> list[TrackedModel]:
    """Every model of an arm that was trained on this data, oldest first, wherever the dataset's folder lay.

    A model that was trained to teach is none of them, since it was never to be compared.
    """
    wanted = f"tags.\"data.digest\" = '{data_digest}' and tags.arm != '{TEACHER}'"
    return [TrackedModel.of(run.params, run.tags, run.metrics) for run in find_runs(client, wanted) if run.is_complete]


def find_runs(client: MlflowClient, wanted: str) -> list[TrackedRun]:
    """The runs that a filter of MLflow's lets through, oldest first, of all experiments that nobody has deleted."""
    experiments, runs, token = active_experiments(client), [], None
    # SQLAlchemy makes an object of each parameter, tag and metric: 110,000 of 1,000 runs, which takes 3.4 s of a
    # processor's time, and 1.2 s without the collector.
    with environment.garbage_kept():
        while token != "":
            page = client.search_runs(
                experiments, wanted, max_results=_RUNS_A_CALL, order_by=["attributes.start_time"], page_token=token
            )
            runs += [_tracked(run) for run in page]
            token = page.token or ""
    return runs


def _tracked(run: Run) -> TrackedRun:
    inputs = run.inputs.dataset_inputs if run.inputs else []
    dataset = inputs[0].dataset.name if inputs else ""
    return TrackedRun(dataset, run.info.status, run.data.params, run.data.tags, run.data.metrics)


def history_of(arms: Mapping[Arm, Sequence[ArmResult]], known: Iterable[TrackedModel]) -> History:
    """What is known of a comparison's data.

    Args:
        arms: the comparison's models, by arm.
        known: the models of the same data; those of this comparison may be among them.
    """
    known = list(known)
    own = {result.training.weights_digest for results in arms.values() for result in results}
    candidate = model_of(arms["candidate"][0])
    measured = measured_candidates(known, candidate.tags["evaluate.split"])
    earlier = [model for model in known if model.tags.get("weights.digest") not in own]
    return History(candidates=len({candidate.setup, *measured}), spread=spread(earlier, candidate))


def model_of(result: ArmResult) -> TrackedModel:
    """What the run of a result holds, or will."""
    tags = tags_of(result.training, None) | evaluation_tags(result.statistics)
    return TrackedModel.of(params_of(result.training), tags | {"weights.digest": result.training.weights_digest}, {})


def spread(models: Iterable[TrackedModel], like: TrackedModel) -> SeedSpread | None:
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
