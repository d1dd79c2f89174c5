from __future__ import annotations

from typing import Any

import pytest

from mobileyolo.core.records import Teacher, WeightsSource
from mobileyolo.family.family import Family
from mobileyolo.family.members import Member
from mobileyolo.reporting.shared.languages import ENGLISH, chinese
from mobileyolo.reporting.study import tables, words
from tests.synthetic_family import make_member


def untrained() -> Member:
    summary = make_member().comparison.candidate.model_copy(update={"maturity": "untrained"})
    return make_member(delta=0.0, half_width=0.005, candidate=summary)


def guarded(delta: float, **guards: Any) -> Member:
    return make_member(delta=delta, guards=make_member().comparison.guards.model_copy(update=guards))


@pytest.mark.parametrize(
    ("members", "headline"),
    [
        ([make_member(delta=0.05)], "Take mnv1_n: it is more accurate than yolo11n, at 0.80 times the latency."),
        (
            [make_member(delta=0.0, half_width=0.005)],
            "Take mnv1_n: it is as accurate as yolo11n within 0.01, at 0.80 times the latency.",
        ),
        (
            [make_member(delta=0.02, busy=True)],
            "Take mnv1_n: it is no less accurate than yolo11n within 0.01, at 0.67 times the GFLOPs.",
        ),
        (
            [make_member(delta=0.05, level=0.6), make_member(imgsz=256)],
            "Take mnv1_n (320 px): it is more accurate than yolo11n, at 0.80 times the latency.",
        ),
        (
            [make_member(delta=-0.1)],
            "No model can be recommended: no candidate is shown to be as accurate as yolo11n within 0.01.",
        ),
        (
            [make_member(delta=0.5, seeds=1)],
            "No model can be recommended: one seed can’t show the luck of training.",
        ),
        (
            [guarded(0.5, scenes=4, few_scenes="no verdict")],
            "No model can be recommended: 4 independent test scenes are too few.",
        ),
        ([untrained()], "No model can be recommended: the models have learnt hardly anything."),
        (
            [make_member("mnv1_m", delta=0.0, half_width=0.005)],
            "No model can be recommended: mnv1_m, no less accurate than yolo11n within 0.01, is not shown to be "
            "cheaper.",
        ),
    ],
)
def test_the_headline_is_one_sentence_that_recommends_or_says_why_not(members: list[Member], headline: str) -> None:
    assert words.headline(Family.of(members), ENGLISH) == headline


def test_several_that_are_not_cheaper_are_named_together() -> None:
    members = [make_member("mnv1_m", 0.0, half_width=0.005, teacher=teacher) for teacher in ("none", "yolo11m")]
    assert "mnv1_m (taught by nobody) and mnv1_m (taught by yolo11m), no less accurate" in words.headline(
        Family.of(members), ENGLISH
    )


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([make_member(delta=0.05)], "The difference in mAP50-95 is +0.050, its interval +0.030 to +0.070."),
        (
            [make_member(delta=0.1), make_member("mnv1_s", 0.1)],
            "It has the least latency of 2 candidates that are shown to be as accurate.",
        ),
        ([make_member(delta=0.0)], "Not decided: mnv1_n; the report of the trial says what would settle it."),
        ([make_member(seeds=1)], "Run the study with three seeds or more: seeds in the section study of params.yaml."),
        (
            [make_member(), make_member(imgsz=256, level=0.4)],
            "Judged were the candidates on equal terms with yolo11n (320 px), the most accurate baseline",
        ),
        ([guarded(-0.1, scenes=20, few_scenes="caveat")], "20 scenes are few"),
        ([make_member(split="val")], "The checkpoints were chosen on these same images"),
    ],
)
def test_what_qualifies_the_recommendation_is_said(members: list[Member], said: str) -> None:
    assert said in words.reason(Family.of(members), ENGLISH)


def test_a_clear_answer_needs_no_further_words() -> None:
    assert words.reason(Family.of([make_member(delta=-0.1)]), ENGLISH) == ""


def test_an_unequal_start_or_teacher_is_said_of_all_that_have_one() -> None:
    summary, other = (make_member(name).comparison.candidate for name in ("mnv1_n", "mnv1_s"))
    source = WeightsSource(name="imagenet.h5", digest="0" * 64)
    start = summary.start.model_copy(update={"sources": {"backbone": source}, "tensors": 100, "values": 200_000})
    started = summary.model_copy(update={"start": start})
    taught = other.model_copy(update={"teachers": (Teacher(name="yolo11m", digest="1" * 64),)})
    members = [make_member(candidate=started), make_member("mnv1_s", candidate=taught), make_member("mnv1_m")]
    said = words.reason(Family.of(members), ENGLISH)
    assert "Not only the backbone differs: mnv1_n and mnv1_s did not start, or was not taught, as its baseline" in said


