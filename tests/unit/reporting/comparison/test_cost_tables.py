from __future__ import annotations

from mobileyolo.reporting.comparison import cost_tables
from mobileyolo.reporting.shared.cells import console
from tests.synthetic_comparison import make_inputs
from tests.synthetic_results import make_cost_sheet


def test_the_sentence_names_the_width_that_costs_what_yolo11n_does_and_how_far_off_the_others_are() -> None:
    # Made up: backbones of 4, 1, 3, 6 and 9 million beside a neck and head of 1.5 million.
    assert cost_tables.matching_sentence(make_cost_sheet()) == (
        "mnv1_s (α 0.5) is the MobileNetV1 whose cost is closest to yolo11n: 0.82 times its GFLOPs and 0.82 times its "
        "parameters. The others: mnv1_n (α 0.25) 0.45 and 0.45, mnv1@0.75 (α 0.75) 1.36 and 1.36, mnv1_m (α 1) 1.91 "
        "and 1.91."
    )


def test_parts_table_has_totals_and_shares() -> None:
    table = cost_tables.parts_table(make_cost_sheet())
    assert table.rows[0] == ("mnv1_n (α 0.25)", "2.50 M", "40 / 48 / 12 %", "2.50", "40 / 48 / 12 %")
    assert [row[0] for row in table.rows[-2:]] == ["yolo11s", "yolo11x"]


def test_resolution_table_has_a_column_for_each_side_with_its_multiplier() -> None:
    table = cost_tables.resolution_table(make_cost_sheet())
    assert table.header == ("GFLOPs at", "320 px (β 1.00)", "256 px (β 0.80)")
    assert table.rows[0] == ("mnv1_n (α 0.25)", "2.50", "1.60")


def test_saving_table_has_the_full_networks_layers_then_each_network() -> None:
    rows = cost_tables.saving_table(make_cost_sheet()).rows
    assert rows[0] == ("8 → 16, stride 1, 2 times", "0.1", "0.0", "0.1736", "0.1736")  # 1/16 + 1/9
    assert [row[0] for row in rows[1:]] == [f"whole network, α {width}" for width in ("0.25", "0.5", "0.75", "1")]
    assert rows[1][3:] == ("0.1912", "0.1912")  # the stem stays as it is: 45 000 of 235 400


def test_the_arms_of_a_comparison_are_found_on_the_sheet() -> None:
    inputs = make_inputs()
    arms = cost_tables.arms_by_label(inputs.sheet, inputs.comparison)
    assert {name: each for name, each in arms.items() if each} == {
        "mnv1_n (α 0.25)": ["candidate"],
        "yolo11n": ["baseline"],
    }
    same = inputs.comparison.model_copy(update={"candidate": inputs.comparison.baseline})
    assert cost_tables.arms_by_label(inputs.sheet, same)["yolo11n"] == ["baseline", "candidate"]


def test_the_console_shows_every_table_and_ends_with_what_follows_from_it() -> None:
    sheet = make_cost_sheet()
    shown = cost_tables.console_sheet(sheet)
    for table in (cost_tables.parts_table, cost_tables.resolution_table, cost_tables.saving_table):
        assert console(table(sheet)) in shown
    assert "320 x 320 px, 3 classes" in shown
    assert shown.endswith(cost_tables.matching_sentence(sheet))
