"""What dataset/expectations.py relies on in Great Expectations."""

from __future__ import annotations

import errno
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from tests.contracts.table import contract

MARKUP = "<b>bold</b>"  # a value of the table


class Judged(NamedTuple):
    """A table of three boxes, the second of which sticks out by a tenth, and what expectations on it came to."""

    context: Any
    whole: Any  # ExpectationSuiteValidationResult
    by_name: dict[str, Any]  # ExpectationValidationResult by meta["kind"]


@cache
def judged() -> Judged:
    """The table, judged once for all tests of a process."""
    return judge(bars=False)


def judge(bars: bool) -> Judged:
    """Let Great Expectations judge the table, with progress bars or without; one expectation's column isn't there."""
    import great_expectations as gx
    import great_expectations.expectations as gxe

    from mobileyolo.dataset.expectations import BOX, ExpectBoxesToLieInImage

    boxes = [[0.5, 0.5, 0.2, 0.2], [0.5, 0.5, 1.2, 0.2], [0.5, 0.5, 0.2, 0.2]]
    frame = pd.DataFrame(boxes, columns=BOX).assign(text=["", MARKUP, ""])
    expectations = [
        ExpectBoxesToLieInImage(column_list=BOX, slack=slack, mostly=mostly, meta={"kind": f"{slack} {mostly}"})
        for slack, mostly in ((0.05, 1.0), (0.15, 1.0), (0.05, 0.5))
    ]
    expectations += [
        gxe.ExpectColumnValuesToBeInSet(column="text", value_set=[""], meta={"kind": "text"}),
        gxe.ExpectColumnValuesToBeBetween(column="gone", min_value=0, meta={"kind": "crash"}),
    ]
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": bars}
    asset = context.data_sources.add_pandas("dataset").add_dataframe_asset("in boxes")
    batch = asset.add_batch_definition_whole_dataframe("all rows").get_batch(batch_parameters={"dataframe": frame})
    whole = batch.validate(
        gx.ExpectationSuite("boxes", expectations=expectations),
        result_format={"result_format": "COMPLETE", "return_unexpected_index_query": False},
    )
    return Judged(context, whole, {each.expectation_config.meta["kind"]: each for each in whole.results})


@cache
def pages() -> Path:
    """Data Docs of that, without the crash, as this project writes them."""
    folder = Path(tempfile.mkdtemp(prefix="mobileyolo-contract-")) / "docs"
    write_pages(judged(), folder)
    return folder


def write_pages(done: Judged, folder: Path) -> None:
    from mobileyolo.dataset.data_docs.results import store_results
    from mobileyolo.dataset.data_docs.site import write_site

    results = [each for each in done.whole.results if each.expectation_config.meta["kind"] != "crash"]
    whole = type(done.whole)(
        success=False, results=results, suite_name="boxes", statistics=done.whole.statistics, meta=done.whole.meta
    )
    store_results(done.context, "faults", [whole])
    write_site(done.context, folder)


@contract("MulticolumnMapMetricProvider")
def test_a_condition_of_ours_is_given_its_columns_and_values() -> None:
    assert [judged().by_name[name].success for name in ("0.05 1.0", "0.15 1.0")] == [False, True]


@contract("MulticolumnMapExpectation")
def test_an_expectation_of_ours_lets_a_share_of_the_rows_through() -> None:
    lenient = judged().by_name["0.05 0.5"]
    assert lenient.success is True
    assert lenient.result["unexpected_count"] == 1
    assert lenient.result["element_count"] == 3


@contract("exception_info")
def test_a_crash_is_told_from_a_finding() -> None:
    by_name = judged().by_name
    assert by_name["text"].success is False
    assert by_name["text"].exception_info["raised_exception"] is False
    assert by_name["crash"].success is False
    assert by_name["crash"].exception_info.get("raised_exception") is not False


@contract("unexpected_index_list")
def test_offending_rows_are_named_by_position() -> None:
    for name in ("0.05 1.0", "text"):
        assert judged().by_name[name].result["unexpected_index_list"] == [1]
    assert judged().by_name["text"].result["unexpected_list"] == [MARKUP]


@contract("to_domain_obj")
def test_an_expectation_can_be_made_again_from_its_result() -> None:
    from mobileyolo.dataset.expectations import ExpectBoxesToLieInImage

    again = judged().by_name["0.15 1.0"].expectation_config.to_domain_obj()
    assert type(again) is ExpectBoxesToLieInImage
    assert (again.slack, again.meta) == (0.15, {"kind": "0.15 1.0"})


@contract("progress_bars")
def test_progress_bars_can_be_switched_off(capsys: pytest.CaptureFixture[str]) -> None:
    judge(bars=True)
    assert "Calculating Metrics" in capsys.readouterr().err
    judge(bars=False)
    assert "Calculating Metrics" not in capsys.readouterr().err


@contract("store_validation_results")
def test_data_docs_show_the_results_that_were_stored() -> None:
    (page,) = (pages() / "validations/faults").rglob("*.html")
    text = page.read_text(encoding="utf-8")
    assert "boxes_to_lie_in_image" in text
    assert "bold" in text  # the offending value


@contract("active_batch_definition")
def test_data_docs_name_the_asset_of_the_results_meta() -> None:
    index = (pages() / "index.html").read_text(encoding="utf-8")
    assert "<td>dataset</td>" in index
    assert "in boxes" not in index


@contract("validations/*/")
def test_data_docs_lie_where_the_report_links_to_them() -> None:
    from mobileyolo.dataset.findings import DOCS_RUN

    folder = pages() / "validations/faults" / DOCS_RUN
    assert [path.name for path in folder.iterdir()] == ["latest"]
    assert f"/{DOCS_RUN}/latest/" in (pages() / "index.html").read_text(encoding="utf-8")


@contract("_escaped")
def test_data_docs_do_not_escape_values() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (pages() / "validations").rglob("*.html"))
    assert MARKUP not in text
    assert "&lt;b&gt;bold" in text  # escaped by this project, and not once more
    assert "&amp;lt;b" not in text


@contract("DefaultJinjaPageView")
def test_data_docs_take_templates_of_ours_before_their_own() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in pages().rglob("*.html"))
    assert "<style" in text  # ours is part of the page
    assert not re.search(r"<(?:script|link|img)[^>]*(?:src|href)=.(?:https?:)?//", text)


@contract("render.renderer.site_builder")
def test_a_page_that_the_disk_does_not_take_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mobileyolo.dataset.data_docs.views import OfflinePageView

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(OfflinePageView, "render", full)
    with pytest.raises(OSError, match="No space left"):
        write_pages(judge(bars=False), tmp_path / "docs")
