"""Trials on a cluster: what they need, in which order, and what comes back (the only importer of Ray).

Ray finds a node for each job, sends the commit there, and begins a job again elsewhere when its node is lost.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import tempfile
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.placement_group import NODE_ID_LABEL_KEY
from ray.util.queue import Queue
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mobileyolo.core import environment
from mobileyolo.core.backbones import TEACHER
from mobileyolo.core.config import PARAMS_FILE
from mobileyolo.core.console import say
from mobileyolo.core.errors import UserError
from mobileyolo.core.files import BASELINE, DIGITS_DIR, NONE, digest_of
from mobileyolo.core.quoting import literal
from mobileyolo.experiments import Experiment, Remote, experiments_of, overrides, own_weights, present_commit
from mobileyolo.study.engines import PATIENCE, DvcEngine
from mobileyolo.study.jobs import PAUSES, Job, NodeError, Outcome, Report, Site, run_job
from mobileyolo.study.parameters import Resources
from mobileyolo.study.shipping import check_committed, keeps, pack, prefix, take_experiment
from mobileyolo.study.trials import Training, Trial
from mobileyolo.study.watching import Progress
from mobileyolo.tracking.store import is_server, store_address
from mobileyolo.training.parameters import check_batch
from mobileyolo.verdict.records import Comparison

RETRIES = 10  # of a job whose node or process is lost; an error of its own is not tried again
# Where the models end that trials have in common: two nodes that measure one model would log it twice.
STAGES = {TEACHER: "evaluate-teacher@{seed}", BASELINE: "evaluate@baseline-{seed}"}


@dataclass(frozen=True)
class RayEngine(DvcEngine):
    """Each trial is an experiment on whichever node is free; what trials have in common is trained before them.

    Attributes:
        resources: of each trial.
        address: of the cluster; None for the one that this machine belongs to, else for this machine alone.
        at_most: how many jobs run at the same time; None for as many as there are resources for.
    """

    resources: Resources
    address: str | None = None
    at_most: int | None = None

    @property
    def at_once(self) -> int:
        """All of them: those that have no place yet wait on the cluster."""
        return sys.maxsize

    def begin(self, trial: Trial, log: Path) -> RayWork:
        """Hand in its job, and those of the trainings that it has in common with others.

        Raises:
            ConfigError: the GPUs of a trial can't share its batch.
        """
        check_batch(trial.values["train"]["batch"], len(self._variables["MOBILEYOLO_DEVICE"].split(",")))
        cluster = self._cluster
        needs, teachers = list[str](), list[str]()
        for training in trial.trainings():  # the teacher's comes first
            if training.arm in STAGES:
                job = self._job(_name(training, trial), trial, training)
                cluster.add(job, [] if training.teacher == NONE else teachers, log.with_name(f"{job.name}.log"))
                needs.append(job.name)
                if training.arm == TEACHER:
                    teachers.append(job.name)
        job = self._job(trial.name, trial)
        cluster.add(job, needs, log)
        return RayWork(cluster, job.name, tuple(needs), self._commit)

    def results(self, names: Collection[str]) -> dict[str, Comparison]:
        """See `DvcEngine`; from the remote where a study was killed before it had fetched them."""
        try:
            return super().results(names)
        except UserError:
            for experiment in self._experiments():
                if experiment.name in names:
                    experiment.fetch()
            return super().results(names)

    def close(self) -> None:
        """Stop what still runs, and leave the cluster."""
        if "_cluster" in vars(self):
            self._cluster.close()

    def _experiments(self) -> list[Experiment]:
        """Those of the commit that the nodes run, also when the workspace has another one by now."""
        return experiments_of(self._commit)

    @cached_property
    def _commit(self) -> str:
        """The present one at the study's begin."""
        return present_commit()

    @cached_property
    def _cluster(self) -> Cluster:
        """The cluster, once something is to run on it."""
        check_committed()
        if not is_server(store_address()):
            raise UserError(
                f"MLFLOW_TRACKING_URI: {store_address()!r}: nodes of a cluster can't log there; start a server that "
                "all of them reach, such as `mlflow server --host 0.0.0.0 --allowed-hosts first:5000`, and set it to "
                "its address"
            )
        folder = Path(self.present["data"]["dir"])
        if not (folder.is_absolute() or folder == DIGITS_DIR or keeps(folder)):
            raise UserError(
                f"{PARAMS_FILE}: data.dir: {folder.as_posix()!r}: other machines don't have it; `dvc add` and `dvc "
                "push` it and commit its .dvc file, or give the full path of a folder that all of them have"
            )
        every = self.resources.checkpoint * 60
        site = Site(prefix(), self._commit, Remote.default(), self._variables, every)
        return Cluster.connect(site, self.resources, self.address, self.at_most)

    @cached_property
    def _variables(self) -> dict[str, str]:
        return environment.variables_for_node(self.resources.cpus, self.resources.gpus)

    def _job(self, name: str, trial: Trial, training: Training | None = None) -> Job:
        """That of a trial, or of one of the trainings that it has in common with others."""
        committed, data, train = self._committed, dict(trial.values["data"]), dict(trial.values["train"])
        folder = data.pop("dir")
        if training and training.arm == BASELINE and training.teacher == NONE:
            train["teacher"] = NONE  # else it would train the trial's teacher as well
        settings = [*overrides({**trial.values, "data": data, "train": train}, committed)]
        if folder != committed["data"].get("dir"):
            # Not by `overrides`, which would make it a full path of this machine: a node has it in its own clone.
            settings.append(f"data.dir={literal(folder)}")
        files = [
            path.as_posix()  # a path of Windows can't be unpacked on Linux
            for each in own_weights(trial.values)
            for path in ([each] if each.is_file() else sorted(each.rglob("*")))
            if path.is_file()
        ]
        target = STAGES[training.arm].format(seed=training.seed) if training else ""
        return Job(name, tuple(settings), tuple(files), target)

    @cached_property
    def _committed(self) -> dict[str, dict[str, object]]:
        """What params.yaml holds in the commit."""
        return dict(Experiment("", self._commit, self._commit).params)


