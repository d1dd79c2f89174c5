"""What a node of a cluster does: a DVC experiment in a workspace of its own, from and to DVC's remote.

A node runs it in the package of the commit, which Ray has unpacked in the working directory.
"""

from __future__ import annotations

import os
import platform
import shutil
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
PAUSES = (10, 60, 300)  # seconds between tries to reach the remote, which may be away for a while
COPY_FAILED = "a checkpoint could not be copied"
SLOTS, CACHE = "slot-{}", "cache"  # of this commit on this node


class NodeError(Exception):
    """A node can't begin a job: its disk is full, say, or the remote can't be reached from there."""


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
        unfit: Ray's name of the node, if that could not even begin it.
    """

    succeeded: bool
    experiment: bytes = b""
    unfit: str = ""


def run_job(job: Job, contents: Sequence[bytes], site: Site, send: Callable[[Report], None]) -> Outcome:
    """Run a job; what an earlier run of it, or another job, has trained comes from the remote.

    Args:
        job: the job.
        contents: of its files.
        site: what it has in common with others.
        send: takes a report every second.

    Raises:
        NodeError: this node can't begin it; the report says why.
    """
    # Said once more by each node that begins it again, after another one was lost or its memory was full.
    send(Report(job.name, Progress(platform.node(), None), f"begins on {platform.node()}\n"))
    with ExitStack() as opened:
        try:
            shell = _prepared(job, contents, site, send, opened)
        except Exception as error:
            send(Report(job.name, Progress(platform.node(), None), f"{platform.node()} can't begin it: {error}\n"))
            raise NodeError(str(error)) from error
        settings = [word for each in job.overrides for word in ("--set-param", each)]
        succeeded = shell.run("exp", "run", "--pull", "--name", job.name, *settings, *filter(None, [job.target]))
        # What was trained before something failed is not to be trained again.
        succeeded = shell.push() and succeeded
        if not succeeded:
            return Outcome(succeeded=False)
        outcome = Outcome(succeeded=True, experiment=pack_experiment(shell.workspace, job.name))
        shell.attempt(shell.copies.forget, "checkpoints could not be deleted")
        shell.report()
        return outcome


def _prepared(
    job: Job, contents: Sequence[bytes], site: Site, send: Callable[[Report], None], opened: ExitStack
) -> _Shell:
    """A workspace of the job's own, with the data and with what another node has trained of it."""
    here = Path.cwd()
    slot = opened.enter_context(own_slot(here))
    folder = tempfile.TemporaryDirectory(dir=slot, prefix=f"{job.name}-", ignore_cleanup_errors=True)
    repository = Path(opened.enter_context(folder), "repository")
    unpack(here / COMMIT, repository)
    workspace = repository / site.prefix
    site.remote.set_up(workspace, slot / CACHE)
    for path, content in zip(job.files, contents, strict=True):
        (workspace / path).parent.mkdir(parents=True, exist_ok=True)
        (workspace / path).write_bytes(content)
    # The same job of another commit is another training, which may run at the same time.
    kept = site.remote.folder(workspace, f"{job.name}-{site.commit[:8]}")
    copies = Copies(kept, workspace / TRAININGS_DIR, site.every)
    copies.fetch()
    shell = _Shell(job, workspace, repository.with_name("log"), _variables(site, workspace), copies, send)
    data = data_files(workspace)
    if data and not shell.run("pull", *data):
        raise NodeError("the data can't be pulled")
    return shell


@contextmanager
def own_slot(here: Path) -> Iterator[Path]:
    """A folder that no other job of this node uses meanwhile, with the cache of DVC that jobs before have filled.

    Two processes of DVC (3.67) that put equal files into one cache at the same time can fail: "No such file".

    Args:
        here: where the node's slots are.
    """
    with ExitStack() as held:
        for number in count():
            slot = here / SLOTS.format(number)
            with suppress(Timeout):
                held.enter_context(FileLock(f"{slot}.lock", blocking=False))
                break
        slot.mkdir(mode=0o700, exist_ok=True)
        for left in slot.iterdir():  # the workspace, with keys of the remote, of a job whose process was killed
            if left.name != CACHE:
                shutil.rmtree(left, ignore_errors=True)
        yield slot


@dataclass
class _Shell:
    """Runs commands of DVC one after the other, and reports on them meanwhile."""

    job: Job
    workspace: Path
    log: Path
    variables: Mapping[str, str]
    copies: Copies
    send: Callable[[Report], None]
    began: float = 0  # the last command, in seconds since the epoch
    said: int = 0  # bytes of the log that were reported
    noted: str = ""  # the last failure that was told

    def run(self, *words: str) -> bool:
        """Run a command to its end; did it succeed?"""
        self.began = time.time()
        with self.log.open("ab") as file:
            command = [sys.executable, "-m", "mobileyolo.experiments", *words]
            work = DvcWork.start(command, file.fileno(), self.workspace, self.variables)
        with self._stopping(work):
            while (succeeded := work.ended(POLL)) is None:
                self.report()
                self.attempt(self.copies.keep, COPY_FAILED)
        self.report()
        return succeeded

    def push(self) -> bool:
        """Send what was made to the remote; after a failure, again and again for a while."""
        for pause in PAUSES:
            if self.run("push", "--run-cache"):
                return True
            self._note(f"the results could not be pushed; tried again in {pause} seconds")
            self.report()
            time.sleep(pause)
        return self.run("push", "--run-cache")

    def attempt(self, action: Callable[[], None], failed: str) -> None:
        """Do something without which a training can go on; a failure is told in the log, once."""
        try:
            action()
        except Exception as error:  # noqa: BLE001 -- any library of a storage raises its own
            note = f"{failed}: {error}"
            if note != self.noted:
                self.noted = note
                self._note(note)

    def report(self) -> None:
        """Send what the log has become since the last report, and how far the training is."""
        with self.log.open("rb") as file:
            file.seek(self.said)
            said = file.read()
        self.said += len(said)
        seen = training_since(self.began, self.workspace / TRAININGS_DIR)
        self.send(Report(self.job.name, Progress(platform.node(), seen), said.decode("utf-8", errors="replace")))

    def _note(self, text: str) -> None:
        with suppress(OSError), self.log.open("a", encoding="utf-8") as file:  # the disk may be full
            file.write(f"{text}\n")

    @contextmanager
    def _stopping(self, work: DvcWork) -> Iterator[None]:
        """Stop what runs if the block raises, as when the study was stopped, and keep what it has trained."""
        try:
            yield
        except BaseException:
            work.stop()
            self.copies.due.clear()
            self.attempt(self.copies.keep, COPY_FAILED)
            raise


def _variables(site: Site, workspace: Path) -> dict[str, str]:
    """The environment of DVC on this node."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    variables.pop("OMP_NUM_THREADS", None)  # Ray's; a stage sets its own
    # `python` in dvc.yaml is the one that runs this, with the code of the commit.
    variables["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), variables["PATH"]])
    paths = [str(workspace / "src"), variables.get("PYTHONPATH", "")]
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return {**variables, **site.variables}
