"""Tracking never fails a stage: whatever goes wrong while logging becomes one warning.

Two kinds of errors are told apart. Those of the store (it can't be reached, its disk is full, its server refuses) are
expected. All others are bugs, of this package or of a plugin of MLflow's. In production a bug must not end a training
that took hours, so it is warned about as well, with its place. Under MOBILEYOLO_STRICT_TRACKING=1, which our tests set,
a bug is raised.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from alembic.util import CommandError
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError
from urllib3.exceptions import HTTPError

from mobileyolo.core import environment

# What MLflow 3.17 and the libraries under it raise if a store does not work. The errors of sockets, files, file locks
# and requests are all OSErrors.
STORE_ERRORS = (MlflowException, SQLAlchemyError, CommandError, HTTPError, OSError)

LATER = "the results are safe in DVC's files. Later stages log what is missing, and so does `mobileyolo log`."


class Tolerance:
    """Turns errors into a warning, the first time; later ones are silent."""

    def __init__(self) -> None:
        """Start without a warning."""
        self._warned = False

    @contextmanager
    def __call__(self, doing: str) -> Iterator[None]:
        """Tolerate what goes wrong in this block.

        Args:
            doing: what the block does, for the warning.

        Raises:
            Exception: a bug, under MOBILEYOLO_STRICT_TRACKING=1.
        """
        try:
            yield
        except STORE_ERRORS as error:
            self._warn(f"MLflow: {doing} failed ({type(error).__name__}: {error}); {LATER}")
        except Exception as error:
            if environment.strict_tracking():
                raise
            place = traceback.extract_tb(error.__traceback__)[-1]
            self._warn(
                f"MLflow: {doing} failed because of a bug ({type(error).__name__}: {error}; {place.filename}:"
                f"{place.lineno}), please report it; {LATER}"
            )

    def _warn(self, message: str) -> None:
        if not self._warned:
            warnings.warn(message, stacklevel=4)  # names the line that opened the block
        self._warned = True
