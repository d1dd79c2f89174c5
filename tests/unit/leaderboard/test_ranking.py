from __future__ import annotations

import math

import pytest

from mobileyolo.core.errors import UserError
from mobileyolo.leaderboard.ranking import Bounded, Group, Leaderboard, Logged, Spread, rank
from mobileyolo.leaderboard.runs import TrackedRun
from tests.tracked import compared, make_run


def only_group(*runs: TrackedRun) -> Group:
    (group,) = rank(runs).groups
    return group


def models(group: Group) -> list[str]:
    return [row.model for row in group.rows]


def test_an_empty_store_has_no_table() -> None:
    assert rank([]) == Leaderboard((), {})


def test_seeds_are_one_row_with_mean_and_standard_deviation() -> None:
    """0.2, 0.4, 0.6: mean 0.4, squares 0.04 + 0 + 0.04 = 0.08, divided by 2 and rooted 0.2."""
    (row,) = only_group(*(make_run(seed=seed, map50_95=value) for seed, value in ((2, 0.2), (0, 0.4), (1, 0.6)))).rows
    assert row.seeds == (0, 1, 2)
    assert row.metrics["map50_95"].mean == pytest.approx(0.4)
    assert row.metrics["map50_95"].deviation == pytest.approx(0.2)
    assert row.metrics["map50"] == Spread(0.75, 0.0)


def test_a_single_seed_has_no_standard_deviation() -> None:
    (row,) = only_group(make_run(map50_95=0.5)).rows
    assert row.metrics["map50_95"] == Spread(0.5, None)


def test_a_metric_that_one_of_the_seeds_lacks_is_left_empty() -> None:
    one = make_run(seed=0, metrics={"val_map50_95": 0.5})
    assert "val_map50_95" in only_group(one).rows[0].metrics
    assert "val_map50_95" not in only_group(one, make_run(seed=1)).rows[0].metrics


def test_the_best_comes_first_and_the_baseline_stands_among_the_candidates() -> None:
    runs = [
        make_run("mnv1_n", map50_95=0.25),
        make_run("yolo11n", map50_95=0.5, arm="baseline"),
        make_run("mnv1_m", map50_95=0.75),
    ]
    assert models(only_group(*runs)) == ["mnv1_m", "yolo11n", "mnv1_n"]


def test_without_a_logged_comparison_the_difference_is_that_of_the_means_and_has_no_interval() -> None:
    """Candidate (0.25 + 0.5) / 2 = 0.375, baseline (0.5 + 0.75) / 2 = 0.625."""
    runs = [make_run(seed=seed, map50_95=value) for seed, value in ((0, 0.25), (1, 0.5))]
    runs += [make_run("yolo11n", seed, value, arm="baseline") for seed, value in ((0, 0.5), (1, 0.75))]
    baseline, candidate = only_group(*runs).rows
    assert (candidate.delta, candidate.against, candidate.logged) == (-0.25, "yolo11n", None)
    assert (baseline.delta, baseline.against, baseline.logged) == (None, "", None)


@pytest.mark.parametrize("others", [[], ["yolo11n", "yolo11s"]])
def test_without_exactly_one_baseline_there_is_no_difference(others: list[str]) -> None:
    group = only_group(make_run(map50_95=0.25), *(make_run(other, arm="baseline") for other in others))
    assert [row.delta for row in group.rows] == [None] * (1 + len(others))


def test_a_logged_comparison_gives_both_ends_as_they_were_logged() -> None:
    tags, metrics = compared(-0.125, verdict="inconclusive", provisional=True)
    (row,) = only_group(make_run(tags=tags, metrics=metrics)).rows
    latency = Bounded(0.75, 0.5, 1.0)
    assert row.against == "yolo11n"
    assert row.logged == Logged("yolo11n", 1, Bounded(-0.125, -0.375, 0.125), latency, "inconclusive", True)


def test_of_two_comparisons_the_one_with_more_seeds_counts_then_the_latest() -> None:
    def run(seed: int, delta: float) -> TrackedRun:
        tags, metrics = compared(delta)
        return make_run(seed=seed, tags=tags, metrics=metrics)

    def delta(*runs: TrackedRun) -> tuple[float, int]:
        (row,) = only_group(*runs).rows
        assert row.logged
        return row.logged.delta.value, row.logged.seeds

    assert delta(run(0, -0.5), run(1, -0.5), run(2, 0.5)) == (-0.5, 2)
    assert delta(run(0, -0.5), run(1, 0.5)) == (0.5, 1)


def test_a_comparison_from_before_another_evaluation_counts_no_more() -> None:
    tags, metrics = compared(-0.5)
    (row,) = only_group(make_run(tags=tags | {"stage": "evaluated"}, metrics=metrics)).rows
    assert row.logged is None


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("recipe.digest", "q" * 64),
        ("data.digest", "e" * 64),
        ("evaluate.split", "val"),
        ("evaluate.iou", "0.6"),
        ("torch", "2.13"),
        ("threads", "8"),
    ],
)
def test_what_differs_in_recipe_data_engine_or_evaluation_is_in_no_common_table(tag: str, value: str) -> None:
    assert len(rank([make_run(), make_run("mnv1_s", tags={tag: value})]).groups) == 2
    assert len(rank([make_run(), make_run("mnv1_s")]).groups) == 1


