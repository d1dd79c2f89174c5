from __future__ import annotations

import errno
import warnings

import pytest
import requests
import sqlalchemy.exc
import urllib3.exceptions
from alembic.util import CommandError
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST, INVALID_PARAMETER_VALUE, TEMPORARILY_UNAVAILABLE

from mobileyolo.tracking.store_errors import StoreErrorsAsWarnings


def damaged_database() -> MlflowException:
    """As MLflow raises it."""
    error = MlflowException("database disk image is malformed", BAD_REQUEST)
    error.__cause__ = sqlalchemy.exc.DatabaseError("SELECT 1", {}, ValueError("database disk image is malformed"))
    return error


STORE_ERRORS = [
    MlflowException("API request failed: connection refused"),
    MlflowException("database is locked", TEMPORARILY_UNAVAILABLE),
    damaged_database(),
    ConnectionRefusedError("no server"),
    OSError(errno.ENOSPC, "No space left on device"),
    sqlalchemy.exc.OperationalError("SELECT 1", {}, ValueError("database is locked")),
    requests.exceptions.ReadTimeout("no answer"),
    urllib3.exceptions.ProtocolError("connection broken"),
    CommandError("can't locate revision"),
    PermissionError("mlflow.db"),
    TimeoutError("a lock is held"),
]
BUGS = [
    TypeError("a wrong argument"),
    KeyError("a missing key"),
    AttributeError("no such attribute"),
    FileNotFoundError("/nowhere/report.html"),
    MlflowException("invalid name", INVALID_PARAMETER_VALUE),
    MlflowException("missing value", BAD_REQUEST),
]


@pytest.fixture(params=["1", None], ids=["strict", "production"])
def any_mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    set_strict(monkeypatch, request.param)


def set_strict(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is None:
        monkeypatch.delenv("MOBILEYOLO_STRICT_TRACKING")
    else:
        monkeypatch.setenv("MOBILEYOLO_STRICT_TRACKING", value)


@pytest.mark.usefixtures("any_mode")
@pytest.mark.parametrize("error", STORE_ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_of_the_store_is_a_warning(error: Exception) -> None:
    said = rf"(?s)MLflow: logging failed \({type(error).__name__}.*`mobileyolo log`"
    with pytest.warns(UserWarning, match=said), StoreErrorsAsWarnings()("logging"):
        raise error


@pytest.mark.parametrize("error", BUGS, ids=lambda error: type(error).__name__)
def test_a_bug_is_raised_in_tests(error: Exception) -> None:
    with pytest.raises(type(error)), StoreErrorsAsWarnings()("logging"):
        raise error


@pytest.mark.parametrize("error", BUGS, ids=lambda error: type(error).__name__)
def test_a_bug_in_production_is_a_warning_with_its_place(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    set_strict(monkeypatch, None)
    said = r"because of a bug \(.*test_store_errors\.py:\d+\), please report it"
    with pytest.warns(UserWarning, match=said), StoreErrorsAsWarnings()("logging"):
        raise error


@pytest.mark.parametrize("strict", [None, "1"], ids=["production", "strict"])
def test_a_block_tells_whether_it_failed(strict: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    set_strict(monkeypatch, strict)
    errors_as_warnings = StoreErrorsAsWarnings()
    with errors_as_warnings("logging") as worked:
        pass
    with pytest.warns(UserWarning, match="logging failed"), errors_as_warnings("logging") as failed:
        raise ConnectionError
    with errors_as_warnings("logging") as failed_without_a_warning:
        raise ConnectionError
    assert [attempt.failed for attempt in (worked, failed, failed_without_a_warning)] == [False, True, True]


def test_the_warning_points_at_the_code_that_logged() -> None:
    with pytest.warns(UserWarning, match="logging failed") as caught, StoreErrorsAsWarnings()("logging"):
        raise ConnectionError
    assert caught[0].filename == __file__


@pytest.mark.usefixtures("any_mode")
def test_only_the_first_error_is_warned_about() -> None:
    errors_as_warnings = StoreErrorsAsWarnings()
    with pytest.warns(UserWarning, match="opening failed"), errors_as_warnings("opening"):
        raise ConnectionError
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with errors_as_warnings("logging"):
            raise ConnectionError


@pytest.mark.usefixtures("any_mode")
@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit])
def test_a_request_to_stop_is_never_a_warning(signal: type[BaseException]) -> None:
    with pytest.raises(signal), StoreErrorsAsWarnings()("logging"):
        raise signal
