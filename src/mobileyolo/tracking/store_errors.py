"""Tracking never fails a stage: whatever goes wrong while logging or reading becomes one warning.

Two kinds of errors are told apart. Those of the store (it can't be reached, it is locked, its disk is full) are
expected. All others are bugs, of this package or of a plugin of MLflow's: also a value that MLflow refuses, and a file
that we log but that does not exist. In production a bug must not end a training
that took hours, so it is warned about as well, with its place. Under MOBILEYOLO_STRICT_TRACKING=1, which our tests set,
a bug is raised.
"""

from __future__ import annotations

import re
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from alembic.util import CommandError
from mlflow.exceptions import MlflowException
from requests.exceptions import HTTPError as RequestsError
from sqlalchemy.exc import SQLAlchemyError
from urllib3.exceptions import HTTPError

from mobileyolo.core import environment
from mobileyolo.core.console import harmless

# What MLflow 3.17 and the libraries under it raise if a store does not work. The errors of sockets, files, file locks
# and requests are all OSErrors.
STORE_ERRORS = (MlflowException, SQLAlchemyError, CommandError, HTTPError, OSError)
# The codes of MLflow's errors for a wrong name or value.
WRONG_ARGUMENT = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")
# MLflow has the same code for a run or experiment that somebody deleted; only the message differs.
DELETED = "must be in the 'active' state"

# What an answer of a server or its proxy means, by its HTTP status; the answer itself need not say it.
_LOGIN = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
_MEANINGS = {401: f"the server wants a login, set {_LOGIN}", 403: f"the login of {_LOGIN} may not do that"}
_LONGEST = 1_000  # characters of an error; a proxy's may be a whole web page

LATER = "the results are safe in DVC's files. Later stages log what is missing, and so does `mobileyolo log`."


@dataclass
class Attempt:
    """Whether a block failed; known after the block."""

    failed: bool = False


class StoreErrorsAsWarnings:
    """Turns errors into a warning, the first time; later ones are silent."""

    def __init__(self, consequence: str = LATER) -> None:
        """Start without a warning.

        Args:
            consequence: what a failure leads to, for the warning.
        """
        self._consequence = consequence
        self.warned = False  # did anything go wrong?

    @contextmanager
    def __call__(self, doing: str) -> Iterator[Attempt]:
        """Warn about what goes wrong in this block, instead of raising it.

        Args:
            doing: what the block does, for the warning.

        Yields:
            Whether the block failed.

        Raises:
            Exception: a bug, under MOBILEYOLO_STRICT_TRACKING=1.
        """
        attempt = Attempt()
        try:
            yield attempt
        except Exception as error:
            attempt.failed = True
            if _is_of_the_store(error):
                self._warn(f"MLflow: {doing} failed ({in_words(error)}); {self._consequence}")
                return
            if environment.strict_tracking():
                raise
            place = traceback.extract_tb(error.__traceback__)[-1]
            self._warn(
                f"MLflow: {doing} failed because of a bug ({in_words(error)}; {place.filename}:"
                f"{place.lineno}), please report it; {self._consequence}"
            )

    def _warn(self, message: str) -> None:
        if not self.warned:
            warnings.warn(harmless(message), stacklevel=4)  # names the line that opened the block
        self.warned = True


def in_words(error: Exception) -> str:
    """An error's kind and message, without the password of an address and with what to do about a login."""
    message = re.sub(r"(?<=://)[^/\s@]*@", "", f"{type(error).__name__}: {error}")
    if len(message) > _LONGEST:
        message = f"{message[:_LONGEST]}..."
    status = _http_status(error)
    return f"{_MEANINGS[status]}; {message}" if status in _MEANINGS else message


def _http_status(error: Exception) -> int:
    """What a server has answered; 0 where the error does not tell."""
    if isinstance(error, MlflowException):
        return int(error.get_http_status_code())
    if isinstance(error, RequestsError) and error.response is not None:  # of files that a server keeps
        return int(error.response.status_code)
    return 0


def _is_of_the_store(error: Exception) -> bool:
    """Is it an error of the store, and no bug?"""
    if isinstance(error, MlflowException) and error.error_code in WRONG_ARGUMENT:
        # MLflow gives errors of its database, such as a damaged file, the code BAD_REQUEST.
        return DELETED in str(error) or isinstance(error.__cause__, SQLAlchemyError)
    # A store that is there creates the folders that it needs. So what is missing is a file that was to be logged.
    return isinstance(error, STORE_ERRORS) and not isinstance(error, FileNotFoundError)
