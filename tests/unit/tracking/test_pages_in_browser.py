"""MLflow's pages as somebody meets them who has typed `mlflow ui`, in a browser."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from mlflow.tracking import MlflowClient
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Playwright, Route, expect, sync_playwright

from mobileyolo.tracking.descriptions import colour_of
from mobileyolo.tracking.pages import comparison_page
from tests.unit.tracking.compared import BASELINE, BEST_FIRST, MADE_UP, SEEDS, log_compared
from tests.unit.tracking.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.skipif(sys.platform == "win32", reason="the server ends by a signal")]

INSTALL = (
    "there is no Chromium to look at MLflow's pages with: run `python -m playwright install --with-deps chromium`, or "
    "install your system's package chromium"
)
# A browser that has met MLflow before: its assistant does not open by itself, and takes no room from the pages.
NO_ASSISTANT = "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"
LIMIT_MS = 60_000  # each page loads some MB of scripts, on a busy machine


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """A workspace with the runs of three comparisons."""
    folder = tmp_path_factory.mktemp("workspace")
    shutil.copy(empty_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert not log_compared(folder).has_failed
    return folder


@pytest.fixture(scope="module")
def address(workspace: Path) -> Iterator[str]:
    """Where `mlflow ui` is."""
    server = Server(workspace, "ui")
    server.start()
    yield server.address
    server.kill()


@pytest.fixture(scope="module")
def experiment(workspace: Path) -> str:
    """Id of the dataset's experiment."""
    found = MlflowClient(f"sqlite:///{(workspace / 'mlflow.db').as_posix()}").get_experiment_by_name("cells-01234567")
    assert found
    return str(found.experiment_id)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Playwright's own Chromium, else the system's."""
    expect.set_options(timeout=LIMIT_MS)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


def launch(playwright: Playwright) -> Browser:
    own = Path(playwright.chromium.executable_path).exists()
    installed = None if own else shutil.which("chromium")
    if not own and not installed:
        pytest.fail(INSTALL)
    return playwright.chromium.launch(
        executable_path=installed,
        # Also what the browser asks for by itself stays on this machine.
        args=["--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
    )


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser without a memory. No page may ask for anything beyond this machine."""
    context = browser.new_context(viewport={"width": 1440, "height": 1100})
    context.set_default_timeout(LIMIT_MS)
    context.add_init_script(NO_ASSISTANT)
    foreign = []

    def stay_here(route: Route) -> None:
        if urlsplit(route.request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            foreign.append(route.request.url)
            route.abort()

    context.route("**/*", stay_here)
    yield context
    context.close()
    assert foreign == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def runs_table(page: Page) -> dict[str, dict[str, str]]:
    """The table of runs: by name, in the order of rows, the cells by column. Names stand in a part of their own."""
    names = page.locator("[role=row] [col-id='attributes.`Run Name`'] a")
    expect(names).to_have_count(len(BEST_FIRST))
    table = {}
    for row in range(len(BEST_FIRST)):
        parts = page.locator(f".ag-row[row-index='{row}'] [role=gridcell][col-id]")
        cells = {str(cell.get_attribute("col-id")): cell.inner_text() for cell in parts.all()}
        table[cells.pop("attributes.`Run Name`").split()[-1]] = cells
    return table


def headings(page: Page) -> list[str]:
    """The titles of the columns, from left to right."""
    cells = page.locator(".ag-header-cell:visible").all()
    return [cell.inner_text() for cell in sorted(cells, key=left_edge)]


def left_edge(element: Locator) -> float:
    box = element.bounding_box()
    assert box
    return box["x"]


def cards(page: Page) -> Locator:
    """The charts that are drawn."""
    return page.get_by_test_id("experiment-view-compare-runs-card")


def test_the_link_opens_a_table_with_the_best_model_first_and_what_each_costs(
    page: Page, address: str, experiment: str
) -> None:
    page.goto(f"{address}/{comparison_page(experiment)}")
    expect(page.locator("[col-id='metrics.`gflops`']").first).to_be_visible()
    table = runs_table(page)
    assert tuple(table) == BEST_FIRST
    for name, cells in table.items():
        backbone, seed = name.rsplit("-s", 1)
        _, map50_95, parameters, gflops, latency = MADE_UP[backbone]
        assert cells["params.`backbone`"] == backbone
        assert float(cells["metrics.`map50_95`"]) == round(map50_95 + int(seed) / 100, 6)
        assert float(cells["metrics.`parameters`"]) == parameters
        assert float(cells["metrics.`gflops`"]) == gflops
        assert cells["metrics.`latency_ratio`"] == ("-" if backbone == BASELINE else str(latency))
        assert cells["tags.`verdict`"] == ("-" if backbone == BASELINE else "worse")
    shown = headings(page)
    ours = ["backbone", "map50_95", "parameters", "gflops", "latency_ratio"]
    assert [title for title in shown if title in ours] == ours
    assert shown.index("arm") > shown.index("latency_ratio")
    expect(page.get_by_test_id("saved-views-trigger")).to_contain_text("Comparison")


def test_two_clicks_lead_from_the_first_page_to_the_models_side_by_side(
    context: BrowserContext, page: Page, address: str
) -> None:
    """Once the browser knows that models are trained here, which it keeps."""
    page.goto(address)
    page.get_by_role("button", name="Model training").click()
    page.get_by_role("link", name="cells-01234567").first.wait_for()
    page.close()
    clicks: list[str] = []
    context.expose_function("clicked", lambda on: clicks.append(on))  # Playwright looks into a function
    context.add_init_script("addEventListener('click', event => clicked(event.target.innerText), true)")

    page = context.new_page()
    page.goto(address)
    page.get_by_role("link", name="cells-01234567").first.click()
    with context.expect_page() as opened:
        page.get_by_role("link", name="in charts").click()
    charts = opened.value
    expect(cards(charts).first).to_be_visible()
    assert clicks == ["cells-01234567", "in charts"]
    accuracy = cards(charts).nth(0)
    expect(accuracy).to_contain_text("map50_95")
    expect(accuracy.locator(".bars path")).to_have_count(len(BEST_FIRST))
    for name in BEST_FIRST:
        expect(charts.get_by_role("link", name=name, exact=True)).to_be_visible()


def test_the_charts_compare_accuracy_cost_and_latency_in_the_colours_of_the_backbones(
    page: Page, address: str, experiment: str
) -> None:
    page.goto(f"{address}/{comparison_page(experiment, charts=True)}")
    accuracy, cost, latency = (cards(page).nth(number) for number in range(3))
    expect(page.get_by_test_id("experiment-view-compare-runs-section-header").first).to_contain_text("Comparison")
    expect(accuracy.locator(".bars path")).to_have_count(len(BEST_FIRST))
    expect(cost.locator(".scatterlayer path.point")).to_have_count(len(BEST_FIRST))
    expect(latency.locator(".bars path")).to_have_count(len(BEST_FIRST) - SEEDS)
    expect(cost).to_contain_text("gflops vs. map50_95")
    drawn = accuracy.locator(".bars path").evaluate_all("bars => bars.map(bar => getComputedStyle(bar).fill)")
    assert {tuple(map(int, re.findall(r"\d+", fill)[:3])) for fill in drawn} == {
        tuple(bytes.fromhex(colour_of(backbone)[1:])) for backbone in MADE_UP
    }


def test_a_run_says_what_its_comparison_came_to_and_leads_to_the_report(
    page: Page, address: str, experiment: str
) -> None:
    page.goto(f"{address}/{comparison_page(experiment)}")
    page.get_by_role("link", name="mnv1_s-s0", exact=True).click()
    expect(page.get_by_text("mnv1_s loses 0.060 mAP50-95 to yolo11n")).to_be_visible()
    page.get_by_text("Show more").first.click()
    row = page.get_by_role("row").filter(has_text="mAP50-95").first
    assert row.get_by_role("cell").all_inner_texts()[:4] == ["mAP50-95", "0.580", "0.520", "-0.060"]
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="The whole report is among the artifacts").click()
    expect(opened.value.get_by_text("report", exact=True)).to_be_visible()


def test_the_models_are_listed_and_each_shows_its_metrics_and_its_signature(
    page: Page, address: str, experiment: str
) -> None:
    page.goto(f"{address}/{comparison_page(experiment)}")
    page.get_by_role("link", name="Models", exact=True).click()
    models = page.locator("a[href*='/models/m-']")
    expect(models).to_have_count(len(BEST_FIRST))
    assert sorted(models.all_inner_texts()) == sorted(BEST_FIRST)
    models.filter(has_text="mnv1_s-s0").click()
    row = page.get_by_role("row").filter(has_text="map50_95").first
    expect(row).to_contain_text("0.52")
    expect(row).to_contain_text("cells")
    expect(page.locator("pre").filter(has_text="load_model")).to_be_visible()
    page.get_by_role("link", name="Artifacts", exact=True).click()
    page.get_by_text("MLmodel", exact=True).click()
    expect(page.get_by_text(re.compile("signature:")).first).to_be_visible()
    expect(page.get_by_text(re.compile("tensor-spec")).first).to_be_visible()