def test_a_model_that_was_still_rising_makes_its_verdict_grey() -> None:
    summary = make_member().comparison.candidate.model_copy(update={"maturity": "rising"})
    family = Family.of([make_member(candidate=summary)])
    assert "Still rising when training ended: mnv1_n; this is the state after 40 epochs." in words.reason(
        family, ENGLISH
    )
    table = tables.model_table(family, ENGLISH)
    assert (table.rows[1][-1], table.marks[1]) == ("worse after 40 epochs", "grey")


def test_a_verdict_of_one_seed_is_provisional_and_of_few_scenes_there_is_none() -> None:
    provisional = tables.model_table(Family.of([make_member(seeds=1)]), ENGLISH)
    assert (provisional.rows[1][-1], provisional.marks[1]) == ("worse, provisional", "grey")
    few = tables.model_table(Family.of([guarded(-0.1, few_scenes="no verdict")]), ENGLISH)
    assert (few.rows[1][-1], few.marks[1]) == ("no verdict", "grey")


def test_the_sentence_on_the_intervals_says_for_how_many_they_hold() -> None:
    several = [make_member("mnv1_n"), make_member("mnv1_s")]
    assert words.intervals(Family.of(several[:1]), ENGLISH) == "The interval has a confidence of 95%."
    assert words.intervals(Family.of(several), ENGLISH) == (
        "Each interval has a confidence of 97.5%, so that 95% holds for all 2 of them together."
    )
    assert words.intervals(Family.of([guarded(-0.1, candidates=10)]), ENGLISH) == (
        "Each interval has a confidence of 99.5%, so that 95% holds together for all 10 candidates that have been "
        "measured on these images."
    )


def test_why_there_are_no_pairs_is_said() -> None:
    several = [make_member("mnv1_n", statistics=1), make_member("mnv1_s")]
    assert words.pairs(Family.of(several), ENGLISH).endswith(f"are not at hand: {several[1].trial}.")
    several[1] = make_member("mnv1_s", statistics=2)
    assert "because the study was stopped" in words.pairs(Family.of(several, pairwise=False), ENGLISH)
    assert words.pairs(Family.of(several[:1]), ENGLISH) == ""
    assert words.pairs(Family.of(several), ENGLISH).endswith("The interval has a confidence of 95%.")
    several.append(make_member("mnv1_m", statistics=3))
    assert "so that 95% holds for all 3 of them together." in words.pairs(Family.of(several), ENGLISH)


def test_models_that_rare_classes_leave_undecided_are_named() -> None:
    member = guarded(-0.1, rare_classes=("platelet",), without_rare="inconclusive")
    said = words.rare_classes(Family.of([member]), ENGLISH)
    assert said.endswith("(platelet) the verdict would be another one: mnv1_n.")
    assert words.rare_classes(Family.of([make_member()]), ENGLISH) == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data_digest": "0123456789"}, "of other data (01234567, not "),
        ({"split": "val"}, "measured on the split val, not on test"),
        ({"images": 71}, "measured on 71 images, not on 70"),
        ({"latency_machine": "<CPU>"}, "timed on another machine (machine <CPU>, not some CPU)"),
    ],
)
def test_why_a_trial_is_left_out_is_said_in_words(changes: dict[str, Any], reason: str) -> None:
    family = Family.of([make_member("mnv1_n"), make_member("mnv1_s"), make_member("mnv1_m", **changes)])
    assert words.excluded(family.excluded[0], ENGLISH).startswith(reason)
    assert words.excluded(family.excluded[0], chinese()) != words.excluded(family.excluded[0], ENGLISH)


def test_another_version_of_a_library_is_named() -> None:
    engines = ({"torch": "2.14"}, {"torch": "2.14"}, {"torch": "2.15"})
    members = [make_member(name, statistics=1, engine=engine) for name, engine in
               zip(("mnv1_n", "mnv1_s", "mnv1_m"), engines, strict=True)]  # fmt: skip
    assert words.excluded(Family.of(members).excluded[0], ENGLISH) == "trained with torch 2.15, not with 2.14"


def test_a_start_and_a_teacher_are_columns_where_one_has_them() -> None:
    plain = tables.model_table(Family.of([make_member()]), ENGLISH).header
    both = tables.model_table(Family.of([make_member(start="imagenet", teacher="yolo11m")]), ENGLISH)
    assert [name for name in both.header if name not in plain] == ["starts from", "taught by"]
    assert [row[3:5] for row in both.rows] == [("imagenet", "nobody"), ("imagenet", "yolo11m")]


def test_a_busy_machine_is_said_beside_the_latency() -> None:
    family = Family.of([make_member(busy=True)])
    assert tables.model_table(family, ENGLISH).rows[1].count("19.60 machine busy") == 1
    assert tables.ratio_table(family, ENGLISH).rows[0][1] == "0.80 (0.79 to 0.82) machine busy"
