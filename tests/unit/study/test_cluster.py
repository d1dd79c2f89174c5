from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from ray.exceptions import WorkerCrashedError

from mobileyolo.core.errors import ConfigError, UserError
from mobileyolo.experiments import Experiment
from mobileyolo.study import cluster
from mobileyolo.study.cluster import Cluster, RayEngine, RayWork
from mobileyolo.study.engines import DvcEngine
from mobileyolo.study.jobs import PAUSES, Job, NodeError, Outcome, Report
from mobileyolo.study.parameters import Resources
from mobileyolo.study.watching import Progress
from mobileyolo.verdict.records import Comparison
from tests.synthetic_family import make_member
from tests.synthetic_study import VALUES, make_course

MOMENT = 0.001  # seconds
COMMIT = "0123456789abcdef0123456789abcdef01234567"
OPTIONS = {"num_cpus": 1, "num_gpus": 0, "memory": 1}
RESOURCES = Resources(cpus=1, gpus=0, memory=1, checkpoint=0)


@dataclass
class FakeRay:
    """Runs nothing: a task ends when a test says how.

    Attributes:
        begun: names of tasks in their order.
        elsewhere: of each of them, which labels its node must not have.
        there: names of the nodes.
        cpus: of each node.
        ends: by name, what a task gives back or raises.
    """

    begun: list[str] = field(default_factory=list)
    elsewhere: list[object] = field(default_factory=list)
    there: list[str] = field(default_factory=lambda: ["a"])
    cpus: float = 8.0
    ends: dict[str, Outcome | Exception] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    kept: list[object] = field(default_factory=list)

    def shutdown(self) -> None:
        """It has nothing."""

    def remote(self, _function: object) -> FakeRay:
        return self

    def options(self, **options: object) -> FakeTask:
        self.elsewhere.append(options.get("label_selector"))
        return FakeTask(self, str(options["name"]))

    def nodes(self) -> list[dict[str, object]]:
        return [{"NodeID": name, "Alive": True, "Resources": {"CPU": self.cpus, "memory": 4e9}} for name in self.there]

    def put(self, value: object) -> object:
        self.kept.append(value)
        return value

    def wait(self, references: list[str], num_returns: int = 1, **_options: object) -> tuple[list[str], list[str]]:
        ended = [each for each in references if each in self.ends][:num_returns]
        return ended, [each for each in references if each not in ended]

    def get(self, reference: str) -> Outcome:
        end = self.ends[reference]
        if isinstance(end, Exception):
            raise end
        return end

    def cancel(self, reference: str) -> None:
        self.cancelled.append(reference)


@dataclass
class FakeTask:
    ray: FakeRay
    name: str

    def remote(self, *_arguments: object) -> str:
        self.ray.begun.append(self.name)
        return self.name


class FakeQueue(list[Report]):
    """The reports that jobs have sent."""

    def qsize(self) -> int:
        return len(self)

    def get_nowait_batch(self, count: int) -> list[Report]:
        taken, self[:count] = self[:count], []
        return taken


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    fake = FakeRay()
    monkeypatch.setattr(cluster, "ray", fake)
    return fake


@pytest.fixture
def jobs(fake: FakeRay) -> Cluster:
    return make_cluster()


def make_cluster(at_most: int = 100) -> Cluster:
    site: Any = "what jobs have in common"
    queue: Any = FakeQueue()
    return Cluster(site, queue, OPTIONS, at_most)


def add(jobs: Cluster, folder: Path, name: str, *needs: str) -> None:
    jobs.add(Job(name, ()), needs, folder / f"logs/{name}.log")


def test_a_job_begins_when_those_that_it_needs_have_ended(jobs: Cluster, fake: FakeRay, tmp_path: Path) -> None:
    add(jobs, tmp_path, "first")
    add(jobs, tmp_path, "second", "first")
    jobs.advance(0)
    assert fake.begun == ["first"]
    fake.ends["first"] = Outcome(succeeded=True)
    jobs.advance(0)
    jobs.advance(0)
    assert fake.begun == ["first", "second"]


def test_a_job_that_two_trials_hand_in_runs_once(jobs: Cluster, fake: FakeRay, tmp_path: Path) -> None:
    add(jobs, tmp_path, "shared")
    jobs.advance(0)
    add(jobs, tmp_path, "shared")
    fake.ends["shared"] = Outcome(succeeded=True)
    jobs.advance(0)
    add(jobs, tmp_path, "shared")
    jobs.advance(0)
    assert fake.begun == ["shared"]


