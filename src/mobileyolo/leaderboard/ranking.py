"""Runs -> groups of models that can be compared, a row for each candidate and baseline, the best first (pure)."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Literal

from mobileyolo.core.backbones import ARMS, TEACHER
from mobileyolo.core.errors import UserError
from mobileyolo.leaderboard.runs import Setup, TrackedModel, TrackedRun, measured_candidates

DECIDING_METRIC = "map50_95"  # rows are sorted by it
METRICS = (DECIDING_METRIC, "map50", "val_map50_95")
COSTS = ("parameters", "gflops", "weights_mb")
ENGINE = (
    "ultralytics",
    "torch",
    "numpy",
    "opencv-python",
    "pillow",
    "device",
    "threads",
    "instructions",
    "workers",
    "gpus",
)
_RECIPE = "train."
_NOT_THE_RECIPE = ("train.teacher", "train.dis")  # of the row: two candidates may have different teachers
_SHOWN_RECIPE = ("imgsz", "epochs")
_LEAST_PREFIX = 4  # characters of a digest

# Why a run is in no table.
Reason = Literal["teacher", "running", "unfinished", "unmeasured", "incomplete", "repeated"]


@dataclass(frozen=True)
class Spread:
    """A number over the seeds of a row.

    Attributes:
        deviation: standard deviation (n - 1 degrees of freedom); None for a single seed.
    """

    mean: float
    deviation: float | None


@dataclass(frozen=True)
class Bounded:
    """A number with the ends of its interval, as a comparison has logged them; None where it has not."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Logged:
    """What the comparison of a row has logged: nothing here is computed from the row's other numbers.

    Attributes:
        against: the baseline's backbone.
        seeds: of the row's seeds, how many took part.
        delta: mAP50-95, candidate - baseline.
        latency: candidate / baseline, PyTorch; None where it was not measured.
    """

    against: str
    seeds: int
    delta: Bounded
    latency: Bounded | None
    verdict: str
    provisional: bool


@dataclass(frozen=True)
class Row:
    """The models of one arm that differ in seed and luck only.

    Attributes:
        model: backbone, start and teacher, in words.
        seeds: in order.
        metrics: by METRICS; those that were measured.
        costs: by COSTS; those that were measured.
        against: the backbone that it was compared with, else that of the group's only baseline; else "".
        delta: mAP50-95 minus that of the group's only baseline, of the means; None where there is not exactly one.
        logged: None where no comparison was logged, and for baselines.
    """

    model: str
    arm: str
    seeds: tuple[int, ...]
    metrics: Mapping[str, Spread]
    costs: Mapping[str, float]
    against: str
    delta: float | None
    logged: Logged | None


@dataclass(frozen=True)
class Group:
    """Rows that can be compared: the same data, recipe, engine and evaluation.

    Attributes:
        dataset: name of its folder, "" where no run tells it.
        split: that the metrics were measured on.
        candidates: distinct candidates that were measured on this split of this data, in this group or another.
        recipe: input size, epochs, and what differs from other groups.
        engine: what it was trained with.
        rows: in order of falling mAP50-95.
    """

    dataset: str
    data_digest: str
    recipe_digest: str
    split: str
    candidates: int
    recipe: Mapping[str, str]
    engine: Mapping[str, str]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Leaderboard:
    """What was tried.

    Attributes:
        groups: by dataset, the one with the latest run first; likewise within a dataset.
        left_out: number of runs in no table, by reason.
    """

    groups: tuple[Group, ...]
    left_out: Mapping[Reason, int]


