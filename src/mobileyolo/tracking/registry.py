"""The registered model of a dataset: a version for each model that was compared, and who is its champion."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from mlflow.entities import LoggedModel
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from mobileyolo.core.backbones import Arm
from mobileyolo.tracking.champion import Champion, Decision, decide
from mobileyolo.verdict.records import DECIDING_METRIC, Comparison

CHAMPION = "champion"
_MODELS = "models:/"  # source of a version that is a logged model, before its id
_LOGGED_MODEL = f"{_MODELS}m-"
_LONGEST_NAME = 256  # characters; what MLflow's databases take
# Of the champion's version: its comparison when it became that, since it may take part in others later.
_AGAINST, _REACHED = "champion.against", "champion.map50_95"


def registry_name(name: str) -> str:
    """A name that MLflow's registry and its addresses (models:/<name>@champion) take.

    >>> registry_name("cells: 40x/a-1ce3abf1"), registry_name("安全帽 (2)-1ce3abf1")
    ('cells_40x_a-1ce3abf1', '安全帽_2_-1ce3abf1')
    """
    return re.sub(r"[^\w.-]+", "_", name)[-_LONGEST_NAME:]


class Registry:
    """The registered model of one dataset, in MLflow's registry."""

    def __init__(self, client: MlflowClient, name: str, description: str) -> None:
        """Take the names; nothing is read or written.

        Args:
            client: on an open store.
            name: of the dataset's experiment.
            description: in Markdown, of one that is created; that of one that is there may have been edited.
        """
        self._client = client
        self.name = registry_name(name)
        self._description = description

    def keep(self, model: LoggedModel, tags: Mapping[str, str]) -> str:
        """Make the model a version, unless its weights are one, and set the version's tags.

        Args:
            model: of a run.
            tags: of the version; earlier values are replaced. `arm` and `weights.digest` tell it from others.

        Returns:
            The version, such as "3".
        """
        same = self._versions({key: tags[key] for key in ("arm", "weights.digest")})
        for version in same:
            if self._has_model(version):
                for key, value in tags.items() - version.tags.items():
                    self._client.set_model_version_tag(self.name, version.version, key, value)
                return str(version.version)
        number = self._add(model, tags)
        for version in same:
            self._replace(version, number)
        return number

    def point(self, alias: str, number: str) -> None:
        """Let an alias point to a version."""
        if self._aliases().get(alias) != number:
            self._client.set_registered_model_alias(self.name, alias, number)

    def crown(self, comparison: Comparison, setups: Mapping[Arm, str], versions: Mapping[Arm, str]) -> str:
        """Move the alias `champion` if the comparison gives reason to, and say what came of it, and why.

        Args:
            comparison: the outcome.
            setups: of both arms; equal for two models that differ in arm, seed and luck only.
            versions: of both arms, that may become champion.
        """
        decision = decide(comparison, setups, _as_champion(self._version_of(CHAMPION)))
        if decision.arm:
            self._set_champion(decision, decision.arm, comparison, versions[decision.arm])
        version = self._version_of(CHAMPION)
        who = f"{version.tags.get('backbone')} (version {version.version})" if version else "none yet"
        return f"Champion of {self.name}: {who}; {decision.reason}"

    def _set_champion(self, decision: Decision, arm: Arm, comparison: Comparison, number: str) -> None:
        reached = {
            _AGAINST: comparison.baseline.backbone,
            _REACHED: str(getattr(comparison.metrics[DECIDING_METRIC], arm)),
        }
        for key, value in reached.items():
            self._client.set_model_version_tag(self.name, number, key, value)
        self._client.update_model_version(self.name, number, f"Champion: {decision.reason}.")
        self.point(CHAMPION, number)

    def _version_of(self, alias: str) -> ModelVersion | None:
        number = self._aliases().get(alias)
        return None if number is None else self._client.get_model_version(self.name, number)

    def _create(self) -> None:
        """Create it unless it is there."""
        try:
            self._client.create_registered_model(self.name, description=self._description)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _add(self, model: LoggedModel, tags: Mapping[str, str]) -> str:
        self._create()
        with _as_default_store(self._client.tracking_uri):
            version = self._client.create_model_version(
                self.name,
                f"{_MODELS}{model.model_id}",
                run_id=model.source_run_id,
                tags=dict(tags),
                await_creation_for=0,
                model_id=model.model_id,
            )
        # By this, MLflow's pages lead from the run and the model to the version. A server sets it itself.
        listed = json.dumps([{"name": self.name, "version": version.version}])
        self._client.set_logged_model_tags(model.model_id, {"mlflow.modelVersions": listed})
        return str(version.version)

    def _replace(self, version: ModelVersion, number: str) -> None:
        """Let a version take the place of one whose model was deleted, which is deleted."""
        for key in {_AGAINST, _REACHED} & version.tags.keys():
            self._client.set_model_version_tag(self.name, number, key, version.tags[key])
        for alias, present in self._aliases().items():
            if present == str(version.version):
                self.point(alias, number)
        self._client.delete_model_version(self.name, version.version)

    def _versions(self, tags: Mapping[str, str]) -> Sequence[ModelVersion]:
        """The versions of logged models with these tags."""
        wanted = [f"name = '{self.name}'", *(f"tags.`{key}` = '{value}'" for key, value in tags.items())]
        found = self._client.search_model_versions(" and ".join(wanted))
        return [version for version in found if version.source.startswith(_LOGGED_MODEL)]

    def _has_model(self, version: ModelVersion) -> bool:
        """Is the model still there of which this is a version?"""
        try:
            self._client.get_logged_model(version.source.removeprefix(_MODELS))
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return False
        return True

    def _aliases(self) -> dict[str, str]:
        """Versions by alias."""
        aliases = self._client.get_registered_model(self.name).aliases
        return {alias: str(number) for alias, number in aliases.items()}


def _as_champion(version: ModelVersion | None) -> Champion | None:
    """What its tags tell of the champion; somebody may have made a version champion that has none."""
    if version is None:
        return None
    tags = version.tags
    return Champion(
        backbone=tags.get("backbone", ""),
        setup=tags.get("setup.digest", ""),
        recipe=tags.get("recipe.digest", ""),
        against=tags.get(_AGAINST),
        map50_95=float(tags[_REACHED]) if _REACHED in tags else None,
    )


@contextmanager
def _as_default_store(address: str) -> Iterator[None]:
    """Let MLflow take this store for its default one.

    To register a model in a database, MLflow (3.17) looks it up in its default store, whatever store the client is on,
    and creates that if there is none.
    """
    before = os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = address
    try:
        yield
    finally:
        if before is None:
            del os.environ["MLFLOW_TRACKING_URI"]
        else:
            os.environ["MLFLOW_TRACKING_URI"] = before