def test_no_more_jobs_run_at_the_same_time_than_wanted(fake: FakeRay, tmp_path: Path) -> None:
    jobs = make_cluster(at_most=2)
    for name in ("first", "second", "third"):
        add(jobs, tmp_path, name)
    jobs.advance(0)
    jobs.advance(0)
    assert fake.begun == ["first", "second"]
    fake.ends["second"] = Outcome(succeeded=True)
    jobs.advance(0)
    jobs.advance(0)
    assert fake.begun == ["first", "second", "third"]


def test_the_first_jobs_that_can_begin_take_the_places_that_there_are(
    jobs: Cluster, fake: FakeRay, tmp_path: Path
) -> None:
    fake.there, fake.cpus = ["a", "b"], 1.0
    for number in range(2):
        add(jobs, tmp_path, f"shared-{number}")
        add(jobs, tmp_path, f"trial-{number}", f"shared-{number}")
    add(jobs, tmp_path, "shared-2")
    jobs.advance(0)
    jobs.advance(0)
    assert fake.begun == ["shared-0", "shared-1"]
    fake.ends["shared-1"] = Outcome(succeeded=True)
    jobs.advance(0)
    jobs.advance(0)
    assert fake.begun[2:] == ["trial-1"]
    fake.there.append("c")
    jobs.advance(0)
    assert fake.begun[3:] == ["shared-2"]


def test_where_no_node_is_big_enough_one_job_waits_on_the_cluster(jobs: Cluster, fake: FakeRay, tmp_path: Path) -> None:
    fake.cpus = 0.0
    for name in ("first", "second"):
        add(jobs, tmp_path, name)
    jobs.advance(0)
    assert fake.begun == ["first"]


def test_what_needs_a_job_that_failed_fails_and_its_log_names_the_other_one(
    jobs: Cluster, fake: FakeRay, tmp_path: Path
) -> None:
    add(jobs, tmp_path, "shared")
    add(jobs, tmp_path, "trial", "shared")
    fake.ends["shared"] = Outcome(succeeded=False)
    jobs.advance(0)
    jobs.advance(0)
    assert fake.begun == ["shared"]
    assert jobs.outcomes["trial"] == Outcome(succeeded=False)
    log = (tmp_path / "logs/trial.log").read_text()
    assert log == f"error: shared has failed, see {(tmp_path / 'logs/shared.log').as_posix()}\n"


def test_a_job_that_ray_gives_up_has_failed_and_its_log_says_why(jobs: Cluster, fake: FakeRay, tmp_path: Path) -> None:
    add(jobs, tmp_path, "trial")
    fake.ends["trial"] = WorkerCrashedError()
    jobs.advance(0)
    assert jobs.outcomes["trial"] == Outcome(succeeded=False)
    assert "error: The worker died" in (tmp_path / "logs/trial.log").read_text()


def test_a_job_that_a_node_cannot_begin_is_begun_on_another_one(jobs: Cluster, fake: FakeRay, tmp_path: Path) -> None:
    fake.there = ["a", "b", "c"]
    add(jobs, tmp_path, "trial")
    for node in ("a", "c"):
        fake.ends["trial"] = Outcome(succeeded=False, unfit=node)
        jobs.advance(0)
    fake.ends["trial"] = Outcome(succeeded=True)
    jobs.advance(0)
    assert fake.elsewhere == [None, {"ray.io/node-id": "!in(a)"}, {"ray.io/node-id": "!in(a,c)"}]
    assert jobs.outcomes["trial"].succeeded


