from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from mobileyolo import tracking
from mobileyolo.commands import study
from mobileyolo.core.errors import ConfigError, UserError
from mobileyolo.family.members import Evidence
from mobileyolo.reporting.study import report
from mobileyolo.study import engines
from mobileyolo.study.trials import Trial
from mobileyolo.study.watching import Progress
from mobileyolo.verdict.records import Comparison
from tests.synthetic_family import make_member

ROOT = Path(__file__).parents[3]
PAGE = Path("reports/study/index.html")
WRITE = report.write_study
RECIPES = [{"lr0": 0.0007}, {}]


@dataclass
class FakeWork:
    """A trial that has ended at the first look, or raises then."""

    succeeded: bool
    error: type[BaseException] | None
    stopped: bool = False

    def ended(self, seconds: float) -> bool:
        if self.error:
            raise self.error
        return self.succeeded

    def progress(self) -> Progress:
        return Progress("", None)

    def stop(self) -> None:
        self.stopped = True


@dataclass
class FakeEngine:
    """Runs trials without training; those with a backbone in `broken` fail."""

    broken: set[str] = field(default_factory=set)
    error: type[BaseException] | None = None
    stored: dict[str, Comparison] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    works: list[FakeWork] = field(default_factory=list)
    asked_for_statistics: bool | None = None
    asked_across: list[tuple[str, str]] = field(default_factory=list)
    at_once: int = 1
    closed: bool = False

    def results(self, names: Collection[str]) -> dict[str, Comparison]:
        return {name: result for name, result in self.stored.items() if name in names}

    def evidence(self, results: Mapping[str, Comparison], statistics: bool) -> dict[str, Evidence]:
        self.asked_for_statistics = statistics
        return {}

    def across(self, baseline: Trial, candidate: Trial) -> Comparison:
        self.asked_across.append((baseline.recipe, candidate.recipe))
        return make_member(candidate.backbone, 0.05).comparison

    def begin(self, trial: Trial, log: Path) -> FakeWork:
        self.ran.append(trial.backbone)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"error: {trial.backbone} is broken\n")
        succeeded = not {trial.backbone, trial.recipe} & self.broken
        if succeeded and not self.error:
            self.stored[trial.name] = with_val(make_member(trial.backbone).comparison, trial.recipe)
        self.works.append(FakeWork(succeeded, self.error))
        return self.works[-1]

    def close(self) -> None:
        self.closed = True


def with_val(comparison: Comparison, recipe: str) -> Comparison:
    """The baseline is best with the first of RECIPES on val, the candidate with the second one."""
    place = [*(f"lr0 {each.get('lr0', 0.002)}" for each in RECIPES), recipe].index(recipe)
    values = {"baseline": (0.6, 0.5, 0.5)[place], "candidate": (0.3, 0.4, 0.3)[place]}
    return comparison.model_copy(
        update={
            arm: getattr(comparison, arm).model_copy(update={"val_map50_95": value}) for arm, value in values.items()
        }
    )


@dataclass
class FakeStudyRun:
    """The study's run, as the command calls it."""

    name: str = ""
    failure: str = ""
    logged: list[dict[str, set[str]]] = field(default_factory=list)
    told: str = ""  # description and table, as last logged

    def log(self, trials: dict[str, set[str]], description: str, table: str) -> None:
        self.logged.append(trials)
        self.told = f"{description}\n{table}"


@pytest.fixture(autouse=True)
def tracked(monkeypatch: pytest.MonkeyPatch) -> FakeStudyRun:
    """What MLflow was told."""
    tracked = FakeStudyRun()

    @contextmanager
    def study_run(name: str) -> Iterator[FakeStudyRun]:
        tracked.name = name
        yield tracked

    monkeypatch.setattr(tracking, "study_run", study_run)
    return tracked


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An engine that remembers what it ran, in a folder with the shipped parameters."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    engine = FakeEngine()
    known: dict[str, Callable[[Any], FakeEngine]] = {"dvc": lambda _values: engine}
    monkeypatch.setattr(engines, "ENGINES", known)
    monkeypatch.setattr(report, "write_study", lambda _family: None)  # it takes seconds
    return engine


