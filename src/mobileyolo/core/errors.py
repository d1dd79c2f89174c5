"""Errors that a user can mend. Stages print their message without a traceback and exit with 1."""

from __future__ import annotations


class UserError(Exception):
    """What was wrong, where, and what would be right; the message is all that is shown."""


class ConfigError(UserError):
    """params.yaml has an unknown key or a wrong value."""


class ArchitectureError(UserError):
    """A model YAML can't be built."""


class DatasetError(UserError):
    """The dataset can't be read, or validation found errors in it."""


class WeightsError(UserError):
    """A file of weights from elsewhere can't be used."""


class ComparisonError(UserError):
    """Two results can't be compared: they were not made on equal terms."""


class TrainingError(UserError):
    """A training could not be done on the terms that were asked for."""


class ExportError(UserError):
    """A model could not be exported, or the exported one is not its equal."""


class StageError(UserError):
    """A stage was called in a way that DVC does not call it."""
