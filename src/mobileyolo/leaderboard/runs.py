"""A trained model as its run in MLflow's store tells it, and which models are one candidate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

Setup = tuple[str, ...]  # all that makes a model another candidate: backbone, recipe, start, teacher; not the seed

# What a model can't be placed without. A run lacks parameters if it was killed at its start; tags can be deleted on its
# page.
_PARAMS = ("backbone", "seed", "train.teacher", "train.dis")
_TAGS = ("arm", "recipe.digest")


@dataclass(frozen=True)
class TrackedRun:
    """A run as the store has it.

    Attributes:
        dataset: name of the dataset's folder, "" where the run has none.
        status: MLflow's, such as FINISHED.
        metrics: the last value of each.
    """

    dataset: str
    status: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]

    @property
    def is_complete(self) -> bool:
        """Does it tell what was trained?"""
        return set(_PARAMS) <= self.params.keys() and set(_TAGS) <= self.tags.keys()


@dataclass(frozen=True)
class TrackedModel:
    """A trained model.

    Attributes:
        setup: equal for two models that differ in arm, seed and luck only.
        seed: of its training.
        params: all of the run.
        tags: likewise.
        metrics: the last value of each.
    """

    setup: Setup
    seed: int
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]

    @classmethod
    def of(cls, params: Mapping[str, str], tags: Mapping[str, str], metrics: Mapping[str, float]) -> Self:
        """Take what a complete run holds."""
        # The baseline as a teacher is another model for each seed, but the same teacher: its recipe is the candidate's.
        teacher = params["train.teacher"].removesuffix(f" s{params['seed']}")
        by_baseline = teacher != params["train.teacher"]
        starts = sorted(f"{key} {value}" for key, value in tags.items() if key.startswith("start."))
        digest = "" if by_baseline else tags.get("teacher.digest", "")
        setup = (params["backbone"], tags["recipe.digest"], teacher, digest, params["train.dis"], *starts)
        return cls(setup, int(params["seed"]), params, tags, metrics)

    @property
    def roles(self) -> set[str]:
        """What it started from, in kind: the tags of the weights that it took, without their values."""
        return {key for key in self.tags if key.startswith("start.")}


def measured_tag(split: str) -> str:
    """Name of the tag which says that a model was measured on a split at some time."""
    return f"measured.{split}"


def measured_candidates(models: Iterable[TrackedModel], split: str) -> set[Setup]:
    """The distinct candidates that were measured on a split."""
    marks = {("evaluate.split", split), (measured_tag(split), "true")}
    return {model.setup for model in models if model.tags["arm"] == "candidate" and marks & model.tags.items()}