@pytest.fixture
def drawing(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is written."""
    monkeypatch.setattr(report, "write_study", WRITE)


def write_grid(**grid: object) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    params["study"] |= grid
    Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def run(dry_run: bool = False) -> None:
    study.run(dry_run=dry_run, engine="dvc")


def test_every_trial_is_run_and_what_they_found_is_printed(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    assert engine.ran == ["mnv1_n", "mnv1_s", "mnv1_m"]
    said = capsys.readouterr().out
    assert "3 of 3 trials done" in said
    assert [line.split()[0] for line in said.splitlines() if " M" in line] == ["yolo11n", *engine.ran]


def test_what_is_done_is_not_run_again(engine: FakeEngine) -> None:
    write_grid(backbones=["mnv1_n"])
    run()
    write_grid(backbones=["mnv1_m", "mnv1_n"])
    run()
    run()
    assert engine.ran == ["mnv1_n", "mnv1_m"]


def test_a_trial_that_fails_is_told_with_its_log_and_tried_again_by_the_next_command(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.broken = {"mnv1_s"}
    with pytest.raises(UserError, match="1 of 3 trials failed; the same command tries them again") as raised:
        run()
    assert engine.ran == ["mnv1_n", "mnv1_s", "mnv1_m"]
    log = str(raised.value).rpartition("(log: ")[2].removesuffix(")")
    assert Path(log).read_text() == "error: mnv1_s is broken\n"
    assert ": mnv1_s is broken (log: " in str(raised.value)
    assert "mnv1_m" in capsys.readouterr().out  # of those that are done the findings are printed
    engine.broken = set()
    run()
    assert engine.ran[3:] == ["mnv1_s"]


def test_a_trial_without_a_result_has_failed(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "results", lambda _names: {})
    with pytest.raises(UserError, match="3 of 3 trials failed"):
        run()


def test_a_result_that_cant_be_read_stops_no_other_trial(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    read = engine.results

    def results(names: Collection[str]) -> dict[str, Comparison]:
        if any(name.startswith("study-mnv1_s") for name in names) and len(names) == 1:
            raise UserError("it is not in the cache")
        return read(names)

    monkeypatch.setattr(engine, "results", results)
    with pytest.raises(UserError, match="1 of 3 trials failed") as raised:
        run()
    assert engine.ran == ["mnv1_n", "mnv1_s", "mnv1_m"]
    log = str(raised.value).rpartition("(log: ")[2].removesuffix(")")
    assert Path(log).read_text().endswith("error: it is not in the cache\n")


def test_mlflow_is_told_after_each_trial_whose_runs_belong_to_the_study(
    engine: FakeEngine, tracked: FakeStudyRun
) -> None:
    engine.broken = {"mnv1_s"}
    with pytest.raises(UserError):
        run()
    first = next(iter(engine.stored.values()))
    digests = {*first.baseline.weights_digests, *first.candidate.weights_digests}
    assert [sorted(map(len, trials.values())) for trials in tracked.logged] == [[2], [0, 2], [0, 2, 2]]
    assert digests in tracked.logged[0].values()
    assert all(name.startswith("study-mnv1_") for name in tracked.logged[-1])
    assert tracked.failure == "1 of 3 trials failed"
    assert "| yolo11n | 128 |" in tracked.told
    assert "\nnumber,model," in tracked.told
    name, tracked.failure = tracked.name, ""
    assert re.fullmatch(r"study-[0-9a-f]{0,8}-[0-9a-f]{8}", name)
    engine.broken = set()
    run()
    assert tracked.name == name
    assert tracked.failure == ""
    assert len(tracked.logged[3]) == 2  # those that were done before
    write_grid(backbones=["mnv1_n"])
    run()
    assert tracked.name != name


def test_each_arm_is_judged_at_its_best_of_the_recipes(
    engine: FakeEngine, tracked: FakeStudyRun, capsys: pytest.CaptureFixture[str]
) -> None:
    write_grid(backbones=["mnv1_n"], recipes=RECIPES)
    run()
    assert engine.ran == ["mnv1_n"] * 2
    assert engine.asked_across == [("lr0 0.0007", "lr0 0.002")]  # once, although MLflow is told as well
    said = capsys.readouterr().out
    assert "chosen on val: lr0 0.0007 for yolo11n, lr0 0.002 for mnv1_n." in said
    assert [line.split()[:4] for line in said.splitlines() if " +0.050 " in line] == [["mnv1_n", "128", "lr0", "0.002"]]
    assert "chosen on val: lr0 0.0007 for yolo11n" in tracked.told
    assert "-0.100" not in said  # the verdict of a single trial


def test_a_candidate_with_a_recipe_that_failed_is_not_judged_and_the_others_are(
    engine: FakeEngine, tracked: FakeStudyRun, capsys: pytest.CaptureFixture[str]
) -> None:
    write_grid(backbones=["mnv1_n", "mnv1_s"], recipes=RECIPES)
    engine.broken = {"mnv1_s"}
    with pytest.raises(UserError, match="2 of 4 trials failed"):
        run()
    said = capsys.readouterr().out
    assert "Not judged yet: mnv1_s (128 px): its recipe is chosen once all of them are trained" in said
    assert "chosen on val: lr0 0.0007 for yolo11n, lr0 0.002 for mnv1_n." in said
    assert "Not judged yet: mnv1_s" in tracked.told


@pytest.mark.usefixtures("drawing")
def test_before_any_recipe_can_be_chosen_there_is_no_page_and_it_is_said_why(
    engine: FakeEngine, tracked: FakeStudyRun, capsys: pytest.CaptureFixture[str]
) -> None:
    write_grid(backbones=["mnv1_n"], recipes=RECIPES)
    engine.broken = {"lr0 0.002"}
    with pytest.raises(UserError, match="1 of 2 trials failed"):
        run()
    said = capsys.readouterr().out
    assert "Not judged yet: mnv1_n (128 px): " in said
    assert "verdict" not in said
    assert not PAGE.exists()
    assert "Not judged yet: mnv1_n" in tracked.told


def test_a_recipe_on_other_data_is_named_before_any_candidate_is_judged(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    write_grid(backbones=["mnv1_n"], recipes=RECIPES)
    run()
    name = next(reversed(engine.stored))
    engine.stored[name] = engine.stored[name].model_copy(update={"data_digest": "0ther"})
    capsys.readouterr()
    run()
    said = capsys.readouterr().out
    assert f"on equal terms; missing: {name}" in said
    assert f"Left out: {name} is of other data (0ther, not " in said


def test_recipes_make_another_study(engine: FakeEngine, tracked: FakeStudyRun) -> None:
    write_grid(backbones=["mnv1_n"])
    run()
    name = tracked.name
    write_grid(backbones=["mnv1_n"], recipes=RECIPES)
    run()
    assert tracked.name != name
    assert engine.ran == ["mnv1_n"] * 2  # the recipe that changes nothing was there already


def test_who_stops_the_study_stops_its_trial(engine: FakeEngine) -> None:
    engine.error = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        run()
    assert [work.stopped for work in engine.works] == [True]
    assert engine.closed


def test_an_engine_that_takes_several_trials_gets_them_at_once_and_all_are_stopped_together(engine: FakeEngine) -> None:
    engine.at_once = 2
    engine.error = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        run()
    assert [work.stopped for work in engine.works] == [True, True]
    engine.error = None
    run()
    assert engine.ran[2:] == ["mnv1_m", "mnv1_s", "mnv1_n"]  # the longest one first


def test_an_option_of_the_cluster_is_refused_where_there_is_none(engine: FakeEngine) -> None:
    with pytest.raises(UserError, match="--address and --max-concurrent are for --engine ray; --engine dvc runs on"):
        study.run(dry_run=False, engine="dvc", max_concurrent=2)
    assert engine.ran == []


def test_a_dry_run_lists_the_trials_and_runs_none(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    write_grid(backbones=["mnv1_n", "mnv1@0.75"], imgsz=[64, 96], seeds=[0, 1])
    run(dry_run=True)
    assert engine.ran == []
    said = capsys.readouterr().out
    assert sum(line.startswith("study-") for line in said.splitlines()) == 4
    assert "4 of 4 trials are to be run, with 12 trainings." in said
    assert "Time of the trainings: unknown" in said


def test_results_of_other_data_are_left_out_with_their_reason(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    name = next(name for name in engine.stored if "mnv1_s" in name)
    engine.stored[name] = engine.stored[name].model_copy(update={"data_digest": "0ther"})
    run()
    assert f"Left out: {name} is of other data (0ther, not " in capsys.readouterr().out


@pytest.mark.usefixtures("drawing")
def test_the_page_is_written_at_the_end_and_again_where_nothing_is_left_to_run(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    assert f"Page:   {PAGE.absolute()}" in capsys.readouterr().out
    files = sorted(path.name for path in PAGE.parent.iterdir())
    assert files == ["index.html", "index.zh-CN.html", "study.csv", "study.md"]
    page = PAGE.read_text(encoding="utf-8")
    assert all(name in page for name in engine.stored)
    PAGE.unlink()
    run()
    assert PAGE.read_text(encoding="utf-8") == page
    assert engine.asked_for_statistics


@pytest.mark.usefixtures("drawing")
def test_who_stops_the_study_gets_a_page_of_what_was_found(engine: FakeEngine) -> None:
    write_grid(backbones=["mnv1_n", "mnv1_s"])
    run()
    write_grid(backbones=["mnv1_n", "mnv1_s", "mnv1_m"])
    PAGE.unlink()
    engine.error = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        run()
    page = PAGE.read_text(encoding="utf-8")
    assert all(name in page for name in engine.stored)
    assert len(engine.stored) == 2
    assert "mnv1_m" not in page
    assert "because the study was stopped" in page
    assert not engine.asked_for_statistics  # nobody who has pressed Ctrl-C wants to wait for them


def test_without_a_result_there_is_no_page(engine: FakeEngine) -> None:
    engine.error = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        run()
    assert not PAGE.exists()


@pytest.mark.parametrize(
    ("grid", "told"),
    [
        (
            {"starts": ["init.backbone=nowhere"]},
            r"trial study-mnv1_n-128-\w+: params.yaml: init.backbone: 'nowhere': no",
        ),
        ({"backbones": ["yolo11n"]}, "study.backbones: 'yolo11n' is the baseline"),
    ],
)
def test_a_grid_that_cannot_run_is_refused_before_anything_runs(
    engine: FakeEngine, grid: dict[str, object], told: str
) -> None:
    write_grid(**grid)
    with pytest.raises(ConfigError, match=told):
        run()
    assert engine.ran == []
