"""A commit on its way to other machines, and experiments on their way back (git's part of it)."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from mobileyolo.core.errors import UserError

COMMIT = "commit.bundle"  # in the archive, beside the package
# What a trial depends on, besides params.yaml, of which it sets all values.
_CODE = ("src", "stages", "dvc.yaml", "data", ".dvc/config")


def check_committed() -> None:
    """Make sure that the commit has the code and the data as they are here, because other machines get the commit.

    Raises:
        UserError: a file differs.
    """
    changed = _git("-c", "core.quotePath=false", "status", "--porcelain", "--", *_CODE).splitlines()
    if changed:
        listed = ", ".join(line[3:] for line in changed[:5])
        raise UserError(
            f"on a cluster, trials run with the code of the commit, but these files are not committed: {listed}; "
            "commit them, or set them aside with `git stash --include-untracked`"
        )


def keeps(path: Path) -> bool:
    """Do git, or git and DVC, have this file or folder? So each clone can get it."""
    files = [path.as_posix(), *(f"{each.as_posix()}.dvc" for each in (path, *path.parents) if each.name)]
    return bool(_git("ls-files", "--", *files))


def pack(archive: Path) -> None:
    """Write a ZIP of the commit: its package, as it is imported, and the commit itself.

    Args:
        archive: the ZIP.
    """
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder, COMMIT)
        _git("bundle", "create", "--quiet", str(bundle), "HEAD")
        top = _git("rev-parse", "--show-toplevel").strip()  # a tree is archived from there only
        words = ["--format=zip", f"--output={archive}", f"--add-file={bundle}", f"HEAD:{prefix()}src"]
        _git("-C", top, "archive", *words)


def prefix() -> str:
    """The workspace's folder in its git repository; "" at the top."""
    return _git("rev-parse", "--show-prefix").strip()


def unpack(bundle: Path, repository: Path) -> None:
    """Clone the commit."""
    _git("clone", "--quiet", "--config", "advice.detachedHead=false", str(bundle), str(repository))


def data_files(repository: Path) -> list[str]:
    """The files by which DVC knows data that no stage has made, relative to a clone's workspace."""
    return [*filter(None, _git("-C", str(repository), "ls-files", "-z", "--", "*.dvc").split("\0"))]


def pack_experiment(repository: Path, name: str) -> bytes:
    """An experiment of a clone, without the commit that it started from.

    Args:
        repository: the clone.
        name: of the experiment.
    """
    (reference,) = _git("-C", str(repository), "for-each-ref", "--format=%(refname)", f"refs/exps/**/{name}").split()
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder, "experiment.bundle")
        _git("-C", str(repository), "bundle", "create", "--quiet", str(bundle), reference, "^HEAD")
        return bundle.read_bytes()


def take_experiment(content: bytes) -> None:
    """Make an experiment of another clone one of this workspace's; one of the same name is replaced."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder, "experiment.bundle")
        bundle.write_bytes(content)
        _git("fetch", "--quiet", "--force", str(bundle), "refs/exps/*:refs/exps/*")


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, encoding="utf-8", check=True).stdout
    except subprocess.CalledProcessError as error:
        raise UserError(f"git {arguments[0]}: {error.stderr.strip()}") from None