def test_a_job_that_no_node_can_begin_is_tried_everywhere_again_after_longer_and_longer_pauses(
    jobs: Cluster, fake: FakeRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    add(jobs, tmp_path, "trial")
    fake.ends["trial"] = Outcome(succeeded=False, unfit="a")
    for pause in PAUSES:
        begun = len(fake.begun)
        jobs.advance(0)
        assert len(fake.begun) == begun + 1
        now += pause - 1
        jobs.advance(0)
        assert len(fake.begun) == begun + 1
        now += 1
    assert "trial" not in jobs.outcomes
    jobs.advance(0)
    assert jobs.outcomes["trial"].succeeded is False
    assert set(fake.elsewhere) == {None}


def test_a_job_that_was_asked_to_end_is_not_begun_elsewhere(jobs: Cluster, fake: FakeRay, tmp_path: Path) -> None:
    fake.there = ["a", "b"]
    add(jobs, tmp_path, "trial")
    jobs.advance(0)
    jobs.cancel("trial")
    fake.ends["trial"] = Outcome(succeeded=False, unfit="a")
    jobs.advance(0)
    jobs.advance(0)
    assert fake.begun == ["trial"]


def test_results_that_cannot_be_fetched_now_are_fetched_later(
    jobs: Cluster, fake: FakeRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, away = 1000.0, True
    fetched: list[str] = []

    class Known:
        name = "trial"

        def fetch(self) -> None:
            if away:
                raise UserError("the remote can't be reached")
            fetched.append(self.name)

    monkeypatch.setattr("time.monotonic", lambda: now)
    monkeypatch.setattr(cluster, "take_experiment", lambda _content: None)
    monkeypatch.setattr(cluster, "experiments_of", lambda commit: [Known()] if commit == COMMIT else [])
    add(jobs, tmp_path, "trial")
    work = RayWork(jobs, "trial", (), COMMIT)
    fake.ends["trial"] = Outcome(succeeded=True)
    assert work.ended(MOMENT) is None
    assert "error: the remote can't be reached" in (tmp_path / "logs/trial.log").read_text()
    away = False
    assert work.ended(0) is None  # not at once
    now += PAUSES[0]
    assert (work.ended(0), fetched) == (True, ["trial"])


def test_results_that_can_never_be_fetched_fail_their_trial(
    jobs: Cluster, fake: FakeRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_content: bytes) -> None:
        raise UserError("gone")

    monkeypatch.setattr(cluster, "PAUSES", (0, 0))
    monkeypatch.setattr(cluster, "take_experiment", lost)
    add(jobs, tmp_path, "trial")
    work = RayWork(jobs, "trial", (), COMMIT)
    fake.ends["trial"] = Outcome(succeeded=True)
    assert [work.ended(MOMENT), work.ended(0), work.ended(0)] == [None, None, False]


def test_reports_tell_how_far_a_job_is_and_fill_its_log(jobs: Cluster, fake: FakeRay, tmp_path: Path) -> None:
    add(jobs, tmp_path, "shared")
    add(jobs, tmp_path, "trial", "shared")
    work = RayWork(jobs, "trial", ("shared",), COMMIT)
    assert work.progress() is None
    jobs.advance(0)
    jobs.reports.extend([Report("shared", Progress("gpu-7", None), "one\n"), Report("shared", Progress("b", None), "")])  # type: ignore[attr-defined]
    assert work.ended(MOMENT) is None
    assert work.progress() == Progress("b", None)
    assert (tmp_path / "logs/shared.log").read_text() == "one\n"
    fake.ends["shared"] = Outcome(succeeded=True)
    assert work.ended(MOMENT) is None
    assert work.progress() is None  # it has not begun itself


def test_who_stops_a_trial_stops_what_it_waits_for(jobs: Cluster, fake: FakeRay, tmp_path: Path) -> None:
    add(jobs, tmp_path, "shared")
    add(jobs, tmp_path, "trial", "shared")
    jobs.advance(0)
    RayWork(jobs, "trial", ("shared",), COMMIT).stop()
    assert fake.cancelled == ["shared"]
    fake.ends["shared"] = Outcome(succeeded=True)
    jobs.advance(0)
    jobs.advance(0)
    assert fake.begun == ["shared"]


def test_a_job_is_asked_to_end_once_or_it_could_not_finish_what_it_does_then(
    jobs: Cluster, fake: FakeRay, tmp_path: Path
) -> None:
    add(jobs, tmp_path, "trial")
    jobs.advance(0)
    RayWork(jobs, "trial", (), COMMIT).stop()
    jobs.close()
    assert fake.cancelled == ["trial"]


def test_all_jobs_that_have_ended_are_taken_in_at_one_look(jobs: Cluster, fake: FakeRay, tmp_path: Path) -> None:
    for name in ("first", "second", "third"):
        add(jobs, tmp_path, name)
    jobs.advance(0)
    fake.ends.update({"first": Outcome(succeeded=False), "third": Outcome(succeeded=False)})
    assert RayWork(jobs, "second", (), COMMIT).ended(MOMENT) is None
    assert RayWork(jobs, "first", (), COMMIT).ended(0) is False
    assert RayWork(jobs, "third", (), COMMIT).ended(0) is False


def test_weights_that_jobs_take_along_are_kept_once(jobs: Cluster, fake: FakeRay, tmp_path: Path) -> None:
    weights = tmp_path / "mine.pt"
    weights.write_bytes(b"weights")
    for name in ("first", "second"):
        jobs.add(Job(name, (), (weights.as_posix(),)), (), tmp_path / f"logs/{name}.log")
    jobs.advance(0)
    assert fake.begun == ["first", "second"]
    assert fake.kept == [[b"weights"]]


@pytest.fixture
def engine(jobs: Cluster, monkeypatch: pytest.MonkeyPatch) -> RayEngine:
    """On a commit that differs from the present parameters in nothing but the grid."""
    engine = RayEngine(VALUES, RESOURCES)
    vars(engine).update({"_cluster": jobs, "_committed": VALUES, "_commit": COMMIT})
    return engine


def handed_in(jobs: Cluster) -> dict[str, tuple[Job, tuple[str, ...]]]:
    """Jobs and what they need, by the beginning of their names."""
    return {name[: name.rindex("-")]: (job, tuple(needs)) for name, (job, needs) in jobs.waiting.items()}


def test_what_trials_share_is_a_job_for_each_seed_and_each_trial_waits_for_them(
    engine: RayEngine, jobs: Cluster, tmp_path: Path
) -> None:
    trials = make_course(backbones=["mnv1_n", "mnv1_s"], seeds=[0, 1]).trials
    for trial in trials:
        engine.begin(trial, tmp_path / f"{trial.name}.log")
    found = handed_in(jobs)
    shared = ["study-baseline-yolo11n-128-s0", "study-baseline-yolo11n-128-s1"]
    assert list(found) == [*shared, "study-mnv1_n-128", "study-mnv1_s-128"]
    assert [found[name][0].target for name in shared] == ["evaluate@baseline-0", "evaluate@baseline-1"]
    needed = tuple(found[name][0].name for name in shared)
    assert [found[trial.name.rpartition("-")[0]] for trial in trials] == [
        (Job(trials[0].name, ("seeds=[0,1]",)), needed),
        (Job(trials[1].name, ("backbone=mnv1_s", "seeds=[0,1]")), needed),
    ]


def test_a_teacher_is_trained_before_what_it_teaches(engine: RayEngine, jobs: Cluster, tmp_path: Path) -> None:
    (trial,) = make_course(backbones=["mnv1_n"], teachers=["yolo11s"]).trials
    engine.begin(trial, tmp_path / "trial.log")
    found = handed_in(jobs)
    teacher, _ = found["study-teacher-yolo11s-128-s0"]
    assert teacher.target == "evaluate-teacher@0"
    assert found["study-baseline-yolo11n-128-s0"][1] == (teacher.name,)


def test_a_baseline_that_nobody_teaches_waits_for_no_teacher_and_trains_none(
    engine: RayEngine, jobs: Cluster, tmp_path: Path
) -> None:
    (trial,) = make_course(backbones=["mnv1_n"], teachers=["yolo11s"]).trials
    trial = replace(trial, values={**trial.values, "train": {**trial.values["train"], "taught": "candidate"}})
    engine.begin(trial, tmp_path / "trial.log")
    found = handed_in(jobs)
    baseline, needs = found["study-baseline-yolo11n-128-s0"]
    assert needs == ()
    assert not any(each.startswith("train.teacher") for each in baseline.overrides)  # the commit has none
    trained, needs = found["study-mnv1_n-128"]
    assert "train.teacher=yolo11s" in trained.overrides
    assert needs == (found["study-teacher-yolo11s-128-s0"][0].name, baseline.name)


def test_a_study_keeps_to_the_commit_that_it_began_with(
    engine: RayEngine, jobs: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def experiments_of(commit: str) -> list[Experiment]:
        asked.append(commit)
        return []

    monkeypatch.setattr(cluster, "experiments_of", experiments_of)
    (trial,) = make_course(backbones=["mnv1_n"]).trials
    assert engine.begin(trial, tmp_path / "trial.log").commit == COMMIT
    assert engine.results({trial.name}) == {}
    assert asked == [COMMIT]


def test_trials_that_share_a_training_name_it_alike_whichever_begins_first(
    engine: RayEngine, jobs: Cluster, fake: FakeRay, tmp_path: Path
) -> None:
    trials = make_course(backbones=["mnv1_n", "mnv1_s"]).trials
    works = [engine.begin(trial, tmp_path / f"{trial.name}.log") for trial in reversed(trials)]
    other = RayEngine(VALUES, RESOURCES)
    vars(other).update({"_cluster": make_cluster(), "_committed": VALUES, "_commit": COMMIT})
    assert other.begin(trials[0], tmp_path / "a.log").needs == works[0].needs == works[1].needs


def test_a_dataset_in_the_repository_is_found_by_each_node_in_its_own_clone(
    engine: RayEngine,
) -> None:
    (trial,) = make_course(backbones=["mnv1_n"]).trials
    for folder, told in (("data/安全帽", "data.dir='data/安全帽'"), ("/srv/helmets", "data.dir=/srv/helmets")):
        elsewhere = replace(trial, values={**trial.values, "data": {**trial.values["data"], "dir": folder}})
        job = engine._job("study-a", elsewhere)
        assert [each for each in job.overrides if each.startswith("data.")] == [told]


def test_results_that_a_killed_study_has_not_fetched_are_fetched(
    engine: RayEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []

    class Known:
        def __init__(self, name: str) -> None:
            self.name = name

        def fetch(self) -> None:
            fetched.append(self.name)

    comparison = make_member("mnv1_n").comparison

    def results(_engine: object, names: set[str]) -> dict[str, Comparison]:
        if not fetched:
            raise UserError("it is not in the cache")
        return dict.fromkeys(names, comparison)

    monkeypatch.setattr(DvcEngine, "results", results)
    monkeypatch.setattr(cluster, "experiments_of", lambda _commit: [Known("study-a"), Known("other")])
    assert engine.results({"study-a"}) == {"study-a": comparison}
    assert fetched == ["study-a"]


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """All is as a cluster needs it."""
    monkeypatch.setattr(cluster, "check_committed", lambda: None)
    monkeypatch.setattr(cluster, "keeps", lambda _path: False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example:5000")


@pytest.mark.usefixtures("offered")
def test_a_store_that_other_machines_cannot_fill_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    (trial,) = make_course(backbones=["mnv1_n"]).trials
    with pytest.raises(UserError, match=r"MLFLOW_TRACKING_URI: 'sqlite:///mlflow.db': nodes of a cluster can't log"):
        RayEngine(VALUES, RESOURCES).begin(trial, tmp_path / "trial.log")


@pytest.mark.usefixtures("offered")
def test_a_dataset_that_other_machines_do_not_have_is_refused(tmp_path: Path) -> None:
    values = {**VALUES, "data": {**VALUES["data"], "dir": "data/helmets"}}
    (trial,) = make_course(backbones=["mnv1_n"]).trials
    with pytest.raises(UserError, match=r"params.yaml: data.dir: 'data/helmets': other machines don't have it"):
        RayEngine(values, RESOURCES).begin(trial, tmp_path / "trial.log")


def test_an_engine_that_has_run_nothing_is_on_no_cluster() -> None:
    RayEngine(VALUES, RESOURCES).close()


def test_a_batch_that_the_gpus_of_a_trial_cant_share_is_refused_before_anything_begins(
    jobs: Cluster, fake: FakeRay, tmp_path: Path
) -> None:
    trial = make_course().trials[0]
    resources = RESOURCES.model_copy(update={"gpus": 3.0})
    with pytest.raises(ConfigError, match=r"train\.batch: \d+: 3 GPUs train one model"):
        RayEngine(VALUES, resources).begin(trial, tmp_path / "trial.log")
    assert fake.begun == []


def test_a_node_reports_without_a_wait_for_which_ray_would_give_its_cpus_away(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Report] = []

    class Reports:
        async def put_async(self, report: Report) -> None:
            told.append(report)

    report = Report("study-a", Progress("node", None), "said")

    def run_job(_job: Job, _contents: object, _site: object, send: Callable[[Report], None]) -> Outcome:
        send(report)
        return Outcome(succeeded=True)

    monkeypatch.setattr(cluster, "run_job", run_job)
    outcome = cluster.run_on_node(Job("study-a", ()), [], None, Reports())  # type: ignore[arg-type]
    assert (outcome.succeeded, told) == (True, [report])


def test_a_node_that_cannot_begin_a_job_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    class Context:
        def get_node_id(self) -> str:
            return "a"

    def run_job(*_arguments: object) -> Outcome:
        raise NodeError("its disk is full")

    monkeypatch.setattr(cluster, "run_job", run_job)
    monkeypatch.setattr("ray.get_runtime_context", Context)
    outcome = cluster.run_on_node(Job("study-a", ()), [], None, None)  # type: ignore[arg-type]
    assert outcome == Outcome(succeeded=False, unfit="a")
