from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mobileyolo.core.errors import ConfigError
from mobileyolo.core.files import replacing, replacing_folder
from mobileyolo.endings import Ending, ending

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "error: models/x.pt: no space is left on this disk; free some"),
        (errno.EDQUOT, "error: models/x.pt: your quota of this disk is used up; free some"),
        (errno.EROFS, "error: models/x.pt: this disk or folder is read-only; make it writable"),
        (errno.EACCES, "error: models/x.pt: permission denied; see who owns it"),
        (errno.EPERM, "error: models/x.pt: the system does not permit this; see who owns it"),
        (errno.ENOENT, "error: models/x.pt: no such file; if something removed it while this ran"),
    ],
)
def test_what_a_user_can_mend_is_one_sentence_with_the_files_name(number: int, said: str) -> None:
    for file in ("models/x.pt", str(Path.cwd() / "models/x.pt")):
        told = ending(OSError(number, os.strerror(number), file))
        assert told
        assert told.code == 1
        assert str(told).replace(os.sep, "/").startswith(said)


def test_where_the_system_names_no_file_the_rest_is_told() -> None:
    told = ending(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert str(told) == "error: no space is left on this disk; free some, then give the same command again"


@pytest.mark.parametrize(
    "error",
    [ValueError("a bug"), OSError("without a number"), OSError(errno.EBADF, "Bad file descriptor"), SystemExit(2)],
)
def test_all_else_keeps_its_traceback(error: BaseException) -> None:
    assert ending(error) is None


def test_the_users_own_errors_are_told_as_they_are() -> None:
    assert ending(ConfigError("epochs: wrong")) == Ending("epochs: wrong", 1)


def test_a_full_disk_which_names_no_file_is_told_with_the_file_that_was_being_written(tmp_path: Path) -> None:
    """As write(2) and torch raise it; and as a temporary file's own name is of no use to anybody."""
    for name in (None, "temporary"):
        with pytest.raises(OSError, match="No space left") as file_error, replacing(tmp_path / "best.pt") as temporary:
            raise OSError(errno.ENOSPC, "No space left on device", name and str(temporary))
        with pytest.raises(OSError, match="No space left") as folder_error, replacing_folder(tmp_path / "s0") as folder:
            raise OSError(errno.ENOSPC, "No space left on device", name and str(folder / "content.json"))
        assert file_error.value.filename == str(tmp_path / "best.pt")
        assert folder_error.value.filename == str(tmp_path / "s0")
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_disk_is_told_with_the_path_that_was_to_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses to make the temporary file, and also to remove it, although it is not there."""

    def refuse(path: str | Path, *_arguments: object, **_options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    monkeypatch.setattr("os.mkdir", refuse)
    with pytest.raises(OSError, match="Read-only") as file_error, replacing(tmp_path / "best.pt") as temporary:
        refuse(temporary)
    with pytest.raises(OSError, match="Read-only") as folder_error, replacing_folder(tmp_path / "s0"):
        pass
    assert file_error.value.filename == str(tmp_path / "best.pt")
    assert folder_error.value.filename == str(tmp_path / "s0")


def test_an_error_of_a_decoder_keeps_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"^cannot identify image file$"), replacing(tmp_path / "x.png"):
        raise OSError("cannot identify image file")


IMPORTING = "sys.argv[:1] = ['-m']\nimport stages\n"  # as in `python -m stages.<name>`, while it imports
RUNNING = "from stages import run\ndef main(_params): wait()\n"
WAIT = "import sys, time\ndef wait():\n    print('ready', flush=True)\n    time.sleep(60)\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows sends these signals to no single process")
@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "stopped by SIGTERM")]
)
@pytest.mark.parametrize("script", [IMPORTING + "wait()", RUNNING + "run(main)"], ids=["importing", "running"])
def test_a_signal_ends_a_stage_with_one_sentence(
    tmp_path: Path, script: str, number: signal.Signals, code: int, said: str
) -> None:
    (tmp_path / "params.yaml").write_text("seeds: [0]\n", encoding="utf-8")
    variables = {**os.environ, "DVC_STAGE": "check", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", WAIT + script],
        cwd=tmp_path,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        for line in process.stdout:
            if line == "ready\n":
                break
        process.send_signal(number)
        _, errors = process.communicate()
    assert (process.returncode, errors) == (code, f"{said}; the same command goes on from here\n")
