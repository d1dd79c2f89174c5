"""Errors that a user can fix. Stages print their message without a traceback and exit with 1."""

from __future__ import annotations


class UserError(Exception):
    """Only the message is shown, so it says what was wrong, where, and what would be right."""


class ConfigError(UserError):
    """params.yaml has an unknown key or a wrong value."""


class ArchitectureError(UserError):
    """A model YAML can't be built."""


class DatasetError(UserError):
    """The dataset can't be read, or validation found errors in it."""


class WeightsError(UserError):
    """A file of weights from elsewhere can't be used."""


class ComparisonError(UserError):
    """Two results can't be compared: they were not produced on equal terms."""


class TrainingError(UserError):
    """A training could not be done with the settings that were asked for."""


class ExportError(UserError):
    """A model could not be exported, or the exported one does not match it."""


class StageError(UserError):
    """A stage was started without DVC, or read what dvc.yaml does not declare."""