def test_another_start_or_teacher_is_another_row_of_the_same_table() -> None:
    taught = {"train.teacher": "yolo11n s0", "train.dis": "6.0"}
    group = only_group(
        make_run(map50_95=0.5),
        make_run(map50_95=0.25, params={"init.backbone": "a.pt"}, tags={"start.backbone.digest": "1" * 64}),
        make_run(map50_95=0.125, params=taught, tags={"teacher.digest": "t" * 64}),
    )
    assert models(group) == ["mnv1_n", "mnv1_n, from a.pt", "mnv1_n, taught by yolo11n x 6.0"]


def test_files_of_the_same_name_are_told_apart_by_their_digests() -> None:
    params = {"init.backbone": "a.pt"}
    runs = [make_run(params=params, tags={"start.backbone.digest": letter * 64}) for letter in "12"]
    assert models(only_group(*runs)) == ["mnv1_n, from a.pt (11111111)", "mnv1_n, from a.pt (22222222)"]


def test_of_a_model_that_was_trained_twice_with_one_seed_the_first_counts() -> None:
    board = rank([make_run(map50_95=0.5), make_run(map50_95=0.25), make_run(seed=1, map50_95=0.75)])
    ((row,),) = (group.rows for group in board.groups)
    assert row.metrics["map50_95"].mean == 0.625
    assert board.left_out == {"repeated": 1}


def test_runs_in_no_table_are_counted_by_the_reason() -> None:
    untrained = make_run(map50_95=None)
    untrained.tags.pop("weights.digest")  # type: ignore[attr-defined]  # a dictionary, as MLflow's is
    board = rank(
        [
            make_run(arm="teacher"),
            TrackedRun("shapes", "RUNNING", untrained.params, untrained.tags, {}),
            TrackedRun("shapes", "KILLED", untrained.params, untrained.tags, {}),
            make_run(map50_95=None),
            make_run(map50_95=math.nan),
            TrackedRun("shapes", "FINISHED", {}, make_run().tags, {"map50_95": 0.5}),
        ]
    )
    assert board.groups == ()
    assert board.left_out == {"teacher": 1, "running": 1, "unfinished": 1, "unmeasured": 2, "incomplete": 1}


def test_candidates_are_counted_over_all_recipes_by_the_split_that_they_were_measured_on() -> None:
    on_val = {"evaluate.split": "val", "measured.test": "false"}
    runs = [
        make_run("mnv1_n"),
        make_run("mnv1_n", seed=1),  # the same candidate
        make_run("mnv1_s", tags={"recipe.digest": "q" * 64}),
        make_run("mnv1_m", tags=on_val),
        make_run("mnv1_n", tags=on_val | {"measured.test": "true"}),  # first on test, then on val
        make_run("yolo11n", arm="baseline"),
        make_run("mnv1_s", tags={"data.digest": "e" * 64}),
    ]
    told = {(group.data_digest[0], group.split): group.candidates for group in rank(runs).groups}
    assert told == {("d", "test"): 2, ("d", "val"): 2, ("e", "test"): 1}


def test_a_heading_tells_input_size_epochs_and_what_differs_between_the_tables() -> None:
    other = make_run(params={"train.lr0": "0.1", "train.batch": "8"}, tags={"recipe.digest": "q" * 64})
    first, second = rank([make_run(params={"train.batch": "8"}), other]).groups
    assert first.recipe == {"epochs": "2", "imgsz": "64", "lr0": "0.1"}
    assert second.recipe == {"epochs": "2", "imgsz": "64", "lr0": "0.01"}
    assert first.engine == {"torch": "2.14.1"}


def test_the_dataset_and_in_it_the_table_with_the_latest_run_come_first() -> None:
    def run(data: str, recipe: str) -> TrackedRun:
        return make_run(tags={"data.digest": data * 64, "recipe.digest": recipe * 64})

    board = rank([run("a", "1"), run("b", "1"), run("a", "2"), run("b", "2"), run("a", "1")])
    assert [(group.data_digest[0], group.recipe_digest[0]) for group in board.groups] == [
        ("a", "1"),
        ("a", "2"),
        ("b", "2"),
        ("b", "1"),
    ]


@pytest.mark.parametrize("wanted", ["circles", "eeee", "E" * 64])
def test_a_dataset_is_chosen_by_name_or_by_the_beginning_of_its_digest(wanted: str) -> None:
    runs = [make_run(), make_run(dataset="circles", tags={"data.digest": "e" * 64}), make_run(arm="teacher")]
    board = rank(runs, wanted)
    assert [group.dataset for group in board.groups] == ["circles"]
    assert board.left_out == {}


@pytest.mark.parametrize("wanted", ["squares", "ddd"])
def test_a_dataset_that_is_not_there_is_an_error_with_those_that_are(wanted: str) -> None:
    with pytest.raises(UserError, match=rf"--data '{wanted}': .*choose one of shapes \(dddddddd\), by name or digest"):
        rank([make_run()], wanted)
