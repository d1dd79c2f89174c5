"""DVC's experiments and its remote: what they hold, and how one is run beside the workspace.

The only importer of DVC.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from dvc import api, cli
from dvc.exceptions import DvcException
from dvc.repo import Repo

from mobileyolo.core import environment
from mobileyolo.core.config import PARAMS_FILE, leaves
from mobileyolo.core.errors import UserError
from mobileyolo.core.files import DIGITS_DIR, NONE, WEIGHTS_DIR
from mobileyolo.core.quoting import literal

# What to do about a workspace outside git. `dvc init --no-scm` would refuse, or delete .dvc with its cache.
MAKE_ONE = '`git init`, `git add --all` and `git commit --message "Start"` make it one'
WITHOUT_GIT = (
    "or go without git, and so without DVC's experiments, `mobileyolo confirm` and comparisons with earlier commits: "
    "`dvc config --local core.no_scm true`"
)


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    Attributes:
        name: DVC's name for it.
        revision: the git commit that keeps it.
        commit: the git commit that it started from.
    """

    name: str
    revision: str
    commit: str

    @property
    def date(self) -> str:
        """The day when it ended."""
        return environment.git("show", "--no-patch", "--format=%cs", self.revision).strip()

    @property
    def params(self) -> Mapping[str, Any]:
        """What params.yaml held."""
        values: Mapping[str, Any] = yaml.safe_load(environment.git("show", f"{self.revision}:./{PARAMS_FILE}"))
        return values

    def read(self, path: Path) -> str:
        """A file of its results.

        Raises:
            UserError: it is not in DVC's cache.
        """
        try:
            text: str = api.read(path.as_posix(), rev=self.revision, encoding="utf-8")
        except Exception as error:  # noqa: BLE001 -- of a remote, which each kind of storage reports in its own way
            raise UserError(self._unreadable(path, error)) from None
        return text

    def copy(self, paths: Iterable[Path], folder: Path) -> None:
        """Copy files and folders of its results into a folder, below which they have the same paths.

        Raises:
            UserError: one is not in DVC's cache.
        """
        files = api.DVCFileSystem(rev=self.revision)
        for path in paths:
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                files.get(path.as_posix(), target.as_posix(), recursive=True)
            except Exception as error:  # noqa: BLE001 -- as in `read`
                raise UserError(self._unreadable(path, error)) from None

    def fetch(self) -> None:
        """Bring all of its results from the default remote into DVC's cache.

        Raises:
            UserError: the remote lacks something, or can't be reached.
        """
        remote = Remote.default()
        # For another commit DVC (3.67) would look up a relative path of the remote in a wrong folder.
        config = {"core": {"remote": remote.name}, "remote": {remote.name: {**remote.settings}}}
        try:
            with Repo() as repo:
                repo.fetch(revs=[self.revision], workspace=False, config=config)
        except Exception as error:  # noqa: BLE001 -- as in `read`
            raise UserError(f"the results of the experiment {self.name} can't be fetched ({error})") from None

    def _unreadable(self, path: Path, error: Exception) -> str:
        return (
            f"{path} of the experiment {self.name} can't be read ({error}); run the experiment again, or fetch its "
            "files: dvc fetch"
        )


def check_repository() -> None:
    """Make sure that DVC runs here at all.

    Raises:
        UserError: it does not; outside git that is what it does unless its setting core.no_scm says otherwise.
    """
    try:
        Repo().close()
    except DvcException as error:
        if environment.in_git():
            raise UserError(f"DVC: {error}") from None
        refused = f"{Path.cwd()} is not a git repository, so DVC refuses to run"
        raise UserError(f"{refused}: {MAKE_ONE}; {WITHOUT_GIT}") from None


def all_experiments() -> list[Experiment]:
    """Every experiment of every commit; those of the present commit come first.

    Raises:
        UserError: here is no repository of DVC or of git.
    """
    if not environment.in_git():
        raise UserError(f"{Path.cwd()} is not a git repository, and DVC keeps experiments in git only: {MAKE_ONE}")
    try:
        with Repo() as repo:
            listed: Mapping[str, Iterable[tuple[str, str]]] = repo.experiments.ls(all_commits=True)
    except DvcException as error:
        raise UserError(f"DVC: {error}") from None
    head = present_commit()
    commits = sorted(listed, key=lambda commit: commit != head)
    return [Experiment(name, revision, commit) for commit in commits for name, revision in listed[commit]]


def present_experiments() -> list[Experiment]:
    """The experiments of the present commit.

    Raises:
        UserError: here is no repository of DVC or of git.
    """
    experiments, commit = all_experiments(), present_commit()  # the first says it better where git is missing
    return [each for each in experiments if each.commit == commit]


def experiments_of(commit: str) -> list[Experiment]:
    """The experiments of a commit.

    Raises:
        UserError: here is no repository of DVC or of git.
    """
    return [each for each in all_experiments() if each.commit == commit]


def present_commit() -> str:
    """The commit that is checked out."""
    return environment.git("rev-parse", "HEAD").strip()


def run_beside(name: str, wanted: Mapping[str, Any], present: Mapping[str, Any]) -> None:
    """Run an experiment in a temporary folder, so that neither params.yaml nor a result of the workspace changes.

    Args:
        name: its name.
        wanted: parameters by section, as in params.yaml.
        present: those of the workspace, from which it starts.

    Raises:
        UserError: it failed; DVC and the stage have said why.
    """
    if subprocess.run(command_beside(name, wanted, present), check=False).returncode:
        raise UserError(f"{name} has failed; the same command goes on with the models that were trained")


