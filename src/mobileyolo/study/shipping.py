"""A commit on its way to other machines, and experiments on their way back (git's part of it)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from mobileyolo.core import environment
from mobileyolo.core.errors import UserError

COMMIT = "commit.bundle"  # in the archive, beside the package
# What a trial depends on, besides params.yaml, of which it sets all values.
_CODE = ("src", "stages", "dvc.yaml", "data", ".dvc/config")


def check_committed() -> None:
    """Make sure that the commit has the code and the data as they are here, because other machines get the commit.

    Raises:
        UserError: a file differs.
    """
    changed = environment.git("-c", "core.quotePath=false", "status", "--porcelain", "--", *_CODE).splitlines()
    if changed:
        listed = ", ".join(line[3:] for line in changed[:5])
        raise UserError(
            f"on a cluster, trials run with the code of the commit, but these files are not committed: {listed}; "
            "commit them, or set them aside with `git stash --include-untracked`"
        )


def keeps(path: Path) -> bool:
    """Do git, or git and DVC, have this file or folder? So each clone can get it."""
    files = [path.as_posix(), *(f"{each.as_posix()}.dvc" for each in (path, *path.parents) if each.name)]
    return bool(environment.git("ls-files", "--", *files))


def pack(archive: Path) -> None:
    """Write a ZIP of the commit: its package, as it is imported, and the commit itself.

    Ray knows an archive by its bytes: where they are the same again, nodes find what the last study has left.

    Args:
        archive: the ZIP.
    """
    with tempfile.TemporaryDirectory() as folder:
        bundle, made = Path(folder, COMMIT), Path(folder, "made.zip")
        environment.git("-c", "pack.threads=1", "bundle", "create", "--quiet", str(bundle), "HEAD")
        top = environment.git("rev-parse", "--show-toplevel").strip()  # a tree is archived from there only
        words = ["--format=zip", f"--output={made}", f"--add-file={bundle}", f"HEAD:{prefix()}src"]
        environment.git("-C", top, "archive", *words)
        with ZipFile(made) as dated, ZipFile(archive, "w") as timeless:
            for entry in dated.infolist():
                again = ZipInfo(entry.filename)  # of 1980
                again.external_attr = entry.external_attr
                timeless.writestr(again, dated.read(entry), ZIP_DEFLATED)


def prefix() -> str:
    """The workspace's folder in its git repository; "" at the top."""
    return environment.git("rev-parse", "--show-prefix").strip()


def unpack(bundle: Path, repository: Path) -> None:
    """Clone the commit."""
    environment.git("clone", "--quiet", "--config", "advice.detachedHead=false", str(bundle), str(repository))


def data_files(repository: Path) -> list[str]:
    """The files by which DVC knows data that no stage has made, relative to a clone's workspace."""
    return [*filter(None, environment.git("-C", str(repository), "ls-files", "-z", "--", "*.dvc").split("\0"))]


def pack_experiment(repository: Path, name: str) -> bytes:
    """An experiment of a clone, without the commit that it started from.

    Args:
        repository: the clone.
        name: of the experiment.
    """
    where = ("-C", str(repository))
    (reference,) = environment.git(*where, "for-each-ref", "--format=%(refname)", f"refs/exps/**/{name}").split()
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder, "experiment.bundle")
        environment.git(*where, "bundle", "create", "--quiet", str(bundle), reference, "^HEAD")
        return bundle.read_bytes()


def take_experiment(content: bytes) -> None:
    """Make an experiment of another clone one of this workspace's; one of the same name is replaced."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder, "experiment.bundle")
        bundle.write_bytes(content)
        environment.git("fetch", "--quiet", "--force", str(bundle), "refs/exps/*:refs/exps/*")