@dataclass
class Tries:
    """Something that fails while the remote is away, and is done again after longer and longer pauses."""

    failed: int = 0
    due: float = 0  # seconds on a clock that does not go back

    def again(self) -> bool:
        """It has failed; False if that was the last time."""
        if self.failed == len(PAUSES):
            return False
        self.due = time.monotonic() + PAUSES[self.failed]
        self.failed += 1
        return True

    @property
    def pause(self) -> bool:
        """Is it too early for the next time?"""
        return time.monotonic() < self.due


@dataclass
class RayWork:
    """A trial on a cluster.

    Attributes:
        cluster: where it runs.
        job: name of its job, and of its experiment.
        needs: names of the jobs that end before.
        commit: that the nodes run.
        fetching: its results.
    """

    cluster: Cluster
    job: str
    needs: tuple[str, ...]
    commit: str
    fetching: Tries = field(default_factory=Tries)

    def ended(self, seconds: float) -> bool | None:
        """See `Work`; with success, the experiment and its results are here."""
        if seconds:  # who only looks does so after another one has waited, for all of them
            self.cluster.advance(seconds)
        outcome = self.cluster.outcomes.get(self.job)
        if outcome is None or not outcome.succeeded:
            return None if outcome is None else False
        if self.fetching.pause:
            return None
        try:
            take_experiment(outcome.experiment)
            for experiment in experiments_of(self.commit):
                if experiment.name == self.job:
                    experiment.fetch()
        except UserError as error:
            self.cluster.say(self.job, f"error: {error}\n")
            return None if self.fetching.again() else False  # another process of DVC may be at work here
        return True

    def progress(self) -> Progress | None:
        """Its own or, before it begins, that of a training which it waits for."""
        known = self.cluster.progress
        return next((known[name] for name in (self.job, *self.needs) if name in known), None)

    def stop(self) -> None:
        """See `Work`."""
        self.cluster.cancel(self.job)


