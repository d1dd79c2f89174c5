from __future__ import annotations

import dataclasses
import hashlib
import html
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mobileyolo.core.errors import UserError
from mobileyolo.core.files import ValidationFiles
from mobileyolo.core.records import DatasetCard, Split, SplitCount
from mobileyolo.core.tables import Manifest
from mobileyolo.dataset.findings import Finding, Offender, docs_page
from mobileyolo.reporting.dataset.page import percent, write_page
from mobileyolo.reporting.dataset.report import check_report_folder
from tests.synthetic import write_dataset

HOSTILE = (
    "<script>alert(1)</script>",
    "a\"b'c&d",
    "two\nlines\x00\x1b[31m",
    "right\u202eto left",
    "红细胞",
    "کتاب‌ها",
    "x" * 5000,
    "$\\alpha$",
    "\ud800",
)


class Outline(HTMLParser):
    """Ids, links, and what pictures say; raises where a tag closes another one."""

    VOID = frozenset({"meta"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.unnamed: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.add(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value for name, value in attrs if name in {"href", "src"} and value]
        if values.get("role") == "img" and not values.get("aria-label"):
            self.unnamed.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()


def make_manifest(root: Path) -> Manifest:
    """The clean rows of a dataset that `write_dataset` wrote."""
    images, boxes = [], []
    for split in ("train", "val", "test"):
        for path in sorted(root.glob(f"{split}/images/*.png")):
            image, label = path.relative_to(root).as_posix(), f"{split}/labels/{path.stem}.txt"
            with Image.open(path) as opened:
                images.append((split, image, label, *opened.size, path.stat().st_size, "0" * 64))
            for number, line in enumerate((root / label).read_text(encoding="utf-8").splitlines(), start=1):
                class_id, *box = line.split()
                boxes.append((image, number, int(class_id), *map(float, box)))
    return Manifest(
        pd.DataFrame(images, columns=list(Manifest.IMAGE_COLUMNS)),
        pd.DataFrame(boxes, columns=list(Manifest.BOX_COLUMNS)),
    )


def make_card(manifest: Manifest, names: Sequence[str]) -> DatasetCard:
    splits: dict[Split, SplitCount] = {}
    for split in ("train", "val", "test"):
        images = manifest.images.loc[manifest.images["split"] == split, "image"]
        if len(images):
            splits[split] = SplitCount(images=len(images), boxes=int(manifest.boxes["image"].isin(images).sum()))
    return DatasetCard(digest=hashlib.sha256(b"data").hexdigest(), names=tuple(names), splits=splits)


def make_finding(kind: str, *offenders: Offender, severe: bool = False) -> Finding:
    return Finding(
        kind=kind,
        suite="faults" if severe else "quality",
        severity="error" if severe else "warning",
        description=f"No row has {kind}.",
        remedy=f"mend the {kind}",
        faq="the objects are tiny (目标太小)",
        unit="boxes",
        count=len(offenders),
        rows=max(1000, len(offenders)),
        tolerance=0.001,
        parameters=(f"validate.{kind}.share", f"validate.{kind}.limit"),
        drops=severe,
        offenders=offenders,
    )


FINDINGS = (
    make_finding(
        "zero_size_box",
        Offender("train/labels/000.txt", 1, "w 0, h 0", "train/images/000.png", (0.5, 0.5, 0, 0)),
        Offender("train/labels/000.txt", 2, "x 320", "train/images/000.png", (320, 200, 40, 40)),
        Offender("train/labels/001.txt", 2, "x 1.05", "train/images/001.png", (1.05, 0.5, 0.2, 0.2)),
        Offender("train/labels/001.txt", 3, "NaN", "train/images/001.png", (float("nan"), 0.5, 0.2, 0.2)),
        severe=True,
    ),
    make_finding("few_images", Offender("val", None, "2 images"), Offender("test", None, "2 images")),
    make_finding("dark_image", Offender("val/images/000.png", None, "brightness 0.02", "val/images/000.png")),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "reports/validation"


def write(folder: Path, root: Path, findings: Sequence[Finding], names: Sequence[str] = ("square", "bar")) -> str:
    manifest = make_manifest(root)
    write_page(ValidationFiles(folder), root, findings, make_card(manifest, names), manifest)
    assert [path.name for path in folder.iterdir() if path.is_file()] == ["index.html"]
    return (folder / "index.html").read_text(encoding="utf-8")


def without_pictures(page: str) -> str:
    return re.sub(r"data:image/jpeg;base64,[A-Za-z0-9+/=]*", "data:", page)


def words(page: str) -> str:
    """The page's text, each run of white space one space."""
    body = re.sub(r"<[^>]*>", " ", page[page.index("<body>") :])
    return " ".join(html.unescape(body).split())


def test_the_page_gives_the_verdict_and_every_finding(folder: Path, dataset: Path) -> None:
    page = write(folder, dataset, FINDINGS)
    text = words(page)
    assert "May dataset be trained on? stopped Not yet: 1 error and 2 warnings." in text
    assert "8 images with 16 boxes of 2 classes, not counting what findings leave out." in text
    assert hashlib.sha256(b"data").hexdigest() in text
    assert "train 4 8 2.0 0 val 2 4 2.0 0 test 2 4 2.0 0" in text
    for finding in FINDINGS:
        assert f'<a href="#{finding.kind}">' in page
        assert f'<article id="{finding.kind}" class="{finding.severity}">' in page
        assert f"{finding.count} of {finding.rows:,} {finding.unit}" in text
        assert {finding.description, finding.faq.capitalize(), finding.remedy.capitalize()} <= {
            html.unescape(each) for each in re.findall(r"<dd>([^<]*)</dd>", page)
        }
        assert all(f"<code>{parameter}</code>" in page for parameter in finding.parameters)
        for offender in finding.offenders:
            place = offender.file + ("" if offender.line is None else f":{offender.line}")
            assert place in text
            assert offender.value in text
    assert "x 320 – outside the picture" in text


def test_a_clean_dataset_is_said_to_be_so(folder: Path, dataset: Path) -> None:
    page = write(folder, dataset, [])
    assert "passed Yes: nothing wrong was found." in words(page)
    assert "<article" not in page
    assert "findings" not in re.findall(r'href="([^"]*)"', without_pictures(page))


def test_errors_come_before_warnings(folder: Path, dataset: Path) -> None:
    page = write(folder, dataset, FINDINGS[::-1])
    assert re.findall('<article id="([a-z_]*)"', page) == ["zero_size_box", "dark_image", "few_images"]


def test_warnings_alone_stop_nothing(folder: Path, dataset: Path) -> None:
    assert "passed Yes, with 2 warnings." in words(write(folder, dataset, FINDINGS[1:]))


def test_every_link_leads_somewhere(folder: Path, dataset: Path) -> None:
    (folder / "docs").mkdir(parents=True)
    outline = Outline(without_pictures(write(folder, dataset, FINDINGS)))
    for page in ("index.html", docs_page("faults"), docs_page("quality")):
        (folder / "docs" / page).parent.mkdir(parents=True, exist_ok=True)
        (folder / "docs" / page).touch()
    (folder / "findings.csv").touch()
    assert len(outline.ids) == len(set(outline.ids))
    assert {link for link in outline.links if link != "data:"} >= {"docs/index.html", "findings.csv"}
    for link in outline.links:
        assert link == "data:" or (link[1:] in outline.ids if link[0] == "#" else (folder / link).is_file())
    assert set(re.findall(r"url\(#([^)]*)\)", (folder / "index.html").read_text(encoding="utf-8"))) <= set(outline.ids)


def test_there_is_no_link_to_data_docs_that_are_not_there(folder: Path, dataset: Path) -> None:
    manifest = make_manifest(dataset)
    write_page(ValidationFiles(folder), dataset, FINDINGS, make_card(manifest, ("square", "bar")), manifest)
    assert "Data Docs" not in (folder / "index.html").read_text(encoding="utf-8")


def test_the_page_needs_no_network_and_no_script_and_knows_no_folder(folder: Path, dataset: Path) -> None:
    page = without_pictures(write(folder, dataset, FINDINGS))
    assert "http" not in page
    assert "@import" not in page
    assert str(dataset.parent) not in page
    assert not Outline(page).tags & {"script", "link", "iframe", "object", "img"}
    assert not re.findall(r"\son\w+=", page)


def test_every_picture_says_what_it_shows(folder: Path, dataset: Path) -> None:
    page = write(folder, dataset, FINDINGS)
    assert not Outline(page).unnamed
    assert 'aria-label="train/images/000.png: square × 1, bar × 1"' in page
    assert 'aria-label="train/labels/000.txt:1: w 0, h 0"' in page


def test_the_same_dataset_gives_the_same_bytes_anywhere(
    tmp_path: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = write(tmp_path / "one", dataset, FINDINGS)
    elsewhere = tmp_path / "else where"
    shutil.copytree(dataset, elsewhere / "dataset")
    monkeypatch.chdir(elsewhere)
    assert write(Path("two"), Path("dataset"), FINDINGS) == page


def test_names_can_put_nothing_into_the_page(folder: Path, tmp_path: Path) -> None:
    names = [*HOSTILE, "square"]
    root = write_dataset(tmp_path / "<b>&", train=12, classes=names)
    strange = "train/images/<img src=x onerror=y>\n\u202egnp.png"
    offenders = [Offender(f"{strange} {name}", 1, name, strange, None) for name in HOSTILE]
    page = write(folder, root, [make_finding("strange_name", *offenders)], names)
    outline = Outline(page)
    assert not outline.tags & {"script", "img", "b"}
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", page)
    assert "x" * 301 not in without_pictures(page)
    text = html.unescape(page)
    assert {"红细胞", "کتاب‌ها", "right\\u202eto left", "two\\nlines\\x00"} <= set(
        re.findall(r"红细胞|کتاب‌ها|right\\u202eto left|two\\nlines\\x00", text)
    )


def test_what_cannot_be_shown_says_why(folder: Path, dataset: Path) -> None:
    images = dataset / "train/images"
    content = (images / "000.png").read_bytes()
    manifest = make_manifest(dataset)
    (images / "000.png").write_bytes(content[: len(content) // 2])
    (images / "001.png").unlink()
    (images / "002.png").write_text("<html>")
    Image.new("1", (10_000, 10_000)).save(images / "003.png")
    findings = [make_finding("bad", *(Offender(f"{n}", None, "", f"train/images/00{n}.png", None) for n in range(4)))]
    write_page(ValidationFiles(folder), dataset, findings, make_card(manifest, ("square", "bar")), manifest)
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert page.count('class="shot missing"') == 8  # each as a sample and as an offender
    for problem in ("runcated", "No such file", "not an image of a known format", "10000 x 10000 pixels, more than"):
        assert problem in page


def test_many_findings_with_many_offenders_stay_small(folder: Path, tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "dataset", train=24, size=64)
    noise = np.random.default_rng(0)
    for path in root.glob("*/images/*.png"):  # pictures of noise are the largest
        Image.fromarray(noise.integers(0, 255, (700, 900, 3), dtype=np.uint8)).save(path, compress_level=1)
    offenders = [
        Offender(f"train/labels/{'long ' * 12}{n}.txt", n, "value " * 10, f"train/images/{n % 24:03d}.png", (0.5,) * 4)
        for n in range(3000)
    ]
    page = write(folder, root, [make_finding(f"kind_{number}", *offenders) for number in range(30)])
    assert (folder / "index.html").stat().st_size < 3_000_000
    assert page.count("<article") == 30
    assert "And 2,939 more in" in page


def test_many_boxes_and_classes_take_little_space(folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = pd.DataFrame({"image": [f"train/images/{number:05d}.jpg" for number in range(20_000)]})
    images = images.assign(
        split="train", label="", width=rng.integers(500, 4000, 20_000), height=800, bytes=1, sha256=""
    )
    boxes = pd.DataFrame(rng.uniform(0.1, 0.2, (200_000, 4)), columns=list("xywh"))
    boxes = boxes.assign(
        image=images["image"].to_numpy()[np.arange(200_000) // 10], line=1, class_id=rng.integers(0, 900, 200_000)
    )
    manifest = Manifest(images, boxes)
    names = [f"class {number}" for number in range(1000)]
    write_page(ValidationFiles(folder), tmp_path, [], make_card(manifest, names), manifest)
    assert (folder / "index.html").stat().st_size < 1_000_000
    assert "and 70 more" in words((folder / "index.html").read_text(encoding="utf-8"))


def test_a_dataset_without_boxes_or_with_one_split_has_a_page(folder: Path, tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "dataset", val=0, test=0)
    one = make_manifest(root)
    write_page(ValidationFiles(folder), root, [], make_card(one, ("square", "bar")), one)
    unlabelled = dataclasses.replace(one, boxes=one.boxes[:0])
    write_page(ValidationFiles(folder), root, [], make_card(unlabelled, ("square", "bar")), unlabelled)
    text = words((folder / "index.html").read_text(encoding="utf-8"))
    assert "4 images with 0 boxes of 2 classes" in text
    assert "Nothing is labelled." in text
    assert text.count("no boxes") == 4


def test_a_dataset_without_a_usable_image_has_a_page(folder: Path, dataset: Path) -> None:
    nothing = Manifest(
        pd.DataFrame(columns=list(Manifest.IMAGE_COLUMNS)), pd.DataFrame(columns=list(Manifest.BOX_COLUMNS))
    )
    write_page(ValidationFiles(folder), dataset, [], make_card(nothing, ("square", "bar")), nothing)
    text = words((folder / "index.html").read_text(encoding="utf-8"))
    assert "0 images with 0 boxes of 2 classes" in text
    assert "No image can be trained on." in text
    assert "There is no image to show." in text


def test_every_colour_exists_on_a_light_and_a_dark_page(folder: Path, dataset: Path) -> None:
    page = write(folder, dataset, FINDINGS)
    used = set(re.findall(r"var\(--(\w+)\)", page)) - {"colour", "key"}
    light, dark = (
        set(re.findall(r"--(\w+): #", block))
        for block in re.findall(r":root \{\s*(--.*?|color-scheme.*?--.*?)\}", page, re.DOTALL)[:2]
    )
    assert used <= light
    assert light == dark


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0.00%"), (0.5, "50.00%"), (1, "100.00%"), (1e-6, "under 0.01%"), (1 - 1e-6, "over 99.99%")],
)
def test_a_share_is_never_rounded_to_nothing_or_everything(share: float, text: str) -> None:
    assert percent(share) == text


def test_importing_the_page_brings_no_plotting_library() -> None:
    code = (
        "import sys, mobileyolo.reporting.dataset.page as _; "
        "print([name for name in ('matplotlib', 'scipy', 'torch', 'great_expectations') if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


@pytest.mark.parametrize(
    ("report", "dataset", "message"),
    [
        ("data/report", "data", "is inside the dataset"),
        ("link", "data", "is inside the dataset"),  # its docs do
        ("report", "report/docs/data", "the dataset is inside it"),
        ("other", "data", "nor an earlier report"),
    ],
)
def test_a_report_overwrites_neither_a_dataset_nor_anything_else(
    tmp_path: Path, report: str, dataset: str, message: str
) -> None:
    for folder in ("data", "link", "report/docs/data", "other"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "link/docs").symlink_to(tmp_path / "data")
    for file in ("link/verdict.json", "report/verdict.json", "other/note.txt"):
        (tmp_path / file).touch()
    with pytest.raises(UserError, match=message):
        check_report_folder(ValidationFiles(tmp_path / report), tmp_path / dataset)
    check_report_folder(ValidationFiles(tmp_path / "report"), tmp_path / "data")
