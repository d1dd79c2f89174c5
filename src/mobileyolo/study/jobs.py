"""What a node of a cluster does: a DVC experiment in a workspace of its own, from and to DVC's remote.

A node runs it in the package of the commit, which Ray has unpacked in the working directory.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

from mobileyolo.core.trainings import TRAININGS_DIR
from mobileyolo.experiments import Remote
from mobileyolo.study.checkpointing import Copies
from mobileyolo.study.engines import DvcWork
from mobileyolo.study.shipping import COMMIT, data_files, pack_experiment, unpack
from mobileyolo.study.watching import Progress, training_since

POLL = 1.0  # seconds between two looks at what is being trained
COPY_FAILED = "a checkpoint could not be copied"
CACHES = "cache-{}"  # of DVC, for the jobs of this commit on this node


@dataclass(frozen=True)
class Site:
    """What all jobs of a study have in common.

    Attributes:
        prefix: the workspace's folder in its git repository.
        commit: that all of them run.
        remote: of DVC.
        variables: of the environment.
        every: seconds at least between two copies of a training's checkpoints.
    """

    prefix: str
    commit: str
    remote: Remote
    variables: Mapping[str, str] = field(repr=False)
    every: float


@dataclass(frozen=True)
class Job:
    """An experiment, or a part of one.

    Attributes:
        name: of the experiment.
        overrides: parameters that differ from the commit's, as `dvc exp run --set-param` takes them.
        files: paths in the workspace, with forward slashes, of files that neither git nor DVC has.
        target: the stage where it ends; "" for the whole pipeline.
    """

    name: str
    overrides: tuple[str, ...]
    files: tuple[str, ...] = ()
    target: str = ""


@dataclass(frozen=True)
class Report:
    """How far a job is.

    Attributes:
        job: its name.
        progress: where it runs, and what it trains.
        said: what it has said since the last report.
    """

    job: str
    progress: Progress
    said: str


@dataclass(frozen=True)
class Outcome:
    """How a job has ended.

    Attributes:
        succeeded: it has, and the remote has its results.
        experiment: as git bundles it; empty without success.
    """

    succeeded: bool
    experiment: bytes = b""


def run_job(job: Job, contents: Sequence[bytes], site: Site, send: Callable[[Report], None]) -> Outcome:
    """Run a job; what an earlier run of it, or another job, has trained comes from the remote.

    Args:
        job: the job.
        contents: of its files.
        site: what it has in common with others.
        send: takes a report every second.
    """
    here = Path.cwd()
    # Said once more by each node that begins it again, after another one was lost or its memory was full.
    send(Report(job.name, Progress(platform.node(), None), f"begins on {platform.node()}\n"))
    with (
        own_cache(here) as cache,
        tempfile.TemporaryDirectory(dir=here, prefix=f"{job.name}-", ignore_cleanup_errors=True) as folder,
    ):
        repository = Path(folder, "repository")
        unpack(here / COMMIT, repository)
        workspace = repository / site.prefix
        site.remote.set_up(workspace, cache)
        for path, content in zip(job.files, contents, strict=True):
            (workspace / path).parent.mkdir(parents=True, exist_ok=True)
            (workspace / path).write_bytes(content)
        # The same job of another commit is another training, which may run at the same time.
        kept = site.remote.folder(workspace, f"{job.name}-{site.commit[:8]}")
        copies = Copies(kept, workspace / TRAININGS_DIR, site.every)
        copies.fetch()
        shell = _Shell(job, workspace, Path(folder, "log"), _variables(site, workspace), copies, send)
        data = data_files(workspace)
        succeeded = not data or shell.run("pull", *data)
        settings = [word for each in job.overrides for word in ("--set-param", each)]
        succeeded = succeeded and shell.run(
            "exp", "run", "--pull", "--name", job.name, *settings, *filter(None, [job.target])
        )
        # What was trained before something failed is not to be trained again.
        succeeded = shell.run("push", "--run-cache") and succeeded
        if not succeeded:
            return Outcome(succeeded=False)
        outcome = Outcome(succeeded=True, experiment=pack_experiment(workspace, job.name))
        _try(copies.forget, "checkpoints could not be deleted")
        return outcome


@contextmanager
def own_cache(here: Path) -> Iterator[Path]:
    """A cache of DVC that no other job of this node uses meanwhile, with what jobs before have left in it.

    Two processes of DVC (3.67) that put equal files into one cache at the same time can fail: "No such file".

    Args:
        here: where the node's caches are.
    """
    with ExitStack() as held:
        for number in count():
            cache = here / CACHES.format(number)
            with suppress(Timeout):
                held.enter_context(FileLock(f"{cache}.lock", blocking=False))
                break
        yield cache


@dataclass
class _Shell:
    """Runs commands of DVC one after the other, and reports on them meanwhile."""

    job: Job
    workspace: Path
    log: Path
    variables: Mapping[str, str]
    copies: Copies
    send: Callable[[Report], None]
    said: int = 0  # bytes of the log that were reported

    def run(self, *words: str) -> bool:
        """Run a command to its end; did it succeed?"""
        began = time.time()
        with self.log.open("ab") as file:
            command = [sys.executable, "-m", "mobileyolo.experiments", *words]
            work = DvcWork.start(command, file.fileno(), self.workspace, self.variables)
        with _stopped(work, self.copies):
            while (succeeded := work.ended(POLL)) is None:
                self._report(began)
                _try(self.copies.keep, COPY_FAILED)
        self._report(began)
        return succeeded

    def _report(self, began: float) -> None:
        with self.log.open("rb") as file:
            file.seek(self.said)
            said = file.read()
        self.said += len(said)
        seen = training_since(began, self.workspace / TRAININGS_DIR)
        self.send(Report(self.job.name, Progress(platform.node(), seen), said.decode("utf-8", errors="replace")))


@contextmanager
def _stopped(work: DvcWork, copies: Copies) -> Iterator[None]:
    """Stop what runs if the block raises, as when the study was stopped, and keep what it has trained until then."""
    try:
        yield
    except BaseException:
        work.stop()
        copies.every = 0
        _try(copies.keep, COPY_FAILED)
        raise


def _try(action: Callable[[], None], failed: str) -> None:
    try:
        action()
    except Exception as error:  # noqa: BLE001 -- any library of a storage raises its own; a training must not end by it
        sys.stderr.write(f"{failed}: {error}\n")


def _variables(site: Site, workspace: Path) -> dict[str, str]:
    """The environment of DVC on this node."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    variables.pop("OMP_NUM_THREADS", None)  # Ray's; a stage sets its own
    # `python` in dvc.yaml is the one that runs this, with the code of the commit.
    variables["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), variables["PATH"]])
    paths = [str(workspace / "src"), variables.get("PYTHONPATH", "")]
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return {**variables, **site.variables}