def rank(runs: Sequence[TrackedRun], data: str | None = None) -> Leaderboard:
    """Make the tables.

    Args:
        runs: oldest first. Of a model that was trained twice with the same seed, the first run counts.
        data: of this dataset only; the name of its folder, or how its digest begins. None for all.

    Raises:
        UserError: no run is of that dataset.
    """
    chosen = runs if data is None else _of_data(runs, data)
    reasons = [_reason(run) for run in chosen]
    left_out = Counter(reason for reason in reasons if reason)
    models: dict[tuple[str, ...], list[TrackedModel]] = defaultdict(list)
    names: dict[str, str] = {}
    latest: dict[str, int] = {}  # position of a dataset's last run
    known: dict[str, list[TrackedModel]] = defaultdict(list)
    for position, (run, reason) in enumerate(zip(chosen, reasons, strict=True)):
        digest = run.tags["data.digest"]
        names[digest] = run.dataset or names.get(digest, "")
        if run.is_complete:
            known[digest].append(TrackedModel.of(run.params, run.tags, run.metrics))
        if reason is None:
            model = known[digest][-1]
            models.setdefault(_terms(model), models.pop(_terms(model), [])).append(model)  # moves it to the end
            latest[digest] = position
    recipes = {terms: _recipe(each[-1]) for terms, each in models.items()}
    differing = {
        key for recipe in recipes.values() for key in recipe if len({other.get(key) for other in recipes.values()}) > 1
    }
    groups = []
    for terms, each in reversed(models.items()):
        digest, recipe_digest, split, *_ = terms
        shown = {key: value for key, value in recipes[terms].items() if key in {*_SHOWN_RECIPE, *differing}}
        rows, repeated = _rows(each)
        left_out["repeated"] += repeated
        groups.append(
            Group(
                dataset=names[digest],
                data_digest=digest,
                recipe_digest=recipe_digest,
                split=split,
                candidates=len(measured_candidates(known[digest], split)),
                recipe=shown,
                engine={key: each[-1].tags[key] for key in ENGINE if key in each[-1].tags},
                rows=rows,
            )
        )
    groups.sort(key=lambda group: -latest[group.data_digest])  # stable
    return Leaderboard(tuple(groups), {reason: count for reason, count in left_out.items() if count})


def _of_data(runs: Sequence[TrackedRun], wanted: str) -> list[TrackedRun]:
    prefix = wanted.lower() if len(wanted) >= _LEAST_PREFIX else None
    chosen = [run for run in runs if run.dataset == wanted or (prefix and run.tags["data.digest"].startswith(prefix))]
    if not chosen:
        there = sorted({f"{run.dataset or 'unnamed'} ({run.tags['data.digest'][:8]})" for run in runs})
        choices = f"choose one of {', '.join(there)}, by name or digest" if there else "the store has no run of any"
        raise UserError(f"--data {wanted!r}: no run is of such a dataset; {choices}")
    return chosen


def _reason(run: TrackedRun) -> Reason | None:
    """Why a run is in no table; None if it is in one."""
    if run.tags.get("arm") == TEACHER:
        return "teacher"
    if "weights.digest" not in run.tags:
        return "running" if run.status == "RUNNING" else "unfinished"
    if not math.isfinite(run.metrics.get(DECIDING_METRIC, math.nan)) or "evaluate.split" not in run.tags:
        return "unmeasured"
    return None if run.is_complete and run.tags["arm"] in ARMS else "incomplete"


def _terms(model: TrackedModel) -> tuple[str, ...]:
    """What must be equal in two models that are compared: data digest, recipe digest, split, and more."""
    tags = model.tags
    measured = (f"{key} {value}" for key, value in sorted(tags.items()) if key.startswith("evaluate."))
    engine = (tags.get(key, "") for key in ENGINE)
    return tags["data.digest"], tags["recipe.digest"], tags["evaluate.split"], *engine, *measured


def _recipe(model: TrackedModel) -> dict[str, str]:
    return {
        key.removeprefix(_RECIPE): value
        for key, value in sorted(model.params.items())
        if key.startswith(_RECIPE) and key not in _NOT_THE_RECIPE
    }