@dataclass
class Cluster:
    """Jobs on a Ray cluster, each one begun when those that it needs have ended.

    Attributes:
        site: what they have in common.
        reports: what they send while they run.
        options: of Ray, for each of them.
        at_most: how many run at the same time.
        outcomes: of jobs that have ended, by name.
        progress: of jobs that run, by name.
        waiting: those that have not begun, with the names of those that they need.
        running: those that have.
        unfit: nodes that could not begin a job, by its name.
        rounds: over all nodes, by the name of a job that none could begin.
        logs: files that take what they say, by name.
        cancelled: those that run and were asked to end.
        contents: of files that jobs take along, by their paths.
    """

    site: ray.ObjectRef[Site]
    reports: Queue
    options: dict[str, Any]
    at_most: int
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    progress: dict[str, Progress] = field(default_factory=dict)
    waiting: dict[str, tuple[Job, Collection[str]]] = field(default_factory=dict)
    running: dict[ray.ObjectRef[Outcome], Job] = field(default_factory=dict)
    unfit: dict[str, set[str]] = field(default_factory=dict)
    rounds: dict[str, Tries] = field(default_factory=dict)
    logs: dict[str, Path] = field(default_factory=dict)
    cancelled: set[ray.ObjectRef[Outcome]] = field(default_factory=set)
    contents: dict[tuple[str, ...], ray.ObjectRef[list[bytes]]] = field(default_factory=dict)

    @classmethod
    def connect(cls, site: Site, resources: Resources, address: str | None, at_most: int | None) -> Cluster:
        """Join a cluster, or start one of this machine alone; for the arguments see `RayEngine`.

        Raises:
            UserError: there is no cluster at this address, or it has another version of Python or Ray.
        """
        stopping = signal.getsignal(signal.SIGTERM)
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder, "commit.zip")
            pack(archive)
            try:
                context = ray.init(
                    address,
                    runtime_env={"working_dir": str(archive)},
                    log_to_driver=False,
                    logging_level=logging.WARNING,
                )
            except (RayError, ConnectionError, RuntimeError, ValueError) as error:
                joining = f"ray start --address {address} --num-cpus 0"
                hint = f"; only a node of a cluster can run studies there, as `{joining}` makes one" if address else ""
                raise UserError(f"Ray: {address or 'this machine'}: {error}{hint}") from None
        signal.signal(signal.SIGTERM, stopping)  # Ray (2.60) has set its own
        if context.dashboard_url:
            say(f"Ray's dashboard: http://{context.dashboard_url}")
        options: dict[str, Any] = {
            "num_cpus": resources.cpus,
            "num_gpus": resources.gpus,
            "memory": int(resources.memory * 1e9),
            "max_retries": RETRIES,
            "retry_exceptions": False,
            "scheduling_strategy": "SPREAD",
        }
        if not _places(options):
            say(f"No node has what study.resources asks for ({resources}): the trials wait until one joins.")
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        return cls(
            ray.put(site),
            # It must not be lost together with a node that only trains.
            Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here}),
            options,
            at_most or sys.maxsize,
        )

    def add(self, job: Job, needs: Collection[str], log: Path) -> None:
        """Hand in a job, unless one of this name was handed in before.

        Args:
            job: the job.
            needs: names of the jobs that have to end before; it fails if one of them does.
            log: takes all that the job says.
        """
        if job.name not in self.logs:
            self.logs[job.name] = log
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_bytes(b"")
            self.waiting[job.name] = (job, needs)

    def advance(self, seconds: float) -> None:
        """Begin what can begin, wait up to these seconds for an end, and take in all ends and reports."""
        self._begin()
        ended: list[ray.ObjectRef[Outcome]] = []
        if self.running:
            ended, others = ray.wait(list(self.running), timeout=seconds)
            if ended and others:
                ended += ray.wait(others, num_returns=len(others), timeout=0)[0]
        else:
            time.sleep(seconds)
        self._take_reports()
        for reference in ended:
            self._end(reference)

    def cancel(self, name: str) -> None:
        """Ask a job, and all that it waits for, to end."""
        _, needs = self.waiting.pop(name, (None, ()))
        for reference, job in self.running.items():
            if job.name in {name, *needs}:
                self._cancel(reference)

    def close(self) -> None:
        """Stop all jobs, wait until they have closed what they had opened, and leave the cluster."""
        for reference in self.running:
            self._cancel(reference)
        if self.running:  # each first ends its commands, for which these have as long, and then copies its checkpoints
            ray.wait(list(self.running), num_returns=len(self.running), timeout=2 * PATIENCE)
        ray.shutdown()

    def _cancel(self, reference: ray.ObjectRef[Outcome]) -> None:
        """Once: a second time would interrupt what the job does to end, such as to copy its checkpoints."""
        if reference not in self.cancelled:
            self.cancelled.add(reference)
            ray.cancel(reference)

    def say(self, name: str, text: str) -> None:
        """Add to a job's log."""
        with self.logs[name].open("a", encoding="utf-8") as log:
            log.write(text)

    def _begin(self) -> None:
        # No more than there are places: which of the tasks that wait is next Ray (2.60) does not decide by their order.
        at_most = min(self.at_most, max(sum(_places(self.options).values()), 1)) if self.waiting else 0
        for name, (job, needs) in [*self.waiting.items()]:
            failed = [each for each in needs if each in self.outcomes and not self.outcomes[each].succeeded]
            waits = name in self.rounds and self.rounds[name].pause
            if failed:
                self.say(name, f"error: {failed[0]} has failed, see {self.logs[failed[0]].as_posix()}\n")
                self.outcomes[name] = Outcome(succeeded=False)
            elif len(self.running) < at_most and all(each in self.outcomes for each in needs) and not waits:
                options = {**self.options, "name": name}
                if unfit := self.unfit.get(name):
                    options["label_selector"] = {NODE_ID_LABEL_KEY: f"!in({','.join(sorted(unfit))})"}
                task = ray.remote(run_on_node).options(**options)
                self.running[task.remote(job, self._content(job.files), self.site, self.reports)] = job
            else:
                continue
            del self.waiting[name]

    def _content(self, files: tuple[str, ...]) -> ray.ObjectRef[list[bytes]]:
        """That of files, which the cluster keeps once for all jobs."""
        if files not in self.contents:
            self.contents[files] = ray.put([Path(file).read_bytes() for file in files])
        return self.contents[files]

    def _end(self, reference: ray.ObjectRef[Outcome]) -> None:
        job = self.running.pop(reference)
        self.progress.pop(job.name, None)
        try:
            outcome = ray.get(reference)
        except RayError as error:
            reason = error.cause if isinstance(error, RayTaskError) else error
            self.say(job.name, f"{error}\nerror: {str(reason).strip() or type(reason).__name__}\n")
            outcome = Outcome(succeeded=False)
        if outcome.unfit and reference not in self.cancelled and self._begins_again(job, outcome.unfit):
            self.waiting[job.name] = (job, ())
        else:
            self.outcomes[job.name] = outcome

    def _begins_again(self, job: Job, node: str) -> bool:
        """Is a job that a node could not begin to be tried elsewhere or, if it was everywhere, everywhere again?"""
        unfit = self.unfit.setdefault(job.name, set())
        unfit.add(node)
        if _places(self.options).keys() - unfit:
            return True
        unfit.clear()
        return self.rounds.setdefault(job.name, Tries()).again()

    def _take_reports(self) -> None:
        running = {job.name for job in self.running.values()}
        for report in self.reports.get_nowait_batch(self.reports.qsize()):
            self.say(report.job, report.said)
            if report.job in running:
                self.progress[report.job] = report.progress


