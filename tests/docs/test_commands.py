"""Every ```bash and ```python block of the documentation is run, as it stands there, on small data.

Only a block below `<!-- not run: reason -->` is left out. A page is run from top to bottom in a repository in which
`dvc repro` has been run once, as a reader would. The pages share one repository and its DVC cache, so that a training
that two pages start is done once.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import cv2
import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from tests.docs.pages import CHINESE, CHINESE_README, PAGES, ROOT, Block, blocks, name, read
from tests.foreign import write_bare, write_coco, write_labelme, write_voc
from tests.pipeline.workspace import Result, Workspace
from tests.synthetic import write_dataset
from tests.tutorial import write_tutorial

pytestmark = pytest.mark.pipeline

# Chinese pages give the same commands (tests/docs/test_pages.py), so that running them once is enough.
ENGLISH = [page for page in PAGES if page != CHINESE_README and not page.is_relative_to(CHINESE)]
RUN = [page for page in ENGLISH if any(not block.reason for block in blocks(page))]
MLFLOW_PAGE = ROOT / "docs/reference/mlflow.md"
# What a newcomer reads first is run each time, the other pages once a week. The last page empties DVC's cache.
EACH_TIME = ("README.md",)
RUN.sort(key=lambda page: (page not in [ROOT / each for each in EACH_TIME], page.name == "clean-up.md"))
# One epoch on tiny images is enough to see that a command works.
SMALLER = {
    r"epochs=\d+": "epochs=1",
    r"imgsz([= ])\d+": r"imgsz\g<1>64",
    r"batch=\d+": "batch=4",
    r"nbs=\d+": "nbs=4",
}
# A reader's shell does not have it; where Ultralytics sees it, it writes its runs among the installed packages.
CLEAN = ("env", "-u", "PYTEST_CURRENT_TEST")


@dataclass(frozen=True)
class Reader:
    """Somebody who types what the pages say."""

    workspace: Workspace
    places: dict[str, Path]  # paths of the pages, and where they are in this test
    settings: Path  # folder of Ultralytics' settings
    kept: dict[str, bytes]  # what `dvc repro` left that git does not have

    def start_over(self) -> None:
        """The state after the first `dvc repro`: nothing committed, no experiment applied."""
        self.workspace.run("git", "reset", "--quiet", "--hard", "start")
        for path, content in self.kept.items():
            (self.workspace.path / path).write_bytes(content)
        self.workspace.dvc("checkout")

    def type(self, block: Block) -> Result:
        """Run a block, and wait for what it left running."""
        text = block.text
        for place, path in self.places.items():
            text = text.replace(place, path.as_posix())
        for pattern, smaller in SMALLER.items():
            text = re.sub(pattern, smaller, text)
        # Else Ultralytics would write into the checkout that its environment lies in.
        clean = (*CLEAN, f"YOLO_CONFIG_DIR={self.settings}")
        if block.language == "python":
            script = self.workspace.path / "typed.py"
            script.write_text(text, encoding="utf-8")
            result = self.workspace.run(*clean, "python", script.name, check=False)
            script.unlink()
        else:
            result = self.workspace.run(*clean, "bash", "-euo", "pipefail", "-c", text, check=False)
        if "dvc queue start" in text:
            self.workspace.finish_queue()
        return result


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    workspace = Workspace.create(tmp_path_factory.mktemp("workspace"), Path("data/raw/digits"))
    workspace.run("git", "tag", "start")
    places = {
        "/mnt/team/mobileyolo.git": elsewhere / "team.git",
        "/mnt/team/mobileyolo": elsewhere / "team",
        "/data/street.mp4": _write_video(elsewhere / "street.mp4"),
        "/data/helmets": write_dataset(elsewhere / "helmets", train=8, val=4, test=4),
    }
    runs = f"runs_dir={workspace.path / 'runs'}"
    workspace.run("env", f"YOLO_CONFIG_DIR={elsewhere / 'settings'}", "yolo", "settings", runs, "mlflow=False")
    workspace.run("git", "init", "--quiet", "--bare", str(elsewhere / "team.git"))
    workspace.run("git", "remote", "add", "origin", str(elsewhere / "team.git"))
    _write_sources(workspace.path)
    workspace.dvc("repro")
    return Reader(
        workspace,
        places,
        elsewhere / "settings",
        {path: workspace.read(path) for path in ("dvc.lock", "reports/metrics.json")},
    )


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[] if page in RUN[: len(EACH_TIME)] else pytest.mark.slow) for page in RUN],
    ids=name,
)
def test_what_a_page_tells_to_type_works(reader: Reader, page: Path) -> None:
    reader.start_over()
    for block in blocks(page):
        if block.language in {"bash", "python"} and not block.reason:
            result = reader.type(block)
            assert result.code == 0, f"{block} ended with {result.code}:\n{block.text}\n{result.output}"


@pytest.mark.slow  # where the pages that train with a teacher, export and so on have been run before it
def test_every_name_that_the_runs_of_these_pages_have_is_described(reader: Reader) -> None:
    """Parameters, metrics, tags and folders of artifacts, whatever the pages before have trained and exported."""
    described: dict[str, list[str]] = {}
    for title, section in re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", read(MLFLOW_PAGE), re.M | re.S):
        rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
        described[title] = re.findall(r"`([^`]+)`", " ".join(rows))
    client = MlflowClient(f"sqlite:///{(reader.workspace.path / 'mlflow.db').as_posix()}")
    for run in reader.workspace.runs():
        folders = [f"{item.path}/" for item in client.list_artifacts(run.info.run_id)]
        found = {
            "Parameters": run.data.params,
            "Metrics": run.data.metrics,
            "Tags": run.data.tags,
            "Artifacts": [folder for folder in folders if folder != "report/"],  # has a folder for each pair
        }
        for title, names in found.items():
            assert [each for each in names if not any(fnmatch(each, pattern) for pattern in described[title])] == []


def test_the_pages_that_are_run_each_time_are_there() -> None:
    assert {page.relative_to(ROOT).as_posix() for page in RUN[: len(EACH_TIME)]} == set(EACH_TIME)


def test_every_block_that_is_left_out_says_why() -> None:
    left_out = [block for page in PAGES for block in blocks(page) if block.reason]
    assert all(len(block.reason.split()) > 3 for block in left_out)
    assert "not run" not in "".join(block.text for page in PAGES for block in blocks(page))


def _write_sources(folder: Path) -> None:
    """What the pages take as given in the folder where commands are typed."""
    write_voc(folder / "VOCdevkit/VOC2012")
    write_coco(folder / "coco")
    write_labelme(folder / "photos")
    write_bare(folder / "helmets")
    (folder / "helmets/classes.txt").unlink()  # the command names the classes
    write_tutorial(folder)
    shapes = write_dataset(folder / "shapes")
    shutil.copy(shapes / "data.yaml", folder / "data.yaml")
    text = (folder / "data.yaml").read_text(encoding="utf-8")
    (folder / "data.yaml").write_text(f"path: {shapes.as_posix()}\n{text}", encoding="utf-8")


def _write_video(path: Path) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 5, (64, 64))
    for frame in np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), dtype=np.uint8):
        writer.write(frame)
    writer.release()
    return path
