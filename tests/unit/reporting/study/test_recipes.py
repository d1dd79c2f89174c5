"""A study in which each arm is at its best of several recipes: who had which, and by what it was chosen."""

from __future__ import annotations

import csv
import html
import io
import re

import pytest

from mobileyolo.family.curves import over_width
from mobileyolo.family.family import Family
from mobileyolo.family.members import Setup, Unjudged
from mobileyolo.reporting.shared.cells import console, markdown
from mobileyolo.reporting.shared.languages import ENGLISH, chinese
from mobileyolo.reporting.study import tables, words
from mobileyolo.reporting.study.page import markdown_page, render
from mobileyolo.study.display import description, findings_table
from tests.synthetic_family import RECIPES, make_member, with_recipes
from tests.synthetic_study import make_course
from tests.unit.reporting.comparison.test_page import Outline
from tests.unit.reporting.study.test_page import CHINESE

REFERENCE = (0.55, 0.61, 0.57)  # of the baseline, on val
CHOSEN = "lr0 0.002 for yolo11n, lr0 0.006 for mnv1_n, lr0 0.002 for mnv1_s"
WAITING = Unjudged("mnv1_m", Setup(320, "imagenet", "none"), ("study-mnv1_m-320-1", "study-mnv1_m-320-2"))


def family(*, split: str = "test") -> Family:
    members = [
        with_recipes(make_member("mnv1_n", 0.05, split=split), REFERENCE, (0.41, 0.52, 0.64)),
        with_recipes(make_member("mnv1_s", 0.02, split=split), REFERENCE, (0.43, 0.63, 0.62)),
    ]
    return Family.of(members, pairwise=False, unjudged=[WAITING])


@pytest.fixture(scope="module")
def english() -> str:
    return html.unescape(render(family(), ENGLISH))


def test_a_sentence_says_what_was_chosen_for_whom_and_why_unequal_recipes_are_equal_terms() -> None:
    said = words.chosen(family(), ENGLISH)
    assert said.startswith(f"Each arm is at its best of 3 recipes, chosen on val: {CHOSEN}. ")
    assert "unequal recipes are equal terms here" in said
    assert said.endswith("Only the chosen models are judged on test.")


def test_the_table_of_recipes_has_every_one_that_was_tried_with_its_value_on_val() -> None:
    table = tables.recipe_table(family(), ENGLISH)
    assert [row[:4] for row in table.rows[:6]] == [
        ("yolo11n", "lr0 0.0007", "0.550", ""),
        ("yolo11n", "lr0 0.002", "0.610", "yes"),
        ("yolo11n", "lr0 0.006", "0.570", ""),
        ("mnv1_n", "lr0 0.0007", "0.410", ""),
        ("mnv1_n", "lr0 0.002", "0.520", ""),
        ("mnv1_n", "lr0 0.006", "0.640", "yes"),
    ]
    assert len(table.rows) == 3 * len(RECIPES)


def test_page_markdown_and_mlflow_tell_the_choice_and_all_values_on_val(english: str) -> None:
    told, course = family(), make_course()
    for text in (english, markdown_page(told), description(course, told)):
        assert CHOSEN in text
        assert "0.410" in text
        assert "study-mnv1_n-320-none-none-0" in text  # a trial that was not chosen
    assert "Recipes, chosen on val" in Outline(render(told, ENGLISH)).headings
    assert markdown(tables.recipe_table(told, ENGLISH)) in markdown_page(told)


def test_every_table_of_models_names_the_recipe(english: str) -> None:
    for table in (tables.model_table(family(), ENGLISH), findings_table(family())):
        place = table.header.index("recipe")
        assert [row[place] for row in table.rows] == ["lr0 0.002", "lr0 0.006", "lr0 0.002"]


def test_csv_has_the_chosen_recipe_and_all_that_were_tried() -> None:
    baseline, first, _ = csv.DictReader(io.StringIO(tables.as_csv(family())))
    assert (baseline["recipe"], baseline["val_map50_95"]) == ("lr0 0.002", "0.61")
    assert (first["recipe"], first["tried"]) == ("lr0 0.006", "lr0 0.0007: 0.41; lr0 0.002: 0.52; lr0 0.006: 0.64")


def test_without_recipes_nothing_of_them_is_said() -> None:
    plain = Family.of([make_member()])
    assert words.chosen(plain, ENGLISH) == ""
    assert "recipe" not in console(findings_table(plain))
    assert "recipe" not in re.sub("<style>.*?</style>", "", render(plain, ENGLISH), flags=re.DOTALL).lower()
    assert "recipe" not in markdown_page(plain)
    assert next(csv.DictReader(io.StringIO(tables.as_csv(plain))))["recipe"] == ""


def test_a_candidate_that_is_not_judged_yet_is_listed_with_what_it_waits_for(english: str) -> None:
    said = words.unjudged(WAITING, ENGLISH)
    assert said.startswith(
        "mnv1_m (320 px, imagenet): its recipe is chosen once all of them are trained on equal terms"
    )
    assert said.endswith("missing: study-mnv1_m-320-1, study-mnv1_m-320-2")
    for text in (english, markdown_page(family()), description(make_course(), family(), [WAITING])):
        assert "Not judged yet" in text
        assert said.partition(": ")[2] in text


def test_a_candidate_that_cannot_be_compared_is_listed_with_the_error() -> None:
    assert words.unjudged(Unjudged("mnv1_m", WAITING.setup, (), "seeds differ"), ENGLISH).endswith("): seeds differ")


def test_confirm_is_advised_only_where_both_arms_have_one_recipe(english: str) -> None:
    assert family().recommendation.model == family().models[1]  # lr0 0.006 against lr0 0.002
    assert "run the study once more with fresh seeds (study.seeds)" in english
    same = Family.of([with_recipes(make_member("mnv1_n", 0.05), REFERENCE, (0.4, 0.5, 0.3))])
    assert words.confirmation(same, ENGLISH) == f"mobileyolo confirm {same.models[1].trial}"
    assert f"<code>mobileyolo confirm {same.models[1].trial}</code>" in render(same, ENGLISH)


def test_recipes_that_were_chosen_on_the_images_of_the_verdict_are_said_to_flatter() -> None:
    assert "Checkpoints and recipes were chosen on these same images" in words.reason(family(split="val"), ENGLISH)


def test_widths_with_different_recipes_are_one_curve() -> None:
    (curve,) = over_width(family().groups)
    assert [model.backbone for model in curve.models] == ["mnv1_n", "mnv1_s"]


def test_what_the_chinese_page_says_of_recipes_is_chinese() -> None:
    page = html.unescape(render(family(), chinese()))
    told = re.sub(r"<style>.*?</style>|<code>.*?</code>", "", page, flags=re.DOTALL)
    texts = [text for text in re.findall(r">([^<]+)<", told) if "lr0 " not in text]
    assert [text for text in texts if not CHINESE.search(text) and re.search(r"[a-z]{2,} [a-z]{2,}", text)] == []
    assert "mnv1_n 用 lr0 0.006" in page
    assert "尚未评判" in page