def run_on_node(job: Job, contents: list[bytes], site: Site, reports: Queue) -> Outcome:
    """What Ray calls on the node that it has chosen."""

    def send(report: Report) -> None:
        # Not `put`, which waits by ray.get: Ray (2.60) would give the CPUs of a task that waits so to another one.
        asyncio.run(reports.put_async(report))

    try:
        return run_job(job, contents, site, send)
    except NodeError:
        return Outcome(succeeded=False, unfit=ray.get_runtime_context().get_node_id())


def _name(training: Training, trial: Trial) -> str:
    """Of the job of a training; the same whichever of the trials that have it in common comes first."""
    terms = [asdict(training), {**trial.values["train"], "teacher": ""}, trial.values["data"]]
    backbone = training.backbone.replace("@", "-")
    return f"study-{training.arm}-{backbone}-{training.imgsz}-s{training.seed}-{digest_of(terms)[:8]}"


def _places(options: dict[str, Any]) -> dict[str, int]:
    """How many jobs the nodes that are big enough can run at the same time, by Ray's names of the nodes."""
    wanted = {"CPU": options["num_cpus"], "GPU": options["num_gpus"], "memory": options["memory"]}
    places = {
        node["NodeID"]: min(int(node["Resources"].get(name, 0) / amount) for name, amount in wanted.items() if amount)
        for node in ray.nodes()  # type: ignore[no-untyped-call]
        if node["Alive"]
    }
    return {node: number for node, number in places.items() if number}