def command_beside(name: str, wanted: Mapping[str, Any], present: Mapping[str, Any]) -> list[str]:
    """The command of `run_beside`, as words. Its process ends with the one that starts it."""
    command = [sys.executable, "-m", "mobileyolo.experiments", "exp", "run", "--temp", "--name", name]
    command += [argument for each in overrides(wanted, present) for argument in ("--set-param", each)]
    return command + [argument for path in own_weights(wanted) for argument in ("--copy-paths", path.as_posix())]


def overrides(wanted: Mapping[str, Any], present: Mapping[str, Any]) -> Iterator[str]:
    """The parameters that differ, as `dvc exp run --set-param` takes them: in Hydra's grammar.

    >>> list(overrides({"seeds": [1, 2], "train": {"lr0": 0.1}, "init": {"teacher": "my file.pt"}}, {"seeds": [0]}))
    ['seeds=[1,2]', 'train.lr0=0.1', "init.teacher='my file.pt'"]

    Args:
        wanted: parameters by section.
        present: likewise.
    """
    here = dict(leaves(present))
    for key, value in leaves(wanted):
        if key == "data.dir" and Path(value) != DIGITS_DIR and not Path(value).is_absolute():
            yield f"{key}={literal(Path(value).absolute().as_posix())}"  # it may be no file of git's
        elif key not in here or here[key] != value:
            yield f"{key}={literal(value)}"


def own_weights(params: Mapping[str, Any]) -> list[Path]:
    """Weights that the user has put into WEIGHTS_DIR: git does not know them, so DVC has to be told to copy them.

    Of a file in a folder it is the folder: DVC (3.67) copies into folders that are there already.
    """
    named = [name for name in params["init"].values() if name != NONE]
    relative = [Path(name) for name in named if not Path(name).is_absolute() and (WEIGHTS_DIR / name).exists()]
    return list(dict.fromkeys(WEIGHTS_DIR / path.parts[0] for path in relative))


@dataclass(frozen=True)
class Remote:
    """A workspace's default remote of DVC.

    Attributes:
        name: DVC's name for it.
        settings: all that the levels of DVC's configuration say of it, such as url and password.
    """

    name: str
    settings: Mapping[str, Any] = field(repr=False)

    @classmethod
    def default(cls) -> Remote:
        """The one of the present workspace.

        Raises:
            UserError: it has none that keeps what stages have made.
        """
        try:
            with Repo() as repo:
                # Refuses what has no place for files that are named by their content.
                name: str = repo.cloud.get_remote(command="push --run-cache").name
                repo.cloud.get_remote_odb(name, command="push --run-cache")
                return cls(name, dict(repo.config["remote"][name]))
        except DvcException as error:
            raise UserError(f"DVC: {error}") from None

    def set_up(self, workspace: Path, cache: Path) -> None:
        """Make it the default remote of another clone, beside what git keeps of its settings.

        Args:
            workspace: of the clone.
            cache: where the clone's DVC keeps files.
        """
        with Repo(workspace) as repo, repo.config.edit("local") as settings:
            settings["core"]["remote"] = self.name
            settings["remote"][self.name] = dict(self.settings)
            settings["cache"]["dir"] = str(cache)

    def folder(self, workspace: Path, *parts: str) -> RemoteFolder:
        """A folder of the remote beside what DVC keeps there, as a workspace reaches it."""
        with Repo(workspace) as repo:
            remote = repo.cloud.get_remote(self.name)
            return RemoteFolder(remote.fs, remote.fs.join(remote.path, "mobileyolo", *parts))


@dataclass(frozen=True)
class RemoteFolder:
    """Files in folders on a remote of any kind that DVC knows: a disk, S3, SSH and others.

    Attributes:
        files: DVC's access to it.
        path: of the folder, as `files` names it.
    """

    files: Any
    path: str

    def names(self) -> list[str]:
        """Of all its files, relative to it, with forward slashes; the folder need not exist."""
        found = self.files.find(self.path) if self.files.exists(self.path) else []
        return sorted(self.files.as_posix(self.files.relpath(each, self.path)) for each in found)

    def upload(self, file: Path, name: str) -> None:
        """Copy a file of this machine there."""
        target = self.files.join(self.path, *name.split("/"))
        self.files.makedirs(self.files.parent(target), exist_ok=True)
        self.files.put_file(str(file), target)

    def download(self, name: str, file: Path) -> None:
        """Copy a file from there."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self.files.get_file(self.files.join(self.path, *name.split("/")), str(file))

    def remove(self, *names: str) -> None:
        """Delete files there."""
        for name in names:
            self.files.rm_file(self.files.join(self.path, *name.split("/")))

    def clear(self) -> None:
        """Delete it with all its files."""
        if self.files.exists(self.path):
            self.files.rm(self.path, recursive=True)


if __name__ == "__main__":  # dvc, see `command_beside`
    environment.end_with_parent()
    if sys.platform == "win32":  # what reaches a group of processes there, in place of Ctrl-C
        signal.signal(signal.SIGBREAK, signal.default_int_handler)
    # `exp run --pull` (3.67) warns of each output that is not there yet, before it makes them.
    missing = logging.getLogger("dvc_data.index.checkout")
    missing.addFilter(lambda record: not record.getMessage().startswith("No file hash"))
    sys.exit(cli.main(sys.argv[1:]))