def _rows(models: Iterable[TrackedModel]) -> tuple[tuple[Row, ...], int]:
    """The rows of a group, and the number of models that repeat a seed."""
    alike: dict[tuple[str, Setup], list[TrackedModel]] = defaultdict(list)
    for model in models:
        alike[model.tags["arm"], model.setup].append(model)
    names = _names({setup: same[-1] for (_, setup), same in alike.items()})
    rows = [_row(names[setup], arm, same) for (arm, setup), same in alike.items()]
    baselines = [row for row in rows if row.arm == "baseline"]
    if len(baselines) == 1:
        rows = [_compared(row, baselines[0]) if row.arm == "candidate" else row for row in rows]
    rows.sort(key=lambda row: (-row.metrics[DECIDING_METRIC].mean, row.model, row.arm))
    return tuple(rows), sum(map(len, alike.values())) - sum(len(row.seeds) for row in rows)


def _row(name: str, arm: str, models: Sequence[TrackedModel]) -> Row:
    first = {model.seed: model for model in reversed(models)}
    logged = _logged(models)
    return Row(
        model=name,
        arm=arm,
        seeds=tuple(sorted(first)),
        metrics=_spreads(list(first.values())),
        costs={cost: models[-1].metrics[cost] for cost in COSTS if cost in models[-1].metrics},
        against=logged.against if logged else "",
        delta=None,
        logged=logged,
    )


def _compared(row: Row, baseline: Row) -> Row:
    delta = row.metrics[DECIDING_METRIC].mean - baseline.metrics[DECIDING_METRIC].mean
    return replace(row, delta=delta, against=row.against or baseline.model)


def _names(setups: Mapping[Setup, TrackedModel]) -> dict[Setup, str]:
    """The models in words; where files of one name differ, with the beginning of their digests."""
    told = {setup: _name(model) for setup, model in setups.items()}
    times = Counter(told.values())
    return {
        setup: told[setup] if times[told[setup]] == 1 else _name(model, digests=True) for setup, model in setups.items()
    }


def _name(model: TrackedModel, digests: bool = False) -> str:
    def named(name: str, digest: str | None) -> str:
        return f"{name} ({digest[:8]})" if digests and digest else name

    sources = {role: model.params.get(f"init.{role}") for role in ("backbone", "detector")}
    parts = [
        model.params["backbone"],
        *(
            f"from {named(source, model.tags.get(f'start.{role}.digest'))}"
            for role, source in sources.items()
            if source
        ),
    ]
    teacher = model.setup[2]
    if teacher != "none":
        parts.append(f"taught by {named(teacher, model.tags.get('teacher.digest'))} x {model.params['train.dis']}")
    return ", ".join(parts)


def _spreads(models: Sequence[TrackedModel]) -> dict[str, Spread]:
    """Those metrics that every model has."""
    return {
        name: _spread([each.metrics[name] for each in models])
        for name in METRICS
        if all(math.isfinite(each.metrics.get(name, math.nan)) for each in models)
    }


def _spread(values: Sequence[float]) -> Spread:
    return Spread(fmean(values), stdev(values) if len(values) > 1 else None)


def _logged(models: Sequence[TrackedModel]) -> Logged | None:
    """The comparison that most of the models were part of; of two, the latest.

    Every model of a comparison has the same numbers of it. An evaluation after it takes the stage `compared` away.
    """
    compared: dict[tuple[str, Bounded], list[TrackedModel]] = defaultdict(list)
    for model in models:
        delta = _bounded(model.metrics, f"delta/{DECIDING_METRIC}")
        if delta and model.tags.get("stage") == "compared" and {"verdict", "compared.with"} <= model.tags.keys():
            compared[model.tags["compared.with"], delta].append(model)
    if not compared:
        return None
    latest_first = list(reversed(compared.items()))
    (against, delta), same = max(latest_first, key=lambda each: len({model.seed for model in each[1]}))
    return Logged(
        against=against,
        seeds=len({model.seed for model in same}),
        delta=delta,
        latency=_bounded(same[-1].metrics, "latency_ratio"),
        verdict=same[-1].tags["verdict"],
        provisional=same[-1].tags.get("provisional") == "true",
    )


def _bounded(metrics: Mapping[str, float], name: str) -> Bounded | None:
    value = metrics.get(name)
    return None if value is None else Bounded(value, metrics.get(f"{name}_low"), metrics.get(f"{name}_high"))
